"""What is clustered: the distinct rows of the chosen features, each with how often it occurs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array


@dataclass(frozen=True, slots=True, eq=False)
class FiringRows:
    """Distinct rows of yes and no; documents with the same row are always clustered alike."""

    rows: csr_matrix
    """1 where a feature fires, float64, shape (n_rows, n_used); no row is empty."""
    counts: NDArray[np.int64]
    """Documents with each row, >= 1, shape (n_rows,)."""
    row_of: NDArray[np.int64]
    """Row of each document, -1 where no feature fires, shape (n_documents,)."""

    @property
    def n_clusterable(self) -> int:
        """Documents in which at least one of the features fires."""
        return int(self.counts.sum())

    def spread(self, cluster: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the cluster of each document, -1 where no feature fires.

        Args:
            cluster: Of each distinct row, shape (n_rows,).
        """
        return np.where(self.row_of >= 0, cluster[self.row_of], -1)

    def take(self, counts: NDArray[np.int64]) -> "FiringRows":
        """Return the rows that occur at least once in a sample, without its documents.

        Args:
            counts: How often each row occurs in the sample, shape (n_rows,).
        """
        kept = np.flatnonzero(counts)
        return FiringRows(self.rows[kept], counts[kept], kept)


def find_rows(fires: csr_matrix) -> FiringRows:
    """Return the distinct rows, in order of first appearance.

    Args:
        fires: 1 where a feature fires, canonical, shape (n_documents, n_used).
    """
    pieces = np.split(fires.indices.astype(np.int32), fires.indptr[1:-1])
    place: dict[bytes, int] = {}
    first: list[int] = []
    row_of = np.full(fires.shape[0], -1, np.int64)
    for document, piece in enumerate(pieces):
        if piece.size:
            key = piece.tobytes()
            if key not in place:
                place[key] = len(first)
                first.append(document)
            row_of[document] = place[key]
    counts = np.bincount(row_of[row_of >= 0], minlength=len(first)).astype(np.int64)
    return FiringRows(fires[first].astype(np.float64), counts, row_of)


def unit_rows(rows: csr_matrix, weights: NDArray[np.float64]) -> csr_matrix:
    """Return rows times the features' weights, each of length 1 (0 where all weights are 0)."""
    weighted = csr_matrix(rows @ diags_array(weights))
    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    return csr_matrix(diags_array(scale) @ weighted)
