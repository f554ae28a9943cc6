"""The analyses as one would write them with scipy and scikit-learn, without tests."""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.cluster import SpectralClustering


def npmi_pairs(matrix: csr_matrix, min_support: int) -> int:
    """Return how many pairs occur, after NPMI of each, by one sparse product."""
    fires = (matrix > 0).astype(np.float32).tocsc()
    counts = np.diff(fires.indptr)
    fires = fires[:, counts >= min_support]
    counts, n = np.diff(fires.indptr), fires.shape[0]
    together = (fires.T @ fires).tocoo()
    later = together.row < together.col
    row, column, both = together.row[later], together.col[later], together.data[later]
    joint = np.log(both / n)
    value = (np.log(counts[row] / n) + np.log(counts[column] / n)) / joint - 1
    return int(np.isfinite(value).sum())


def rate_differences(first: csr_matrix, second: csr_matrix) -> int:
    """Return the feature whose share of documents differs most."""
    rates = [(half > 0).getnnz(axis=0) / half.shape[0] for half in (first, second)]
    return int(np.abs(rates[0] - rates[1]).argmax())


def units(matrix: csr_matrix, features: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the 90th percentile of each of some features' activations, 1 for the others."""
    found = np.ones(matrix.shape[1], np.float32)
    columns = matrix[:, features].tocsc()
    for place, feature in enumerate(features.tolist()):
        values = columns.data[columns.indptr[place] : columns.indptr[place + 1]]
        found[feature] = np.quantile(values, 0.9)
    return found


def best_document(
    matrix: csr_matrix,
    scale: NDArray[np.float32],
    features: Sequence[int],
    weights: Sequence[float],
) -> int:
    """Return the document with the largest weighted sum, by a product with the whole matrix."""
    vector = np.zeros(matrix.shape[1], np.float32)
    vector[features] = np.array(weights, np.float32) / scale[features]
    return int((matrix @ vector).argmax())


def spectral_clusters(fires: csr_matrix, k: int) -> int:
    """Return the number of clusters by scikit-learn, from nearest neighbours."""
    model = SpectralClustering(k, affinity="nearest_neighbors", n_neighbors=10, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the graph need not be connected
        return int(model.fit_predict(fires).max() + 1)
