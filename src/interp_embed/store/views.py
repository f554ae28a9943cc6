"""What is read from a store: plain records."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """How far a data set is."""

    n_documents: int
    n_committed: int
    """Documents in committed shards."""
    n_failed: int
    """Committed documents without activations, because of an error."""
    n_entries: int
    """Pooled activations > 0 in committed shards."""
    n_bytes: int
    """Size of the documents and of the committed shards on disk; the index is not counted."""
    missing: tuple[int, ...]
    """Shards that are not committed."""

    @property
    def is_done(self) -> bool:
        """Whether every shard is committed."""
        return not self.missing


@dataclass(frozen=True, slots=True, eq=False)
class DocumentTokens:
    """The tokens of one document."""

    span: NDArray[np.int32]
    """Characters [begin, end) of each token in the document's text, shape (n_tokens, 2)."""
    counted: NDArray[np.bool_]
    """Whether the token counts in pooling, shape (n_tokens,)."""
    activations: csr_matrix | None
    """Shape (n_tokens, n_features); None where they are not kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """Where in one document each of its features is strongest."""

    feature: NDArray[np.int32]
    """Features that fire, increasing, shape (n_entries,)."""
    position: NDArray[np.int32]
    """Token at which each is strongest, from 0; -1 if unknown; shape (n_entries,)."""
    activation: NDArray[np.float32]
    """Its activation there, shape (n_entries,)."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureDocuments:
    """Documents in which one feature fires."""

    document: NDArray[np.int64]
    """Document numbers, shape (n,)."""
    activation: NDArray[np.float32]
    """Largest activation over the tokens of each, > 0, shape (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureStats:
    """Statistics over documents of each feature's largest activation; 0 where it is silent."""

    n_documents: int
    """Documents they are over."""
    count: NDArray[np.int64]
    """Documents in which the feature fires, shape (n_features,)."""
    total: NDArray[np.float64]
    """Sum, shape (n_features,)."""
    squares: NDArray[np.float64]
    """Sum of squares, shape (n_features,)."""
    maximum: NDArray[np.float32]
    """Largest, shape (n_features,)."""
