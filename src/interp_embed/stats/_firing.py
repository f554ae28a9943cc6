"""Where features fire, by feature and by document, without those that are in no pair."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix

from interp_embed.errors import InputError
from interp_embed.stats._pair_kernels import Walk, count_fires, list_features, list_rows


@dataclass(frozen=True, slots=True, eq=False)
class Firing:
    """Features by how often they fire, rarest first (their place), and where they do."""

    kept: NDArray[np.int64]
    """Column of the matrix at each place, shape (n_kept,)."""
    counts: NDArray[np.int64]
    """Documents in which each fires, ascending, shape (n_kept,)."""
    start: NDArray[np.int64]
    """Where each feature's documents begin in ``rows``, shape (n_kept + 1,)."""
    rows: NDArray[np.int32]
    """Documents, ascending within a feature."""
    row_start: NDArray[np.int64]
    """Where each document's features begin in ``features``, shape (n + 1,)."""
    features: NDArray[np.unsignedinteger[Any]]
    """Places, ascending within a document."""
    n_rare: int
    """Features that fire, but in too few documents, or nowhere."""
    n_everywhere: int
    """Features that fire in every document: they go with all alike."""
    n: int
    """Documents."""

    @property
    def n_left_out(self) -> int:
        """Features in no pair."""
        return self.n_rare + self.n_everywhere

    @classmethod
    def of(cls, matrix: csr_matrix | csr_array, *, name: str, min_support: int) -> "Firing":
        """Return where the features of a matrix fire that do in ``min_support`` documents.

        Raises:
            InputError: It is no CSR matrix, has no documents, or a value is negative or NaN.
        """
        matrix = check_activations(matrix, name)
        n, n_columns = matrix.shape
        columns = matrix.indices.astype(np.int32, copy=False)
        entries = (matrix.indptr.astype(np.int64), columns, matrix.data > 0)
        every = np.zeros(n_columns, np.int64)
        count_fires(*entries, np.arange(n_columns, dtype=np.int32), every)
        kept = np.flatnonzero((every >= min_support) & (every < n))
        kept = kept[np.argsort(every[kept], kind="stable")]
        counts = every[kept]
        place = np.full(n_columns, -1, np.int32)
        place[kept] = np.arange(kept.size, dtype=np.int32)
        start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rows = np.empty(int(start[-1]), np.int32)
        list_rows(*entries, place, start[:-1].copy(), rows)
        per_row = np.bincount(rows, minlength=n)
        row_start = np.concatenate([[0], np.cumsum(per_row)]).astype(np.int64)
        features: NDArray[np.unsignedinteger[Any]] = np.empty(
            rows.size, np.uint16 if kept.size <= 2**16 else np.uint32
        )
        list_features(start, rows, row_start[:-1].copy(), features)
        n_everywhere = int((every == n).sum()) if n >= min_support else 0
        return cls(
            kept=kept,
            counts=counts,
            start=start,
            rows=rows,
            row_start=row_start,
            features=features,
            n_rare=n_columns - kept.size - n_everywhere,
            n_everywhere=n_everywhere,
            n=n,
        )


def check_same_documents(left: Firing, right: Firing) -> None:
    """Raise unless both sides are of the same number of documents."""
    if left.n != right.n:
        raise InputError(
            f"activations have {left.n} documents and other has {right.n}; give both of the same "
            "documents, in the same order"
        )


def walk_of(left: Firing, right: Firing, *, same: bool) -> Walk:
    """Return how all pairs of two sides are counted, from the first left feature on."""
    begin, stop = right.row_start[:-1].copy(), right.row_start[1:]
    return Walk(left.start, left.rows, begin, stop, right.features, int(same))


def check_activations(matrix: csr_matrix | csr_array, name: str) -> csr_matrix | csr_array:
    """Return a matrix of activations in canonical form.

    Raises:
        InputError: It is no CSR matrix, has no documents, or a value is negative or NaN.
    """
    if getattr(matrix, "format", None) != "csr":
        raise InputError(
            f"{name} must be a scipy CSR matrix, got {type(matrix).__name__}; "
            f"use scipy.sparse.csr_array({name})"
        )
    if matrix.shape[0] == 0:
        raise InputError(f"there are no documents: {name} has 0 rows")
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    if (
        matrix.indices.size
        and not 0 <= matrix.indices.min() <= matrix.indices.max() < matrix.shape[1]
    ):
        raise InputError(f"{name} is damaged: it names columns outside its {matrix.shape[1]}")
    if matrix.data.size and not float(matrix.data.min()) >= 0.0:
        raise InputError(f"{name} must be >= 0, none of them NaN")
    return matrix
