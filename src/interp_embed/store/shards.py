"""Shards as Parquet files: their columns, how they are written, and their digest."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from interp_embed._fingerprint import digest_array, digest_settings, digest_texts
from interp_embed.store.files import parquet_bytes, required_list
from interp_embed.store.records import PooledShard, Precision, TokenShard
from interp_embed.store.rounding import round_mantissa
from interp_embed.store.views import FeatureStats

POOLED_ROWS = 1024
"""Documents in a row group of pooled activations."""
TOKEN_ITEMS = 50_000
"""Activations (or tokens, where only those are kept) in a row group of tokens, about."""

_INTS, _FLOATS, _BOOLS = map(required_list, (pa.int32(), pa.float32(), pa.bool_()))
POOLED_SCHEMA = pa.schema(
    [
        pa.field("doc", pa.int32(), nullable=False),
        pa.field("n_counted", pa.int32(), nullable=False),
        pa.field("error", pa.string()),
        pa.field("ids", _INTS, nullable=False),
        pa.field("max", _FLOATS, nullable=False),
        pa.field("peak", _INTS, nullable=False),
        pa.field("sum", _FLOATS, nullable=False),
        pa.field("count", _INTS, nullable=False),
    ]
)
SPAN_SCHEMA = pa.schema(
    [
        pa.field("doc", pa.int32(), nullable=False),
        pa.field("begin", _INTS, nullable=False),
        pa.field("end", _INTS, nullable=False),
        pa.field("counted", _BOOLS, nullable=False),
    ]
)
TOKEN_SCHEMA = pa.schema(
    [
        *SPAN_SCHEMA,
        pa.field("nnz", _INTS, nullable=False),
        pa.field("ids", _INTS, nullable=False),
        pa.field("vals", _FLOATS, nullable=False),
    ]
)
STATS_SCHEMA = pa.schema(
    [
        pa.field("feature", pa.int32(), nullable=False),
        pa.field("count", pa.int32(), nullable=False),
        pa.field("sum", pa.float64(), nullable=False),
        pa.field("sumsq", pa.float64(), nullable=False),
        pa.field("max", pa.float32(), nullable=False),
    ]
)
_DELTA, _SPLIT = "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"


def round_pooled(pooled: PooledShard, precision: Precision) -> PooledShard:
    """Return the shard as it will be read back: activations rounded, errors valid Unicode."""
    errors = (e if e is None else e.encode("utf-8", "replace").decode() for e in pooled.errors)
    return replace(
        pooled,
        errors=tuple(errors),
        maximum=round_mantissa(pooled.maximum, precision),
        total=round_mantissa(pooled.total, precision),
    )


def round_tokens(tokens: TokenShard, precision: Precision) -> TokenShard:
    """Return the shard as it will be read back: activations rounded."""
    if tokens.value is None:
        return tokens
    return replace(tokens, value=round_mantissa(tokens.value, precision))


def digest_shard(texts_digest: str, pooled: PooledShard, tokens: TokenShard | None) -> str:
    """Return the digest of a shard's arrays as stored, and of the texts they were made from."""
    parts = {"texts": texts_digest, "errors": digest_texts(e or "" for e in pooled.errors)}
    for name in ("start", "feature", "maximum", "peak", "total", "count", "n_counted"):
        parts[f"pooled.{name}"] = digest_array(getattr(pooled, name))
    if tokens is not None:
        for name in ("token_start", "span", "counted", "start", "feature", "value"):
            array = getattr(tokens, name)
            parts[f"tokens.{name}"] = "none" if array is None else digest_array(array)
    return digest_settings(parts)


def pooled_bytes(pooled: PooledShard, first: int) -> pa.Buffer:
    """Return a shard of pooled activations as a Parquet file."""
    return parquet_bytes(
        POOLED_SCHEMA,
        _pooled_tables(pooled, first),
        encodings={
            "doc": _DELTA,
            "ids.list.element": _DELTA,
            "max.list.element": _SPLIT,
            "peak.list.element": _DELTA,
            "sum.list.element": _SPLIT,
        },
        dictionaries=["n_counted", "error", "count.list.element"],
        statistics=["doc"],
    )


def token_bytes(tokens: TokenShard, first: int) -> pa.Buffer:
    """Return a shard of tokens as a Parquet file."""
    encodings = {"doc": _DELTA, "begin.list.element": _DELTA, "end.list.element": _DELTA}
    if tokens.start is not None:
        encodings |= {"ids.list.element": _DELTA, "vals.list.element": _SPLIT}
    return parquet_bytes(
        SPAN_SCHEMA if tokens.start is None else TOKEN_SCHEMA,
        _token_tables(tokens, first),
        encodings=encodings,
        dictionaries=[] if tokens.start is None else ["nnz.list.element"],
        statistics=["doc"],
    )


def stats_bytes(stats: FeatureStats) -> pa.Buffer:
    """Return the statistics of the features that fire in a shard as a Parquet file."""
    feature = np.flatnonzero(stats.count)
    columns = [
        feature.astype(np.int32),
        stats.count[feature].astype(np.int32),
        stats.total[feature],
        stats.squares[feature],
        stats.maximum[feature],
    ]
    table = pa.table([pa.array(column) for column in columns], schema=STATS_SCHEMA)
    encodings = {"feature": _DELTA, "count": _DELTA, "max": _SPLIT, "sum": _SPLIT, "sumsq": _SPLIT}
    return parquet_bytes(STATS_SCHEMA, [table], encodings=encodings)


def compute_stats(pooled: PooledShard, n_features: int) -> FeatureStats:
    """Return the statistics of a shard's maxima by feature."""
    value = pooled.maximum.astype(np.float64)
    maximum = np.zeros(n_features, np.float32)
    np.maximum.at(maximum, pooled.feature, pooled.maximum)
    return FeatureStats(
        n_documents=pooled.n_documents,
        count=np.bincount(pooled.feature, minlength=n_features).astype(np.int64),
        total=np.bincount(pooled.feature, value, n_features).astype(np.float64),
        squares=np.bincount(pooled.feature, value * value, n_features).astype(np.float64),
        maximum=maximum,
    )


def _pooled_tables(pooled: PooledShard, first: int) -> Iterator[pa.Table]:
    for begin in range(0, pooled.n_documents, POOLED_ROWS):
        end = min(begin + POOLED_ROWS, pooled.n_documents)
        start = pooled.start[begin : end + 1]
        columns = [
            pa.array(np.arange(first + begin, first + end, dtype=np.int32)),
            pa.array(pooled.n_counted[begin:end]),
            pa.array(pooled.errors[begin:end], pa.string()),
            _lists(start, pooled.feature, _INTS),
            _lists(start, pooled.maximum, _FLOATS),
            _lists(start, pooled.peak, _INTS),
            _lists(start, pooled.total, _FLOATS),
            _lists(start, pooled.count, _INTS),
        ]
        yield pa.table(columns, schema=POOLED_SCHEMA)


def _token_tables(tokens: TokenShard, first: int) -> Iterator[pa.Table]:
    n_documents = tokens.n_documents
    n_items = len(tokens.counted) if tokens.feature is None else len(tokens.feature)
    rows = int(np.clip(TOKEN_ITEMS * n_documents // max(1, n_items), 1, POOLED_ROWS))
    for begin in range(0, n_documents, rows):
        end = min(begin + rows, n_documents)
        start = tokens.token_start[begin : end + 1]
        columns = [
            pa.array(np.arange(first + begin, first + end, dtype=np.int32)),
            _lists(start, tokens.span[:, 0], _INTS),
            _lists(start, tokens.span[:, 1], _INTS),
            _lists(start, tokens.counted, _BOOLS),
        ]
        if tokens.start is None or tokens.feature is None or tokens.value is None:
            yield pa.table(columns, schema=SPAN_SCHEMA)
            continue
        entries = tokens.start[start]
        columns += [
            _lists(start, np.diff(tokens.start).astype(np.int32), _INTS),
            _lists(entries, tokens.feature, _INTS),
            _lists(entries, tokens.value, _FLOATS),
        ]
        yield pa.table(columns, schema=TOKEN_SCHEMA)


def _lists(start: NDArray[np.int64], values: NDArray[np.generic], kind: pa.DataType) -> pa.Array:
    offsets = (start - start[0]).astype(np.int32)
    inside = np.ascontiguousarray(values[start[0] : start[-1]])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(inside), type=kind)
