"""Intervals for one rate and for a difference in means."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from interp_embed.errors import InputError
from interp_embed.records import Estimate
from interp_embed.stats._checks import check_level, finite_vector


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval; both ends are NaN where there is nothing to estimate from."""

    low: float
    high: float


def clopper_pearson_interval(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Return the exact binomial interval of a rate: never too short, often too long.

    8 of 10 -> [0.444, 0.975]; 0 of 10 -> [0, 0.308]; 0 of 0 -> [NaN, NaN]

    Args:
        successes: How often it happened, from 0 to ``n``.
        n: How often it could have happened, >= 0.
        level: Confidence level in (0, 1); the true coverage is at least this.

    Raises:
        InputError: The counts are negative, or ``successes`` is above ``n``.

    Source: Clopper and Pearson 1934, Biometrika 26(4), 404-413.
    """
    _check_counts(successes, n, level)
    if n == 0:
        return Interval(float("nan"), float("nan"))
    low, high = proportion_confint(successes, n, alpha=1.0 - level, method="beta")
    return Interval(low=float(low), high=float(high))


def wilson_interval(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Return the Wilson score interval of a rate.

    8 of 10 -> [0.490, 0.943]; 0 of 10 -> [0, 0.278]; 0 of 0 -> [NaN, NaN]

    Args:
        successes: How often it happened, from 0 to ``n``.
        n: How often it could have happened, >= 0.
        level: Confidence level in (0, 1).

    Raises:
        InputError: The counts are negative, or ``successes`` is above ``n``.

    Source: Wilson 1927, JASA 22(158), 209-212; without continuity correction.
    """
    _check_counts(successes, n, level)
    if n == 0:
        return Interval(float("nan"), float("nan"))
    low, high = proportion_confint(successes, n, alpha=1.0 - level, method="wilson")
    # Rounding leaves 1e-17 where the bound is exactly 0 or 1.
    return Interval(
        low=0.0 if successes == 0 else float(low), high=1.0 if successes == n else float(high)
    )


def welch_difference(present: ArrayLike, absent: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return the difference of two means with Welch's interval and p-value.

    present [3, 4, 5], absent [1, 2, 3] -> 2, interval [-0.27, 4.27], p = 0.07

    Where the spread cannot be judged (fewer than two values on a side, or no spread on either
    side), the difference is given with NaN for the interval and p: zero variance is no evidence.

    Args:
        present: Target of the documents with the concept, shape (n_present,).
        absent: Target of the documents without it, shape (n_absent,).
        level: Confidence level in (0, 1).

    Returns:
        mean(present) - mean(absent), NaN where a side is empty; ``n`` counts both sides.

    Raises:
        InputError: A value is NaN, infinite or no number.

    Source: Welch 1947, Biometrika 34, 28-35; degrees of freedom after Satterthwaite 1946.
    """
    check_level(level)
    first = finite_vector(present, name="present")
    second = finite_vector(absent, name="absent")
    nan = float("nan")
    n = first.size + second.size
    if min(first.size, second.size) == 0:
        return Estimate(nan, nan, nan, nan, n)
    value = float(first.mean() - second.mean())
    # Compared by range, not by variance: three times 0.1 has a variance of 1e-34.
    no_spread = np.ptp(first) == 0.0 and np.ptp(second) == 0.0
    if min(first.size, second.size) < 2 or no_spread:
        return Estimate(value, nan, nan, nan, n)
    test = stats.ttest_ind(first, second, equal_var=False)
    bounds = test.confidence_interval(level)
    return Estimate(value, float(bounds.low), float(bounds.high), float(test.pvalue), n)


def _check_counts(successes: int, n: int, level: float) -> None:
    check_level(level)
    if not 0 <= successes <= n:
        raise InputError(f"successes must lie between 0 and n, got {successes} of {n}")
