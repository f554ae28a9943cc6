"""Activations of tokens pooled into activations of documents, without a dense array of both."""

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.store import PooledShard

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Small = NDArray[np.int32]


@numba.njit(cache=True, nogil=True)
def _pool(
    token_start: Ints,
    position: Ints,
    start: Ints,
    feature: Small,
    value: Floats,
    n_features: int,
    pooled_start: Ints,
    pooled: Small,
    maximum: Floats,
    peak: Small,
    total: Floats,
    count: Small,
) -> int:
    """Write the pooled entries of each document; return how many there are.

    ``token_start`` says which rows of the compressed ``start, feature, value`` are a document's.
    """
    seen = np.zeros(n_features, np.int32)
    largest = np.zeros(n_features, np.float32)
    at = np.zeros(n_features, np.int32)
    added = np.zeros(n_features, np.float64)
    touched = np.empty(n_features, np.int32)
    end = 0
    pooled_start[0] = 0
    for document in range(len(token_start) - 1):
        n_touched = 0
        for token in range(token_start[document], token_start[document + 1]):
            for entry in range(start[token], start[token + 1]):
                v = value[entry]
                if v <= 0:
                    continue
                j = feature[entry]
                if seen[j] == 0:
                    touched[n_touched] = j
                    n_touched += 1
                    largest[j] = v
                    at[j] = position[token]
                    added[j] = v
                else:
                    added[j] += v
                    if v > largest[j]:
                        largest[j] = v
                        at[j] = position[token]
                seen[j] += 1
        active = np.sort(touched[:n_touched])
        for j in active:
            pooled[end] = j
            maximum[end] = largest[j]
            peak[end] = at[j]
            total[end] = added[j]
            count[end] = seen[j]
            seen[j] = 0
            end += 1
        pooled_start[document + 1] = end
    return end


def pool_tokens(token_start: Ints, position: Ints, activations: csr_matrix) -> PooledShard:
    """Return the activations of documents from those of their counted tokens.

    tokens [[0, 2], [1, 3]] of one document -> max [1, 3], sum [1, 5], count [1, 2], peak [1, 1]

    Args:
        token_start: Where each document's tokens begin in ``activations``, shape
            (n_documents + 1,), from 0 to n_tokens, non-decreasing.
        position: Position of each token in its document, shape (n_tokens,), increasing within one.
        activations: Of the counted tokens, >= 0, shape (n_tokens, n_features).
    """
    n_tokens, n_features = activations.shape
    if token_start[0] != 0 or token_start[-1] != n_tokens or (np.diff(token_start) < 0).any():
        raise ValueError(
            f"token_start must rise from 0 to the {n_tokens} tokens, got {token_start[:3]} … "
            f"{token_start[-1]}"
        )
    n_documents = len(token_start) - 1
    room = activations.nnz
    start = np.empty(n_documents + 1, np.int64)
    feature, peak, count = (np.empty(room, np.int32) for _ in range(3))
    maximum, total = (np.empty(room, np.float32) for _ in range(2))
    end = _pool(
        np.ascontiguousarray(token_start, np.int64),
        np.ascontiguousarray(position, np.int64),
        activations.indptr.astype(np.int64, copy=False),
        activations.indices.astype(np.int32, copy=False),
        activations.data.astype(np.float32, copy=False),
        n_features,
        start,
        feature,
        maximum,
        peak,
        total,
        count,
    )
    return PooledShard(
        start=start,
        feature=feature[:end].copy(),
        maximum=maximum[:end].copy(),
        peak=peak[:end].copy(),
        total=total[:end].copy(),
        count=count[:end].copy(),
        n_counted=np.diff(token_start).astype(np.int32),
        errors=(None,) * n_documents,
    )


def join_documents(parts: list[PooledShard], order: Ints) -> PooledShard:
    """Return the documents of several shards as one, in the order given.

    Args:
        parts: Shards, whose documents are numbered one after the other.
        order: For each document of the result its number, shape (n_documents,).
    """
    first = np.concatenate(
        [np.zeros(1, np.int64), np.cumsum([part.start[-1] for part in parts])]
    ).astype(np.int64)
    begin = np.concatenate([part.start[:-1] + first[i] for i, part in enumerate(parts)])[order]
    length = np.concatenate([np.diff(part.start) for part in parts])[order]
    start = np.concatenate([np.zeros(1, np.int64), np.cumsum(length)]).astype(np.int64)
    entries = np.repeat(begin - start[:-1], length) + np.arange(start[-1])
    errors = [error for part in parts for error in part.errors]
    return PooledShard(
        start=start,
        feature=np.concatenate([part.feature for part in parts])[entries],
        maximum=np.concatenate([part.maximum for part in parts])[entries],
        peak=np.concatenate([part.peak for part in parts])[entries],
        total=np.concatenate([part.total for part in parts])[entries],
        count=np.concatenate([part.count for part in parts])[entries],
        n_counted=np.concatenate([part.n_counted for part in parts])[order],
        errors=tuple(errors[number] for number in order.tolist()),
    )


def failed_documents(reasons: list[str]) -> PooledShard:
    """Return documents without activations, each with the reason."""
    n = len(reasons)
    ints, floats = np.empty(0, np.int32), np.empty(0, np.float32)
    return PooledShard(
        start=np.zeros(n + 1, np.int64),
        feature=ints,
        maximum=floats,
        peak=ints,
        total=floats,
        count=ints,
        n_counted=np.zeros(n, np.int32),
        errors=tuple(reasons),
    )
