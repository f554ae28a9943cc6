"""How the documents of features spread over groups."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from interp_embed.stats._firing import Firing

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class GroupCounts:
    """Of features, by place: sums over groups of their counts there; arrays (n_features,)."""

    square: Floats
    """Of the square of the count."""
    by_size: Floats
    """Of the count times the size of the group."""
    alike: Floats
    """Intraclass correlation, in [0, 1]."""

    @classmethod
    def of(cls, side: Firing, of_group: NDArray[np.int64], size: Floats) -> "GroupCounts":
        """Return the sums of the features of a side.

        Args:
            side: Where they fire.
            of_group: Group of each document from 0, shape (n_documents,).
            size: Documents of each group, shape (n_groups,).
        """
        entries = np.ones(side.rows.size), of_group[side.rows], side.start.copy()
        fires = csr_array(entries, (side.kept.size, size.size))
        fires.sum_duplicates()  # in place; then counts by group, (n_features, n_groups)
        of_entry = np.repeat(np.arange(side.kept.size), np.diff(fires.indptr))

        def summed(values: NDArray[np.float64]) -> Floats:
            found = np.bincount(of_entry, weights=values, minlength=side.kept.size)
            return np.asarray(found, np.float64)

        own, count = size[fires.indices], np.asarray(fires.data, np.float64)
        between = summed(count**2 / own)
        return cls(
            summed(count**2),
            summed(count * own),
            _intraclass(between, side.counts.astype(np.float64), size),
        )


def _intraclass(between: Floats, count: Floats, size: Floats) -> Floats:
    """Return the intraclass correlations of features from sums over groups of count^2 / size."""
    n, n_groups = float(size.sum()), size.size
    above = (between - count**2 / n) / (n_groups - 1.0)
    within = np.maximum(count - between, 0.0) / (n - n_groups)
    usual = (n - float(size @ size) / n) / (n_groups - 1.0)
    whole = above + (usual - 1.0) * within
    share = np.divide(above - within, whole, out=np.zeros_like(whole), where=whole > 0.0)
    return np.asarray(np.clip(share, 0.0, 1.0))
