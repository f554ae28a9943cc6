"""How alike pairs of columns are: in their values, and in where they peak."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, csr_matrix

from interp_embed.errors import InputError
from interp_embed.stats._firing import check_activations
from interp_embed.stats._pair_kernels import compare_columns


@dataclass(frozen=True, slots=True, eq=False)
class ColumnLikeness:
    """How alike pairs of features are; arrays (n_pairs,)."""

    cosine: NDArray[np.float64]
    """Of their activations, in [0, 1]; 0 where one never fires."""
    n_near: NDArray[np.int32]
    """Documents in which both fire and their peaks are near each other."""


def column_likeness(
    activations: csr_matrix | csr_array,
    first: NDArray[np.integer[Any]],
    second: NDArray[np.integer[Any]],
    *,
    peak: NDArray[np.integer[Any]] | None = None,
    reach: int = 1,
) -> ColumnLikeness:
    """Return the cosine of pairs of columns, and in how many documents their peaks are near.

    [[1, 2], [0, 2]], columns 0 and 1, peaks [3, 4, 9] -> cosine 0.707, near in 1

    Args:
        activations: Shape (n_documents, n_features), values >= 0, canonical if there are peaks.
        first: Columns, shape (n_pairs,).
        second: Columns, shape (n_pairs,).
        peak: Token on which each entry of the activations is largest, in their order, -1 where
            that is not known, shape (nnz,); None for no peaks.
        reach: Tokens apart that still count as near, >= 0.

    Raises:
        InputError: A value is negative or NaN, a column out of range, or lengths differ.
    """
    if peak is not None and not activations.has_canonical_format:
        raise InputError("activations must be in canonical form, or peaks are not theirs")
    matrix = check_activations(activations, "activations")
    if peak is not None and np.shape(peak) != (matrix.nnz,):
        raise InputError(
            f"peak has shape {np.shape(peak)}, but there are {matrix.nnz} entries of activations; "
            "give one for each, in their order"
        )
    pairs = np.stack([first, second]).astype(np.int32)
    if pairs.size and not 0 <= pairs.min() <= pairs.max() < matrix.shape[1]:
        raise InputError(f"a pair names a column outside the {matrix.shape[1]} there are")
    order = np.argsort(pairs[0], kind="stable")
    places = _places(matrix, pairs)
    values = matrix.data[places.data].astype(np.float32)
    peaks = np.zeros(0, np.int32) if peak is None else np.asarray(peak, np.int32)[places.data]
    n = matrix.shape[0]
    product, near = np.zeros(order.size), np.zeros(order.size, np.int32)
    compare_columns(
        places.indptr.astype(np.int64),
        places.indices.astype(np.int32, copy=False),
        values,
        peaks,
        pairs[0][order],
        pairs[1][order],
        reach,
        np.zeros(n, np.float32),
        np.zeros(n, np.int32),
        np.full(n, -1, np.int32),
        product,
        near,
    )
    squares = np.bincount(
        matrix.indices, weights=matrix.data.astype(np.float64) ** 2, minlength=matrix.shape[1]
    )
    cosine, n_near = np.zeros(order.size), np.zeros(order.size, np.int32)
    lengths = np.sqrt(squares[pairs[0]] * squares[pairs[1]])
    cosine[order] = product
    n_near[order] = near
    cosine = np.divide(cosine, lengths, out=np.zeros(order.size), where=lengths > 0.0)
    return ColumnLikeness(cosine=np.clip(cosine, 0.0, 1.0), n_near=n_near)


def _places(matrix: csr_matrix | csr_array, pairs: NDArray[np.int32]) -> csc_array:
    """Return where the entries of the columns in pairs are, by column; others are left out."""
    wanted = np.zeros(matrix.shape[1], np.bool_)
    wanted[pairs] = True
    kept = wanted[matrix.indices]
    starts = np.zeros(matrix.nnz + 1, np.int64)
    np.cumsum(kept, out=starts[1:])
    starts = starts[matrix.indptr]
    small = np.int32 if matrix.nnz < 2**31 else np.int64
    entries: NDArray[Any] = np.arange(matrix.nnz, dtype=small)[kept]
    return csc_array(csr_array((entries, matrix.indices[kept], starts), matrix.shape))
