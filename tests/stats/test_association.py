import time

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import fisher_exact

from interp_embed.errors import InputError
from interp_embed.stats import (
    adjust_benjamini_hochberg,
    associate_pairs,
    npmi,
    npmi_interval,
    npmi_shrunk,
)


def plant(seed):
    """1,000 documents, 1,500 features; 0-1, 2-3 and 4-5 planted in ten documents at 90 %."""
    rng = np.random.default_rng(seed)
    rates = 10 ** rng.uniform(-2.7, -0.5, 1500)
    rates[:6] = 10**-2.7
    fires = rng.random((1000, 1500)) < rates
    for pair in range(3):
        rows = rng.choice(1000, 10, replace=False)
        for feature in (2 * pair, 2 * pair + 1):
            fires[rows, feature] |= rng.random(10) < 0.9
    return csr_array(fires.astype(np.float32))


def pairs_of(found):
    return list(zip(found.first.tolist(), found.second.tolist(), strict=True))


@pytest.mark.parametrize(
    ("both", "first", "second", "n", "value"),
    [
        (0, 5, 5, 10, -1.0),
        (0, 1, 900, 1000, -1.0),
        (5, 5, 5, 1000, 1.0),
        (30, 30, 30, 77, 1.0),
        (10, 100, 100, 1000, 0.0),
        (1, 3, 3, 1000, np.log(1000 / 9) / np.log(1000)),
        (1, 3, 3, 10_000, np.log(10_000 / 9) / np.log(10_000)),
    ],
)
def test_npmi_unit_values(both, first, second, n, value):
    assert npmi(both, first, second, n=n) == pytest.approx(value, abs=1e-12)


def test_npmi_of_one_shared_document_is_as_published():
    assert npmi(1, 3, 3, n=[1000, 10_000]) == pytest.approx([0.682, 0.761], abs=5e-4)


def test_npmi_of_independent_features_is_near_zero():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 100_000)) < 0.1

    assert abs(npmi(sum(first & second), sum(first), sum(second), n=100_000)) < 0.02


def test_npmi_is_unknown_where_a_feature_never_fires_or_both_always_do():
    assert np.isnan(npmi([0, 0, 10], [0, 3, 10], [3, 0, 10], n=10)).all()
    with pytest.raises(InputError, match="2 of 3 counts contradict one another"):
        npmi([4, 1, 1], [3, 9, 5], [5, 9, 5], n=10)


def test_shrunken_npmi_by_hand():
    # ln((1 + 1/2) / (0.009 + 1/2)) / -ln(1.5 / 1001)
    assert npmi_shrunk(1, 3, 3, n=1000) == pytest.approx(np.log(1.5 / 0.509) / np.log(1001 / 1.5))
    values = npmi_shrunk([300, 0, 10], [300, 300, 100], [300, 300, 100], n=1000)
    assert values == pytest.approx([0.997, -0.683, 0.0], abs=0.001)


@pytest.mark.parametrize(
    "cells",
    [
        (0.01, 0.001, 0.001),
        (0.03, 0.001, 0.001),
        (0.01, 0.01, 0.01),
        (0.01, 0.1, 0.1),
        (0.002, 0.1, 0.2),
        (0.1, 0.1, 0.1),
    ],
)
def test_npmi_intervals_cover_the_truth(cells):
    rng = np.random.default_rng(1)
    both, a, b, _ = rng.multinomial(1000, [*cells, 1 - sum(cells)], 3000).T
    truth = np.log(cells[0] / ((cells[0] + cells[1]) * (cells[0] + cells[2])))
    truth /= -np.log(cells[0])

    low, high = npmi_interval(both, both + a, both + b, n=1000)

    assert 0.92 <= np.mean((low <= truth) & (truth <= high)) <= 0.98
    point = npmi(both, both + a, both + b, n=1000)
    assert ((low <= point) & (point <= high)).all()


def test_intervals_reach_the_ends_where_nothing_contradicts_them():
    low, high = npmi_interval([0, 8], [200, 8], [250, 8], n=1000)

    assert low[0] == -1.0
    assert high[1] == 1.0
    assert -1.0 < high[0] < 0.0 < low[1] < 1.0


def test_pairs_agree_with_scipy_one_by_one():
    rng = np.random.default_rng(2)
    fires = rng.random((80, 12)) < rng.uniform(0.02, 0.6, 12)
    fires[:, 3] = fires[:, 4]
    fires[:, 5] = True

    found = associate_pairs(csr_array(fires * 0.7), min_support=3, max_q=1.0)

    kept = [f for f in range(12) if 3 <= fires[:, f].sum() < 80]
    expected = {}
    for i in kept:
        for j in (j for j in kept if j > i):
            table = np.histogram2d(fires[:, i], fires[:, j], bins=2)[0]
            expected[i, j] = fisher_exact(table).pvalue
    assert sorted(pairs_of(found)) == sorted(expected)
    p = [expected[pair] for pair in pairs_of(found)]
    np.testing.assert_allclose(found.p, p, rtol=1e-9)
    np.testing.assert_allclose(found.q, adjust_benjamini_hochberg(p))
    assert found.n_tests == len(expected)
    assert found.n_columns_left_out == 12 - len(kept)
    assert pairs_of(found)[0] == (3, 4)
    assert found.npmi[0] == 1.0


def test_only_q_below_the_limit_is_listed_and_it_counts_all_pairs():
    activations = plant(3)[:, :150]
    everything = associate_pairs(activations, max_q=1.0)

    limited = associate_pairs(activations, max_q=0.2)

    n_kept = 150 - limited.n_columns_left_out
    assert limited.n_tests == n_kept * (n_kept - 1) // 2
    assert (limited.q <= 0.2).all()
    assert limited.n_tests == everything.n_tests
    listed = dict(zip(pairs_of(everything), everything.q, strict=True))
    assert [listed[pair] for pair in pairs_of(limited)] == pytest.approx(limited.q.tolist())
    n_wanted = int((everything.q <= 0.2).sum())
    assert len(limited.q) + limited.n_below_support == n_wanted


def test_features_that_avoid_each_other_are_listed_below_zero():
    rng = np.random.default_rng(4)
    fires = rng.random((1000, 40)) < 0.2
    fires[:, 7] &= ~fires[:, 8]

    found = associate_pairs(csr_array(fires.astype(float)))

    assert pairs_of(found) == [(7, 8)]
    assert found.npmi[0] == -1.0
    assert found.npmi_high[0] < 0.0
    assert found.npmi_shrunk[0] < -0.5
    assert found.expected[0] > 25
    assert found.n_both[0] == 0


def test_pairs_with_another_matrix():
    rng = np.random.default_rng(5)
    fires = rng.random((300, 20)) < 0.1
    labels = rng.random((300, 3)) < 0.3
    labels[:, 2] |= fires[:, 11]

    found = associate_pairs(csr_array(fires * 1.0), other=csr_array(labels * 1.0))

    assert found.n_tests == 60
    assert pairs_of(found)[0] == (11, 2)
    with pytest.raises(InputError, match="300 documents and other has 299"):
        associate_pairs(csr_array(fires * 1.0), other=csr_array(labels[1:] * 1.0))


def test_planted_pairs_are_found_among_a_million_in_seconds():
    activations = plant(0)
    start = time.process_time()

    found = associate_pairs(activations)

    assert time.process_time() - start < 10
    assert set(pairs_of(found)) == {(0, 1), (2, 3), (4, 5)}


@pytest.mark.slow
def test_planted_pairs_are_found_and_hardly_any_other_over_20_seeds():
    planted = {(0, 1), (2, 3), (4, 5)}
    n_found = n_false = 0
    for seed in range(20):
        pairs = set(pairs_of(associate_pairs(plant(seed))))
        n_found += len(pairs & planted)
        n_false += len(pairs - planted)

    assert n_found == 60
    assert n_false <= 20


def test_without_enough_documents_nothing_is_tested():
    found = associate_pairs(csr_array(np.eye(4)))

    assert (found.n_tests, found.n_columns_left_out, found.p.size) == (0, 4, 0)


def test_input_that_cannot_be_used_is_refused():
    with pytest.raises(InputError, match="must be a scipy CSR matrix, got ndarray"):
        associate_pairs(np.eye(3))
    with pytest.raises(InputError, match="none of them NaN"):
        associate_pairs(csr_array([[np.nan, 1.0]]))
    with pytest.raises(InputError, match="activations has 0 rows"):
        associate_pairs(csr_array((0, 3)))
    with pytest.raises(InputError, match="min_support must be at least 1"):
        associate_pairs(csr_array(np.eye(3)), min_support=0)
    with pytest.raises(InputError, match="max_q must lie above 0"):
        associate_pairs(csr_array(np.eye(3)), max_q=0)
