"""A column that few rows have, tested with other columns held fixed."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed.stats._checks import check_same_length, finite_matrix, finite_vector
from interp_embed.stats.regression import centre_columns, independent_columns
from interp_embed.stats.resampling import PermutationTest, permutation_test

_FIRST_LOOK = 499
_UNPROMISING = 0.1


def partial_permutation_test(
    column: ArrayLike,
    target: ArrayLike,
    held: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    n_permutations: int = 9999,
    seed: int = 0,
) -> PermutationTest:
    """Return whether a target differs with a column, other columns held fixed, by permutation.

    What ``held`` leaves of the target is exchanged between rows, and the t of the column (HC3) is
    computed anew each time. For a column that few rows have: robust errors are then too small, and
    their t is too large, above all for a skewed or 0/1 target. For a column that no other
    resembles it is the permutation test of a difference in means: 3 of 3 against 0 of 3 successes
    -> p tends to 2 x 1/20 = 0.1.

    A first look at 499 permutations suffices where its p is above 0.1; the final p never uses it
    otherwise, so that it holds for any level up to 0.1.

    Args:
        column: Shape (n,).
        target: Shape (n,).
        held: Other columns, shape (n, q), q >= 0; linear combinations of others do no harm.
        strata: Targets are exchanged only between rows of one label, such as the texts of a pair,
            shape (n,).
        n_permutations: Random permutations; the smallest p is 2 / (this + 1).
        seed: Same seed, same result.

    Returns:
        The t statistic and its two-sided p; NaN with a note where the other columns determine
        the column or the target.

    Raises:
        InputError: A value is missing, or lengths differ.

    Source: Freedman and Lane 1983, J. Business and Economic Statistics 1, 292-298; with the
    studentised statistic of DiCiccio and Romano 2017, JASA 112, 1211-1220, which holds for large
    samples where rows are not exchangeable, too.
    """
    x, y = finite_vector(column, name="column"), finite_vector(target, name="target")
    others = finite_matrix(held, name="held")
    check_same_length(len(others), x, name="column")
    check_same_length(len(others), y, name="target")
    basis = _basis(others)
    along, rest = _beyond(x, basis), _beyond(y, basis)
    if _is_nothing(along, x) or _is_nothing(rest, y):
        nan = float("nan")
        note = "the other columns determine the column or the target"
        return PermutationTest(nan, nan, nan, nan, 0, x.size, note)
    total = float(along @ along)
    leverage = (basis**2).sum(axis=1) + along**2 / total
    weights = (along / (total * np.maximum(1.0 - leverage, 1e-9))) ** 2
    least = 1e-18 * float(rest @ rest) / total

    def studentised(targets: NDArray[np.float64]) -> NDArray[np.float64]:
        left = targets - (targets @ basis) @ basis.T  # (n_samples, n)
        slopes = left @ along / total
        residuals = left - slopes[:, None] * along
        return np.asarray(slopes / np.sqrt(np.maximum(residuals**2 @ weights, least)))

    n_first = min(_FIRST_LOOK, n_permutations)
    first = permutation_test(studentised, rest, n_permutations=n_first, strata=strata, seed=seed)
    if not first.p <= _UNPROMISING or n_permutations <= _FIRST_LOOK:
        return first
    return permutation_test(
        studentised, rest, n_permutations=n_permutations, strata=strata, seed=seed + 1
    )


def _basis(others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an orthonormal basis of a constant and the columns, shape (n, rank)."""
    scaled, _ = centre_columns(others)
    kept = scaled[:, independent_columns(scaled)]
    return np.linalg.qr(np.column_stack([np.ones(len(others)), kept]))[0]


def _beyond(values: NDArray[np.float64], basis: NDArray[np.float64]) -> NDArray[np.float64]:
    return values - basis @ (basis.T @ values)


def _is_nothing(left: NDArray[np.float64], values: NDArray[np.float64]) -> bool:
    return bool(np.abs(left).max(initial=0.0) <= 1e-9 * max(float(np.abs(values).max()), 1e-300))
