"""The predecessor's formulas, written afresh as it computes them: dense, in floats, in one piece.

Its analyses were example scripts, not part of a package that can be installed. They turn the
activations into a dense matrix, hold every pair at once, and test nothing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import SpectralClustering
from sklearn.metrics import pairwise_distances

Dense = NDArray[np.float32]


def npmi_pairs(activations: Dense) -> int:
    """Return how many pairs get a value: of all, those never together one of 0."""
    fires = (activations != 0).astype(np.float32)
    n, n_features = fires.shape
    share = fires.mean(axis=0)
    joint = (fires.T @ fires) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        mutual = np.log(joint / np.outer(share, share))
        value = mutual / -np.log(joint)
    value = np.nan_to_num(value, nan=0.0, posinf=0.0, neginf=0.0)
    first, second = np.triu_indices(n_features, k=1)
    listed = value[first, second]
    order = np.argsort(-listed)
    return int(order.size)


def rate_differences(first: Dense, second: Dense) -> int:
    """Return the feature whose share of documents differs most."""
    rates = [(half != 0).astype(np.float32).mean(axis=0) for half in (first, second)]
    return int(np.abs(rates[0] - rates[1]).argmax())


def best_documents(
    activations: Dense, queries: Sequence[tuple[list[int], list[float]]]
) -> list[int]:
    """Return the best document of each query; every feature is scaled by its own percentile."""
    scaled = activations.copy()
    for feature in sorted({feature for query in queries for feature in query[0]}):
        column = scaled[:, feature]
        scaled[:, feature] = column / np.percentile(column[column > 0], 90)
    found = []
    for features, weights in queries:
        vector = np.zeros(scaled.shape[1], np.float32)
        vector[features] = weights
        found.append(int((scaled @ vector).argmax()))
    return found


def spectral_clusters(activations: Dense, k: int) -> int:
    """Return the number of clusters of all pairwise Jaccard similarities."""
    similarity = 1.0 - pairwise_distances(activations != 0, metric="jaccard")
    model = SpectralClustering(k, affinity="precomputed", random_state=0)
    return int(model.fit_predict(similarity).max() + 1)
