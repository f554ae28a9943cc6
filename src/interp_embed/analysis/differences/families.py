"""Features that fire in the same documents: one finding, shown once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import csr_matrix
from scipy.spatial.distance import squareform

from interp_embed.analysis.differences.firing_counts import fires_in_both
from interp_embed.analysis.differences.sides import Sides

MOST_GROUPED = 500
"""Strongest features that are compared with each other."""
ALIKE = 0.5
"""Mean correlation from which features are one family."""
_MOST_DOCUMENTS = 20_000
"""Documents read, evenly spaced: a correlation of 0.5 is known from them to within 0.01."""


@dataclass(frozen=True, slots=True, eq=False)
class Families:
    """Groups of redundant features; arrays of shape (n_features,)."""

    family: NDArray[np.int64]
    """Number of a feature's family, by its strongest member's rank; -1 where it is alone."""
    leads: NDArray[np.bool_]
    """Whether it stands for its family, or is significant and alone."""


def find_families(
    sides: Sides, features: Sequence[int], difference: NDArray[np.float64]
) -> Families:
    """Return families of significant features: average linkage of their correlation (phi).

    Features that differ in opposite directions are never of one family.

    Args:
        sides: The documents compared.
        features: Significant ones, strongest first; beyond the first 500 each stands alone and
            leads nothing.
        difference: Of all features, shape (n_features,).
    """
    n_features = sides.first.n_features
    family, leads = np.full(n_features, -1), np.zeros(n_features, np.bool_)
    chosen = np.asarray(features[:MOST_GROUPED], np.int64)
    if not len(chosen):
        return Families(family, leads)
    rows = [_spaced(rows) for rows in (sides.rows_first, sides.rows_second)]
    alike = correlate_columns(fires_in_both(sides.first, sides.second, *rows)[:, chosen])
    sign = np.sign(difference[chosen])
    alike[sign[:, None] != sign] = -1.0
    numbers = _link(alike)
    taken: dict[int, int] = {}
    sizes = np.bincount(numbers)
    for feature, number in zip(chosen.tolist(), numbers.tolist(), strict=True):
        leads[feature] = number not in taken
        taken.setdefault(number, len(taken))
        if sizes[number] > 1:
            family[feature] = taken[number]
    return Families(family, leads)


def correlate_columns(fires: csr_matrix) -> NDArray[np.float64]:
    """Return the correlation (phi) of all pairs of 0/1 columns; 0 for a constant one."""
    n = max(fires.shape[0], 1)
    together = np.asarray((fires.T @ fires).toarray(), np.float64) / n
    rate = np.diag(together).copy()
    spread = np.sqrt(rate * (1.0 - rate))
    scale = np.outer(spread, spread)
    gap = together - np.outer(rate, rate)
    return np.asarray(np.divide(gap, scale, out=np.zeros_like(gap), where=scale > 1e-12))


def _link(alike: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the family of each feature, numbered from 1."""
    if len(alike) == 1:
        return np.ones(1, np.int64)
    distance = 1.0 - alike
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="average")
    return np.asarray(fcluster(tree, 1.0 - ALIKE, criterion="distance"), np.int64)


def _spaced(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    most = _MOST_DOCUMENTS // 2
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
