"""A data set in a folder of this machine."""

import contextlib
import os
import stat
import uuid
from pathlib import Path
from typing import BinaryIO

from interp_embed.errors import StoredFileError
from interp_embed.store.location import TEMPORARY, Entry, missing_file, writing


class LocalLocation:
    """A folder on this machine."""

    is_local = True

    def __init__(self, root: Path) -> None:
        self.root = root
        self._inside = os.path.realpath(root)

    def describe(self, name: str = "") -> str:
        """Return the path of a file."""
        return str(self.root / name) if name else str(self.root)

    def path(self, name: str) -> Path:
        """Return where a file is, having checked that it is inside the data set."""
        path = self.root / name
        real = os.path.realpath(path)
        if real != self._inside and not real.startswith(self._inside.rstrip(os.sep) + os.sep):
            raise StoredFileError(
                f"{path} leads outside the data set, to {real}: a data set may hold no such links "
                "or names; put the files themselves there"
            )
        return path

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes, or None if it does not exist."""
        path = self.path(name)
        try:
            return self._stat_file(path).st_size
        except FileNotFoundError:
            return None

    def entries(self, folder: str = "") -> list[Entry]:
        """Return what is in a folder, by name."""
        path = self.path(folder)
        found = []
        try:
            with os.scandir(path) as listing:
                for entry in listing:
                    with contextlib.suppress(FileNotFoundError):  # renamed meanwhile
                        facts = entry.stat(follow_symlinks=False)
                        is_folder = stat.S_ISDIR(facts.st_mode)
                        size = 0 if is_folder else facts.st_size
                        found.append(Entry(entry.name, size, facts.st_mtime, is_folder))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoredFileError(f"{path} cannot be listed ({error})") from error
        return sorted(found, key=lambda entry: entry.name)

    def read(self, name: str, begin: int = 0, size: int | None = None) -> bytes:
        """Return bytes of a file."""
        with self.open(name) as file:
            try:
                file.seek(begin)
                return file.read(-1 if size is None else size)
            except OSError as error:
                raise StoredFileError(f"{self.describe(name)} cannot be read ({error})") from error

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading."""
        path = self.path(name)
        try:
            self._stat_file(path)
            return path.open("rb")
        except FileNotFoundError as error:
            raise missing_file(self.describe(name)) from error
        except OSError as error:
            raise StoredFileError(f"{path} cannot be read ({error})") from error

    def put(self, name: str, data: bytes | memoryview) -> None:
        """Write a whole file: temporary name, fsync, rename."""
        path = self.path(name)
        with writing(path):
            temporary = self._write_temporary(path, data)
            try:
                temporary.replace(path)
                _sync_folder(path.parent)
            finally:
                temporary.unlink(missing_ok=True)

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """Write a whole file unless one is there."""
        path = self.path(name)
        with writing(path):
            temporary = self._write_temporary(path, data)
            try:
                created = _link_or_create(temporary, path, data)
                _sync_folder(path.parent)
                return created
            finally:
                temporary.unlink(missing_ok=True)

    def put_file(self, name: str, source: Path) -> None:
        """Rename a file of the scratch folder to a name."""
        path = self.path(name)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb+") as file:
                os.fsync(file.fileno())
            source.replace(path)
            _sync_folder(path.parent)

    def delete(self, name: str) -> None:
        """Delete a file or an empty folder if it exists."""
        path = self.root / name
        parent = self.path(name.rpartition("/")[0])
        with writing(parent), contextlib.suppress(FileNotFoundError):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()

    def is_writable(self) -> bool:
        """Tell whether the folder may be written to."""
        return os.access(self.root, os.W_OK)

    def scratch(self) -> Path:
        """Return a new folder in the data set, under a temporary name."""
        path = self.path(f"{TEMPORARY}{uuid.uuid4().hex}")
        with writing(path):
            path.mkdir(parents=True)
        return path

    @staticmethod
    def _stat_file(path: Path) -> os.stat_result:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise StoredFileError(f"{path} is not a regular file")
        return facts

    @staticmethod
    def _write_temporary(path: Path, data: bytes | memoryview) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f"{TEMPORARY}{uuid.uuid4().hex}"
        try:
            with temporary.open("xb") as file:
                write_all(file, data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return temporary


def write_all(file: BinaryIO, data: bytes | memoryview) -> None:
    """Write data to a file: the one place where bytes leave for a local disk."""
    file.write(data)


def _link_or_create(temporary: Path, path: Path, data: bytes) -> bool:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        try:
            with path.open("xb") as file:
                write_all(file, data)
                os.fsync(file.fileno())
        except FileExistsError:
            return False
    return True


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
