"""p-values adjusted for the number of tests made, not for the number shown."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed.errors import InputError


def adjust_bonferroni(p: ArrayLike, *, n_tests: int | None = None) -> NDArray[np.float64]:
    """Return p-values adjusted so that the chance of any false finding is bounded.

    [0.01, 0.04, NaN] -> [0.02, 0.08, NaN]; with n_tests=10 -> [0.1, 0.4, NaN]

    Args:
        p: p-values, shape (n,); NaN where there was no test.
        n_tests: Size of the family; by default the number of p-values that are not NaN.

    Returns:
        min(1, p x family), shape (n,); NaN stays NaN.

    Raises:
        InputError: A p-value is outside [0, 1], or the family is smaller than the p-values given.

    Source: Dunn 1961, JASA 56(293), 52-64.
    """
    values = _check_p(p)
    return np.minimum(values * _family(values, n_tests), 1.0)


def adjust_benjamini_hochberg(p: ArrayLike, *, n_tests: int | None = None) -> NDArray[np.float64]:
    """Return p-values adjusted so that the expected share of false findings is bounded (q-values).

    [0.01, 0.04, 0.03, NaN] -> [0.03, 0.04, 0.04, NaN]

    Tests of the family that are not in ``p`` count as p = 1.

    Args:
        p: p-values, shape (n,); NaN where there was no test.
        n_tests: Size of the family; by default the number of p-values that are not NaN.

    Returns:
        The smallest rate of false findings at which each test is still a finding, shape (n,);
        NaN stays NaN. The bound holds for independent or positively dependent tests.

    Raises:
        InputError: A p-value is outside [0, 1], or the family is smaller than the p-values given.

    Source: Benjamini and Hochberg 1995, JRSS B 57(1), 289-300.
    """
    values = _check_p(p)
    family = _family(values, n_tests)
    falling, scaled = _step_up(values, family)
    q = np.full(values.shape, np.nan)
    q[falling] = np.minimum(scaled, 1.0)
    return q


def adjust_holm(p: ArrayLike, *, n_tests: int | None = None) -> NDArray[np.float64]:
    """Return p-values adjusted as Bonferroni's, but step by step: the bound is the same, p smaller.

    [0.01, 0.04, 0.03, NaN] -> [0.03, 0.06, 0.06, NaN]

    Tests of the family that are not in ``p`` count as p = 1.

    Args:
        p: p-values, shape (n,); NaN where there was no test.
        n_tests: Size of the family; by default the number of p-values that are not NaN.

    Returns:
        Adjusted p-values, shape (n,); NaN stays NaN. Holds under any dependence.

    Raises:
        InputError: A p-value is outside [0, 1], or the family is smaller than the p-values given.

    Source: Holm 1979, Scand. J. Statist. 6, 65-70.
    """
    values = _check_p(p)
    family = _family(values, n_tests)
    tested = np.flatnonzero(~np.isnan(values))
    rising = tested[np.argsort(values[tested], kind="stable")]
    adjusted = np.full(values.shape, np.nan)
    scaled = values[rising] * (family - np.arange(rising.size))
    adjusted[rising] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def adjust_benjamini_yekutieli(p: ArrayLike, *, n_tests: int | None = None) -> NDArray[np.float64]:
    """Return Benjamini-Hochberg's q-values made to hold under any dependence among the tests.

    [0.01, 0.04, 0.03, NaN] -> [0.055, 0.0733, 0.0733, NaN]: q x (1 + 1/2 + 1/3)

    Args:
        p: p-values, shape (n,); NaN where there was no test.
        n_tests: Size of the family; by default the number of p-values that are not NaN.

    Returns:
        q-values, shape (n,), larger than Benjamini-Hochberg's by about log(family); NaN stays NaN.

    Raises:
        InputError: A p-value is outside [0, 1], or the family is smaller than the p-values given.

    Source: Benjamini and Yekutieli 2001, Ann. Statist. 29(4), 1165-1188.
    """
    values = _check_p(p)
    family = _family(values, n_tests)
    penalty = (1.0 / np.arange(1, family + 1)).sum()
    falling, scaled = _step_up(values, family)
    q = np.full(values.shape, np.nan)
    q[falling] = np.minimum(scaled * penalty, 1.0)
    return q


def _step_up(
    values: NDArray[np.float64], family: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the tests from the largest p down, and the running minimum of p x family / rank."""
    tested = np.flatnonzero(~np.isnan(values))
    falling = tested[np.argsort(-values[tested], kind="stable")]
    ranks = np.arange(falling.size, 0, -1)
    return falling, np.minimum.accumulate(values[falling] * (family / ranks))


def _check_p(p: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1:
        raise InputError(f"p-values must have one axis, got shape {values.shape}")
    outside = values[(values < 0.0) | (values > 1.0)]
    if outside.size:
        raise InputError(f"p-values must lie in [0, 1], got {outside[0]}")
    return values


def _family(values: NDArray[np.float64], n_tests: int | None) -> int:
    n_given = int(np.count_nonzero(~np.isnan(values)))
    if n_tests is None:
        return n_given
    if n_tests < n_given:
        raise InputError(
            f"n_tests = {n_tests} is smaller than the {n_given} p-values given; "
            "count every test that was made"
        )
    return n_tests
