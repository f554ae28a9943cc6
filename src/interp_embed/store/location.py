"""Where a data set lies: a local folder, or any URL that fsspec knows, behind one small interface.

Names are relative to the data set, with ``/`` between folders. A file is whole or absent.
"""

import contextlib
import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from interp_embed.errors import StoredFileError

TEMPORARY = ".tmp-"
"""How the names of files begin that are not whole yet."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder in a listing."""

    name: str
    """Its last part."""
    size: int
    """Bytes; 0 for a folder."""
    modified_s: float
    """Seconds since 1970; now, where the file system does not tell."""
    is_folder: bool


class Location(Protocol):
    """The few operations a data set needs of a file system."""

    is_local: bool

    def describe(self, name: str = "") -> str:
        """Return the path or URL of a file, for messages."""
        ...

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes, or None if it does not exist."""
        ...

    def entries(self, folder: str = "") -> list[Entry]:
        """Return what is in a folder now, by name; nothing if it does not exist."""
        ...

    def read(self, name: str, begin: int = 0, size: int | None = None) -> bytes:
        """Return bytes of a file, at most ``size`` of them.

        Raises:
            StoredFileError: It does not exist, cannot be read, or lies outside the data set.
        """
        ...

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading at any position; errors as of ``read``."""
        ...

    def put(self, name: str, data: bytes | memoryview) -> None:
        """Write a whole file, over an older one if there is one.

        Raises:
            StoredFileError: It could not be written; nothing of it is left.
        """
        ...

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """Write a whole file unless one is there; return whether this call wrote it."""
        ...

    def put_file(self, name: str, source: Path) -> None:
        """Move a local file to a name; the file may be gone afterwards."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file or an empty folder if it exists."""
        ...

    def is_writable(self) -> bool:
        """Tell whether files may be written here, as far as that can be told."""
        ...

    def scratch(self) -> Path | None:
        """Return a local folder on the same disk for large unfinished files; None if remote."""
        ...


@contextlib.contextmanager
def writing(target: object) -> Iterator[None]:
    """Turn failures to write into errors that name the target and the cause."""
    try:
        yield
    except OSError as error:
        why = (
            "the disk is full: free some space and run it again"
            if error.errno in {errno.ENOSPC, errno.EDQUOT}
            else f"{error.strerror or error}"
        )
        raise StoredFileError(
            f"{target} could not be written: {why}; what was committed before is kept"
        ) from error


def missing_file(path: str) -> StoredFileError:
    """Return the error for a file that is not there."""
    return StoredFileError(f"{path} does not exist: the data set is not whole")
