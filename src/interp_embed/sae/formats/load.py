"""Load a pretrained SAE by name, whatever layout it is stored in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from interp_embed._fingerprint import digest_array, digest_settings
from interp_embed.errors import InputError
from interp_embed.records import Json
from interp_embed.sae.formats import (
    dictionary_learning,
    gemma_scope,
    llama_scope,
    own,
    saelens,
    sparsify,
    torch_files,
)
from interp_embed.sae.formats.files import Checkpoint, unreachable
from interp_embed.sae.formats.raw import RawSAE, assemble
from interp_embed.sae.formats.releases import find_release, find_table
from interp_embed.sae.pretrained import PretrainedSAE, resolve_dtype
from interp_embed.sae.site import ReaderSite


class Read(Protocol):
    """Reads the SAE of a checkpoint whose layout is known."""

    def __call__(self, checkpoint: Checkpoint, *, with_decoder: bool) -> RawSAE:
        """Return the SAE as stored."""
        ...


@dataclass(frozen=True, slots=True)
class Layout:
    """A way of storing an SAE."""

    read: Read
    files: tuple[str, ...]
    """The files that tell it from others; none for layouts of a single file."""


# In the order in which they are looked for.
LAYOUTS: Mapping[str, Layout] = {
    "interp_embed": Layout(own.read, own.FILES),
    "sparsify": Layout(sparsify.read, sparsify.FILES),
    "saelens": Layout(saelens.read, saelens.FILES),
    "gemma_scope": Layout(gemma_scope.read_1, gemma_scope.FILES_1),
    "gemma_scope_2": Layout(gemma_scope.read_2, gemma_scope.FILES_2),
    "llama_scope": Layout(llama_scope.read, llama_scope.FILES),
    "llama_scope_r1": Layout(llama_scope.read_r1, llama_scope.FILES_R1),
    "dictionary_learning": Layout(dictionary_learning.read, dictionary_learning.FILES),
    "goodfire": Layout(torch_files.read_goodfire, ()),
    "qwen_scope": Layout(torch_files.read_qwen_scope, ()),
    "hypothesaes": Layout(torch_files.read_hypothesaes, ()),
}
_SINGLE = (".pt", ".pth")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def load_pretrained_sae(
    name: str | Path,
    *,
    sae_id: str | None = None,
    format: str | None = None,
    revision: str | None = None,
    device: str | None = None,
    dtype: str = "float32",
    with_decoder: bool = True,
    site: ReaderSite | None = None,
    input_scale: float | None = None,
) -> PretrainedSAE:
    """Return a pretrained SAE from a local path, a hub repository or a release name.

    Only the files that are needed are fetched, and no code in them is ever run.

    Args:
        name: A local folder or file, ``org/repository`` on the hub, or a release name of SAELens.
        sae_id: Folder or file inside the repository or folder; for a release, its id.
        format: One of the layouts, where it cannot be told from the files.
        revision: Of the repository: a commit, tag or branch.
        device: Where to put it; None: the CPU.
        dtype: Of the matrices: ``"float32"`` or ``"bfloat16"``. Biases stay float32.
        with_decoder: Whether to keep the decoder, which encoding does not need.
        site: What it reads, where its files do not say, or say wrong.
        input_scale: Constant the SAE saw its input times, where its files do not say.

    Raises:
        InputError: There is no such SAE, or it is of a kind that is not supported.
        StoredFileError: A file is missing or damaged.
        MissingExtraError: The name is a release that is only known with SAELens installed.
    """
    resolve_dtype(dtype)
    checkpoint, told = _locate(name, sae_id, revision)
    layout = format or told or _detect(checkpoint)
    if layout not in LAYOUTS:
        raise InputError(f"unknown format {layout!r}; known: {', '.join(LAYOUTS)}")
    if input_scale is not None:
        checkpoint = replace(checkpoint, facts={**checkpoint.facts, "scale": input_scale})
    raw = LAYOUTS[layout].read(checkpoint, with_decoder=with_decoder)
    if not with_decoder:
        raw = replace(raw, decoder=None)
    if site is not None:
        raw = replace(raw, site=site)
    sae = assemble(
        raw,
        file=next(reversed(checkpoint.used.values())),
        dtype=dtype,
        identity=_identity(checkpoint, layout),
    )
    return sae if device is None else sae.to(device)


def _identity(checkpoint: Checkpoint, layout: str) -> dict[str, Json]:
    # What a file lies under does not change an activation: local names are left out.
    return {
        "name": checkpoint.words if checkpoint.repository else checkpoint.name,
        "format": layout,
        "sha256": checkpoint.digest(),
        "revision": checkpoint.revision,
    }


def _locate(
    name: str | Path, sae_id: str | None, revision: str | None
) -> "tuple[Checkpoint, str | None]":
    """Return where the files are, and the layout where a table of releases tells it."""
    path = Path(name)
    if path.exists():
        return _local(path / sae_id if sae_id else path), None
    text = str(name)
    if isinstance(name, Path) or text.startswith((".", "/", "~")) or "\\" in text:
        raise InputError(f"{text} does not exist; give a folder or file that does")
    if _REPOSITORY.fullmatch(text):
        place = _inside(sae_id or "")
        return Checkpoint(text, *place, repository=text, revision=revision), None
    if "/" in text:
        raise InputError(
            f"{text!r} is neither a file or folder here nor a repository (org/name); "
            "give what lies inside a repository as sae_id="
        )
    released = find_release(text, sae_id, table=find_table())
    checkpoint = Checkpoint(
        text,
        *_inside(released.path),
        repository=released.repository,
        revision=revision,
        facts=released.facts,
    )
    return checkpoint, released.format


def _local(path: Path) -> Checkpoint:
    if path.is_dir():
        return Checkpoint(path.name, folder=str(path))
    if path.suffix in _SINGLE:
        return Checkpoint(path.name, folder=str(path.parent), file=path.name)
    if not path.exists():
        raise InputError(f"{path} does not exist; give a folder or file that does")
    return Checkpoint(path.parent.name, folder=str(path.parent))  # one file of a folder's several


def _inside(place: str) -> "tuple[str, str | None]":
    """Return folder and single file of a place inside a repository."""
    place = place.strip("/")
    if place.endswith(_SINGLE) and not place.endswith("ae.pt"):
        folder, _, file = place.rpartition("/")
        return folder, file
    return place, None


def _detect(checkpoint: Checkpoint) -> str:
    if checkpoint.file is not None and checkpoint.file != "ae.pt":
        return torch_files.detect(checkpoint)
    for name, layout in LAYOUTS.items():
        if layout.files and all(checkpoint.find(file) for file in layout.files):
            checkpoint.used.clear()
            return name
    if checkpoint.unreached:
        raise InputError(unreachable(checkpoint.words))
    known = "; ".join(f"{name}: {' + '.join(x.files)}" for name, x in LAYOUTS.items() if x.files)
    where = (
        f"{checkpoint.words} (repository {checkpoint.repository})"
        if checkpoint.repository
        else checkpoint.words
    )
    raise InputError(
        f"{where} is no known SAE; known folders have {known}; known single "
        "files (.pt, .pth): goodfire, qwen_scope, hypothesaes. Choose one SAE of several with "
        "sae_id=, or name the layout with format="
    )


def from_saelens(sae: Any) -> PretrainedSAE:  # noqa: ANN401 - sae_lens is not imported here
    """Return an SAE that SAELens has loaded, in our form, so that no reader is left out.

    Args:
        sae: A ``sae_lens.SAE`` of version 6 or later (anything with its ``cfg`` and
            ``state_dict``).

    Raises:
        InputError: It is not one, or is of a kind that is not supported.
        StoredFileError: Its tensors do not fit one another.
    """
    try:
        config, tensors = sae.cfg.to_dict(), sae.state_dict()
    except AttributeError as error:
        raise InputError(
            f"from_saelens takes an SAE loaded by SAELens 6 or later, but got {type(sae).__name__}"
        ) from error
    metadata = config.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        config = {**config, "metadata": dict(vars(metadata))}
    checkpoint = Checkpoint("sae_lens object")
    path = Path("sae_lens object")
    raw = saelens.interpret(config, tensors, path, checkpoint)
    arrays = {key: digest_array(value.float().cpu().numpy()) for key, value in tensors.items()}
    identity = {
        "name": checkpoint.name,
        "format": "saelens",
        "sha256": digest_settings(arrays),
        "revision": None,
    }
    return assemble(raw, file=path, dtype="float32", identity=identity)
