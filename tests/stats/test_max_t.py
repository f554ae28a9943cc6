import time
from itertools import permutations

import numpy as np
import pytest
from scipy.sparse import csr_array

from interp_embed.errors import InputError
from interp_embed.stats import adjust_bonferroni, max_t_permutation


def test_four_documents_by_hand():
    # Of the 24 orders, 8 put {1, 2} on one side: the correlation is 2 / sqrt(5) there.
    found = max_t_permutation([[0], [0], [1], [1]], [1, 2, 3, 4], n_permutations=20_000)

    assert found.correlation == pytest.approx([2 / np.sqrt(5)])
    assert found.p == pytest.approx([1 / 3], abs=0.015)
    assert "24 different arrangements" in found.note


def test_it_agrees_with_all_permutations_counted_one_by_one():
    rng = np.random.default_rng(0)
    features, target = rng.random((6, 4)), rng.normal(size=6)

    def strengths(y):
        return np.abs([np.corrcoef(column, y)[0, 1] for column in features.T])

    observed = strengths(target)
    order = np.argsort(-observed)
    null = np.array([strengths(np.array(y)) for y in permutations(target)])
    expected, running = np.empty(4), 0.0
    for rank, feature in enumerate(order):
        largest = null[:, order[rank:]].max(axis=1)
        running = max(running, np.mean(largest >= observed[feature] - 1e-12))
        expected[feature] = running

    found = max_t_permutation(features, target, n_permutations=20_000)

    np.testing.assert_allclose(found.p, expected, atol=0.015)
    single = (null >= observed - 1e-12).mean(axis=0)
    np.testing.assert_allclose(found.p_single, single, atol=0.015)


@pytest.mark.parametrize("grouped", [False, True])
def test_sparse_and_dense_features_agree(grouped):
    rng = np.random.default_rng(1)
    dense = rng.random((120, 7)) * (rng.random((120, 7)) < 0.3)
    groups = rng.integers(0, 30, 120)
    target = rng.normal(size=30)[groups] if grouped else rng.normal(size=120)
    labels = {"groups": groups} if grouped else {}

    one = max_t_permutation(dense, target, strata=groups % 3, **labels)
    two = max_t_permutation(csr_array(dense), target, strata=groups % 3, **labels)

    np.testing.assert_allclose(one.correlation, two.correlation)
    np.testing.assert_array_equal(one.p, two.p)
    assert one.n_units == (np.unique(groups).size if grouped else 120)


def test_with_strata_the_correlation_is_of_differences_from_the_stratum_mean():
    rng = np.random.default_rng(2)
    strata = np.repeat([0, 1], 50)
    feature = (rng.random(100) < 0.1 + 0.8 * strata).astype(float)
    target = 5.0 * strata + rng.normal(size=100)

    plain = max_t_permutation(feature[:, None], target)
    within = max_t_permutation(feature[:, None], target, strata=strata)

    f, t = feature.copy(), target.copy()
    for s in (0, 1):
        f[strata == s] -= f[strata == s].mean()
        t[strata == s] -= t[strata == s].mean()
    assert within.correlation[0] == pytest.approx(np.corrcoef(f, t)[0, 1])
    assert plain.p[0] < 0.01 < within.p[0]


def test_groups_are_exchanged_as_wholes():
    # Ten authors with twenty documents each: 200 rows, but only ten targets.
    rng = np.random.default_rng(3)
    rejected = {"rows": 0, "groups": 0}
    for run in range(100):
        groups = np.repeat(np.arange(10), 20)
        feature = rng.random(200) < rng.random(10)[groups]
        target = rng.normal(size=10)[groups]
        columns = feature[:, None].astype(float)
        one = max_t_permutation(columns, target, n_permutations=99, seed=run)
        two = max_t_permutation(columns, target, n_permutations=99, groups=groups, seed=run)
        rejected["rows"] += one.p[0] <= 0.05
        rejected["groups"] += two.p[0] <= 0.05

    assert rejected["rows"] >= 50
    assert rejected["groups"] <= 11  # 5 + 2.8 standard errors


def test_any_false_finding_is_as_rare_as_promised_and_planted_ones_are_found():
    # Features correlated in blocks: Bonferroni pays for 60 tests, max-T for about 15.
    rng = np.random.default_rng(11)
    n_false = n_found = n_bonferroni = 0
    for run in range(500):
        base = rng.normal(size=(80, 15))
        features = np.repeat(base, 4, axis=1) + 0.3 * rng.normal(size=(80, 60))
        target = rng.normal(size=80) + 0.45 * features[:, 0]
        found = max_t_permutation(features, target, n_permutations=199, seed=run)
        n_false += (found.p[4:] <= 0.05).any()  # the first block of four is associated
        n_found += found.p[0] <= 0.05
        n_bonferroni += adjust_bonferroni(found.p_single)[0] <= 0.05

    assert n_false / 500 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 500)
    assert n_found / 500 >= 0.6
    assert n_found > n_bonferroni


def test_step_down_p_lies_between_the_single_p_and_keeps_the_order():
    rng = np.random.default_rng(5)
    features, target = rng.normal(size=(50, 20)), rng.normal(size=50)

    found = max_t_permutation(features, target)

    assert (found.p >= found.p_single).all()
    assert (np.diff(found.p[np.argsort(-np.abs(found.correlation))]) >= 0).all()


def test_constant_features_and_targets_are_not_tested():
    found = max_t_permutation([[0.1, 1], [0.1, 2], [0.1, 4]], [1.0, 2.0, 3.0])

    assert np.isnan([found.correlation[0], found.p[0], found.p_single[0]]).all()
    assert found.n_tested == 1
    constant = max_t_permutation([[0.0], [1.0]], [0.3, 0.3])
    assert np.isnan(constant.p).all()
    assert "nothing was tested" in constant.note


def test_2000_by_500_with_1000_permutations_takes_seconds():
    rng = np.random.default_rng(6)
    features = (rng.random((2000, 500)) < 0.1).astype(float)
    start = time.perf_counter()

    found = max_t_permutation(features, rng.normal(size=2000) + features[:, 3])

    assert time.perf_counter() - start < 10
    assert found.p[3] == 1 / 1001


def test_input_that_cannot_be_permuted_is_refused():
    with pytest.raises(InputError, match="target differs within 1 of 2 groups"):
        max_t_permutation([[1], [2], [3]], [1, 2, 3], groups=["a", "a", "b"])
    with pytest.raises(InputError, match="1 of 2 groups have rows in several strata"):
        max_t_permutation([[1], [2], [3]], [1, 1, 3], groups=["a", "a", "b"], strata=[0, 1, 1])
    with pytest.raises(InputError, match="3 rows in 1 group"):
        max_t_permutation([[1], [2], [3]], [1, 1, 1], groups=[0, 0, 0])
    with pytest.raises(InputError, match="n_permutations must be at least 1"):
        max_t_permutation([[1], [2]], [1, 2], n_permutations=0)
    with pytest.raises(InputError, match="NaN"):
        max_t_permutation(csr_array([[np.nan], [2.0]]), [1, 2])
