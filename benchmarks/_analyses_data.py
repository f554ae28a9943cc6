"""Activations like those of a large SAE: frequencies as Zipf's law, documents of unequal length."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

MEDIAN_DENSITY, DENSITY_SPREAD = 0.0023, 1.334
"""Log-normal densities of features: median .23 %, 99th percentile about 5 %, top below 66 %."""
DENSEST = 0.66
LENGTH_SPREAD = 0.475
"""Log-normal lengths of documents, so that the mean of squares is as measured on real ones."""
_ROWS = 2_000


def zipf_activations(
    n_documents: int, n_features: int, *, mean_active: float | None = None, seed: int = 0
) -> csr_matrix:
    """Return pooled activations, shape (n_documents, n_features), float32, log-normal.

    With 65,536 features about 368 fire in a document.

    Args:
        n_documents: Rows.
        n_features: Columns.
        mean_active: Features that fire in a document, before repeated draws are merged; None for
            the sum of the densities.
        seed: Of everything drawn.
    """
    rng = np.random.default_rng(seed)
    density = np.minimum(
        MEDIAN_DENSITY * np.exp(DENSITY_SPREAD * rng.standard_normal(n_features)), DENSEST
    )
    rate = -np.log1p(-density)
    total = float(rate.sum()) if mean_active is None else mean_active
    edges = np.cumsum(rate) / rate.sum()
    length = np.exp(LENGTH_SPREAD * rng.standard_normal(n_documents) - LENGTH_SPREAD**2 / 2)
    lengths: list[NDArray[np.int64]] = []
    features: list[NDArray[np.int32]] = []
    for start in range(0, n_documents, _ROWS):
        drawn = rng.poisson(total * length[start : start + _ROWS])
        row = np.repeat(np.arange(drawn.size), drawn)
        feature = np.minimum(np.searchsorted(edges, rng.random(row.size)), n_features - 1)
        key = np.unique(row * n_features + feature)
        lengths.append(np.bincount(key // n_features, minlength=drawn.size))
        features.append((key % n_features).astype(np.int32))
    indices = np.concatenate(features)
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    data = rng.lognormal(0.0, 0.5, indices.size).astype(np.float32)
    if indptr[-1] < 2**31:
        indptr = indptr.astype(np.int32)
    return csr_matrix((data, indices, indptr), (n_documents, n_features))
