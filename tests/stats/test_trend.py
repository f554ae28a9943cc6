import numpy as np
import pytest
from scipy import stats
from scipy.optimize import isotonic_regression

from interp_embed.errors import InputError
from interp_embed.stats import adjust_benjamini_hochberg, jonckheere_terpstra, trend_shape


def test_four_documents_at_two_levels_by_hand():
    # All 4 pairs rise: J = 4, mean 2, variance (4 x 3 x 13 - 2 x 2 x 9) / 72 = 5/3.
    found = jonckheere_terpstra([1, 2, 3, 4], [0, 0, 1, 1])

    assert found.share == 1.0
    assert found.tau == pytest.approx(4 / np.sqrt(4 * 6))
    assert found.p == pytest.approx(2 * stats.norm.sf(2 / np.sqrt(5 / 3)))


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_normal_p_and_tau_are_kendalls_whatever_the_ties(alternative):
    rng = np.random.default_rng(0)
    for n in (3, 10, 80):
        for _ in range(10):
            levels = rng.integers(0, 5, n)
            values = rng.integers(0, 7, n) + levels // 2
            if np.ptp(levels) == 0 or np.ptp(values) == 0:
                continue
            found = jonckheere_terpstra(values, levels, alternative=alternative)
            expected = stats.kendalltau(
                levels, values, method="asymptotic", alternative=alternative
            )
            assert (found.tau, found.p) == pytest.approx(tuple(expected))


def test_permutation_p_agrees_with_exact_kendall():
    rng = np.random.default_rng(1)
    values, levels = rng.normal(size=7), np.arange(7)

    found = jonckheere_terpstra(values, levels, n_permutations=9999)

    exact = stats.kendalltau(levels, values, method="exact").pvalue
    assert found.p == pytest.approx(exact, abs=0.02)


def test_with_two_levels_the_share_is_mann_whitneys():
    rng = np.random.default_rng(2)
    low, high = rng.integers(0, 9, 30), rng.integers(2, 11, 20)

    found = jonckheere_terpstra([*low, *high], [0] * 30 + [1] * 20)

    assert found.share == pytest.approx(stats.mannwhitneyu(high, low).statistic / 600)


def test_groups_are_permuted_whole():
    rng = np.random.default_rng(3)
    n_rejected = 0
    for run in range(100):
        groups = np.repeat(np.arange(16), 10)
        values = rng.normal(size=16)[groups] + 0.3 * rng.normal(size=160)
        found = jonckheere_terpstra(values, groups // 4, groups=groups, n_permutations=99, seed=run)
        n_rejected += found.p <= 0.05
    assert n_rejected <= 11  # 5 + 2.8 standard errors
    with pytest.raises(InputError, match="with groups give n_permutations"):
        jonckheere_terpstra([1, 2], [1, 2], groups=[1, 2])


def test_trends_without_spread_are_not_tested():
    same_value = jonckheere_terpstra([1, 1, 1], [0, 1, 2])
    same_level = trend_shape([1, 2, 3], [5, 5, 5])

    assert (same_value.share, same_value.note) == (0.5, "all have the same value")
    assert np.isnan(same_value.p)
    assert np.isnan([same_level.p_trend, same_level.p_departure, same_level.share]).all()
    assert (same_level.verdict, same_level.note) == ("unclear", "all have the same level")
    assert trend_shape([1, 1, 1], [0, 1, 2]).verdict == "no trend"
    with pytest.raises(InputError, match="no documents"):
        jonckheere_terpstra([], [])
    with pytest.raises(InputError, match="1 of 2 values of levels are NaN"):
        jonckheere_terpstra([1, 2], [0, np.nan])


def test_share_by_hand():
    found = trend_shape([0.5, 1.5, 2.5, 3.5, 1.5, 2.5], [1, 1, 2, 2, 3, 3])

    assert found.means.tolist() == [1.0, 3.0, 2.0]
    assert found.fitted.tolist() == [1.0, 2.5, 2.5]
    assert found.share == pytest.approx(0.75)
    assert found.counts.tolist() == [2, 2, 2]


@pytest.mark.parametrize("sign", [1, -1])
def test_fitted_agrees_with_scipys_isotonic_regression(sign):
    rng = np.random.default_rng(4)
    levels = np.concatenate([np.arange(8), rng.integers(0, 8, 60)])
    values = sign * (levels + rng.normal(scale=4, size=levels.size))

    found = trend_shape(values, levels, n_resamples=9)

    expected = isotonic_regression(found.means, weights=found.counts, increasing=sign > 0)
    np.testing.assert_allclose(found.fitted, expected.x)


def test_levels_of_one_document_leave_the_shape_open():
    found = trend_shape(np.arange(12.0), [0] * 5 + [1] * 6 + [2])

    assert np.isnan(found.p_departure)
    assert found.verdict == "unclear"
    assert "1 levels have a single document or group" in found.note


def test_planted_monotone_trends_are_told_from_others():
    # 20 features of each kind, 150 documents at each of 6 levels, firing at these rates.
    curves = {
        "rising": [0.10, 0.14, 0.18, 0.24, 0.28, 0.32],
        "falling": [0.30, 0.30, 0.30, 0.10, 0.10, 0.10],
        "not monotone": [0.10, 0.20, 0.32, 0.32, 0.20, 0.10],
        "no trend": [0.2] * 6,
    }
    rng = np.random.default_rng(5)
    levels = np.repeat(np.arange(6), 150)
    kinds = [kind for kind in curves for _ in range(20)]
    shapes = [
        trend_shape(
            rng.random(900) < np.array(curves[kind])[levels], levels, seed=i, n_resamples=399
        )
        for i, kind in enumerate(kinds)
    ]

    trend = adjust_benjamini_hochberg([shape.p_trend for shape in shapes]) <= 0.05
    turns = adjust_benjamini_hochberg([shape.p_departure for shape in shapes]) <= 0.05
    found = np.where(turns, "not monotone", np.where(trend, "monotone", "no trend"))

    truth = np.array(["monotone" if k in ("rising", "falling") else k for k in kinds])
    assert (found[truth == "monotone"] == "monotone").mean() >= 0.95
    assert (found[truth == "not monotone"] == "not monotone").mean() >= 0.9
    assert (found[truth == "no trend"] != "no trend").sum() <= 4
    for shape, kind in zip(shapes[:40], kinds, strict=False):
        assert shape.verdict in {kind, "not monotone", "no trend"}


@pytest.mark.parametrize("curve", [[0.2] * 5, [0.1, 0.1, 0.1, 0.4, 0.4]])
def test_monotone_truths_are_seldom_called_not_monotone(curve):
    rng = np.random.default_rng(6)
    levels = np.repeat(np.arange(5), 40)
    values = [(rng.random(200) < np.array(curve)[levels]) * rng.random(200) for _ in range(150)]

    p = np.array([trend_shape(y, levels, n_resamples=199).p_departure for y in values])

    assert np.mean(p <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 150)
