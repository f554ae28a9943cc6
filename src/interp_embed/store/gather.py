"""Whole records of some documents, from the shards they are in."""

import numpy as np
from numpy.typing import NDArray

from interp_embed.store.records import PooledShard, TokenShard

Index = NDArray[np.int64]


def take_pooled(shard: PooledShard, rows: Index) -> PooledShard:
    """Return some documents of a shard, in the order given."""
    start, entries = _take(shard.start, rows)
    return PooledShard(
        start=start,
        feature=shard.feature[entries],
        maximum=shard.maximum[entries],
        peak=shard.peak[entries],
        total=shard.total[entries],
        count=shard.count[entries],
        n_counted=shard.n_counted[rows],
        errors=tuple(shard.errors[row] for row in rows.tolist()),
    )


def take_tokens(shard: TokenShard, rows: Index) -> TokenShard:
    """Return the tokens of some documents of a shard, in the order given."""
    token_start, tokens = _take(shard.token_start, rows)
    span, counted = shard.span[tokens], shard.counted[tokens]
    if shard.start is None or shard.feature is None or shard.value is None:
        return TokenShard(token_start, span, counted, None, None, None)
    start, entries = _take(shard.start, tokens)
    return TokenShard(
        token_start, span, counted, start, shard.feature[entries], shard.value[entries]
    )


def join_pooled(shards: list[PooledShard]) -> PooledShard:
    """Return the documents of several shards, one after the other."""
    return PooledShard(
        start=_join_starts([shard.start for shard in shards]),
        feature=np.concatenate([shard.feature for shard in shards]),
        maximum=np.concatenate([shard.maximum for shard in shards]),
        peak=np.concatenate([shard.peak for shard in shards]),
        total=np.concatenate([shard.total for shard in shards]),
        count=np.concatenate([shard.count for shard in shards]),
        n_counted=np.concatenate([shard.n_counted for shard in shards]),
        errors=tuple(error for shard in shards for error in shard.errors),
    )


def join_tokens(shards: list[TokenShard]) -> TokenShard:
    """Return the tokens of several shards, one after the other; all keep activations, or none."""
    token_start = _join_starts([shard.token_start for shard in shards])
    span = np.concatenate([shard.span for shard in shards])
    counted = np.concatenate([shard.counted for shard in shards])
    starts = [shard.start for shard in shards if shard.start is not None]
    if len(starts) < len(shards):
        return TokenShard(token_start, span, counted, None, None, None)
    features = [shard.feature for shard in shards if shard.feature is not None]
    values = [shard.value for shard in shards if shard.value is not None]
    return TokenShard(
        token_start,
        span,
        counted,
        _join_starts(starts),
        np.concatenate(features),
        np.concatenate(values),
    )


def _take(start: Index, rows: Index) -> tuple[Index, Index]:
    """Return the starts of the rows taken, and the entries they are made of."""
    length = start[rows + 1] - start[rows]
    new = np.concatenate([np.zeros(1, np.int64), np.cumsum(length)]).astype(np.int64)
    return new, np.repeat(start[rows] - new[:-1], length) + np.arange(new[-1])


def _join_starts(starts: list[Index]) -> Index:
    lengths = np.concatenate([np.diff(start) for start in starts])
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]).astype(np.int64)
