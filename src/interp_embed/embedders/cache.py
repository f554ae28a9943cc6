"""Vectors kept on disk: found again by the whole text and by everything that made them.

One folder per embedder identity. Each writer appends to a segment of its own (so two processes may
use a cache at once, without locks), one small chunk at a time:

``NAME.vectors``  rows, little-endian float32 or float16, memory-mapped when read
``NAME.commits``  one record per chunk, written after its rows are on disk; rows without one do not
                  exist. A record is a header and 32 bytes per key: the SHA-256 of the whole text.

Header, 40 bytes: magic, rows in the chunk, first row, dimensions, bytes per value, CRC-32 of the
rows, CRC-32 of the keys, four spare bytes, CRC-32 of the header so far.
"""

import logging
import os
import struct
import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from interp_embed._files import CACHE_VARIABLE, cache_root, read_json, write_atomically, write_json
from interp_embed._fingerprint import digest_settings, digest_text
from interp_embed.errors import InputError, StoredFileError
from interp_embed.records import Json

logger = logging.getLogger(__name__)

Precision = Literal["float32", "float16"]

_MAGIC = b"IEv1"
_BODY = struct.Struct("<4sIQIIIII")
_CHECK = struct.Struct("<I")
_HEADER_BYTES = _BODY.size + _CHECK.size
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Hits:
    """What a cache knew of the keys it was asked for."""

    positions: NDArray[np.intp]
    """Positions in the list of keys asked for, shape (n_hits,)."""
    vectors: NDArray[np.float32]
    """Their vectors, shape (n_hits, d_in)."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    first_row: int
    n_rows: int
    d_in: int
    itemsize: int
    crc: int
    keys: bytes


@dataclass(slots=True)
class _Segment:
    vectors_path: Path
    chunks: list[_Chunk]
    verified: set[int] = field(default_factory=set)


def default_cache_folder() -> Path:
    """Return ``$INTERP_EMBED_CACHE``, or else the platform's user cache folder, for embeddings."""
    return cache_root() / "embeddings"


def text_key(text: str) -> bytes:
    """Return the 32 bytes a text is found by: the SHA-256 of all of it."""
    return bytes.fromhex(digest_text(text))


class EmbeddingCache:
    """The stored vectors of one embedder; open it with :meth:`open`."""

    def __init__(self, folder: Path, segments: list[_Segment], precision: Precision) -> None:
        self.folder = folder
        self.precision: Precision = precision
        self._segments = segments
        self._own: Path | None = None
        self._n_own_rows = 0

    @classmethod
    def open(
        cls,
        folder: Path,
        identity: Mapping[str, Json],
        *,
        precision: Precision = "float32",
    ) -> Self:
        """Open the cache of one embedder below ``folder``, making it if it is not there.

        A chunk cut off by a kill or a full disk is dropped with a warning.

        Raises:
            InputError: The folder cannot be made or read.
            StoredFileError: A committed chunk is damaged, or the identity does not match.
        """
        stored: dict[str, Json] = {"identity": dict(identity), "precision": precision}
        place = folder / digest_settings(stored)
        try:
            place.mkdir(parents=True, exist_ok=True)
            if not (place / "identity.json").exists():
                write_json(place / "identity.json", stored)
            segments = [_read_segment(path) for path in sorted(place.glob("*.commits"))]
        except OSError as error:
            raise _unusable(place, error) from error
        if read_json(place / "identity.json") != stored:
            raise StoredFileError(
                f"{place / 'identity.json'} does not describe the embedder this folder is named "
                "after; delete the folder, and its documents are embedded again"
            )
        return cls(place, segments, precision)

    def find(self, keys: Sequence[bytes]) -> Hits:
        """Return the vectors of those keys that are stored.

        Raises:
            StoredFileError: A chunk that holds one of them is damaged.
        """
        wanted = {key: position for position, key in enumerate(keys)}
        prefixes = np.sort(_prefixes(b"".join(wanted)))
        positions: list[int] = []
        rows: list[NDArray[np.float32]] = []
        for segment in self._segments:
            for chunk in segment.chunks:
                found = _rows_in_chunk(chunk, prefixes, wanted)
                if found:
                    vectors = _read_rows(segment, chunk, list(found.values()))
                    rows.append(vectors)
                    positions.extend(wanted.pop(key) for key in found)
        if len({block.shape[1] for block in rows}) > 1:
            raise StoredFileError(
                f"{self.folder} holds vectors of different lengths for one embedder; "
                "delete the folder, and its documents are embedded again"
            )
        vectors = np.concatenate(rows) if rows else np.empty((0, 0), dtype=np.float32)
        return Hits(positions=np.array(positions, dtype=np.intp), vectors=vectors)

    def start_writing(self) -> None:
        """Make this writer's own segment, so that a folder without write access fails early.

        Raises:
            InputError: Nothing can be written there.
        """
        if self._own is None:
            own = self.folder / f"{uuid.uuid4().hex}.vectors"
            try:
                own.touch(exist_ok=False)
            except OSError as error:
                raise _unusable(self.folder, error) from error
            self._own = own

    def append(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Commit one chunk to disk and return its vectors as they will be read back.

        Args:
            keys: One per row, from :func:`text_key`.
            vectors: Finite, shape (n_documents, d_in).

        Raises:
            InputError: A value does not fit float16, or nothing can be written there.
        """
        self.start_writing()
        if self._own is None:  # pragma: no cover - start_writing has just set it
            raise RuntimeError("no segment to write to")
        stored = _as_stored(vectors, self.precision)
        rows = stored.tobytes()
        record = _record(self._n_own_rows, stored, zlib.crc32(rows), b"".join(keys))
        try:
            _append(self._own, rows)
            _append(self._own.with_suffix(".commits"), record)
        except OSError as error:
            raise _unusable(self.folder, error) from error
        self._n_own_rows += len(stored)
        return stored.astype(np.float32)


def _unusable(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"the embedding cache {folder} cannot be used ({error.strerror or error}); choose another "
        f"folder with the environment variable {CACHE_VARIABLE} or the argument cache=, or "
        "turn it off with cache=None"
    )


def _as_stored(vectors: NDArray[np.float32], precision: Precision) -> NDArray[np.floating]:
    with np.errstate(over="ignore"):
        stored = vectors.astype("<f4" if precision == "float32" else "<f2")
    if not np.isfinite(stored).all():
        raise InputError(
            f"a vector has values that {precision} cannot hold (largest here: "
            f"{np.abs(vectors).max():.4g}); use precision='float32'"
        )
    return stored


def _append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _record(first_row: int, stored: NDArray[np.floating], crc: int, keys: bytes) -> bytes:
    n_rows, d_in = stored.shape
    body = _BODY.pack(_MAGIC, n_rows, first_row, d_in, stored.itemsize, crc, zlib.crc32(keys), 0)
    return body + _CHECK.pack(zlib.crc32(body)) + keys


def _damaged(path: Path, what: str) -> StoredFileError:
    return StoredFileError(
        f"{path} is damaged ({what}); delete it together with its neighbour of the same name "
        f"({path.stem}.*), and the documents in it are embedded again"
    )


def _read_segment(path: Path) -> _Segment:
    content = path.read_bytes()
    vectors_path = path.with_suffix(".vectors")
    n_bytes = vectors_path.stat().st_size if vectors_path.exists() else 0
    chunks: list[_Chunk] = []
    position = 0
    while position < len(content):
        chunk = _read_chunk(path, content, position, n_bytes)
        if chunk is None:
            _drop_tail(path, content[:position], len(chunks))
            break
        chunks.append(chunk)
        position += _HEADER_BYTES + len(chunk.keys)
    return _Segment(vectors_path=vectors_path, chunks=chunks)


def _read_chunk(path: Path, content: bytes, position: int, n_bytes: int) -> _Chunk | None:
    """Return the chunk at ``position``; None where it, or its rows, are cut off."""
    header = content[position : position + _HEADER_BYTES]
    if len(header) < _HEADER_BYTES:
        return None
    body, (check,) = header[: _BODY.size], _CHECK.unpack(header[_BODY.size :])
    magic, n_rows, first_row, d_in, itemsize, crc, keys_crc, _ = _BODY.unpack(body)
    if magic != _MAGIC or zlib.crc32(body) != check or itemsize not in (2, 4):
        raise _damaged(path, f"the record at byte {position} does not match its checksum")
    start = position + _HEADER_BYTES
    keys = content[start : start + n_rows * _KEY_BYTES]
    if len(keys) < n_rows * _KEY_BYTES or n_bytes < (first_row + n_rows) * d_in * itemsize:
        return None
    if zlib.crc32(keys) != keys_crc:
        raise _damaged(path, f"the keys at byte {start} do not match their checksum")
    return _Chunk(first_row, n_rows, d_in, itemsize, crc, keys)


def _drop_tail(path: Path, whole: bytes, n_chunks: int) -> None:
    """Keep the chunks before the cut. A record is one write, so its writer is not at work on it."""
    logger.warning(
        "%s was cut off after %d whole chunks; what came after is embedded again", path, n_chunks
    )
    try:
        write_atomically(path, lambda temporary: _write_bytes(temporary, whole))
    except OSError as error:
        logger.warning("%s could not be repaired: %s", path, error)


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _prefixes(keys: bytes) -> NDArray[np.uint64]:
    """Return the first eight bytes of each key as a number, for a quick first sieve."""
    table = np.frombuffer(keys, dtype=np.uint8).reshape(-1, _KEY_BYTES)
    return np.ascontiguousarray(table[:, :8]).view("<u8").ravel()


def _rows_in_chunk(
    chunk: _Chunk, prefixes: NDArray[np.uint64], wanted: Mapping[bytes, int]
) -> dict[bytes, int]:
    """Return the rows, counted within the chunk, of the keys that are wanted."""
    if not len(prefixes):
        return {}
    own = _prefixes(chunk.keys)
    place = np.minimum(np.searchsorted(prefixes, own), len(prefixes) - 1)
    found: dict[bytes, int] = {}
    for row in np.flatnonzero(prefixes[place] == own):
        key = chunk.keys[row * _KEY_BYTES : (row + 1) * _KEY_BYTES]
        if key in wanted:
            found[key] = int(row)
    return found


def _read_rows(segment: _Segment, chunk: _Chunk, rows: list[int]) -> NDArray[np.float32]:
    table = np.memmap(
        segment.vectors_path,
        dtype=f"<f{chunk.itemsize}",
        mode="r",
        offset=chunk.first_row * chunk.d_in * chunk.itemsize,
        shape=(chunk.n_rows, chunk.d_in),
    )
    if chunk.first_row not in segment.verified:
        if zlib.crc32(np.ascontiguousarray(table).data) != chunk.crc:
            raise _damaged(
                segment.vectors_path,
                f"rows {chunk.first_row} to {chunk.first_row + chunk.n_rows - 1} "
                "do not match their checksum",
            )
        segment.verified.add(chunk.first_row)
    return np.asarray(table[rows], dtype=np.float32)
