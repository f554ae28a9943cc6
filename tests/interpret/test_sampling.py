import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_embed.errors import InputError
from interp_embed.interpret import choose_scoring_documents
from interp_embed.interpret.sampling import choose_label_documents

TEXTS = [f"text {i}" for i in range(100)]
COLUMN = np.maximum(np.arange(100) - 49, 0).astype(np.float32)  # 50 fire, the last one most


def test_the_strongest_are_shown_with_silent_ones():
    sample = choose_label_documents(TEXTS, COLUMN, n=10)

    assert sample.positive == (99, 98, 97, 96, 95)
    assert len(sample.negative) == 5
    assert all(COLUMN[i] == 0 for i in sample.negative)


def test_deciles_reach_from_strong_to_weak():
    sample = choose_label_documents(TEXTS, COLUMN, n=20, sampling="deciles")

    assert [(99 - i) // 5 for i in sample.positive] == list(range(10))


def test_random_ones_fire_and_follow_the_seed():
    def draw(seed):
        return choose_label_documents(TEXTS, COLUMN, n=10, sampling="random", seed=seed)

    assert all(COLUMN[i] > 0 for i in draw((1, 2)).positive)
    assert draw((1, 2)) == draw((1, 2)) != draw((1, 3))


@pytest.mark.parametrize("sampling", ["top", "deciles", "random"])
def test_no_text_is_shown_twice_and_none_that_is_empty(sampling):
    texts = ["same"] * 50 + ["", " same ", "other"] + ["same"] * 47

    sample = choose_label_documents(texts, COLUMN, n=10, sampling=sampling)

    assert sorted(texts[i].strip() for i in sample.positive) == ["other", "same"]
    assert sample.negative == ()


def test_others_than_the_strongest_are_shown_if_there_are_enough():
    assert choose_label_documents(TEXTS, COLUMN, n=4, n_skip=2).positive == (97, 96)
    assert choose_label_documents(TEXTS, COLUMN, n=100, n_skip=50).positive[0] == 99


def test_given_documents_come_first():
    for sampling in ("top", "deciles", "random"):
        sample = choose_label_documents(
            TEXTS, COLUMN, n=4, sampling=sampling, first_positive=[60, 61], first_negative=[3]
        )
        assert sample.positive == (60, 61)
        assert sample.negative[0] == 3


def test_the_scoring_weights_by_hand():
    sample = choose_scoring_documents([0, 3, 0, 1, 0, 4, 0, 2, 0, 0], n=4)

    fires = np.isin(sample.positions, [1, 3, 5, 7])
    assert sample.weights[fires].tolist() == [2, 2]
    assert sample.weights[~fires].tolist() == [3, 3]


def test_the_scoring_documents_fire_from_weak_to_strong():
    sample = choose_scoring_documents(COLUMN, n=20, seed=3)

    strengths = np.sort(COLUMN[sample.positions][COLUMN[sample.positions] > 0])
    assert ((strengths - 1) // 5).tolist() == list(range(10))


def test_features_share_silent_documents():
    rng = np.random.default_rng(0)
    columns = (rng.random((2000, 5)) < 0.02).astype(float)

    silent = [
        {i for i in choose_scoring_documents(column, n=100).positions.tolist() if not column[i]}
        for column in columns.T
    ]

    assert len(set.union(*silent)) < 60


@given(st.lists(st.sampled_from([0.0, 0.0, 1.0, 2.5]), max_size=60), st.integers(2, 40))
def test_the_weights_bring_the_sample_back_to_the_corpus(column, n):
    values = np.array(column)
    sample = choose_scoring_documents(values, n=n)

    fires = values[sample.positions] > 0
    assert len(set(sample.positions.tolist())) == len(sample.positions) <= n
    assert fires.sum() == min(n // 2, (values > 0).sum())
    assert (~fires).sum() == min(n - n // 2, (values == 0).sum())
    assert sample.weights[fires].sum() == pytest.approx((values > 0).sum() if n > 1 else 0)
    assert sample.weights[~fires].sum() == pytest.approx((values == 0).sum())
    assert (sample.weights >= 1).all()


def test_bad_activations_are_refused():
    with pytest.raises(InputError, match="finite and >= 0"):
        choose_scoring_documents([1.0, np.nan])
    with pytest.raises(InputError, match="at least 2 documents, but n is 1"):
        choose_scoring_documents([1.0, 0.0], n=1)
