"""Coordinates in which documents that share features are near each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse import csr_matrix, diags_array
from scipy.sparse.linalg import svds

_DENSE = 1_000
"""Up to so many rows or columns the table of their products is decomposed: of 50,000 rows of 500
columns ten times as fast as iterating for singular vectors."""
_NOTHING = 1e-7
"""Singular values below are rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """Where rows lie, strongest axis first; the first axis is the same for all rows."""

    points: NDArray[np.float64]
    """Shape (n_rows, n_components)."""
    strength: NDArray[np.float64]
    """Singular or eigenvalue of each axis, from 1 down, shape (n_components,)."""


def bipartite_coordinates(
    weighted: csr_matrix, counts: NDArray[np.int64], *, n_components: int, seed: int = 0
) -> Coordinates:
    """Return coordinates of rows from the graph that ties documents to their features.

    The left singular vectors of D1^-1/2 B D2^-1/2, strongest first, divided by D1^1/2; the first
    is constant. B holds the weights of the features that fire, D1 and D2 its sums over rows and
    columns. A row that occurs m times counts as m documents.

    Args:
        weighted: Weights of the features that fire, >= 0, shape (n_rows, n_used); no row and no
            column sums to 0.
        counts: Documents with each row, shape (n_rows,).
        n_components: Axes wanted, the constant one included; at most min(n_rows, n_used).
        seed: Of the start vector of the iteration.

    Source: Dhillon 2001, KDD, sections 3 and 4.
    """
    row_sums = np.asarray(weighted.sum(axis=1)).ravel()
    column_sums = np.asarray(weighted.T @ counts.astype(np.float64)).ravel()
    left = np.sqrt(counts / row_sums)
    scaled = csr_matrix(diags_array(left) @ weighted @ diags_array(1.0 / np.sqrt(column_sums)))
    found = _left_vectors(scaled, n_components, seed)
    scale = np.sqrt(counts * row_sums)[:, None]
    return Coordinates(_fixed_signs(found.points / scale), found.strength)


def affinity_coordinates(
    affinity: NDArray[np.float64], counts: NDArray[np.int64], *, n_components: int
) -> Coordinates:
    """Return coordinates of rows from how alike they are.

    The leading eigenvectors of D^-1/2 A D^-1/2 divided by D^1/2, the first of which is constant.

    Args:
        affinity: A, symmetric, >= 0, 1 on the diagonal, shape (n_rows, n_rows).
        counts: Documents with each row, shape (n_rows,).
        n_components: At most n_rows.

    Source: Shi and Malik 2000, IEEE TPAMI 22(8), 888-905; as scikit-learn's spectral embedding.
    """
    n = len(affinity)
    degree = affinity @ counts
    scale = np.sqrt(counts / degree)
    balanced = affinity * np.outer(scale, scale)
    values, vectors = eigh(balanced, subset_by_index=(n - n_components, n - 1))
    points = vectors[:, ::-1] / np.sqrt(counts * degree)[:, None]
    return Coordinates(_fixed_signs(points), values[::-1])


def jaccard_similarity(rows: csr_matrix, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight two rows share by the weight either has, shape (n_rows, n_rows).

    [1, 1, 0] and [0, 1, 1] of equal weights -> 1 / 3
    """
    dense = rows.toarray() * np.sqrt(weights)
    shared = dense @ dense.T
    own = np.diag(shared)
    union = own[:, None] + own[None, :] - shared
    similarity = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    np.fill_diagonal(similarity, 1.0)
    return np.asarray(np.clip(similarity, 0.0, 1.0))


def _left_vectors(scaled: csr_matrix, n_components: int, seed: int) -> Coordinates:
    smaller = min(scaled.shape)
    if smaller > _DENSE and n_components < smaller:
        start = np.random.default_rng(seed).random(smaller) + 0.5
        left, values, _ = svds(scaled, k=n_components, v0=start, solver="arpack")
        order = np.argsort(-values, kind="stable")
        return Coordinates(
            np.asarray(left[:, order], np.float64), np.asarray(values[order], np.float64)
        )
    wide = scaled.shape[1] > scaled.shape[0]
    gram = (scaled @ scaled.T if wide else scaled.T @ scaled).toarray()
    squared, vectors = eigh(gram, subset_by_index=(smaller - n_components, smaller - 1))
    order = np.argsort(-squared, kind="stable")
    values = np.sqrt(np.maximum(squared[order], 0.0))
    if wide:
        return Coordinates(vectors[:, order], values)
    found = scaled @ vectors[:, order]
    left = np.divide(found, values, out=np.zeros_like(found), where=values > _NOTHING)
    return Coordinates(left, values)


def _fixed_signs(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vectors whose entry of largest size is positive."""
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return vectors * np.where(signs == 0, 1.0, signs)
