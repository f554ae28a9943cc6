"""Documents found by what they mean: the cosine of their vectors with the query's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from interp_embed.errors import InputError

_ROWS = 65_536
"""Rows looked at at once: vectors on disk are not loaded as a whole."""


class DenseVectors:
    """Vectors of documents as they are given, with their lengths."""

    def __init__(self, vectors: NDArray[Any], n_documents: int) -> None:
        """Bind.

        Args:
            vectors: Shape (n_documents, d_in); zeros for documents that mean nothing. They are
                not copied, and may be mapped from a file.
            n_documents: As many as there are texts.

        Raises:
            InputError: The shape does not fit, or a value is NaN or infinite.
        """
        if vectors.ndim != 2 or len(vectors) != n_documents:
            raise InputError(
                f"vectors must have one row for each of {n_documents} documents, got shape "
                f"{vectors.shape}"
            )
        self._vectors = vectors
        self._lengths = np.empty(n_documents, np.float32)
        for start in range(0, n_documents, _ROWS):
            part = np.asarray(vectors[start : start + _ROWS], np.float32)
            self._lengths[start : start + _ROWS] = np.sqrt(np.einsum("ij,ij->i", part, part))
        n_bad = int((~np.isfinite(self._lengths)).sum())
        if n_bad:
            first = int(np.flatnonzero(~np.isfinite(self._lengths))[0])
            raise InputError(
                f"{n_bad} of {n_documents} vectors hold NaN or infinite values, the first of "
                f"document {first}; embed these documents again"
            )

    def scores(self, query: NDArray[Any]) -> NDArray[np.float32]:
        """Return the cosine of each document with a vector; -inf for vectors of zeros.

        Args:
            query: Shape (d_in,).

        Raises:
            InputError: It has another dimension, or is NaN or infinite.
        """
        vector = np.asarray(query, np.float32)
        if vector.shape != self._vectors.shape[1:] or not np.isfinite(vector).all():
            raise InputError(
                f"the query's vector must be {self._vectors.shape[1]} finite numbers, as those of "
                f"the documents, got shape {vector.shape}; use the embedder that made them"
            )
        length = float(np.linalg.norm(vector))
        found = np.full(len(self._lengths), -np.inf, np.float32)
        if length == 0.0:
            return found
        for start in range(0, len(found), _ROWS):
            inside = slice(start, start + _ROWS)
            products = np.asarray(self._vectors[inside], np.float32) @ (vector / length)
            lengths = self._lengths[inside]
            np.divide(products, lengths, out=found[inside], where=lengths > 0)
        return found
