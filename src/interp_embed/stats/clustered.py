"""Weighted sums over documents that are not independent: of one author, prompt or parent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.sparse import csr_array, csr_matrix, hstack

from interp_embed.errors import InputError
from interp_embed.stats._checks import check_same_length, finite_vector, number_labels
from interp_embed.stats._cluster_kernels import ColumnSums, Documents, sum_groups


@dataclass(frozen=True, slots=True)
class ClusteredSums:
    """Weighted sums of many columns over documents in groups, with what is uncertain of them."""

    value: NDArray[np.float64]
    """Sum of weight x value, shape (n_columns,)."""
    variance: NDArray[np.float64]
    """Cluster-robust, shape (n_columns,)."""
    df: NDArray[np.float64]
    """Degrees of freedom, at least 1, shape (n_columns,): as of how many groups of one size."""
    n_groups: int


def clustered_sums(
    values: csr_matrix | csr_array,
    weights: ArrayLike,
    *,
    groups: ArrayLike,
    cells: ArrayLike | None = None,
    slope: ArrayLike | None = None,
) -> ClusteredSums:
    """Return weighted sums of columns, uncertain by how much groups of documents differ.

    A difference of two rates has weights 1/n of the first documents and -1/n of the second, and
    two cells. Values [1, 1, 0, 0] in groups [0, 0, 1, 1], weights 1/4 -> value 0.5, variance
    2/1 x (0.25^2 + 0.25^2) = 0.25: the two groups disagree wholly.

    Args:
        values: Sparse, shape (n, n_columns).
        weights: Shape (n,).
        groups: Documents of one label are not independent, shape (n,); at least two labels.
        cells: Documents of a cell have one expected value, which the group's sums are compared
            with, shape (n,); None: all have the same.
        slope: What the expected value is linear in beside, shape (n,); None: nothing.

    Raises:
        InputError: Lengths differ, a label is missing, a weight is not finite, or there are fewer
            than two groups.

    Source: Liang and Zeger 1986, Biometrika 73, 13-22 (the variance, with the factor G/(G-1));
    Satterthwaite 1946, Biometrics Bull. 2, 110-114, for groups of unequal weight that are as alike
    within as is found, as in Imbens and Kolesar 2016, Rev. Econ. Stat. 98, 701-712.
    """
    c = finite_vector(weights, name="weights")
    check_same_length(values.shape[0], c, name="weights")
    of_group = number_labels(groups)
    check_same_length(c.size, of_group, name="groups")
    of_cell = np.zeros(c.size, np.int64) if cells is None else number_labels(cells, name="cells")
    check_same_length(c.size, of_cell, name="cells")
    n_groups = int(of_group.max(initial=-1)) + 1
    if n_groups < 2:
        raise InputError(
            f"{c.size} documents are in {n_groups} group: how much groups differ cannot be judged "
            "from fewer than two; group by something finer, or leave the groups out"
        )
    along = np.zeros(0)
    if slope is not None:
        along = finite_vector(slope, name="slope")
        check_same_length(c.size, along, name="slope")
    order = np.argsort(of_group, kind="stable")
    documents = Documents(order, of_group, c, of_cell, along)
    sums, squares = _sums_and_squares(values, documents, n_groups)
    n_lost = 1.0 + (slope is not None)
    df = _degrees(sums, squares, c, of_group) - n_lost
    factor = n_groups / max(1.0, n_groups - n_lost)
    return ClusteredSums(sums.weighted, squares * factor, np.maximum(df, 1.0), n_groups)


def _degrees(
    sums: ColumnSums,
    squares: NDArray[np.float64],
    c: NDArray[np.float64],
    of_group: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return how many groups of one size would be as uncertain, of each column.

    A group adds to the variance by its documents, and by how alike they are times the square of
    its weight; how alike is what makes these add up to the variance that was found.
    """
    spread = sums.total_square / c.size - (sums.total / c.size) ** 2
    own = np.bincount(of_group, weights=c**2)
    shared = np.maximum(np.bincount(of_group, weights=np.abs(c)) ** 2 - own, 0.0)
    excess = np.divide(squares, spread, out=np.zeros(spread.size), where=spread > 0.0) - own.sum()
    alike = np.clip(excess / max(float(shared.sum()), 1e-300), 0.0, 1.0)
    whole = own.sum() + alike * shared.sum()
    fourth = own @ own + 2.0 * alike * (own @ shared) + alike**2 * (shared @ shared)
    return np.asarray(np.divide(whole**2, fourth, out=np.ones(spread.size), where=fourth > 0.0))


def _sums_and_squares(
    values: csr_matrix | csr_array, documents: Documents, n_groups: int
) -> tuple[ColumnSums, NDArray[np.float64]]:
    """Return the sums, and the sum over groups of (its sum less what is expected)^2.

    Expected is the least-squares fit of each column on the cells and the slope. The square is
    multiplied out, so that nothing of shape (n_groups, n_columns) is made.
    """
    n, n_columns = values.shape
    basis = csr_array((np.ones(n), (np.arange(n), documents.cell)))
    if documents.along.size:
        basis = csr_array(hstack([basis, csr_array(documents.along[:, None])]))
    to_groups = csr_array((documents.weight, (documents.group, np.arange(n))), shape=(n_groups, n))
    share = (to_groups @ basis).toarray()  # (n_groups, n_basis)
    n_basis = share.shape[1]
    sums = ColumnSums(
        *(np.zeros(n_columns) for _ in range(4)),
        *(np.zeros((n_basis, n_columns)) for _ in range(2)),
    )
    rows = values.tocsr()
    data = rows.data if rows.data.dtype in (np.float32, np.float64) else rows.data.astype(float)
    columns = rows.indices.astype(np.int32, copy=False)
    sum_groups(rows.indptr.astype(np.int64), columns, data, documents, share, sums)
    fitted = np.linalg.pinv((basis.T @ basis).toarray(), hermitian=True) @ sums.products
    squared = sums.squared - 2.0 * (fitted * sums.crossed).sum(axis=0)
    squared = squared + (fitted * (share.T @ share @ fitted)).sum(axis=0)
    return sums, np.maximum(squared, 0.0)


@dataclass(frozen=True, slots=True)
class ClusteredDifferences:
    """Differences of rates between documents in groups; arrays share the shape (n_columns,)."""

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p: NDArray[np.float64]
    """Two-sided p of "no difference", by Student's t."""
    n_groups: int


def compare_clustered(
    *parts: ClusteredSums, least: ArrayLike = 0.0, level: float = 0.95
) -> ClusteredDifferences:
    """Return the sum of independent clustered sums, with its interval and test.

    Args:
        parts: Of documents that share no group, such as the two sides of a comparison.
        least: Variance if documents were independent, shape (n_columns,) or a number: few groups
            can agree by chance, and a feature that fires in few documents may look certain.
        level: Confidence level in (0, 1).

    Source: Welch 1947, Biometrika 34, 28-35.
    """
    value = np.sum([part.value for part in parts], axis=0)
    variance = np.sum([part.variance for part in parts], axis=0)
    spread = np.sum([part.variance**2 / part.df for part in parts], axis=0)
    fewest = np.min([part.df for part in parts], axis=0)
    df = np.divide(variance**2, spread, out=fewest.copy(), where=spread > 0.0)
    error = np.sqrt(np.maximum(variance, least))
    t = np.divide(value, error, out=np.zeros_like(value), where=error > 0.0)
    half = stats.t.ppf(0.5 + level / 2.0, df) * error
    return ClusteredDifferences(
        value=value,
        low=np.maximum(value - half, -1.0),
        high=np.minimum(value + half, 1.0),
        p=np.asarray(2.0 * stats.t.sf(np.abs(t), df)),
        n_groups=sum(part.n_groups for part in parts),
    )
