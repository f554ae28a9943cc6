"""Moments over the columns of a sparse activation matrix, which is never made dense."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, csr_matrix

from interp_embed.errors import InputError
from interp_embed.stats._checks import check_same_length, finite_vector

_LARGEST = 1e100

_BLOCK = 1_000_000
"""Entries of a padded block of features, about 40 MB in all."""


def column_density(activations: csr_matrix | csr_array) -> NDArray[np.float64]:
    """Return the share of documents in which each feature fires.

    [[0, 2], [1, 3]] -> [0.5, 1.0]

    Args:
        activations: Shape (n_documents, n_features), values >= 0; a stored zero is silent.

    Returns:
        Densities in [0, 1], shape (n_features,).

    Raises:
        InputError: There are no documents, or a value is negative, NaN or infinite.
    """
    matrix = _checked(activations)
    firing = matrix.indices[matrix.data > 0.0]
    return np.bincount(firing, minlength=matrix.shape[1]) / matrix.shape[0]


def column_correlation(
    activations: csr_matrix | csr_array, target: ArrayLike
) -> NDArray[np.float64]:
    """Return the Pearson correlation of each feature with the target, silent documents included.

    activations [[0], [1], [2]], target [1, 2, 3] -> [1.0]

    Args:
        activations: Shape (n_documents, n_features), values >= 0.
        target: Shape (n_documents,).

    Returns:
        Correlations in [-1, 1], shape (n_features,); NaN for a feature (or target) that is
        constant.

    Raises:
        InputError: Lengths differ, there are no documents, or a value is not finite or negative.
    """
    matrix = _checked(activations)
    n_documents, n_features = matrix.shape
    values = _checked_target(target, n_documents)
    centred = values - values.mean()
    centred = np.zeros_like(values) if np.ptp(values) == 0.0 else centred
    data = matrix.data.astype(np.float64, copy=False)
    means = _column_sums(matrix, data) / n_documents
    products = _column_sums(matrix, data * np.repeat(centred, np.diff(matrix.indptr)))
    # About the mean, in two passes: the mean of squares minus the squared mean cancels badly.
    n_stored = np.bincount(matrix.indices, minlength=n_features)
    squares = _column_sums(matrix, (data - means[matrix.indices]) ** 2)
    norms = np.sqrt(squares + (n_documents - n_stored) * means**2)
    norms[norms <= 1e-13 * means * np.sqrt(n_documents)] = np.nan
    norm_target = np.sqrt(centred @ centred) or np.nan
    return np.clip(products / (norms * norm_target), -1.0, 1.0)


def column_separation(
    activations: csr_matrix | csr_array, target: ArrayLike, *, n_top: int | None = None
) -> NDArray[np.float64]:
    """Return, for each feature, the mean target where it fires minus the mean where it is silent.

    activations [[0], [1], [2]], target [1, 2, 6] -> [3.0]; with n_top=1 -> [5.0]

    Args:
        activations: Shape (n_documents, n_features), values >= 0; a stored zero is silent.
        target: Shape (n_documents,).
        n_top: Only the documents on which the feature is strongest stand for "fires", at most
            this many; among equals the earlier row goes first. The others of the firing
            documents are left out of both sides.

    Returns:
        Differences of means, shape (n_features,); NaN for a feature that fires nowhere or
        everywhere.

    Raises:
        InputError: Lengths differ, there are no documents, a value is not finite or negative, or
            ``n_top`` < 1.

    Source: Movva et al. 2025, arXiv 2502.04382 (separation score). There stored and other zeros
    enter the top documents of rare features; here they never do.
    """
    if n_top is not None and n_top < 1:
        raise InputError(f"n_top must be at least 1, got {n_top}")
    matrix = _positive_part(_checked(activations))
    n_documents, n_features = matrix.shape
    values = _checked_target(target, n_documents)
    centred = values - values.mean()
    n_firing = np.bincount(matrix.indices, minlength=n_features)
    sums = _column_sums(matrix, np.repeat(centred, np.diff(matrix.indptr)))
    # The centred target sums to 0, so the silent documents sum to minus the firing ones.
    silent = _ratio(-sums, n_documents - n_firing)
    if n_top is None or n_firing.max(initial=0) <= n_top:
        return _ratio(sums, n_firing) - silent
    top_sums = _sums_over_top(matrix, centred, n_firing, n_top, sums)
    return _ratio(top_sums, np.minimum(n_firing, n_top)) - silent


def _column_sums(
    matrix: csr_matrix | csr_array, values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the sum over each column of one value per stored entry, shape (n_features,)."""
    sums = np.bincount(matrix.indices, weights=values, minlength=matrix.shape[1])
    return np.asarray(sums, dtype=np.float64)


def _ratio(sums: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return sums / counts, NaN where the count is 0."""
    return sums / np.where(counts > 0, counts, np.nan)


def _sums_over_top(
    matrix: csr_matrix | csr_array,
    centred: NDArray[np.float64],
    n_firing: NDArray[np.int64],
    n_top: int,
    sums: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return ``sums``, for features that fire more than ``n_top`` times over the top ones only."""
    by_feature = matrix.tocsc()  # rows ascend within a feature
    heavy = np.flatnonzero(n_firing > n_top)
    heavy = heavy[np.argsort(n_firing[heavy], kind="stable")]
    cut = sums.copy()
    start = 0
    while start < heavy.size:
        # Features of similar counts side by side, padded to the largest of them.
        widths = n_firing[heavy[start:]]
        fitting = (widths <= 2 * widths[0]) & (np.arange(1, widths.size + 1) * widths <= _BLOCK)
        block = heavy[start : start + max(1, int(fitting.sum()))]
        places = np.arange(n_firing[block].max())
        valid = places < n_firing[block][:, None]  # (n_block, width)
        entries = np.where(valid, by_feature.indptr[block][:, None] + places, 0)
        values = np.where(valid, by_feature.data[entries], -np.inf)
        weakest = np.partition(values, -n_top, axis=1)[:, -n_top, None]
        above = values > weakest
        equal = values == weakest
        room = n_top - above.sum(axis=1, keepdims=True)
        top = above | (equal & (np.cumsum(equal, axis=1) <= room))
        cut[block] = (centred[by_feature.indices[entries]] * top).sum(axis=1)
        start += block.size
    return cut


def _positive_part(matrix: csr_matrix | csr_array) -> csr_matrix | csr_array:
    """Return the matrix without stored zeros."""
    if matrix.data.size == 0 or matrix.data.min() > 0.0:
        return matrix
    matrix = matrix.copy()
    matrix.eliminate_zeros()
    return matrix


def _checked(activations: csr_matrix | csr_array) -> csr_matrix | csr_array:
    if getattr(activations, "format", None) != "csr":
        raise InputError(
            f"activations must be a scipy CSR matrix, got {type(activations).__name__}; "
            "use scipy.sparse.csr_array(activations)"
        )
    if activations.shape[0] == 0:
        raise InputError("there are no documents: the activation matrix has 0 rows")
    if not activations.has_canonical_format:
        activations = activations.copy()
        activations.sum_duplicates()
    data = activations.data
    # NaN fails the first comparison; the second keeps squares and their sums finite.
    if data.size and not (float(data.min()) >= 0.0 and float(data.max()) < _LARGEST):
        raise InputError(f"activations must be >= 0 and below {_LARGEST:g}, none of them NaN")
    return activations


def _checked_target(target: ArrayLike, n_documents: int) -> NDArray[np.float64]:
    values = finite_vector(target, name="target")
    check_same_length(n_documents, values, name="target")
    return values
