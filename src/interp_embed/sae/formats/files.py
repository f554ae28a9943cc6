"""Files of an SAE, in a local folder or a hub repository, and how tensors are read out of them."""

import hashlib
import pickle
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
)
from safetensors import SafetensorError, safe_open

from interp_embed._files import read_json
from interp_embed.errors import InputError, StoredFileError
from interp_embed.records import Json

Tensors = Mapping[str, torch.Tensor]

# What the readers of torch and numpy files raise on damaged bytes: their parsers are many.
_DAMAGE = (
    pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, IndexError, TypeError,
    AttributeError, OSError, OverflowError, MemoryError, AssertionError, ImportError,
    zipfile.BadZipFile, zlib.error, struct.error, SyntaxError,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Where the files of one SAE lie; those on the hub are fetched one by one, as asked for.

    ``used`` collects what was read, for the identity.
    """

    name: str
    """As the user gave it."""
    folder: str = ""
    """Folder inside the repository, or "" for its root; for local files the folder itself."""
    file: str | None = None
    """The one file that holds the SAE, where its format is a single file."""
    repository: str | None = None
    """``org/name`` on the hub; None for local files."""
    revision: str | None = None
    facts: Mapping[str, Json] = field(default_factory=dict)
    """What a table of releases adds: model, hook_name, center, scale, normalization,
    variance_explained, l0."""
    used: dict[str, Path] = field(default_factory=dict)
    unreached: list[str] = field(default_factory=list)
    """Files for which the hub could not be reached: after the first, only the cache is asked."""

    @property
    def words(self) -> str:
        """Repository, folder and file in one text: names tell what some formats leave out."""
        repository = self.repository or ""
        return "/".join(part for part in (repository, self.folder, self.file or "") if part)

    def find(self, name: str) -> Path | None:
        """Return the local path of a file of this SAE, or None where there is none.

        Raises:
            InputError: The repository cannot be reached or read.
        """
        if self.repository is None:
            path = Path(self.folder) / name
            found = path if path.is_file() else None
        else:
            found = self._fetch(self.repository, f"{self.folder}/{name}".strip("/"))
        if found is not None:
            self.used[name] = found
        return found

    def _fetch(self, repository: str, name: str) -> Path | None:
        offline = bool(self.unreached)
        try:
            found = hf_hub_download(
                repository, name, revision=self.revision, local_files_only=offline
            )
        except (LocalEntryNotFoundError, OfflineModeIsEnabled):
            self.unreached.append(name)  # no connection, and not in the local cache
            return None
        except EntryNotFoundError:
            return None
        except HFValidationError as error:
            raise InputError(
                f"{repository!r} is not the name of a repository on the hub ({error})"
            ) from error
        except HfHubHTTPError as error:
            raise InputError(
                f"{repository} cannot be read from the hub ({error}); check the name and the "
                "revision, and for gated repositories log in and accept their terms"
            ) from error
        return Path(found)

    def path(self, name: str) -> Path:
        """Return the local path of a file this SAE must have.

        Raises:
            InputError: The hub cannot be reached.
            StoredFileError: There is no such file.
        """
        found = self.find(name)
        if found is None and self.unreached:
            raise InputError(unreachable(self.words))
        if found is None:
            raise StoredFileError(f"{self.words} has no {name}; it is needed to read this SAE")
        return found

    def read_config(self, name: str) -> dict[str, Json]:
        """Return a JSON object.

        Raises:
            StoredFileError: It is missing, damaged, or not an object.
        """
        path = self.path(name)
        content = read_json(path)
        if not isinstance(content, dict):
            raise StoredFileError(f"{path} should hold a JSON object, but holds {content!r:.60}")
        return content

    def digest(self) -> str:
        """Return the SHA-256 over names and contents of the files read."""
        whole = hashlib.sha256()
        for name, path in sorted(self.used.items()):
            with path.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
            whole.update(f"{Path(name).name}:{content}\n".encode())
        return whole.hexdigest()


def unreachable(what: str) -> str:
    """Return what is said where the hub is needed and cannot be reached."""
    return (
        f"the hub cannot be reached, and the SAE {what} is not on this machine; give the path of "
        "its folder or file, or use the one that ships with this library: LocalSAE.default()"
    )


def read_safetensors(path: Path, *, skip: Collection[str] = ()) -> Tensors:
    """Return the tensors of a safetensors file, all but some.

    Raises:
        StoredFileError: It is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if name not in skip}  # noqa: SIM118
    except (SafetensorError, *_DAMAGE) as error:
        raise _damaged(path, error) from error


def read_torch(path: Path) -> dict[str, Any]:
    """Return the content of a file of ``torch.save`` that is a dict, without running any code.

    Raises:
        StoredFileError: It is damaged, holds more than tensors and plain values, or is no dict.
    """
    try:
        content = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        raise StoredFileError(
            f"{path} cannot be read as plain tensors: it is damaged, or it asks to run code, which "
            "is refused; fetch it again, from a source that offers safetensors if there is one"
        ) from error
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        raise StoredFileError(f"{path} should hold named tensors, but holds {type(content)}")
    return {key.removeprefix("_orig_mod."): value for key, value in content.items()}


def read_npz(path: Path) -> Tensors:
    """Return the arrays of an npz file as tensors, objects refused.

    Raises:
        StoredFileError: It is damaged, or holds objects.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: torch.from_numpy(np.array(archive[name])) for name in archive.files}
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: BaseException) -> StoredFileError:
    return StoredFileError(
        f"{path} is damaged or cut off ({type(error).__name__}: {error!s:.200}); fetch it again"
    )


def take(tensors: Mapping[str, Any], path: Path, *names: str) -> torch.Tensor:
    """Return the tensor that has one of these names.

    Raises:
        StoredFileError: None has, or it is not a tensor.
    """
    for name in names:
        if name in tensors:
            if not isinstance(tensors[name], torch.Tensor):
                raise StoredFileError(f"{path}: {name} is not a tensor")
            found: torch.Tensor = tensors[name]
            return found
    raise StoredFileError(
        f"{path} has no tensor {' or '.join(names)}, but: {', '.join(sorted(tensors))[:200]}"
    )


def take_matrix(tensors: Mapping[str, Any], path: Path, *names: str) -> torch.Tensor:
    """Return the transpose of a matrix that has one of these names.

    Raises:
        StoredFileError: None has, or it is not a matrix.
    """
    found = take(tensors, path, *names)
    if found.ndim != 2:
        raise StoredFileError(
            f"{path}: {names[0]} should be a matrix, but has the shape {tuple(found.shape)}"
        )
    return found.T


def iter_names(folder: Path) -> Iterator[str]:
    """Yield the names of the files of a folder and of its ``checkpoints`` folder."""
    for path in sorted(folder.iterdir()):
        yield path.name
    if (folder / "checkpoints").is_dir():
        for path in sorted((folder / "checkpoints").iterdir()):
            yield f"checkpoints/{path.name}"
