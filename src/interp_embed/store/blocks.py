"""Shards read back: a row group at a time, every array checked before anyone sees it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import StoredFileError
from interp_embed.store.files import READ_ERRORS, DataFiles
from interp_embed.store.records import Commit, Header, PooledShard, TokenShard
from interp_embed.store.shards import POOLED_SCHEMA, SPAN_SCHEMA, STATS_SCHEMA, TOKEN_SCHEMA
from interp_embed.store.validate import (
    fault_of_features,
    fault_of_pointers,
    fault_of_pooled,
    fault_of_range,
    fault_of_tokens,
    fault_of_values,
)
from interp_embed.store.views import DocumentTokens, FeatureStats

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Pooled activations of consecutive documents, with the columns that were asked for."""

    first: int
    """First document."""
    start: NDArray[np.int64]
    """Shape (n_documents + 1,)."""
    feature: NDArray[np.int32]
    """Shape (n_entries,)."""
    columns: dict[str, Array]
    """By the column's name in the file, each of shape (n_entries,)."""
    n_counted: NDArray[np.int32]
    """Shape (n_documents,)."""
    errors: tuple[str | None, ...]


class ShardReader:
    """Reads the shards of one data set."""

    def __init__(self, files: DataFiles, header: Header) -> None:
        self.files = files
        self.header = header

    def iter_blocks(
        self, commit: Commit, columns: Sequence[str], documents: NDArray[np.int64] | None = None
    ) -> Iterator[Block]:
        """Yield a shard's row groups, or those that hold any of ``documents`` (ascending).

        Raises:
            StoredFileError: The file is missing, damaged, or does not make sense.
        """
        name, file = self._open(commit, "acts", POOLED_SCHEMA)
        where = self.files.location.describe(name)
        lists = ("ids", *columns)
        first, n_read, n_groups = commit.first, 0, file.metadata.num_row_groups
        for group in range(n_groups):
            n_rows = file.metadata.row_group(group).num_rows
            wanted = documents is None or _any_between(documents, first, first + n_rows)
            if wanted:
                table = _read_group(file, group, ["doc", "n_counted", "error", *lists], where)
                block, fault = _to_block(table, first, lists, self.header.n_features)
                if block is None or fault:
                    raise StoredFileError(f"{where} does not make sense: {fault}")
                n_read += len(block.feature)
                if n_read > commit.n_entries:
                    break
                yield block
            first += n_rows
        if n_read > commit.n_entries or (documents is None and n_read != commit.n_entries):
            raise StoredFileError(
                f"{where} holds {n_read} activations, the commit record says {commit.n_entries}"
            )

    def read_rows(self, commit: Commit) -> tuple[NDArray[np.int32], tuple[str | None, ...]]:
        """Return the number of counted tokens and the error of each document of a shard."""
        name, file = self._open(commit, "acts", POOLED_SCHEMA)
        where = self.files.location.describe(name)
        try:
            table = file.read(["doc", "n_counted", "error"], use_threads=False)
            errors = tuple(table.column("error").to_pylist())
        except READ_ERRORS as error:
            raise StoredFileError(f"{where} cannot be read as Parquet ({error})") from error
        n_counted = table.column("n_counted").to_numpy()
        fault = _fault_of_numbers(table, commit.first) or fault_of_range(n_counted, 0, "n_counted")
        if fault:
            raise StoredFileError(f"{where} does not make sense: {fault}")
        return n_counted, errors

    def read_pooled(self, commit: Commit) -> PooledShard:
        """Return a whole shard of pooled activations."""
        blocks = list(self.iter_blocks(commit, ("max", "peak", "sum", "count")))
        lengths = np.concatenate([np.diff(block.start) for block in blocks])

        def whole(column: str) -> Array:
            return np.concatenate([block.columns[column] for block in blocks])

        pooled = PooledShard(
            start=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
            feature=np.concatenate([block.feature for block in blocks]),
            maximum=whole("max"),
            peak=whole("peak"),
            total=whole("sum"),
            count=whole("count"),
            n_counted=np.concatenate([block.n_counted for block in blocks]),
            errors=tuple(error for block in blocks for error in block.errors),
        )
        fault = fault_of_pooled(pooled, commit.n_documents, self.header.n_features)
        if fault:
            where = self.files.location.describe(_name_in(commit, "acts"))
            raise StoredFileError(f"{where} does not make sense: {fault}")
        return pooled

    def read_document(self, commit: Commit, document: int) -> DocumentTokens:
        """Return the tokens of one document: one row group is read."""
        name, file = self._open(commit, "tokens", self._token_schema)
        where = self.files.location.describe(name)
        row = document - commit.first
        for group in range(file.metadata.num_row_groups):
            n_rows = file.metadata.row_group(group).num_rows
            if row < n_rows:
                break
            row -= n_rows
        table = _read_group(file, group, self._token_schema.names, where).slice(row, 1)
        shard = self._to_token_shard(table, document, where)
        if shard.start is None or shard.feature is None or shard.value is None:
            return DocumentTokens(shard.span, shard.counted, None)
        shape = (len(shard.counted), self.header.n_features)
        activations = csr_matrix((shard.value, shard.feature, shard.start), shape)
        return DocumentTokens(shard.span, shard.counted, activations)

    def read_tokens(self, commit: Commit) -> TokenShard:
        """Return a whole shard of tokens."""
        name, file = self._open(commit, "tokens", self._token_schema)
        where = self.files.location.describe(name)
        try:
            table = file.read()
        except READ_ERRORS as error:
            raise StoredFileError(f"{where} cannot be read as Parquet ({error})") from error
        shard = self._to_token_shard(table, commit.first, where)
        n_entries = 0 if shard.feature is None else len(shard.feature)
        if n_entries != commit.n_token_entries:
            raise StoredFileError(
                f"{where} holds {n_entries} activations, the commit record says "
                f"{commit.n_token_entries}"
            )
        return shard

    def read_stats(self, commit: Commit) -> FeatureStats:
        """Return the statistics of a shard."""
        name = _name_in(commit, "stats")
        where = self.files.location.describe(name)
        self.files.check(name, commit.files[name])
        try:
            table = pq.read_table(pa.BufferReader(self.files.location.read(name)))
        except READ_ERRORS as error:
            raise StoredFileError(f"{where} cannot be read as Parquet ({error})") from error
        if not table.schema.equals(STATS_SCHEMA) or table.num_rows > self.header.n_features:
            raise StoredFileError(f"{where} does not have the columns of this format")
        feature, count, total, squares, maximum = (column.to_numpy() for column in table.columns)
        whole = np.array([0, len(feature)])
        fault = (
            fault_of_features(whole, feature, self.header.n_features)
            or fault_of_range(count, 1, "count")
            or fault_of_values(total, "sum")
            or (fault_of_range(squares, 0, "sumsq") if np.isfinite(squares).all() else "sumsq")
            or fault_of_values(maximum, "max")
        )
        if not fault and count.sum() != commit.n_entries:
            fault = f"counts add up to {count.sum()}, the commit record says {commit.n_entries}"
        if fault:
            raise StoredFileError(f"{where} does not make sense: {fault}")
        n_features = self.header.n_features
        stats = FeatureStats(
            commit.n_documents,
            np.zeros(n_features, np.int64),
            np.zeros(n_features),
            np.zeros(n_features),
            np.zeros(n_features, np.float32),
        )
        stats.count[feature], stats.total[feature] = count, total
        stats.squares[feature], stats.maximum[feature] = squares, maximum
        return stats

    @property
    def _token_schema(self) -> pa.Schema:
        return TOKEN_SCHEMA if self.header.tokens == "all" else SPAN_SCHEMA

    def _open(self, commit: Commit, folder: str, schema: pa.Schema) -> tuple[str, pq.ParquetFile]:
        name = _name_in(commit, folder)
        pooled = dict.fromkeys(("ids", "max", "peak", "sum", "count"), commit.n_entries)
        by_token = dict.fromkeys(("ids", "vals"), commit.n_token_entries)
        known = pooled if folder == "acts" else by_token
        elements = {column: known[column] for column in schema.names if column in known}
        return name, self.files.open(name, commit.files[name], commit.n_documents, schema, elements)

    def _to_token_shard(self, table: pa.Table, first: int, where: str) -> TokenShard:
        fault = _fault_of_numbers(table, first)
        lists = {name: _list_column(table, name) for name in self._token_schema.names[1:]}
        token_start = lists["begin"][0]
        for name in ("end", "counted", "nnz"):
            if name in lists and not np.array_equal(lists[name][0], token_start):
                fault = fault or f"column {name} is not as long as begin"
        start = feature = value = None
        if not fault and "nnz" in lists:
            nnz = lists["nnz"][1]
            start = np.concatenate([np.zeros(1, np.int64), np.cumsum(nnz, dtype=np.int64)])
            entries, feature = lists["ids"]
            value = lists["vals"][1]
            fault = fault_of_range(nnz, 0, "nnz") or fault_of_pointers(start, len(feature), "nnz")
            if not fault and not (
                np.array_equal(entries, start[token_start])
                and np.array_equal(entries, lists["vals"][0])
            ):
                fault = "nnz, ids and vals do not belong together"
        if not fault:
            span = np.stack([lists["begin"][1], lists["end"][1]], axis=1)
            shard = TokenShard(token_start, span, lists["counted"][1], start, feature, value)
            fault = fault_of_tokens(shard, table.num_rows, self.header.n_features)
        if fault:
            raise StoredFileError(f"{where} does not make sense: {fault}")
        return shard


def _name_in(commit: Commit, folder: str) -> str:
    return next(name for name in commit.files if name.startswith(f"{folder}/"))


def _any_between(documents: NDArray[np.int64], begin: int, end: int) -> bool:
    return bool(np.searchsorted(documents, begin) < np.searchsorted(documents, end))


def _read_group(file: pq.ParquetFile, group: int, columns: Sequence[str], where: str) -> pa.Table:
    try:
        table = file.read_row_group(group, columns=list(columns), use_threads=False)
    except READ_ERRORS as error:
        raise StoredFileError(f"{where} cannot be read as Parquet ({error})") from error
    return table


def _to_block(
    table: pa.Table, first: int, lists: Sequence[str], n_features: int
) -> tuple[Block | None, str]:
    fault = _fault_of_numbers(table, first)
    n_counted = table.column("n_counted").to_numpy()
    arrays = {name: _list_column(table, name) for name in lists}
    start, feature = arrays["ids"]
    for name, (offsets, _) in arrays.items():
        if not np.array_equal(offsets, start):
            fault = fault or f"column {name} is not as long as ids"
    fault = fault or fault_of_features(start, feature, n_features)
    columns = {name: values for name, (_, values) in arrays.items() if name != "ids"}
    for name, values in columns.items():
        if name in {"max", "sum"}:
            fault = fault or fault_of_values(values, name)
        else:
            fault = fault or fault_of_range(values, 1 if name == "count" else -1, name)
    fault = fault or fault_of_range(n_counted, 0, "n_counted")
    if not fault and np.any((n_counted == 0) & (np.diff(start) > 0)):
        fault = "a document without counted tokens has activations"
    try:
        errors = tuple(table.column("error").to_pylist())
    except UnicodeDecodeError as error:
        fault = fault or f"an error is not UTF-8 ({error})"
    if fault:
        return None, fault
    return Block(first, start, feature, columns, n_counted, errors), ""


def _fault_of_numbers(table: pa.Table, first: int) -> str:
    numbers = table.column("doc").to_numpy()
    if not np.array_equal(numbers, np.arange(first, first + table.num_rows)):
        return f"column doc does not count on from {first}"
    return ""


def _list_column(table: pa.Table, name: str) -> tuple[NDArray[np.int64], Array]:
    """Return offsets (n_rows + 1) and values of a required list column."""
    column = table.column(name)
    chunks = column.chunks
    lists = chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)
    offsets = lists.offsets.to_numpy().astype(np.int64)
    values = lists.flatten()
    return offsets - offsets[0], values.to_numpy(zero_copy_only=values.type != pa.bool_())
