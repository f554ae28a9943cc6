from dataclasses import replace

import numpy as np
import pytest

from interp_embed.hypotheses import Corpus, measure_signal


def corpus(seed=0, *, n=200, **changes):
    rng = np.random.default_rng(seed)
    base = Corpus(
        documents=tuple(f"document {i}" for i in range(n)),
        target=rng.standard_normal(n),
        embeddings=rng.standard_normal((n, 12)).astype(np.float32),
        rows=np.arange(n),
        groups=np.arange(n),
    )
    return replace(base, **changes)


def first(case):
    return case.embeddings[:, 0].astype(np.float64)


@pytest.mark.parametrize(
    ("kind", "metric"), [("numeric", "r2"), ("count", "r2"), ("binary", "auc")]
)
def test_a_target_that_texts_predict_has_a_signal(kind, metric):
    case = corpus()
    target = {
        "numeric": first(case),
        "count": np.floor(np.exp(1 + first(case))),
        "binary": (first(case) > 0).astype(float),
    }[kind]

    signal = measure_signal(replace(case, target=target), kind=kind)

    assert (signal.metric, signal.found, signal.n) == (metric, True, 200)
    assert signal.score > (0.3 if metric == "r2" else 0.8)


def test_noise_has_none():
    signal = measure_signal(corpus(), kind="numeric")

    assert not signal.found
    assert signal.p > 0.05
    assert signal.score < 0.05


def test_one_class_of_several_is_enough():
    rng = np.random.default_rng(3)
    case = corpus()
    labels = np.column_stack([rng.random(200) < 0.3, first(case) > 0.5, rng.random(200) < 0.5])

    assert measure_signal(replace(case, target=labels.astype(float)), kind="multilabel").found


def test_effects_of_opposite_signs_in_two_strata_are_a_signal():
    case = corpus(1)
    strata = np.arange(200) % 2
    target = first(case) * np.where(strata == 1, 1.0, -1.0) + 0.3 * case.target

    assert not measure_signal(replace(case, target=target), kind="numeric").found
    assert measure_signal(replace(case, target=target, strata=strata), kind="numeric").found


def test_a_preference_is_read_from_differences():
    rng = np.random.default_rng(4)
    difference = rng.standard_normal((100, 12)).astype(np.float32)
    won = difference[:, 0] > 0
    case = corpus(
        embeddings=np.stack([difference, -difference], axis=1).reshape(200, 12),
        target=np.column_stack([won, ~won]).ravel().astype(float),
        pairs=np.repeat(np.arange(100), 2),
        groups=np.repeat(np.arange(100), 2),
    )

    assert measure_signal(case, kind="preference").score > 0.8
    shuffled = replace(case, embeddings=rng.standard_normal((200, 12)).astype(np.float32))
    assert not measure_signal(shuffled, kind="preference").found


def test_a_class_that_one_group_holds_has_no_score_and_stops_nothing():
    target = np.zeros((200, 2))
    target[:100, 0], target[:30, 1] = 1, 1

    signal = measure_signal(
        corpus(target=target, groups=np.minimum(np.arange(200) // 30, 5)), kind="multilabel"
    )

    assert np.isfinite(signal.p)


def test_of_very_many_documents_a_sample_is_read():
    rng = np.random.default_rng(0)
    n = 12_000
    case = corpus(n=n, embeddings=rng.standard_normal((n, 4)).astype(np.float32))

    signal = measure_signal(replace(case, target=first(case)), kind="numeric")

    assert signal.found
    assert signal.n == n
