"""Documents through an embedder and its SAE: one activation per document and feature."""

from collections.abc import Mapping, Sequence

import numpy as np

from interp_embed._fingerprint import digest_array
from interp_embed.embedders import Embedder, embed_documents
from interp_embed.embedders.documents import Cache
from interp_embed.encode.encoder import EncodedBatch, Progress
from interp_embed.encode.pooling import failed_documents, join_documents
from interp_embed.errors import InputError
from interp_embed.records import Json
from interp_embed.sae.weights import SAEWeights
from interp_embed.store import PooledShard, TokenDetail
from interp_embed.tables import collect_documents


class EmbeddingEncoder:
    """An embedder and an SAE of its vectors.

    A document counts as one token: max and sum are the activation, count is 1. Which words carry
    it is computed when it is asked for, exactly, for embedders that average their tokens.
    """

    def __init__(
        self, embedder: Embedder, weights: SAEWeights, *, cache: Cache = "default"
    ) -> None:
        """Bind the two; vectors found in ``cache`` are not computed again."""
        self._embedder, self._weights, self._cache = embedder, weights, cache

    @property
    def identity(self) -> Mapping[str, Json]:
        """Identity of the embedder and digests of the weights."""
        weights = self._weights
        return {
            "kind": "embedding",
            "embedder": dict(self._embedder.identity),
            "sae": {
                "encoder": digest_array(weights.encoder),
                "encoder_bias": digest_array(weights.encoder_bias),
                "k": weights.k,
                "threshold": weights.threshold,
            },
        }

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self._weights.n_features

    @property
    def has_tokens(self) -> bool:
        """False: activations are of whole documents."""
        return False

    def encode(
        self,
        documents: Sequence[object],
        *,
        tokens: TokenDetail,
        progress: Progress | None = None,
    ) -> EncodedBatch:
        """Return the activations of documents; what is no text carries its reason.

        Raises:
            InputError: Token activations are asked for: this kind has none to store.
        """
        if tokens == "all":
            raise InputError(
                "an embedding SAE has no activations of single tokens to store; use tokens='peaks' "
                "or 'none': highlights are computed when they are asked for"
            )
        usable = collect_documents(documents)
        parts = [failed_documents([drop.reason for drop in usable.dropped])]
        if len(usable.rows):
            vectors = embed_documents(
                usable.texts, self._embedder, cache=self._cache, progress=False
            )
            parts.append(self._pooled(vectors))
        order = np.empty(len(documents), np.int64)
        dropped = np.asarray([drop.row for drop in usable.dropped], np.int64)
        order[np.concatenate([dropped, usable.rows])] = np.arange(len(documents))
        if progress is not None:
            progress(len(documents), 0)
        return EncodedBatch(join_documents(parts, order), None, 0)

    def _pooled(self, vectors: np.ndarray) -> PooledShard:
        activations = self._weights.encode(vectors)
        n_documents, n_entries = activations.shape[0], activations.nnz
        values = activations.data.astype(np.float32)
        return PooledShard(
            start=activations.indptr.astype(np.int64),
            feature=activations.indices.astype(np.int32),
            maximum=values,
            peak=np.full(n_entries, -1, np.int32),
            total=values.copy(),
            count=np.ones(n_entries, np.int32),
            n_counted=np.ones(n_documents, np.int32),
            errors=(None,) * n_documents,
        )
