"""The user's table in the data set: text and metadata columns, in files of 10,000 documents."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from interp_embed._fingerprint import digest_texts
from interp_embed.errors import InputError, StoredFileError
from interp_embed.store.files import READ_ERRORS, DataFiles, parquet_bytes
from interp_embed.store.header import DocumentsFile
from interp_embed.store.records import Header

FILE_ROWS = 10_000
"""Documents in a file."""
GROUP_ROWS = 1_024
"""Documents in a row group."""
NUMBER = "doc"
"""The column that holds the document's number; a column of the user's may not be called so."""

_BELOW_REFUSAL = 128


@dataclass(frozen=True, slots=True)
class Table:
    """The user's table as it is stored."""

    arrow: pa.Table
    json_columns: tuple[str, ...]
    """Columns that Parquet cannot hold as they are: JSON text."""


def to_table(documents: pd.DataFrame, header: Header) -> Table:
    """Return the user's table in the form that is stored.

    Raises:
        InputError: It is not the table that the header describes, or its columns cannot be stored.
    """
    if len(documents) != header.n_documents:
        raise InputError(f"the header says {header.n_documents} documents, got {len(documents)}")
    names: list[Any] = list(documents.columns)
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise InputError(f"columns must have names, each once; got {names}")
    if NUMBER in names:
        raise InputError(f"a column named {NUMBER!r} cannot be stored: rename it")
    if header.text_field not in names:
        raise InputError(f"there is no column {header.text_field!r} for the text; got {names}")
    if documents_digest(documents[header.text_field]) != header.documents_digest:
        raise InputError("the texts are not those that the header's documents_digest is of")
    arrays = [pa.array(np.arange(len(documents), dtype=np.int32))]
    fields = [pa.field(NUMBER, pa.int32(), nullable=False)]
    json_columns = []
    for name in names:
        array, is_json = _to_arrow(documents[name])
        arrays.append(array)
        fields.append(pa.field(name, array.type, nullable=array.null_count > 0))
        if is_json:
            json_columns.append(name)
    return Table(pa.table(arrays, schema=pa.schema(fields)), tuple(json_columns))


def documents_digest(documents: Iterable[object]) -> str:
    """Return the digest of documents in their order.

    Documents are texts, or the messages of chats; one that is missing counts as an empty text.
    """
    return digest_texts(map(_as_text, documents))


def _as_text(document: object) -> str:
    if isinstance(document, str):
        return document
    if isinstance(document, list | tuple | dict | np.ndarray):
        return json.dumps(document, default=_plain)
    if document is None or document is pd.NA or document is pd.NaT or document != document:
        return ""
    return str(document)


def write_documents(files: DataFiles, table: Table) -> tuple[DocumentsFile, ...]:
    """Write the table and return its files."""
    written = []
    for number, first in enumerate(range(0, table.arrow.num_rows, FILE_ROWS)):
        part = table.arrow.slice(first, FILE_ROWS)
        data = _part_bytes(part)
        if part.nbytes > _BELOW_REFUSAL * data.size:  # would look like a decompression bomb
            data = _part_bytes(part, compression="none")
        name = files.write("docs", number, data)
        written.append(DocumentsFile(name, first, part.num_rows, data.size))
    return tuple(written)


@dataclass(frozen=True, slots=True)
class DocumentsReader:
    """Reads the documents of one data set."""

    files: DataFiles
    parts: tuple[DocumentsFile, ...]
    json_columns: tuple[str, ...]
    text_field: str

    def load(
        self, rows: NDArray[np.int64] | None = None, columns: list[str] | None = None
    ) -> pd.DataFrame:
        """Return documents in the order of ``rows``, their numbers as the index.

        Raises:
            InputError: There is no such column.
            StoredFileError: A file is damaged.
        """
        wanted = None if rows is None else np.unique(rows)
        pieces = [
            piece
            for part in self.parts
            if wanted is None or _any_in(wanted, part.first, part.first + part.n_documents)
            for piece in self._read_part(part, wanted, columns)
        ]
        if not pieces:  # no rows: the first part tells the columns and their types
            pieces = [self._read_part(self.parts[0], np.zeros(1, np.int64), columns)[0].slice(0, 0)]
        try:
            table = pa.concat_tables(pieces).combine_chunks()
        except READ_ERRORS as error:
            folder = self.files.location.describe("docs")
            raise StoredFileError(f"the files in {folder} differ in their columns") from error
        try:
            frame = self._to_frame(table)
        except READ_ERRORS as error:  # text that is not UTF-8
            folder = self.files.location.describe("docs")
            raise StoredFileError(f"the files in {folder} cannot be read ({error})") from error
        if rows is None or wanted is None or np.array_equal(rows, wanted):
            return frame
        return frame.loc[rows]

    def load_texts(self, rows: range) -> list[str]:
        """Return consecutive documents as text, as their digest is made from it."""
        frame = self.load(np.arange(rows.start, rows.stop), [self.text_field])
        return [_as_text(document) for document in frame[self.text_field].tolist()]

    def _read_part(
        self, part: DocumentsFile, wanted: NDArray[np.int64] | None, columns: list[str] | None
    ) -> list[pa.Table]:
        file = self.files.open(part.name, part.size, part.n_documents, None)
        where = self.files.location.describe(part.name)
        names = file.schema_arrow.names
        if NUMBER not in names or len(set(names)) < len(names):
            raise StoredFileError(f"{where} does not have the columns of this format")
        unknown = [name for name in columns or () if name not in names or name == NUMBER]
        if unknown:
            known = ", ".join(name for name in names if name != NUMBER)
            raise InputError(f"there is no column {unknown[0]!r}; the columns are: {known}")
        read = None if columns is None else [NUMBER, *columns]
        pieces, first = [], part.first
        for group in range(file.metadata.num_row_groups):
            n_rows = file.metadata.row_group(group).num_rows
            if wanted is None or _any_in(wanted, first, first + n_rows):
                try:
                    piece = file.read_row_group(group, columns=read, use_threads=False)
                    numbers = piece.column(NUMBER).to_numpy()
                except READ_ERRORS as error:
                    raise StoredFileError(f"{where} cannot be read ({error})") from error
                if not np.array_equal(numbers, np.arange(first, first + n_rows)):
                    raise StoredFileError(f"{where}: column doc does not count on from {first}")
                if wanted is not None:
                    piece = piece.filter(pa.array(np.isin(numbers, wanted)))
                pieces.append(piece if read is None else piece.select(read))
            first += n_rows
        return pieces

    def _to_frame(self, table: pa.Table) -> pd.DataFrame:
        columns: dict[str, Any] = {}
        index = pd.Index(table.column(NUMBER).to_numpy().astype(np.int64))
        for field in table.schema:
            if field.name == NUMBER:
                continue
            column = table.column(field.name)
            if field.name in self.json_columns:
                columns[field.name] = self._from_json(column, field.name)
            elif pa.types.is_integer(field.type) and field.nullable:
                columns[field.name] = pd.array(column.to_pylist(), dtype=_nullable(field.type))
            elif pa.types.is_boolean(field.type) and field.nullable:
                columns[field.name] = pd.array(column.to_pylist(), dtype="boolean")
            else:
                columns[field.name] = column.to_pandas().array
        return pd.DataFrame(columns).set_axis(index, axis=0)

    def _from_json(self, column: pa.ChunkedArray, name: str) -> "pd.Series[Any]":
        try:
            values = [None if text is None else json.loads(text) for text in column.to_pylist()]
        except (ValueError, TypeError, RecursionError) as error:
            folder = self.files.location.describe("docs")
            raise StoredFileError(f"{folder}: column {name!r} is not JSON ({error})") from error
        out = np.empty(len(values), dtype=object)
        out[:] = values
        return pd.Series(out, dtype=object)  # or pandas would guess a type


def _part_bytes(part: pa.Table, compression: str = "zstd") -> pa.Buffer:
    groups = (part.slice(i, GROUP_ROWS) for i in range(0, part.num_rows, GROUP_ROWS))
    return parquet_bytes(
        part.schema, groups, statistics=[NUMBER], keep_schema=True, compression=compression
    )


def _to_arrow(column: "pd.Series[Any]") -> tuple[pa.Array, bool]:
    """Return a column as Arrow holds it, or as JSON text, and which of the two."""
    values = column.tolist() if column.dtype == object else []
    if not any(isinstance(value, list | dict | tuple | set) for value in values):
        try:
            array = pa.Array.from_pandas(column)
            if isinstance(array, pa.ChunkedArray):
                array = array.combine_chunks()
            if pa.types.is_dictionary(array.type):
                array = array.dictionary_decode()
            if _fits_parquet(array):
                return array, False
        except (pa.ArrowException, UnicodeEncodeError, TypeError, ValueError, OverflowError):
            pass  # what Arrow cannot hold in one type becomes JSON text below
    texts = [
        None if value is None else json.dumps(value, default=_plain) for value in column.tolist()
    ]
    return pa.array(texts, pa.string()), True


def _fits_parquet(array: pa.Array) -> bool:
    if isinstance(array.type, pa.BaseExtensionType) or pa.types.is_null(array.type):
        return False
    try:
        schema = pa.schema([pa.field("c", array.type)])
        data = parquet_bytes(schema, [pa.table([array[:1]], schema=schema)], keep_schema=True)
        read = pq.read_table(pa.BufferReader(data)).column("c")
    except pa.ArrowException:
        return False
    return bool(read.type == array.type)


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if value is pd.NA or value is pd.NaT:
        return None
    return str(value)


def _nullable(kind: pa.DataType) -> str:
    return f"{'UInt' if pa.types.is_unsigned_integer(kind) else 'Int'}{kind.bit_width}"


def _any_in(numbers: NDArray[np.int64], begin: int, end: int) -> bool:
    return bool(np.searchsorted(numbers, begin) < np.searchsorted(numbers, end))
