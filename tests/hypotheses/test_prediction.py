"""How well words, features, embeddings and length predict, out of sample."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interp_embed.hypotheses import score_predictions
from interp_embed.stats import crossfit_score

N = 200


@pytest.fixture
def has():
    return (np.random.default_rng(0).random((N, 2)) < 0.4).astype(float)


def score(confirm, has, kind):
    return score_predictions(confirm, csr_matrix(has), [0, 1], has, kind=kind)


def texts(n=N):
    return ["x" * (10 + i % 9) for i in range(n)]


@pytest.mark.parametrize("kind", ["numeric", "count", "ordinal"])
def test_numbers_are_scored_by_r2(make_corpus, has, kind):
    confirm = make_corpus(texts(), 2 * has[:, 0] + has[:, 1])

    scores = score(confirm, has, kind)

    assert (scores.metric, scores.n) == ("r2", N)
    assert scores.hypotheses > 0.95 > 0.1 > scores.floor
    assert scores.features == scores.hypotheses


def test_several_classes_take_the_mean_auc_of_those_with_ten_documents(make_corpus, has):
    target = np.zeros((N, 3))
    target[np.arange(N), has[:, 0].astype(int)] = 1
    target[:4] = [0, 0, 1]
    confirm = make_corpus(texts(), target)

    scores = score(confirm, has, "multiclass")

    each = [
        crossfit_score(has, target[:, label], metric="auc", groups=confirm.groups)
        for label in (0, 1)
    ]
    assert scores.hypotheses == pytest.approx(np.mean(each))


def test_covariates_join_length_in_the_floor(make_corpus, has):
    price = np.random.default_rng(1).standard_normal((N, 1))
    plain = make_corpus(texts(), price[:, 0])

    assert score(plain, has, "numeric").floor < 0.1
    assert score(replace(plain, covariates=price), has, "numeric").floor > 0.95


def test_preferences_are_predicted_from_differences_of_the_texts_of_a_pair(make_corpus):
    """A text has it more often than not; only to have it alone says which is preferred."""
    rng = np.random.default_rng(2)
    pairs = np.arange(N) // 2
    has = (rng.random((N, 2)) < 0.6).astype(float)
    first = has[::2, 0] - has[1::2, 0] + 0.1 * rng.standard_normal(N // 2) > 0
    target = np.column_stack([first, ~first]).astype(float).ravel()
    confirm = replace(make_corpus(texts(), target), pairs=pairs)

    scores = score(confirm, has, "preference")

    difference = has - has[np.arange(N) ^ 1]
    expected = crossfit_score(difference, target, metric="auc", groups=pairs)
    assert scores.metric == "auc"
    assert scores.hypotheses == pytest.approx(expected)
    assert scores.hypotheses > scores.features


@pytest.mark.parametrize(
    ("target", "groups"), [(np.ones(N), None), (np.arange(N), np.zeros(N, int))]
)
def test_what_cannot_be_scored_is_nan_with_a_reason_in_the_log(
    make_corpus, has, target, groups, caplog
):
    confirm = make_corpus(texts(), target, groups=groups)

    with caplog.at_level(logging.WARNING):
        scores = score(confirm, has, "numeric")

    assert np.isnan([scores.ceiling, scores.features, scores.hypotheses, scores.floor]).all()
    assert "predictions could not be scored" in caplog.text
