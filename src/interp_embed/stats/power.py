"""The smallest effect a study of a given size would find."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from statsmodels.stats.power import FTestPowerF2, TTestIndPower
from statsmodels.stats.proportion import power_proportions_2indep

from interp_embed.errors import InputError
from interp_embed.stats._checks import check_level

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class DetectableEffect:
    """The smallest effect found with the stated chance, and why there is none if NaN."""

    value: float
    """Least difference or coefficient, > 0, in the target's units; NaN if none is large enough."""
    power: float
    level: float
    """Confidence level of the test, after division by the number of tests."""
    n: int
    note: str
    """Empty unless ``value`` is NaN."""


def detectable_difference(
    n: int,
    prevalence: float,
    *,
    spread: float = 1.0,
    power: float = 0.8,
    level: float = 0.95,
    n_tests: int = 1,
) -> DetectableEffect:
    """Return the smallest difference in mean target that a study of n documents would find.

    n = 128, prevalence 0.5, spread 1 -> 0.4990 (Cohen: 64 a side find 0.5 with 80 %).

    Two-sided t-test with equal spread on both sides.

    Args:
        n: Documents, with and without the concept.
        prevalence: Share of documents with it, in (0, 1); counts are rounded.
        spread: Standard deviation of the target within a side, > 0.
        power: Wanted chance to find it, between 1 - level and 1.
        level: Confidence level in (0, 1).
        n_tests: Tests the level is shared among (Bonferroni), >= 1.

    Raises:
        InputError: A number is out of its range.

    Source: Cohen 1988, Statistical Power Analysis, chapter 2; noncentral t by statsmodels.
    """
    each = _check(n, power, level, n_tests)
    _check_open("prevalence", prevalence)
    _check_positive("spread", spread)
    present = _count(n, prevalence)
    if min(present, n - present) < 1 or n < 3:
        return DetectableEffect(_NAN, power, each, n, _few(present, n))
    effect = TTestIndPower().solve_power(
        effect_size=None, nobs1=present, ratio=(n - present) / present, alpha=1 - each, power=power
    )
    return DetectableEffect(float(np.ravel(effect)[0]) * spread, power, each, n, "")


def detectable_rate_difference(
    n: int,
    prevalence: float,
    base_rate: float,
    *,
    power: float = 0.8,
    level: float = 0.95,
    n_tests: int = 1,
) -> DetectableEffect:
    """Return the smallest rise of a rate, from its value without the concept, that is found.

    n = 200, prevalence 0.5, base rate 0.5 -> 0.1932: there (1.960 s0 + 0.842 s1) / 10 = 0.1932,
    where s0 = sqrt(2 x 0.5966 x 0.4034) = 0.6938 and s1 = sqrt(0.25 + 0.6932 x 0.3068) = 0.6802.

    Two-sided test of two proportions with pooled variance. A fall from b is a rise from 1 - b.

    Args:
        n: Documents, with and without the concept.
        prevalence: Share of documents with it, in (0, 1).
        base_rate: Rate of the target's yes without it, in [0, 1).
        power: Wanted chance to find it, between 1 - level and 1.
        level: Confidence level in (0, 1).
        n_tests: Tests the level is shared among (Bonferroni), >= 1.

    Returns:
        NaN with a note where even a rise to 1 would not be found.

    Raises:
        InputError: A number is out of its range.

    Source: Fleiss, Levin and Paik 2003, Statistical Methods for Rates and Proportions, chapter 4,
    without continuity correction; power by statsmodels.
    """
    each = _check(n, power, level, n_tests)
    _check_open("prevalence", prevalence)
    if not 0.0 <= base_rate < 1.0:
        raise InputError(f"base_rate must lie in [0, 1), got {base_rate}")
    present = _count(n, prevalence)
    if min(present, n - present) < 1:
        return DetectableEffect(_NAN, power, each, n, _few(present, n))

    def missing(rise: float) -> float:
        found = power_proportions_2indep(
            rise, base_rate, nobs1=present, ratio=(n - present) / present, alpha=1 - each
        )
        return power - float(found.power)

    largest = 1.0 - base_rate
    if missing(largest * (1.0 - 1e-9)) > 0.0:
        note = f"even a rise to 1 is found with a chance below {power:g}"
        return DetectableEffect(_NAN, power, each, n, note)
    value = float(brentq(missing, 1e-9 * largest, largest * (1.0 - 1e-9)))
    return DetectableEffect(value, power, each, n, "")


def detectable_coefficient(
    n: int,
    *,
    n_columns: int = 1,
    column_spread: float = 1.0,
    residual_spread: float = 1.0,
    r2_of_column: float = 0.0,
    power: float = 0.8,
    level: float = 0.95,
    n_tests: int = 1,
) -> DetectableEffect:
    """Return the smallest coefficient of a linear regression that a study would find.

    One 0/1 column of prevalence 0.5 (spread 0.5), n = 128 -> 0.4990, as in a t-test.

    Args:
        n: Documents.
        n_columns: Columns of the regression, this one included, >= 1.
        column_spread: Standard deviation of the column: sqrt(q (1 - q)) for prevalence q.
        residual_spread: Standard deviation of the target that all columns leave unexplained.
        r2_of_column: R2 of this column on the others, in [0, 1): 1 - 1 / VIF.
        power: Wanted chance to find it, between 1 - level and 1.
        level: Confidence level in (0, 1).
        n_tests: Tests the level is shared among (Bonferroni), >= 1.

    Raises:
        InputError: A number is out of its range.

    Source: Cohen 1988, Statistical Power Analysis, chapter 9; noncentral F by statsmodels.
    """
    each = _check(n, power, level, n_tests)
    _check_positive("column_spread", column_spread)
    _check_positive("residual_spread", residual_spread)
    if n_columns < 1 or not 0.0 <= r2_of_column < 1.0:
        raise InputError(
            "n_columns must be at least 1 and r2_of_column in [0, 1), "
            f"got {n_columns} and {r2_of_column}"
        )
    df = n - n_columns - 1
    if df < 1:
        note = f"{n} documents leave no degree of freedom for {n_columns} columns"
        return DetectableEffect(_NAN, power, each, n, note)
    # statsmodels: noncentrality = f2 * (df + 1 + ncc); here it is (b / error)^2.
    f2 = FTestPowerF2().solve_power(
        effect_size=None, df_num=1, df_denom=df, alpha=1 - each, power=power, ncc=1
    )
    noncentrality = float(np.ravel(f2)[0]) * (df + 2)
    error = residual_spread / (column_spread * np.sqrt(n * (1.0 - r2_of_column)))
    return DetectableEffect(float(np.sqrt(noncentrality) * error), power, each, n, "")


def _check(n: int, power: float, level: float, n_tests: int) -> float:
    """Return the level of each test."""
    check_level(level)
    if n < 1 or n_tests < 1:
        raise InputError(f"n and n_tests must be at least 1, got {n} and {n_tests}")
    if not 1.0 - level < power < 1.0:
        raise InputError(f"power must lie between {1.0 - level:g} and 1, got {power}")
    return 1.0 - (1.0 - level) / n_tests


def _check_open(name: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise InputError(f"{name} must lie between 0 and 1, got {value}")


def _check_positive(name: str, value: float) -> None:
    if not (value > 0.0 and np.isfinite(value)):
        raise InputError(f"{name} must be above 0 and finite, got {value}")


def _count(n: int, prevalence: float) -> int:
    return round(n * prevalence)


def _few(present: int, n: int) -> str:
    return f"{present} of {n} documents have the concept: there is nothing to compare"
