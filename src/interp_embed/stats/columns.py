"""Moments over the columns of a sparse activation matrix, which is never made dense."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, csr_matrix

from interp_embed.errors import InputError
from interp_embed.stats._checks import check_same_length, finite_vector


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
    columns = matrix.indices
    data = matrix.data.astype(np.float64, copy=False)
    stored = np.diff(matrix.indptr)
    means = np.bincount(columns, weights=data, minlength=n_features) / n_documents
    products = np.bincount(columns, weights=data * np.repeat(centred, stored), minlength=n_features)
    # About the mean, in two passes: the mean of squares minus the squared mean cancels badly.
    n_stored = np.bincount(columns, minlength=n_features)
    squares = np.bincount(columns, weights=(data - means[columns]) ** 2, minlength=n_features)
    squares += (n_documents - n_stored) * means**2
    norms = np.sqrt(squares)
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
    matrix = _checked(activations)
    n_documents, n_features = matrix.shape
    values = _checked_target(target, n_documents)
    centred = values - values.mean()
    by_document = np.repeat(centred, np.diff(matrix.indptr))
    fires = matrix.data > 0.0
    all_fire = bool(fires.all())
    columns = matrix.indices if all_fire else matrix.indices[fires]
    by_document = by_document if all_fire else by_document[fires]
    n_firing = np.bincount(columns, minlength=n_features)
    sums = np.bincount(columns, weights=by_document, minlength=n_features)
    n_silent = n_documents - n_firing
    # The centred target sums to 0, so the silent documents sum to minus the firing ones.
    silent = np.divide(-sums, n_silent, out=np.full(n_features, np.nan), where=n_silent > 0)
    if n_top is not None and n_firing.max(initial=0) > n_top:
        data = matrix.data if all_fire else matrix.data[fires]
        sums = _sums_over_top(columns, data, by_document, n_firing, n_top, sums)
        n_firing = np.minimum(n_firing, n_top)
    firing = np.divide(sums, n_firing, out=np.full(n_features, np.nan), where=n_firing > 0)
    return firing - silent


def _sums_over_top(
    columns: NDArray[np.int32],
    data: NDArray[np.float64],
    by_document: NDArray[np.float64],
    n_firing: NDArray[np.int64],
    n_top: int,
    sums: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return ``sums`` with those of features that fire more than ``n_top`` times cut to the top."""
    entries = np.flatnonzero((n_firing > n_top)[columns])
    by_column = entries[np.lexsort((-data[entries], columns[entries]))]  # stable: row order
    heavy = np.flatnonzero(n_firing > n_top)
    starts = np.concatenate(([0], np.cumsum(n_firing[heavy])[:-1]))
    top = by_column[(starts[:, None] + np.arange(n_top)).ravel()]
    cut = sums.copy()
    cut[heavy] = by_document[top].reshape(heavy.size, n_top).sum(axis=1)
    return cut


def _checked(activations: csr_matrix | csr_array) -> csr_matrix | csr_array:
    if activations.shape[0] == 0:
        raise InputError("there are no documents: the activation matrix has 0 rows")
    if not activations.has_canonical_format:
        activations = activations.copy()
        activations.sum_duplicates()
    data = activations.data
    # NaN fails the first comparison, infinity the second.
    if data.size and not (data.min() >= 0.0 and data.max() < np.inf):
        raise InputError("activations must be finite and >= 0")
    return activations


def _checked_target(target: ArrayLike, n_documents: int) -> NDArray[np.float64]:
    values = finite_vector(target, name="target")
    check_same_length(n_documents, values, name="target")
    return values
