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
    tested = np.flatnonzero(~np.isnan(values))
    falling = tested[np.argsort(-values[tested], kind="stable")]
    ranks = np.arange(falling.size, 0, -1)
    q = np.full(values.shape, np.nan)
    q[falling] = np.minimum(np.minimum.accumulate(values[falling] * (family / ranks)), 1.0)
    return q


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
