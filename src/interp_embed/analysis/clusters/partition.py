"""Ways to divide documents by which features fire: spectral, by Jaccard, k-means, agglomerative."""

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import csr_matrix, diags_array
from scipy.spatial.distance import squareform
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

from interp_embed.analysis.clusters.rows import FiringRows, unit_rows
from interp_embed.analysis.clusters.spectral import (
    affinity_coordinates,
    bipartite_coordinates,
    jaccard_similarity,
)
from interp_embed.errors import InputError

Method = Literal["auto", "spectral", "jaccard", "kmeans", "agglomerative"]
"""``auto`` is ``spectral``."""

METHODS: tuple[Method, ...] = ("spectral", "jaccard", "kmeans", "agglomerative")
MOST_ROWS = {"jaccard": 3_000, "agglomerative": 10_000}
"""Above so many (distinct rows; documents) a method that compares all pairs is refused."""
_MINI_BATCH = 200_000
_N_AXES = 50
_LARGE = 20_000
"""Rows above which k-means is started three times at most."""
_DENSE_CELLS = 2_000_000
STARTS = 10
FEW_STARTS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Where rows lie for a method, to be cut into clusters."""

    method: Method
    points: Any
    """Coordinates (sparse for k-means of many rows), shape (n_rows, n_axes); of agglomerative
    clustering the tree of documents."""
    counts: NDArray[np.int64]
    """Documents with each row, shape (n_rows,)."""

    def cut(self, k: int, *, seed: int = 0, n_starts: int = STARTS) -> NDArray[np.int64]:
        """Return the cluster of each row, from 0 by size, shape (n_rows,); k at most n_rows."""
        if self.method == "agglomerative":
            first = np.concatenate([[0], np.cumsum(self.counts)[:-1]])
            found = fcluster(self.points, k, "maxclust")[first] - 1
        else:
            points = unit_points(self.points[:, :k]) if self.method == "jaccard" else self.points
            found = _k_means(points, self.counts, k, seed, n_starts)
        return _by_size(found, self.counts)


def make_space(
    rows: FiringRows, weights: NDArray[np.float64], *, method: Method, most: int, seed: int = 0
) -> Space:
    """Return where rows lie for a method.

    ``spectral``: ``graph_points``, then k-means. ``jaccard``: the first k axes of
    ``affinity_coordinates`` of the weighted Jaccard similarity, rows scaled to length 1, then
    k-means. ``kmeans``: k-means on weighted rows of length 1. ``agglomerative``: average linkage
    of 1 - Jaccard.

    Args:
        rows: Distinct rows, n_rows.
        weights: Of the features, > 0, shape (n_used,).
        method: One of ``METHODS``, or ``auto``.
        most: Largest number of clusters it will be cut into.
        seed: Of the iteration for singular vectors.

    Raises:
        InputError: There are too many rows for a method that compares all pairs.

    Source: Jiang et al. 2025, arXiv 2512.10092, targeted clustering (spectral clustering of
    Jaccard similarities, theirs without weights); Ng, Jordan and Weiss 2001, NIPS (rows of
    length 1).
    """
    method = "spectral" if method == "auto" else method
    _check_size(rows, method)
    counts = rows.counts
    if method == "spectral":
        points: Any = graph_points(rows, weights, n_axes=max(_N_AXES, most), seed=seed)
    elif method == "jaccard":
        similarity = jaccard_similarity(rows.rows, weights)
        n_components = min(most, len(counts))
        points = affinity_coordinates(similarity, counts, n_components=n_components).points
    elif method == "kmeans":
        points = unit_rows(rows.rows, weights)
        if points.shape[0] * points.shape[1] <= _DENSE_CELLS:
            points = points.toarray()
    else:
        similarity = jaccard_similarity(rows.rows, weights).astype(np.float32)
        place = np.repeat(np.arange(len(counts)), counts)
        apart = 1.0 - similarity[np.ix_(place, place)]
        np.fill_diagonal(apart, 0.0)
        points = linkage(squareform(apart, checks=False), "average")
    return Space(method, points, counts)


def graph_points(
    rows: FiringRows, weights: NDArray[np.float64], *, n_axes: int = _N_AXES, seed: int = 0
) -> NDArray[np.float64]:
    """Return the places of rows in the graph of documents and features, of length 1.

    ``bipartite_coordinates`` times the strength of each axis, scaled to length 1. An edge weighs
    the square root of its feature's weight: the graph itself already counts frequent features
    less.

    Args:
        rows: Distinct rows, n_rows.
        weights: Of the features, > 0, shape (n_used,).
        n_axes: Axes at most.
        seed: Of the iteration for singular vectors.

    Returns:
        Shape (n_rows, n_axes or fewer).

    Source: Dhillon 2001, KDD, who takes log2 k axes of equal strength. With 50 axes by their
    strength, clusters of clinc150 agree better with its domains, and planted ones as well.
    """
    weighted = csr_matrix(rows.rows @ diags_array(np.sqrt(weights)))
    used = np.flatnonzero(np.diff(weighted.tocsc().indptr))
    n_components = min(n_axes, weighted.shape[0], used.size)
    found = bipartite_coordinates(
        weighted[:, used], rows.counts, n_components=n_components, seed=seed
    )
    return unit_points(found.points * found.strength)


def unit_points(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points scaled to length 1; those of length 0 stay."""
    length = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(np.divide(points, length, out=np.zeros_like(points), where=length > 0))


def _check_size(rows: FiringRows, method: Method) -> None:
    n = rows.n_clusterable if method == "agglomerative" else len(rows.counts)
    limit = MOST_ROWS.get(method, n)
    if n > limit:
        raise InputError(
            f"method={method!r} compares all pairs and takes at most {limit:,} documents, but got "
            f'{n:,}; use method="spectral" or "kmeans"'
        )


def _k_means(
    points: Any,  # noqa: ANN401 - dense or sparse
    counts: NDArray[np.int64],
    k: int,
    seed: int,
    n_starts: int,
) -> NDArray[np.int64]:
    n = len(counts)
    kind = MiniBatchKMeans if n > _MINI_BATCH else KMeans
    n_init = min(n_starts, FEW_STARTS) if n > _LARGE else n_starts
    with warnings.catch_warnings():
        # Distinct rows may share a place: there are fewer clusters then, which callers tell.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = kind(k, n_init=n_init, random_state=seed).fit(points, sample_weight=counts)
    return np.asarray(fitted.labels_, np.int64)


def _by_size(found: NDArray[np.integer[Any]], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return clusters numbered by their size, of equal ones that of the first row first."""
    names, first, cluster = np.unique(found, return_index=True, return_inverse=True)
    sizes = np.bincount(cluster, weights=counts, minlength=len(names))
    order = np.lexsort((first, -sizes))
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return rank[cluster]
