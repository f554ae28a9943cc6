"""Documents to activations to store: resumable, and never dense in tokens x features."""

from interp_embed.encode.embedding import EmbeddingEncoder
from interp_embed.encode.encoder import DocumentEncoder, EncodedBatch
from interp_embed.encode.pooling import pool_tokens
from interp_embed.encode.reader import ReaderEncoder
from interp_embed.encode.run import (
    TokenEstimate,
    encode_dataset,
    estimate_tokens,
    plan_dataset,
    rows_per_shard,
)

__all__ = [
    "DocumentEncoder",
    "EmbeddingEncoder",
    "EncodedBatch",
    "ReaderEncoder",
    "TokenEstimate",
    "encode_dataset",
    "estimate_tokens",
    "plan_dataset",
    "pool_tokens",
    "rows_per_shard",
]
