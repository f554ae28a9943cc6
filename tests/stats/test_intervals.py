import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from interp_embed.errors import InputError
from interp_embed.stats import Interval, welch_difference, wilson_interval


def test_wilson_interval_of_8_in_10():
    # (0.8 + z^2/20 +- z sqrt(0.016 + z^2/400)) / (1 + z^2/10) with z = 1.959964
    interval = wilson_interval(8, 10)

    assert interval.low == pytest.approx(0.490162, abs=1e-6)
    assert interval.high == pytest.approx(0.943318, abs=1e-6)


def test_wilson_interval_of_nothing_is_unknown():
    interval = wilson_interval(0, 0)

    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_wilson_interval_reaches_the_ends_exactly():
    assert wilson_interval(0, 10).low == 0.0
    assert wilson_interval(10, 10).high == 1.0


@settings(deadline=None)
@given(st.integers(1, 10_000), st.floats(0, 1), st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_wilson_interval_agrees_with_scipy(n, share, level):
    successes = round(share * n)

    interval = wilson_interval(successes, n, level=level)

    expected = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    assert interval == Interval(pytest.approx(expected.low), pytest.approx(expected.high))
    assert 0.0 <= interval.low <= successes / n <= interval.high <= 1.0


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, -1)])
def test_wilson_interval_refuses_impossible_counts(successes, n):
    with pytest.raises(InputError, match="successes must lie between 0 and n"):
        wilson_interval(successes, n)


def test_welch_difference_by_hand():
    # Both variances are 1, so the standard error is sqrt(2/3) and the degrees of freedom are 4.
    estimate = welch_difference([3, 4, 5], [1, 2, 3])

    half_width = stats.t.ppf(0.975, 4) * math.sqrt(2 / 3)
    assert estimate.value == 2.0
    assert estimate.low == pytest.approx(2 - half_width)
    assert estimate.high == pytest.approx(2 + half_width)
    assert estimate.p == pytest.approx(2 * stats.t.sf(2 / math.sqrt(2 / 3), 4))
    assert estimate.n == 6


def test_welch_difference_with_unequal_variances_uses_satterthwaite():
    present, absent = [0.0, 1.0, 5.0, 2.0], [1.0, 1.5, 1.2, 0.8, 0.9, 1.1]

    estimate = welch_difference(present, absent, level=0.9)

    a, b = np.var(present, ddof=1) / 4, np.var(absent, ddof=1) / 6
    df = (a + b) ** 2 / (a**2 / 3 + b**2 / 5)
    assert estimate.high - estimate.value == pytest.approx(stats.t.ppf(0.95, df) * math.sqrt(a + b))


@pytest.mark.parametrize(
    ("present", "absent", "value"),
    [
        ([3.0], [1.0, 2.0], 1.5),
        ([1.0, 2.0], [3.0], -1.5),
        ([1.0, 1.0], [0.0, 0.0], 1.0),
        ([0.1, 0.1, 0.1], [0.3, 0.3, 0.3], -0.2),
    ],
)
def test_welch_difference_without_known_spread_claims_no_significance(present, absent, value):
    estimate = welch_difference(present, absent)

    assert estimate.value == pytest.approx(value)
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)
    assert math.isnan(estimate.p)


@pytest.mark.parametrize(("present", "absent"), [([], [1.0, 2.0]), ([1.0], []), ([], [])])
def test_welch_difference_with_an_empty_side_is_unknown(present, absent):
    estimate = welch_difference(present, absent)

    assert math.isnan(estimate.value)
    assert estimate.n == len(present) + len(absent)


def test_welch_difference_refuses_missing_values():
    with pytest.raises(InputError, match="1 of 2 values of present are NaN"):
        welch_difference([1.0, np.nan], [1.0, 2.0])


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, float("nan")])
def test_levels_outside_0_to_1_are_refused(level):
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        welch_difference([1, 2], [3, 4], level=level)
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        wilson_interval(1, 2, level=level)


def test_welch_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        estimate = welch_difference(rng.normal(1, 3, 8), rng.normal(0, 1, 30))
        covered += estimate.low <= 1 <= estimate.high

    assert 0.92 <= covered / 400 <= 0.98
