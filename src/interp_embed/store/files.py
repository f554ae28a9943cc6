"""Parquet files whose names carry a checksum: written whole, checked when first read.

A name such as ``acts/part-000012-1f3a9c04.parquet`` ends in the CRC-32 of the content, so that
two writers whose files differ never overwrite each other.
"""

import os
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from interp_embed.errors import StoredFileError
from interp_embed.store.local import LocalLocation
from interp_embed.store.location import Location

READ_ERRORS = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)
"""What pyarrow raises for files that are damaged."""

_BLOCK = 2**20
_KEPT_OPEN = 8
_SUSPICIOUS_BYTES = 2**28
_SUSPICIOUS_RATIO = 256
_SUSPICIOUS_VALUES = 2**26
_SUSPICIOUS_DENSITY = 2048


def required_list(kind: pa.DataType) -> pa.DataType:
    """Return the type of lists whose elements are never null."""
    return pa.list_(pa.field("element", kind, nullable=False))


def parquet_bytes(
    schema: pa.Schema,
    row_groups: Iterable[pa.Table],
    *,
    encodings: Mapping[str, str] | None = None,
    dictionaries: Sequence[str] = (),
    statistics: Sequence[str] = (),
    keep_schema: bool = False,
    compression: str = "zstd",
) -> pa.Buffer:
    """Return a Parquet file with the given row groups, every page with a checksum.

    Args:
        schema: Of all row groups.
        row_groups: Tables, each written as one row group.
        encodings: Encoding by column path, such as ``{"ids.list.element": "PLAIN"}``.
        dictionaries: Column paths to encode with a dictionary.
        statistics: Columns whose least and greatest values are noted.
        keep_schema: Whether to add Arrow's own schema, for types that Parquet does not have.
        compression: ``zstd`` or ``none``.
    """
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        schema,
        compression=compression,
        compression_level=1 if compression == "zstd" else None,
        use_dictionary=list(dictionaries),
        column_encoding=dict(encodings) if encodings else None,
        write_statistics=list(statistics),
        store_schema=keep_schema,
        write_page_checksum=True,
    ) as writer:
        for table in row_groups:
            writer.write_table(table, row_group_size=max(1, table.num_rows))
    return sink.getvalue()


def tagged_name(folder: str, number: int, data: pa.Buffer) -> str:
    """Return the name of a file with this content."""
    return f"{folder}/part-{number:06d}-{zlib.crc32(data):08x}.parquet"


class DataFiles:
    """Opens the Parquet files of one data set; remembers which were checked."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self._checked: set[str] = set()
        self._open: OrderedDict[str, pq.ParquetFile] = OrderedDict()

    def write(self, folder: str, number: int, data: pa.Buffer) -> str:
        """Write a file and return its name."""
        name = tagged_name(folder, number, data)
        self.location.put(name, memoryview(data))
        return name

    def open(
        self,
        name: str,
        size: int,
        n_rows: int,
        schema: pa.Schema | None,
        elements: Mapping[str, int] | None = None,
    ) -> pq.ParquetFile:
        """Return an open file that is as expected: its size, checksum, columns and counts.

        ``elements`` is how many elements the list columns hold.

        Files that are not local are not read whole: there the checksums of the pages that are
        read tell whether they are damaged.

        Raises:
            StoredFileError: It is missing, damaged, or not what it should be.
        """
        if name in self._open:
            self._open.move_to_end(name)
            return self._open[name]
        self.check(name, size)
        where = self.location.describe(name)
        try:
            file = self._open_parquet(name)
            self._check_footer(file, where, size, n_rows, schema)
            _check_list_counts(file, where, elements or {}, n_rows)
        except READ_ERRORS as error:
            raise StoredFileError(f"{where} cannot be read as Parquet ({error})") from error
        self._open[name] = file
        if len(self._open) > _KEPT_OPEN:
            self._open.popitem(last=False)[1].close()
        return file

    def check(self, name: str, size: int, *, whole: bool = False) -> None:
        """Check a file's size and, where it is local or ``whole``, its checksum: once."""
        if name in self._checked and not whole:
            return
        where = self.location.describe(name)
        got = self.location.size(name)
        if got is None:
            raise StoredFileError(
                f"{where} does not exist, but it belongs to the data set: copy it there again, or "
                "drop its shard and make it again"
            )
        if got != size:
            raise StoredFileError(
                f"{where} has {got} bytes, {size} were written: it is cut off or was changed; "
                "copy it there again, or drop its shard and make it again"
            )
        if self.location.is_local or whole:
            self._check_sum(name, where)
        self._checked.add(name)

    def forget(self) -> None:
        """Close all files and check them anew when they are next read."""
        self._checked.clear()
        self._open.clear()

    def _check_sum(self, name: str, where: str) -> None:
        found = 0
        with self.location.open(name) as file:
            while block := file.read(_BLOCK):
                found = zlib.crc32(block, found)
        expected = name.removesuffix(".parquet").rpartition("-")[2]
        if f"{found:08x}" != expected:
            raise StoredFileError(
                f"{where} is damaged: its checksum is {found:08x}, its name says {expected}; "
                "copy it there again, or drop its shard and make it again"
            )

    def _open_parquet(self, name: str) -> pq.ParquetFile:
        if isinstance(self.location, LocalLocation):  # the whole file's checksum was compared
            return pq.ParquetFile(os.fspath(self.location.path(name)))
        source = pa.PythonFile(self.location.open(name), mode="r")
        return pq.ParquetFile(source, pre_buffer=True, page_checksum_verification=True)

    @staticmethod
    def _check_footer(
        file: pq.ParquetFile, where: str, size: int, n_rows: int, schema: pa.Schema | None
    ) -> None:
        if schema is not None and not file.schema_arrow.equals(schema):
            raise StoredFileError(
                f"{where} does not have the columns of this format; it has "
                f"{', '.join(file.schema_arrow.names)}"
            )
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        if file.metadata.num_rows != n_rows or sum(group.num_rows for group in groups) != n_rows:
            raise StoredFileError(
                f"{where} has {file.metadata.num_rows} documents, {n_rows} were written"
            )
        columns = [group.column(i) for group in groups for i in range(group.num_columns)]
        n_bytes = sum(column.total_uncompressed_size for column in columns)
        n_values = sum(column.num_values for column in columns)
        if (
            min((column.num_values for column in columns), default=0) < 0
            or (n_bytes > _SUSPICIOUS_BYTES and n_bytes > _SUSPICIOUS_RATIO * size)
            or (n_values > _SUSPICIOUS_VALUES and n_values > _SUSPICIOUS_DENSITY * size)
        ):
            raise StoredFileError(
                f"{where} says that its {size} bytes hold {n_values} values in {n_bytes} bytes: "
                "it looks made to fill the memory"
            )


def _check_list_counts(
    file: pq.ParquetFile, where: str, expected: Mapping[str, int], n_rows: int
) -> None:
    """Check by the footer that list columns hold as many elements as the commit record says.

    Raises:
        StoredFileError: They cannot. An empty list counts as one value in a footer.
    """
    found = dict.fromkeys(expected, 0)
    for i in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(i)
        for j in range(group.num_columns):
            column = group.column(j)
            name = column.path_in_schema.partition(".")[0]
            if name in found:
                found[name] += column.num_values
    for name, n_elements in expected.items():
        if not n_elements <= found[name] <= n_elements + n_rows:
            raise StoredFileError(
                f"{where} says that column {name} holds {found[name]} elements, the commit record "
                f"says {n_elements}"
            )
