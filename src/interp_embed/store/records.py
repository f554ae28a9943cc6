"""What a store holds, as arrays: shards of pooled and of token activations, and its header."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from interp_embed.records import Json

Pool = Literal["max", "mean", "sum", "count", "binarize"]
"""How the activations of a document's tokens become one value of a feature."""

TokenDetail = Literal["all", "peaks", "none"]
"""What is kept of tokens: every activation; their character spans and peaks; peaks alone."""

Precision = Literal["full", "half", "bf16"]
"""Mantissa bits kept of an activation: all 23, 10, or 7; the exponent is always float32's."""


@dataclass(frozen=True, slots=True, eq=False)
class PooledShard:
    """Activations of consecutive documents, pooled over their counted tokens, as compressed rows.

    Entries of document i are ``start[i]:start[i + 1]``, features increasing. A document that
    failed, or has no counted token, has no entries.
    """

    start: NDArray[np.int64]
    """Where each document's entries begin, shape (n_documents + 1,)."""
    feature: NDArray[np.int32]
    """Shape (n_entries,), in [0, n_features)."""
    maximum: NDArray[np.float32]
    """Largest activation over the tokens, > 0, shape (n_entries,)."""
    peak: NDArray[np.int32]
    """Position in the document of the first token with it, shape (n_entries,); -1 if unknown."""
    total: NDArray[np.float32]
    """Sum over the tokens, shape (n_entries,)."""
    count: NDArray[np.int32]
    """Tokens on which the feature fires, >= 1, shape (n_entries,)."""
    n_counted: NDArray[np.int32]
    """Tokens that count in pooling, shape (n_documents,)."""
    errors: tuple[str | None, ...]
    """Why a document has no activations, in words, or None; n_documents of them."""

    @property
    def n_documents(self) -> int:
        """Number of documents."""
        return len(self.start) - 1


@dataclass(frozen=True, slots=True, eq=False)
class TokenShard:
    """The tokens of the same documents and, where kept, the activations of each.

    Tokens of document i are ``token_start[i]:token_start[i + 1]``; activations of token t are
    ``start[t]:start[t + 1]``, features increasing.
    """

    token_start: NDArray[np.int64]
    """Where each document's tokens begin, shape (n_documents + 1,)."""
    span: NDArray[np.int32]
    """Characters [begin, end) of each token in the document's text, shape (n_tokens, 2)."""
    counted: NDArray[np.bool_]
    """Whether the token counts in pooling, shape (n_tokens,)."""
    start: NDArray[np.int64] | None
    """Shape (n_tokens + 1,), or None where only spans are kept (``tokens="peaks"``)."""
    feature: NDArray[np.int32] | None
    """Shape (n_entries,)."""
    value: NDArray[np.float32] | None
    """Activations > 0, shape (n_entries,)."""

    @property
    def n_documents(self) -> int:
        """Number of documents."""
        return len(self.token_start) - 1


@dataclass(frozen=True, slots=True)
class Header:
    """What a data set is: fixed when it is created, part of every check that follows."""

    n_documents: int
    n_features: int
    rows_per_shard: int
    """Documents in each shard but the last."""
    text_field: str
    """Name of the column that holds the text."""
    documents_digest: str
    """Digest of the texts in their order: what the data set was made of."""
    source: Mapping[str, Json]
    """Identity of what made the activations (reader and SAE, or embedder and SAE): all that
    changes a value."""
    tokens: TokenDetail = "peaks"
    precision: Precision = "half"
    format_version: int = 1
    reload: Mapping[str, Json] = field(default_factory=dict)
    """What makes the source again when the data set is opened; no part of what it is."""
    description: str = ""
    """In the user's words; no part of what it is."""

    @property
    def n_shards(self) -> int:
        """Number of shards."""
        return -(-self.n_documents // self.rows_per_shard)

    def rows_of(self, shard: int) -> range:
        """Return the documents of a shard."""
        begin = shard * self.rows_per_shard
        return range(begin, min(begin + self.rows_per_shard, self.n_documents))


@dataclass(frozen=True, slots=True)
class Commit:
    """The record that makes a shard part of the data set; written last."""

    shard: int
    first: int
    """First document."""
    n_documents: int
    n_entries: int
    """Pooled entries."""
    n_token_entries: int
    """Token activations, 0 where they are not kept."""
    n_failed: int
    """Documents with an error."""
    digest: str
    """Digest of the shard's arrays (texts included), the same from every machine and engine."""
    files: Mapping[str, int]
    """Size in bytes by file name relative to the data set."""
