"""From a degree to a verdict: the cut that agrees best with where a feature fires."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_SIDE = 5
"""Documents on either side of a cut: a cut that parts fewer says nothing that could be tested."""


@dataclass(frozen=True, slots=True, eq=False)
class Cuts:
    """The best cut of each of several degrees."""

    agreement: NDArray[np.float64]
    """Correlation in [-1, 1] of "above the cut" with "fires"; -inf where no cut is possible."""
    threshold: NDArray[np.float64]
    """Half-way between two values that occur; NaN where no cut is possible."""


def find_cuts(degrees: NDArray[np.floating], fires: NDArray[np.bool_]) -> Cuts:
    """Return, for each column, the cut whose "above" agrees best with where a feature fires.

    With 5 documents of degree 1, 5 of degree 2 and the feature firing on the latter, the cut is at
    1.5 and the agreement 1.

    Args:
        degrees: Finite, shape (n_documents, n_columns).
        fires: Shape (n_documents,).
    """
    n, n_columns = degrees.shape
    n_fires = int(fires.sum())
    if n < 2 * MIN_SIDE or n_fires in (0, n):
        return Cuts(np.full(n_columns, -np.inf), np.full(n_columns, np.nan))
    order = np.argsort(-degrees, axis=0, kind="stable")
    ordered = np.take_along_axis(degrees, order, axis=0).astype(np.float64)
    above = np.arange(1, n)[:, None]  # documents above a cut after each place
    together = fires[order].cumsum(axis=0)[:-1]  # (n_documents - 1, n_columns)
    spread = above * (n - above) * float(n_fires * (n - n_fires))
    phi = (n * together - above * n_fires) / np.sqrt(np.maximum(spread, 1))
    possible = (ordered[:-1] > ordered[1:]) & (above >= MIN_SIDE) & (above <= n - MIN_SIDE)
    phi = np.where(possible, phi, -np.inf)
    best, column = phi.argmax(axis=0), np.arange(n_columns)
    found = possible[best, column]
    threshold = (ordered[best, column] + ordered[best + 1, column]) / 2
    return Cuts(phi[best, column], np.where(found, threshold, np.nan))
