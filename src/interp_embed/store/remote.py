"""A data set on any file system that fsspec knows, and how a location is told from its name."""

import contextlib
import os
import time
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from interp_embed.errors import InputError, StoredFileError
from interp_embed.store.local import LocalLocation
from interp_embed.store.location import Entry, Location, missing_file, writing


def open_location(location: str | os.PathLike[str]) -> Location:
    """Return the location of a path or of a URL such as ``s3://bucket/my_dataset``.

    Raises:
        InputError: It is empty, or no file system is known by the URL's scheme.
    """
    text = str(os.fspath(location))
    if not text.strip():
        raise InputError(f"a data set needs a folder or URL, got {location!r}")
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    if "://" not in text:
        return LocalLocation(Path(text).expanduser())
    try:
        system, path = fsspec.core.url_to_fs(text)
    except (ImportError, ValueError) as error:
        raise InputError(f"{text} cannot be opened ({error}); is its driver installed?") from error
    return RemoteLocation(system, path.rstrip("/"), text.rstrip("/"))


class RemoteLocation:
    """A folder of an fsspec file system: an object store, or memory."""

    is_local = False

    def __init__(self, system: Any, root: str, url: str) -> None:  # noqa: ANN401 - untyped package
        self.system = system
        self.root = root
        self.url = url

    def describe(self, name: str = "") -> str:
        """Return the URL of a file."""
        return f"{self.url}/{name}" if name else self.url

    def path(self, name: str) -> str:
        """Return a file's path in its file system; names with ``..`` are refused."""
        if any(part in {"", ".", ".."} for part in name.split("/")) and name:
            raise StoredFileError(f"{name!r} is no name of a file in {self.url}")
        return f"{self.root}/{name}" if name else self.root

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes, or None if it does not exist."""
        try:
            return int(self.system.info(self.path(name))["size"])
        except FileNotFoundError:
            return None

    def entries(self, folder: str = "") -> list[Entry]:
        """Return what is in a folder now, by name: cached listings are thrown away first."""
        self.system.invalidate_cache()
        try:
            listing = self.system.ls(self.path(folder), detail=True)
        except FileNotFoundError:
            return []
        now = time.time()
        found = []
        for item in listing:
            modified = item.get("mtime") or item.get("LastModified") or item.get("created")
            stamp = modified.timestamp() if hasattr(modified, "timestamp") else modified
            name = item["name"].rstrip("/").rpartition("/")[2]
            is_folder = item["type"] == "directory"
            size = 0 if is_folder else int(item["size"] or 0)
            found.append(Entry(name, size, float(stamp or now), is_folder))
        return sorted(found, key=lambda entry: entry.name)

    def read(self, name: str, begin: int = 0, size: int | None = None) -> bytes:
        """Return bytes of a file, with one ranged request."""
        end = None if size is None else begin + size
        try:
            content: bytes = self.system.cat_file(self.path(name), start=begin or None, end=end)
        except FileNotFoundError as error:
            raise missing_file(self.describe(name)) from error
        except OSError as error:
            raise StoredFileError(f"{self.describe(name)} cannot be read ({error})") from error
        return content

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading; only what is read is fetched."""
        try:
            file: BinaryIO = self.system.open(self.path(name), "rb")
        except FileNotFoundError as error:
            raise missing_file(self.describe(name)) from error
        except OSError as error:
            raise StoredFileError(f"{self.describe(name)} cannot be read ({error})") from error
        return file

    def put(self, name: str, data: bytes | memoryview) -> None:
        """Write a whole file: an object store shows it when it is complete."""
        path = self.path(name)
        with writing(self.describe(name)):
            self.system.makedirs(path.rpartition("/")[0], exist_ok=True)
            self.system.pipe_file(path, bytes(data))

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """Write a whole file unless one is there.

        Where the file system cannot do so in one step there is a moment in which two writers both
        write; what they write is equal then, or differs in when and where it was made.
        """
        path = self.path(name)
        with writing(self.describe(name)):
            self.system.makedirs(path.rpartition("/")[0], exist_ok=True)
            try:
                self.system.pipe_file(path, data, mode="create")
            except FileExistsError:
                return False
            except (TypeError, ValueError, NotImplementedError):
                self.system.invalidate_cache()
                if self.system.exists(path):
                    return False
                self.system.pipe_file(path, data)
        return True

    def put_file(self, name: str, source: Path) -> None:
        """Upload a local file."""
        path = self.path(name)
        with writing(self.describe(name)):
            self.system.makedirs(path.rpartition("/")[0], exist_ok=True)
            self.system.put_file(str(source), path)

    def delete(self, name: str) -> None:
        """Delete a file or folder if it exists."""
        with writing(self.describe(name)), contextlib.suppress(FileNotFoundError):
            self.system.rm(self.path(name), recursive=True)

    def is_writable(self) -> bool:
        """Return True: one can only try."""
        return True

    def scratch(self) -> None:
        """Return None: unfinished files are kept on this machine."""
        return
