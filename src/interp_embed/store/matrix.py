"""Pooled activations as one sparse matrix, put together from shards without a second copy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.store.blocks import Block, ShardReader
from interp_embed.store.records import Commit, Pool

_COLUMN: dict[Pool, str] = {
    "max": "max",
    "sum": "sum",
    "mean": "sum",
    "count": "count",
    "binarize": "max",
}

Selection = range | Sequence[int] | NDArray[np.integer[Any]] | None
"""Documents or features: None for all, else their numbers."""


@dataclass(frozen=True, slots=True)
class Pooling:
    """What the entries of the matrix are."""

    pool: Pool
    threshold: float
    """Entries at or below it are left out."""


def check_pooling(pool: Pool, threshold: float) -> Pooling:
    """Return the pooling asked for.

    Raises:
        InputError: The pool is not known, or the threshold is negative or not a number.
    """
    if pool not in _COLUMN:
        raise InputError(f"pool must be one of {', '.join(_COLUMN)}, got {pool!r}")
    if not 0 <= threshold < np.inf:
        raise InputError(f"threshold must be a finite number >= 0, got {threshold!r}")
    return Pooling(pool, float(threshold))


def check_selection(selection: Selection, n: int, what: str) -> NDArray[np.int64] | None:
    """Return numbers in [0, n) as an array; None stays None.

    Raises:
        InputError: They are not whole numbers, or out of range.
    """
    if selection is None:
        return None
    if isinstance(selection, range):
        numbers = np.arange(selection.start, selection.stop, selection.step, dtype=np.int64)
    else:
        given = np.asarray(selection)
        if given.ndim != 1 or (given.size and not np.issubdtype(given.dtype, np.integer)):
            raise InputError(f"{what}s must be whole numbers in one dimension, got {selection!r}")
        numbers = given.astype(np.int64)
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= n):
        bad = numbers.min() if numbers.min() < 0 else numbers.max()
        raise InputError(f"{what} {bad} is out of range: there are {n}, from 0 to {n - 1}")
    return numbers


def load_csr(
    reader: ShardReader,
    commits: Iterable[Commit],
    documents: NDArray[np.int64] | None,
    features: NDArray[np.int64] | None,
    pooling: Pooling,
) -> csr_matrix:
    """Return pooled activations, shape (n documents, n features asked for).

    Args:
        reader: Of the data set.
        commits: The committed shards, ascending; documents of others become empty rows.
        documents: Numbers of documents, in any order, repeated or not; None for all.
        features: Numbers of features, in any order, each once; None for all.
        pooling: What the entries are.

    Raises:
        InputError: A feature is named twice.
        StoredFileError: A shard is damaged.
    """
    header = reader.header
    place = None if features is None else _places(features, header.n_features)
    wanted = None if documents is None else np.unique(documents)
    n_rows = header.n_documents if wanted is None else len(wanted)
    lengths = np.zeros(n_rows, np.int64)
    commits = list(commits)
    is_whole = wanted is None and place is None
    entries = _Entries(sum(commit.n_entries for commit in commits) if is_whole else None)
    for commit in commits:
        inside = None if wanted is None else _inside(wanted, commit)
        if inside is not None and len(inside) == 0:
            continue
        for block in reader.iter_blocks(commit, (_COLUMN[pooling.pool],), inside):
            rows = np.arange(block.first, block.first + len(block.n_counted))
            keep = np.isin(rows, inside) if inside is not None else None
            row_lengths, feature, value = _entries(block, pooling, keep, place)
            at = rows if wanted is None else np.searchsorted(wanted, rows[keep])
            lengths[at] = row_lengths
            entries.add(feature, value)
    n_columns = header.n_features if features is None else len(features)
    feature, value = entries.join()
    start: NDArray[Any] = np.zeros(n_rows + 1, np.int32 if len(feature) < 2**31 else np.int64)
    np.cumsum(lengths, out=start[1:])
    matrix = csr_matrix((value, feature, start), (n_rows, n_columns))
    if features is not None and np.any(np.diff(features) < 0):
        matrix.sort_indices()
    if documents is None or wanted is None or np.array_equal(documents, wanted):
        return matrix
    return matrix[np.searchsorted(wanted, documents)]


def _entries(
    block: Block,
    pooling: Pooling,
    keep_rows: NDArray[np.bool_] | None,
    place: NDArray[np.int32] | None,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Return row lengths, features and values of the rows, features and values asked for."""
    lengths = np.diff(block.start)
    feature = block.feature if place is None else place[block.feature]
    value = _pooled(block, pooling.pool, lengths)
    selected = value > pooling.threshold
    if keep_rows is not None:
        selected &= np.repeat(keep_rows, lengths)
    if place is not None:
        selected &= feature >= 0
    if not selected.all():
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(selected)])
        lengths = np.diff(before[block.start])
        feature, value = feature[selected], value[selected]
    if pooling.pool == "binarize":
        value = np.ones_like(value)
    return lengths if keep_rows is None else lengths[keep_rows], feature, value


def _pooled(block: Block, pool: Pool, lengths: NDArray[np.int64]) -> NDArray[np.float32]:
    value = block.columns[_COLUMN[pool]]
    match pool:
        case "max" | "sum" | "binarize":
            return value
        case "count":
            return value.astype(np.float32)
        case "mean":
            per_row = np.maximum(block.n_counted, 1).astype(np.float32)
            mean = value / np.repeat(per_row, lengths)
            return mean.astype(np.float32, copy=False)
        case _:
            assert_never(pool)


class _Entries:
    """Gathers entries: in place where their number is known, else in chunks that are joined."""

    def __init__(self, at_most: int | None) -> None:
        self._n = 0
        self._whole = None if at_most is None else _empty(at_most)
        self._chunks: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []

    def add(self, feature: NDArray[np.int32], value: NDArray[np.float32]) -> None:
        begin, self._n = self._n, self._n + len(feature)
        if self._whole is None:
            self._chunks.append((feature.copy(), value.copy()))  # lets go of the row group
        else:
            self._whole[0][begin : self._n] = feature
            self._whole[1][begin : self._n] = value

    def join(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        if self._whole is not None:
            return self._whole[0][: self._n], self._whole[1][: self._n]
        whole = _empty(self._n)
        end = self._n
        while self._chunks:  # each is dropped as it is copied: never the whole twice
            feature, value = self._chunks.pop()
            whole[0][end - len(feature) : end] = feature
            whole[1][end - len(value) : end] = value
            end -= len(feature)
        return whole


def _empty(n: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    return np.empty(n, np.int32), np.empty(n, np.float32)


def _places(features: NDArray[np.int64], n_features: int) -> NDArray[np.int32]:
    if len(np.unique(features)) < len(features):
        raise InputError("features names a feature twice; name each once")
    place = np.full(n_features, -1, np.int32)
    place[features] = np.arange(len(features), dtype=np.int32)
    return place


def _inside(documents: NDArray[np.int64], commit: Commit) -> NDArray[np.int64]:
    begin, end = np.searchsorted(documents, [commit.first, commit.first + commit.n_documents])
    return documents[begin:end]
