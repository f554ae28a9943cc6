"""How far columns repeat each other, and what share of R2 each of them carries."""

from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed.errors import InputError
from interp_embed.stats._checks import check_same_length, finite_matrix, finite_vector
from interp_embed.stats.regression import centre_columns, independent_columns

_MOST_COLUMNS = 12


def variance_inflation(design: ArrayLike) -> tuple[float, ...]:
    """Return by how much the variance of each coefficient grows because columns are correlated.

    1 / (1 - R2) of the column on the others: two columns of correlation 0.6 -> 1.5625 each.

    Args:
        design: Shape (n, p).

    Returns:
        Factors >= 1, one a column; inf where the others determine the column, NaN where it is
        constant.

    Raises:
        InputError: A value is NaN or infinite.

    Source: Marquardt 1970, Technometrics 12, 591-612.
    """
    scaled, norms = centre_columns(finite_matrix(design, name="design"))
    factors = np.full(norms.size, np.nan)
    for column in np.flatnonzero(np.isfinite(norms)):
        others = np.delete(scaled, column, axis=1)
        weights = np.linalg.lstsq(others, scaled[:, column])[0]
        left = float(((scaled[:, column] - others @ weights) ** 2).sum())
        factors[column] = 1.0 / left if left > 1e-16 else np.inf
    return tuple(float(factor) for factor in np.maximum(factors, 1.0))


def column_condition(design: ArrayLike) -> float:
    """Return the largest over the smallest singular value of the centred columns of norm 1.

    Uncorrelated columns -> 1; two of correlation 0.6 -> sqrt(1.6 / 0.4) = 2; above 30 the
    coefficients are at the mercy of rounding and of single rows. NaN with a constant column or
    none, inf with one that others determine.

    Args:
        design: Shape (n, p).

    Raises:
        InputError: A value is NaN or infinite.

    Source: Belsley, Kuh and Welsch 1980, Regression Diagnostics, chapter 3; they leave columns
    uncentred, so that the intercept counts too.
    """
    scaled, norms = centre_columns(finite_matrix(design, name="design"))
    if not norms.size or np.isnan(norms).any():
        return float("nan")
    if independent_columns(scaled).size < norms.size:
        return float("inf")
    singular = np.linalg.svd(scaled, compute_uv=False)
    return float(singular[0] / singular[-1])


def shapley_r2(design: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    """Return each column's share in the R2 of the linear regression; the shares sum to R2.

    The gain in R2 when the column enters, averaged over all orders of entry. Uncorrelated
    columns -> their squared correlations with the target; a column given twice -> each copy half.
    A share can be slightly negative (suppression). In sample, like R2 itself.

    Args:
        design: Shape (n, p), p <= 12: all 2**p subsets are fitted.
        target: Shape (n,).

    Returns:
        Shape (p,); 0 for a constant column, all NaN for a constant target.

    Raises:
        InputError: There are more than 12 columns, or a value is NaN or infinite.

    Source: Lindeman, Merenda and Gold 1980 (LMG); Budescu 1993, Psychological Bulletin 114,
    542-551 (general dominance is the same number).
    """
    columns = finite_matrix(design, name="design")
    values = finite_vector(target, name="target")
    n, p = columns.shape
    check_same_length(n, values, name="target")
    if p > _MOST_COLUMNS:
        raise InputError(
            f"{p} columns have 2**{p} subsets: at most {_MOST_COLUMNS} are possible; "
            "keep the columns of most interest, or sum over groups of them before"
        )
    if n == 0 or np.ptp(values) == 0.0:
        return np.full(p, np.nan)
    scaled, _ = centre_columns(columns)
    centred = values - values.mean()
    correlations, along = scaled.T @ scaled, scaled.T @ (centred / np.linalg.norm(centred))
    fits = _subset_r2(correlations, along)
    members = (np.arange(2**p)[:, None] >> np.arange(p)) & 1  # (2**p, p)
    sizes = members.sum(axis=1)
    shares = np.empty(p)
    weight = np.array([1.0 / (p * comb(p - 1, size)) for size in range(p)])
    for column in range(p):
        without = np.flatnonzero(members[:, column] == 0)
        gains = fits[without + 2**column] - fits[without]
        shares[column] = gains @ weight[sizes[without]]
    return shares


def _subset_r2(
    correlations: NDArray[np.float64], along: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return R2 of every subset; bit j of the index says whether column j is in it."""
    p = along.size
    fits = np.zeros(2**p)
    for subset in range(1, 2**p):
        inside = np.flatnonzero((subset >> np.arange(p)) & 1)
        inverse = np.linalg.pinv(correlations[np.ix_(inside, inside)], rcond=1e-10, hermitian=True)
        fits[subset] = along[inside] @ inverse @ along[inside]
    return fits
