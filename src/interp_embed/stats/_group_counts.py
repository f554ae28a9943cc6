"""How the documents of features spread over groups."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interp_embed.stats._firing import Firing
from interp_embed.stats._group_kernels import Columns, count_groups, make_room

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
    def of(
        cls,
        side: Firing,
        features: NDArray[np.integer[Any]],
        of_group: NDArray[np.int64],
        size: Floats,
    ) -> "GroupCounts":
        """Return the sums of some features of a side, NaN for the others.

        Args:
            side: Where features fire.
            features: Places of those wanted.
            of_group: Group of each document from 0, shape (n_documents,).
            size: Documents of each group, shape (n_groups,).
        """
        wanted = np.unique(features)
        found = np.zeros((wanted.size, 3))
        count_groups(
            Columns(side.start, side.rows),
            of_group.astype(np.int32),
            size,
            wanted.astype(np.int32),
            make_room(side.n, size.size),
            found,
        )
        sums = np.full((3, side.kept.size), np.nan)
        sums[:2, wanted] = found[:, :2].T
        sums[2, wanted] = _intraclass(found[:, 2], side.counts[wanted].astype(np.float64), size)
        return cls(*sums)


def _intraclass(between: Floats, count: Floats, size: Floats) -> Floats:
    """Return the intraclass correlations of features from sums over groups of count^2 / size."""
    n, n_groups = float(size.sum()), size.size
    above = (between - count**2 / n) / (n_groups - 1.0)
    within = np.maximum(count - between, 0.0) / (n - n_groups)
    usual = (n - float(size @ size) / n) / (n_groups - 1.0)
    whole = above + (usual - 1.0) * within
    share = np.divide(above - within, whole, out=np.zeros_like(whole), where=whole > 0.0)
    return np.asarray(np.clip(share, 0.0, 1.0))
