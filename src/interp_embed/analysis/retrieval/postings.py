"""Where features fire, one feature at a time, and the sum of a query's features per document."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from interp_embed.errors import InputError

SCALE_SHARE = 0.9
"""Quantile of a feature's activations above 0 that is its unit."""


Column = Callable[[int], tuple[NDArray[np.integer[Any]], NDArray[np.floating[Any]]]]
"""Takes a feature; returns the documents in which it fires, by position, no two the same, and its
activations there, of the same length."""


def matrix_column(activations: csr_matrix | csc_matrix) -> Column:
    """Return access to the columns of a matrix of activations, (n_documents, n_features).

    Raises:
        InputError: An activation is negative, NaN or infinite.
    """
    if activations.nnz and not (
        np.isfinite(activations.data).all() and float(activations.data.min()) >= 0
    ):
        raise InputError("activations must be finite and not negative")
    by_feature = csc_matrix(activations)
    bounds, documents, values = by_feature.indptr, by_feature.indices, by_feature.data

    def column(
        feature: int,
    ) -> tuple[NDArray[np.integer[Any]], NDArray[np.floating[Any]]]:
        inside = slice(bounds[feature], bounds[feature + 1])
        return documents[inside], values[inside]

    return column


class ScaledColumns:
    """Activations in units of what is strong for their feature; the units are kept.

    The unit is the 90th percentile of a feature's activations above 0, so that features whose
    activations are of different size count alike.

    Source: Jiang et al. 2025 (arXiv 2512.10092), on property-based retrieval.
    """

    def __init__(self, column: Column, n_documents: int, n_features: int) -> None:
        self.n_documents = n_documents
        self.n_features = n_features
        self._column = column
        self._units: dict[int, float] = {}

    def unit(self, feature: int) -> float:
        """Return the 90th percentile of a feature's activations above 0; 0 if it never fires."""
        if feature not in self._units:
            values = self._column(feature)[1]
            values = values[values > 0]
            self._units[feature] = float(np.quantile(values, SCALE_SHARE)) if values.size else 0.0
        return self._units[feature]

    def sum(self, features: Sequence[int], weights: Sequence[float]) -> NDArray[np.float32]:
        """Return the weighted sum per document, 0 where none fires, shape (n_documents,)."""
        total = np.zeros(self.n_documents, np.float32)
        for feature, weight in zip(features, weights, strict=True):
            unit = self.unit(feature)
            if unit > 0:
                documents, values = self._column(feature)
                total[documents] += np.float32(weight / unit) * values
        return total

    def at(self, features: Sequence[int], documents: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the activations of features on few documents, in their units.

        Returns:
            Shape (n of documents, n of features).
        """
        place_of = np.full(self.n_documents, -1, np.int32)
        place_of[documents] = np.arange(len(documents))
        found = np.zeros((len(documents), len(features)), np.float32)
        for column, feature in enumerate(features):
            unit = self.unit(feature)
            if unit > 0:
                firing, values = self._column(feature)
                places = place_of[firing]
                inside = places >= 0
                found[places[inside], column] = values[inside] / np.float32(unit)
        return found
