"""What each token adds to a document's embedding, exactly, for encoders that average tokens.

Such an encoder's embedding is a sum of token vectors, scaled. A feature's pre-activation is linear
in the embedding, so that it is a sum over tokens too: the share of a token is the feature's
encoder row times the token's scaled vector. The shares of a document sum to the pre-activation
less its bias.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed.embedders.documents import check_documents
from interp_embed.embedders.protocol import Embedder
from interp_embed.embedders.sentence import EmbeddedPiece, SentenceEmbedder
from interp_embed.errors import InputError

_TOLERANCE = 0.02
"""Relative error of an embedding against the sum of its tokens: what bfloat16 leaves at most."""


@dataclass(frozen=True, slots=True, eq=False)
class TokenVectors:
    """The tokens of documents, each with its part of the document's embedding.

    Tokens of document i are ``start[i]:start[i + 1]``.
    """

    start: NDArray[np.int64]
    """Where each document's tokens begin, shape (n_documents + 1,)."""
    vectors: NDArray[np.float32]
    """Those of a document sum to its embedding, shape (n_tokens, d_in)."""
    span: NDArray[np.int32]
    """Characters [begin, end) in the document, shape (n_tokens, 2); empty for tokens that are not
    in it (special ones, the prompt), whose parts count in the sum as well."""

    @property
    def n_documents(self) -> int:
        """Number of documents."""
        return len(self.start) - 1


def token_vectors(embedder: Embedder, documents: Sequence[str]) -> TokenVectors:
    """Return every token's part of its document's embedding; the parts sum to the embedding.

    Tokens that stand in two overlapping windows of a long document (``long="pool"``) are given
    once, with the sum of both parts. What the embedder cuts off has no tokens.

    Args:
        embedder: A sentence encoder that averages its tokens.
        documents: Non-empty texts, few enough for all token vectors to fit in memory.

    Raises:
        InputError: The embedder does not average tokens, or a document is no text or empty.
    """
    texts = check_documents(documents)
    if not isinstance(embedder, SentenceEmbedder):
        raise InputError(
            f"{type(embedder).__name__} does not make its vectors by averaging tokens that can be "
            "seen, so that no token has an exact share; use a sentence encoder with mean pooling, "
            "such as all-MiniLM-L6-v2"
        )
    parts = [
        _document_parts(pieces, normalize=embedder.is_normalized)
        for pieces in embedder.embed_pieces(texts)
    ]
    return TokenVectors(
        start=np.cumsum([0, *(len(span) for _, span in parts)]),
        vectors=np.concatenate(
            [np.empty((0, embedder.d_in), np.float32), *(vectors for vectors, _ in parts)]
        ),
        span=np.concatenate([np.empty((0, 2), np.int32), *(span for _, span in parts)]),
    )


def feature_shares(tokens: TokenVectors, encoder: ArrayLike) -> NDArray[np.float32]:
    """Return how much each token adds to the pre-activation of features.

    Summed over a document: the encoder's rows times the embedding, which is the pre-activation
    less the encoder's bias. Shares can be negative.

    Args:
        tokens: Of :func:`token_vectors`.
        encoder: Encoder rows of the features asked for, shape (n_selected, d_in).

    Returns:
        Shape (n_tokens, n_selected).

    Raises:
        InputError: The encoder does not read vectors of this width.
    """
    rows = np.asarray(encoder, np.float32)
    d_in = tokens.vectors.shape[1]
    if rows.ndim != 2 or rows.shape[1] != d_in:
        raise InputError(
            f"encoder rows must have shape (n_selected, {d_in}) to go with these token vectors, "
            f"but got {rows.shape}; use the SAE that was trained on this embedder's vectors"
        )
    shares: NDArray[np.float32] = tokens.vectors @ rows.T
    return shares


def _document_parts(
    pieces: Sequence[EmbeddedPiece], *, normalize: bool
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return the scaled vectors and the spans of one document's tokens."""
    vectors = np.concatenate([_scaled(piece) * piece.weight for piece in pieces])
    span = np.concatenate([piece.tokens.span for piece in pieces])
    if len(pieces) > 1:
        if normalize:
            vectors /= max(float(np.linalg.norm(vectors.sum(axis=0))), 1e-12)
        span, place = np.unique(span, axis=0, return_inverse=True)
        merged = np.zeros((len(span), vectors.shape[1]))
        np.add.at(merged, place.ravel(), vectors)
        vectors = merged
    return vectors.astype(np.float32), span


def _scaled(piece: EmbeddedPiece) -> NDArray[np.float64]:
    """Return the piece's hidden states, scaled to sum to its embedding.

    One factor does it, whether the encoder takes the mean, divides by the root of the length, or
    scales to length 1; that it does is checked, not assumed.

    Raises:
        InputError: No factor does it: the embedding is not a mean of these.
    """
    hidden = piece.tokens.hidden.astype(np.float64)
    target = piece.vector.astype(np.float64)
    whole = hidden.sum(axis=0)
    factor = float(whole @ target / max(float(whole @ whole), 1e-30))
    error = float(np.linalg.norm(factor * whole - target))
    if error > _TOLERANCE * float(np.linalg.norm(target)):
        raise InputError(
            "this model's embedding is not the mean of its tokens' hidden states (it pools "
            "otherwise, or has layers after pooling), so that no token has an exact share; use a "
            "model with mean pooling, such as all-MiniLM-L6-v2"
        )
    return hidden * factor
