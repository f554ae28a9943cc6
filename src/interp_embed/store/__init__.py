"""The data set on disk: Parquet shards that count once their commit record is there."""

from interp_embed.store.records import (
    Commit,
    Header,
    Pool,
    PooledShard,
    Precision,
    TokenDetail,
    TokenShard,
)

__all__ = ["Commit", "Header", "Pool", "PooledShard", "Precision", "TokenDetail", "TokenShard"]
