"""Released SAEs by name: a small table of our own, and SAELens' where that package is installed.

The package's table is read as a file; the package itself, slow to import, is not imported.
"""

import difflib
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from interp_embed.errors import InputError, MissingExtraError, StoredFileError
from interp_embed.records import Json

# SAELens' names of layouts, and ours.
_CONVERTERS: Mapping[str | None, str] = {
    None: "saelens",
    "gemma_2": "gemma_scope",
    "gemma_2_transcoder": "gemma_scope",
    "gemma_3": "gemma_scope_2",
    "goodfire": "goodfire",
    "llama_scope": "llama_scope",
    "llama_scope_r1_distill": "llama_scope_r1",
    "dictionary_learning_1": "dictionary_learning",
    "qwen_scope": "qwen_scope",
    "sparsify": "sparsify",
}


@dataclass(frozen=True, slots=True)
class ReleasedSAE:
    """Where a released SAE lies, and what the table says of it."""

    repository: str
    path: str
    """Folder or file in the repository."""
    format: str
    facts: Mapping[str, Json]


def find_table() -> Path | None:
    """Return SAELens' table of releases, or None where the package is not installed."""
    spec = importlib.util.find_spec("sae_lens")
    for folder in [] if spec is None else spec.submodule_search_locations or []:
        path = Path(folder) / "pretrained_saes.yaml"
        if path.is_file():
            return path
    return None


def find_release(name: str, sae_id: str | None, *, table: Path | None) -> ReleasedSAE:
    """Return where a release's SAE lies.

    Args:
        name: Name of the release, such as ``gemma-scope-2b-pt-res-canonical``.
        sae_id: Which SAE of it; None where it has only one.
        table: SAELens' table (``find_table``), or None for our own alone.

    Raises:
        InputError: There is no such release, or no such SAE in it, or its layout is not supported.
        MissingExtraError: It is not in our own table, and SAELens' is not there.
        StoredFileError: SAELens' table cannot be read.
    """
    own = json.loads(files("interp_embed.sae.formats").joinpath("releases.json").read_text("utf-8"))
    entry = None if table is None else _read_entry(table, name)
    if entry is None:
        entry = own.get(name)
    if entry is None and table is None:
        raise MissingExtraError(
            f"{name!r} is neither a file or folder here, nor a repository (org/name), nor one of "
            f"the releases known without SAELens ({', '.join(own)}); for the names of SAELens run: "
            "pip install 'interp-embed[saelens]'"
        )
    if entry is None:
        raise InputError(f"there is no release {name!r}{_near(name, _names(table))}")
    return _choose(name, entry, sae_id)


def _read_entry(table: Path, name: str) -> dict[str, Any] | None:
    """Return one release; only its lines are parsed, as the whole takes seconds."""
    text = table.read_text(encoding="utf-8")
    begin = re.search(rf"^[\"']?{re.escape(name)}[\"']?:\s*$", text, re.MULTILINE)
    if begin is None:
        return None
    end = re.compile(r"^[^\s#-]", re.MULTILINE).search(text, begin.end())
    try:
        (entry,) = yaml.safe_load(text[begin.start() : end.start() if end else None]).values()
        if not isinstance(entry["repo_id"], str) or not isinstance(entry["saes"], list):
            raise TypeError("repo_id or saes are of another type")
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoredFileError(
            f"{table} has no readable entry {name!r} ({error}); install sae-lens again"
        ) from error
    return dict(entry)


def _names(table: Path | None) -> list[str]:
    if table is None:
        return []
    return re.findall(r"^([^\s#:-][^\s:]*):\s*$", table.read_text(encoding="utf-8"), re.MULTILINE)


def _choose(name: str, entry: Mapping[str, Any], sae_id: str | None) -> ReleasedSAE:
    saes = {str(sae["id"]): sae for sae in entry["saes"]}
    if sae_id is None and len(saes) == 1:
        sae_id = next(iter(saes))
    if sae_id is None or sae_id not in saes:
        near = _near(sae_id or "", list(saes))
        raise InputError(
            f"the release {name} has {len(saes)} SAEs, none of them {sae_id!r}{near}; "
            f"choose one with sae_id=, such as {next(iter(saes))!r}"
        )
    converter = entry.get("conversion_func")
    if converter not in _CONVERTERS:
        raise InputError(
            f"the release {name} has the layout {converter!r}, which is not supported; "
            f"supported: {', '.join(sorted(str(c) for c in _CONVERTERS if c))}"
        )
    sae = saes[sae_id]
    return ReleasedSAE(
        entry["repo_id"], str(sae["path"]), _CONVERTERS[converter], _facts(entry, sae)
    )


def _facts(entry: Mapping[str, Any], sae: Mapping[str, Any]) -> dict[str, Json]:
    overrides = entry.get("config_overrides") or {}
    arguments = overrides.get("model_from_pretrained_kwargs") or {}
    facts = {
        "model": overrides.get("model_name", entry.get("model")),
        "hook_name": overrides.get("hook_name"),
        "center": arguments.get("center_writing_weights") is True,
        "normalize_activations": overrides.get("normalize_activations"),
        "scale": sae.get("norm_scaling_factor"),
        "variance_explained": sae.get("variance_explained"),
        "l0": sae.get("l0"),
        "neuronpedia": sae.get("neuronpedia"),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _near(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=4, cutoff=0.5)
    return f"; near to it: {', '.join(near)}" if near else ""
