"""Weights read by name: only those of the layers that run, whatever they are nested in."""

import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError, safe_open

from interp_embed._files import read_json
from interp_embed.errors import StoredFileError

_INDEX = "model.safetensors.index.json"


def read_weights(
    folder: Path, names: set[str], *, path: str, n_layers: int
) -> dict[str, torch.Tensor]:
    """Return the tensors of the first layers, and those outside layers, by the model's names.

    Args:
        folder: Holds the weights; files with later layers only may be missing.
        names: The model's own names of its tensors.
        path: The model's own name of its list of layers, such as ``layers`` or ``encoder.layer``.
        n_layers: Layers wanted, at least 1.

    Raises:
        StoredFileError: A file is missing or damaged, or is of another kind of model.
    """
    files = _weight_files(folder)
    prefix = _find_prefix(list(files), names, path=path)
    layer = re.compile(rf"{re.escape(path)}\.(\d+)\.")
    wanted: dict[Path, dict[str, str]] = {}
    for key, file in files.items():
        if not key.startswith(prefix) or key.startswith("lm_head."):
            continue
        own = key.removeprefix(prefix)
        numbered = layer.match(own)
        if numbered is None or int(numbered.group(1)) < n_layers:
            wanted.setdefault(file, {})[key] = own
    weights: dict[str, torch.Tensor] = {}
    for file, keys in wanted.items():
        weights |= _read_tensors(file, keys)
    return weights


def _find_prefix(keys: list[str], names: set[str], *, path: str) -> str:
    """Return what precedes the model's own names in the file, such as ``model.`` or nothing."""
    first = re.compile(rf"^(.*?){re.escape(path)}\.0\.")
    prefixes = {match.group(1) for key in keys if (match := first.match(key))}
    prefixes = {prefix for prefix in prefixes if not prefix or prefix.endswith(".")}
    if not prefixes:
        raise StoredFileError(
            f"the weights hold no tensor named ...{path}.0..., as this kind of model has; the "
            "files are not those of its config"
        )
    present = set(keys)
    return max(sorted(prefixes), key=lambda prefix: sum(prefix + name in present for name in names))


def _weight_files(folder: Path) -> dict[str, Path]:
    """Return the file of every tensor."""
    if (folder / _INDEX).is_file():
        weight_map: Mapping[str, str] = read_json(folder / _INDEX)["weight_map"]
        return {key: folder / Path(file).name for key, file in weight_map.items()}
    single = folder / "model.safetensors"
    found = [single] if single.is_file() else sorted(folder.glob("*.safetensors"))
    if not found:
        found = sorted(folder.glob("pytorch_model*.bin"))
    return {key: file for file in found for key in _tensor_names(file)}


def _tensor_names(file: Path) -> list[str]:
    if file.suffix == ".bin":
        return list(_load_bin(file))
    try:
        with safe_open(file, framework="pt") as opened:
            return list(opened.keys())
    except SafetensorError as error:
        raise StoredFileError(
            f"{file} is damaged or cut off ({error}); fetch the model again"
        ) from error


def _read_tensors(file: Path, keys: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """Return tensors of a file under their new names."""
    if not file.is_file():
        raise StoredFileError(f"{file} is missing although the index names it; fetch it again")
    if file.suffix == ".bin":
        held = _load_bin(file)
        return {own: held[key] for key, own in keys.items()}
    try:
        with safe_open(file, framework="pt") as opened:
            return {own: opened.get_tensor(key) for key, own in keys.items()}
    except SafetensorError as error:
        raise StoredFileError(
            f"{file} is damaged or cut off ({error}); fetch the model again"
        ) from error


def _load_bin(file: Path) -> dict[str, torch.Tensor]:
    try:
        held: dict[str, torch.Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as error:
        raise StoredFileError(
            f"{file} is damaged, or holds more than tensors, which is not loaded because it can "
            f"run code ({error!s:.80}); use a model with model.safetensors"
        ) from error
    return held
