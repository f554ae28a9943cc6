"""One segment of the feature-major index: which documents each feature fires in, and how much."""

import itertools
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from interp_embed.errors import StoredFileError
from interp_embed.store.local import LocalLocation
from interp_embed.store.location import Location

PARTS = ("ptr", "doc", "val", "sums")
_HEADER = re.compile(
    r"\{'descr': '([<|][a-z]\d)', 'fortran_order': False, 'shape': \((\d+),\), \} *\n"
)
_MERGED_AT_ONCE = 2**22


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """Documents and activations by feature, as compressed columns."""

    start: NDArray[np.int64]
    """Shape (n_features + 1,)."""
    document: NDArray[np.int32]
    """Shape (n_entries,)."""
    activation: NDArray[np.float32]
    """Shape (n_entries,)."""
    sums: NDArray[np.uint32]
    """CRC-32 of each feature's documents, then activations; shape (n_features,)."""


class Segment:
    """Postings in ``.npy`` files: mapped into memory if local, else read range by range."""

    def __init__(self, location: Location, stem: str, n_features: int, n_entries: int) -> None:
        """Open the files of a segment.

        Raises:
            StoredFileError: A file is missing or does not have the size it must have.
        """
        self._location = location
        self._stem = stem
        self.n_entries = n_entries
        self.start = np.frombuffer(self._array("ptr", np.int64, n_features + 1), np.int64)
        self._sums = np.frombuffer(self._array("sums", np.uint32, n_features), np.uint32)
        self._document = self._entries("doc", np.int32)
        self._activation = self._entries("val", np.float32)
        self._checked = np.zeros(n_features, np.bool_)
        if (
            self.start[0] != 0
            or self.start[-1] != n_entries
            or np.any(self.start[1:] < self.start[:-1])
        ):
            raise StoredFileError(f"{self._where('ptr')} is damaged: pointers do not increase")

    def trust(self) -> None:
        """Take all features as checked: this process has just written them."""
        self._checked[:] = True

    def read(self, feature: int, n_documents: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return a feature's documents and activations, checked the first time.

        Raises:
            StoredFileError: They are damaged.
        """
        begin, end = int(self.start[feature]), int(self.start[feature + 1])
        document = self._slice(self._document, begin, end)
        activation = self._slice(self._activation, begin, end)
        if not self._checked[feature]:
            found = zlib.crc32(activation, zlib.crc32(document))
            is_sound = len(document) == 0 or (
                document.min() >= 0
                and document.max() < n_documents
                and activation.min() > 0
                and np.isfinite(activation.max())
            )
            if found != self._sums[feature] or not is_sound:
                raise StoredFileError(
                    f"{self._where('doc')} or its .val.npy is damaged at feature {feature}: delete "
                    f"the folder {self._location.describe('index')}, and it is built again"
                )
            self._checked[feature] = True
        return document, activation

    def read_features(self, begin: int, end: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return documents and activations of consecutive features, unchecked."""
        low, high = int(self.start[begin]), int(self.start[end])
        return self._slice(self._document, low, high), self._slice(self._activation, low, high)

    def _where(self, part: str) -> str:
        return self._location.describe(f"{self._stem}.{part}.npy")

    def _array(self, part: str, dtype: DTypeLike, length: int) -> bytes:
        name = f"{self._stem}.{part}.npy"
        offset = _check_npy(self._location, name, np.dtype(dtype), length)
        return self._location.read(name, offset)

    def _entries(self, part: str, dtype: DTypeLike) -> "NDArray[Any] | _Remote":
        name = f"{self._stem}.{part}.npy"
        kind = np.dtype(dtype)
        offset = _check_npy(self._location, name, kind, self.n_entries)
        if not isinstance(self._location, LocalLocation):
            return _Remote(self._location, name, offset, kind)
        if self.n_entries == 0:
            return np.empty(0, kind)
        path = self._location.path(name)
        return np.memmap(path, kind, mode="r", offset=offset, shape=(self.n_entries,))

    @staticmethod
    def _slice(entries: "NDArray[Any] | _Remote", begin: int, end: int) -> NDArray[Any]:
        if isinstance(entries, _Remote):
            return entries.read(begin, end)
        return np.asarray(entries[begin:end])


@dataclass(frozen=True, slots=True)
class _Remote:
    """An array in a file that is not local."""

    location: Location
    name: str
    offset: int
    dtype: np.dtype[Any]

    def read(self, begin: int, end: int) -> NDArray[Any]:
        """Return entries, with one ranged request."""
        size = self.dtype.itemsize
        if begin == end:
            return np.empty(0, self.dtype)
        data = self.location.read(self.name, self.offset + begin * size, (end - begin) * size)
        if len(data) != (end - begin) * size:
            raise StoredFileError(f"{self.location.describe(self.name)} is cut off")
        return np.frombuffer(data, self.dtype)


def iter_merged(segments: Sequence[Segment], n_features: int) -> Iterator[Postings]:
    """Yield the postings of several segments together, some consecutive features at a time."""
    start = sum((segment.start for segment in segments), np.zeros(n_features + 1, np.int64))
    begin = 0
    while begin < n_features:
        end = int(np.searchsorted(start, start[begin] + _MERGED_AT_ONCE, side="right")) - 1
        end = min(max(end, begin + 1), n_features)
        own_start = start[begin : end + 1] - start[begin]
        document = np.empty(own_start[-1], np.int32)
        activation = np.empty(own_start[-1], np.float32)
        cursor = own_start[:-1].copy()
        for segment in segments:
            bounds = segment.start[begin : end + 1]
            lengths = np.diff(bounds)
            shift = cursor - (bounds[:-1] - bounds[0])
            to = np.repeat(shift, lengths)
            to += np.arange(len(to))
            document[to], activation[to] = segment.read_features(begin, end)
            cursor += lengths
        yield Postings(
            own_start, document, activation, sum_features(own_start, document, activation)
        )
        begin = end


def sum_features(
    start: NDArray[np.int64], document: NDArray[np.int32], activation: NDArray[np.float32]
) -> NDArray[np.uint32]:
    """Return the CRC-32 of each feature's documents and activations."""
    bounds = (4 * start).tolist()
    documents, activations = memoryview(document).cast("B"), memoryview(activation).cast("B")
    crc = zlib.crc32
    sums = [
        crc(activations[begin:end], crc(documents[begin:end])) if end > begin else 0
        for begin, end in itertools.pairwise(bounds)
    ]
    return np.array(sums, np.uint32)


def write_segment(
    folder: Path, pieces: Iterator[Postings], n_features: int, n_entries: int
) -> None:
    """Write a segment's files into a folder from pieces of consecutive features."""
    start = np.zeros(n_features + 1, np.int64)
    sums = np.zeros(n_features, np.uint32)
    done = 0
    with (folder / "doc.npy").open("wb") as documents, (folder / "val.npy").open("wb") as values:
        _write_header(documents, np.dtype(np.int32), n_entries)
        _write_header(values, np.dtype(np.float32), n_entries)
        for piece in pieces:
            n = len(piece.sums)
            start[done + 1 : done + n + 1] = start[done] + piece.start[1:]
            sums[done : done + n] = piece.sums
            documents.write(memoryview(piece.document))
            values.write(memoryview(piece.activation))
            done += n
    for name, array in (("ptr", start), ("sums", sums)):
        with (folder / f"{name}.npy").open("wb") as file:
            _write_header(file, array.dtype, len(array))
            file.write(memoryview(array))


def _write_header(file: BinaryIO, dtype: np.dtype[Any], length: int) -> None:
    header = {"descr": dtype.str, "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(file, header)


def _check_npy(location: Location, name: str, dtype: np.dtype[Any], length: int) -> int:
    """Return where an array's values begin; its type and length must be as expected.

    The header is matched against the one form that plain arrays have, not evaluated.
    """
    where = location.describe(name)
    size = location.size(name)
    if size is None:
        raise StoredFileError(f"{where} does not exist: delete its folder, and it is built again")
    head = location.read(name, 0, 256)
    n_header = struct.unpack("<H", head[8:10])[0] if len(head) >= 10 else 0
    text = head[10 : 10 + n_header].decode("latin-1")
    matched = _HEADER.fullmatch(text)
    if head[:8] != b"\x93NUMPY\x01\x00" or matched is None:
        raise StoredFileError(f"{where} is not a plain array: delete its folder, it is built again")
    offset = 10 + n_header
    if matched[1] != dtype.str or matched[2] != str(length):
        raise StoredFileError(
            f"{where} must hold {length} values of type {dtype.str}, it says {matched[2][:20]} of "
            f"{matched[1]}: delete its folder, and it is built again"
        )
    if size != offset + length * dtype.itemsize:
        raise StoredFileError(
            f"{where} has {size} bytes, it must have {offset + length * dtype.itemsize}: delete "
            "its folder, and it is built again"
        )
    return offset
