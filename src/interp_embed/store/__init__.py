"""The data set on disk: Parquet shards that count once their commit record is there."""

from interp_embed.store.appended import StoredAnnotation, StoredLabel
from interp_embed.store.documents import documents_digest
from interp_embed.store.matrix import Selection
from interp_embed.store.records import (
    Commit,
    Header,
    Pool,
    PooledShard,
    Precision,
    TokenDetail,
    TokenShard,
)
from interp_embed.store.rounding import round_mantissa
from interp_embed.store.store import Store
from interp_embed.store.views import (
    DocumentTokens,
    FeatureDocuments,
    FeatureStats,
    Peaks,
    StoreStatus,
)

__all__ = [
    "Commit",
    "DocumentTokens",
    "FeatureDocuments",
    "FeatureStats",
    "Header",
    "Peaks",
    "Pool",
    "PooledShard",
    "Precision",
    "Selection",
    "Store",
    "StoreStatus",
    "StoredAnnotation",
    "StoredLabel",
    "TokenDetail",
    "TokenShard",
    "documents_digest",
    "round_mantissa",
]
