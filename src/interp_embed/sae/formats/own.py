"""This library's own SAEs: of embeddings (``sae.save_sae``), and of a reader's hidden states.

A reader SAE is a folder with ``sae.safetensors`` (encoder, encoder_bias, decoder, decoder_bias in
float16) and ``sae.json``, which says what it reads, how it was made and how well it does.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

from interp_embed._files import write_atomically, write_json
from interp_embed.errors import InputError, StoredFileError
from interp_embed.records import Json
from interp_embed.sae.checkpoint import FORMAT as EMBEDDING_FORMAT
from interp_embed.sae.checkpoint import load_sae
from interp_embed.sae.formats.files import Checkpoint, read_safetensors, take
from interp_embed.sae.formats.raw import RawSAE, require_count, require_number
from interp_embed.sae.pretrained import Declared
from interp_embed.sae.rules import JumpRelu, Rule, TopK
from interp_embed.sae.site import ReaderSite, describe_site
from interp_embed.sae.weights import SAEWeights

READER_FORMAT = "interp_embed reader SAE"
FORMAT_VERSION = 1
FILES = ("sae.json", "sae.safetensors")

_ARRAYS = ("encoder", "encoder_bias", "decoder", "decoder_bias")


@dataclass(frozen=True, slots=True)
class ReaderSAECard:
    """What is written beside the weights of a reader SAE."""

    site: ReaderSite
    declared: Declared = field(default_factory=Declared)
    data: Mapping[str, Json] = field(default_factory=dict)
    """The texts it was trained on: names, licences, counts."""
    settings: Mapping[str, Json] = field(default_factory=dict)
    """How it was trained."""


def save_reader_sae(folder: Path, sae: SAEWeights, card: ReaderSAECard) -> None:
    """Write ``sae.safetensors`` (float16) and ``sae.json`` into a folder, made if need be.

    The same SAE and card give the same bytes.

    Raises:
        InputError: A weight is too large for float16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: _half(getattr(sae, name), name) for name in _ARRAYS}
    write_atomically(folder / "sae.safetensors", lambda path: save_file(arrays, path))
    record = {
        "format": READER_FORMAT,
        "format_version": FORMAT_VERSION,
        "k": sae.k,
        "threshold": sae.threshold,
        "site": describe_site(card.site),
        "declared": asdict(card.declared),
        "data": dict(card.data),
        "settings": dict(card.settings),
        "sha256": _digest(folder / "sae.safetensors"),
    }
    write_json(folder / "sae.json", record)


def _half(array: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any]:
    largest = float(np.abs(array).max(initial=0))
    if not largest <= float(np.finfo(np.float16).max):
        raise InputError(
            f"{name} holds {largest:g}, which float16 cannot; scale the hidden states before "
            "training"
        )
    return np.ascontiguousarray(array, np.float16)


def read(checkpoint: Checkpoint, *, with_decoder: bool) -> RawSAE:
    """Return an SAE this library wrote.

    Raises:
        StoredFileError: A file is missing, damaged, or of a later format.
    """
    record = checkpoint.read_config("sae.json")
    path = checkpoint.path("sae.safetensors")
    if record.get("format") == EMBEDDING_FORMAT:
        return _from_embedding_sae(path.parent)
    _check_record(record, path)
    tensors = read_safetensors(path, skip=() if with_decoder else ("decoder",))
    threshold = record.get("threshold")
    rule: Rule
    if threshold is None:
        rule = TopK(require_count(record.get("k"), "k", path))
    else:
        rule = JumpRelu(torch.tensor(require_number(threshold, "threshold", path)))
    return RawSAE(
        encoder=take(tensors, path, "encoder"),
        encoder_bias=take(tensors, path, "encoder_bias"),
        decoder=take(tensors, path, "decoder") if with_decoder else None,
        decoder_bias=take(tensors, path, "decoder_bias"),
        rule=rule,
        site=_read_site(record, path),
        declared=_read_declared(record, path),
    )


def _from_embedding_sae(folder: Path) -> RawSAE:
    weights = load_sae(folder).trained.weights
    rule: Rule = TopK(weights.k)
    if weights.threshold is not None:
        rule = JumpRelu(torch.tensor(weights.threshold, dtype=torch.float32))
    return RawSAE(
        encoder=torch.from_numpy(weights.encoder),
        encoder_bias=torch.from_numpy(weights.encoder_bias),
        decoder=torch.from_numpy(weights.decoder),
        decoder_bias=torch.from_numpy(weights.decoder_bias),
        rule=rule,
        declared=Declared(l0=float(weights.k)),
    )


def _check_record(record: Mapping[str, Json], path: Path) -> None:
    if record.get("format") != READER_FORMAT:
        raise StoredFileError(f"{path.parent}/sae.json is not the record of an SAE")
    if record.get("format_version") != FORMAT_VERSION:
        raise StoredFileError(
            f"{path.parent}/sae.json has format version {record.get('format_version')!r}, but this "
            f"version of interp_embed reads {FORMAT_VERSION}; update interp_embed"
        )
    if record.get("sha256") not in (None, _digest(path)):
        raise StoredFileError(
            f"{path} was changed since it was written: its SHA-256 is not that in sae.json; "
            "fetch it again"
        )


def _read_site(record: Mapping[str, Json], path: Path) -> ReaderSite:
    try:
        return ReaderSite(**record["site"])
    except (KeyError, TypeError, InputError) as error:
        raise StoredFileError(f"{path.parent}/sae.json has no usable site ({error})") from error


def _read_declared(record: Mapping[str, Json], path: Path) -> Declared:
    declared = record.get("declared") or {}
    if not isinstance(declared, dict):
        raise StoredFileError(f"{path.parent}/sae.json: 'declared' should be an object")
    figures = {
        name: None if declared.get(name) is None else require_number(declared[name], name, path)
        for name in Declared.__dataclass_fields__
    }
    return Declared(**figures)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
