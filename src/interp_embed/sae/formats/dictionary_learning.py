"""The layout of dictionary_learning: ``ae.pt`` and ``config.json``.

Its classes differ in what they subtract and in units: GatedAutoEncoder and JumpReluAutoEncoder give
activations times the length of the decoder direction, and JumpReluAutoEncoder does not subtract the
decoder bias. Here, as there.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from interp_embed.errors import StoredFileError
from interp_embed.records import Json
from interp_embed.sae.formats.files import Checkpoint, read_torch, take, take_matrix
from interp_embed.sae.formats.raw import RawSAE, norms_of, require_count, unsupported
from interp_embed.sae.formats.sites import build_declared, build_site
from interp_embed.sae.rules import Gated, JumpRelu, Relu, Rule, TopK
from interp_embed.sae.site import ReaderSite

FILES = ("ae.pt", "config.json")

_RELU = ("AutoEncoder", "AutoEncoderNew")
_TOPK = "AutoEncoderTopK"
_BATCH = ("BatchTopKSAE", "MatryoshkaBatchTopKSAE")
_GATED, _JUMP = "GatedAutoEncoder", "JumpReluAutoEncoder"
_KNOWN = ", ".join((*_RELU, _TOPK, *_BATCH, _GATED, _JUMP))


def read(checkpoint: Checkpoint, *, with_decoder: bool) -> RawSAE:
    """Return the SAE of a folder.

    Raises:
        StoredFileError: A file is missing or damaged.
        InputError: It is of a class that is not supported.
    """
    config = checkpoint.read_config("config.json")
    path = checkpoint.path("ae.pt")
    tensors = read_torch(path)
    trainer = config.get("trainer")
    if not isinstance(trainer, dict):
        raise StoredFileError(f"{checkpoint.words}/config.json has no section 'trainer'")
    name = str(trainer.get("dict_class"))
    rule = _rule(name, trainer, tensors, path)
    encoder, decoder = _matrices(tensors, path)
    bias = "mag_bias" if name == _GATED else "encoder.bias"
    native_units = norms_of(decoder, path) if name in (_GATED, _JUMP) else None
    return RawSAE(
        encoder=encoder,
        encoder_bias=take(tensors, path, bias, "b_enc"),
        decoder=decoder if with_decoder else None,
        decoder_bias=take(tensors, path, "b_dec", "bias", "decoder_bias", "decoder.bias"),
        rule=rule,
        site=_site(checkpoint, trainer, config.get("buffer")),
        declared=build_declared(checkpoint, rule, l0=_target_l0(trainer)),
        subtract_decoder_bias=name not in (_JUMP, "AutoEncoderNew"),
        decoder_norm=native_units,
    )


def _rule(name: str, trainer: Mapping[str, Json], tensors: Mapping[str, Any], path: Path) -> Rule:
    if name in _RELU:
        return Relu()
    if name == _TOPK:  # its file holds a threshold too, which its encode does not use
        k = tensors["k"] if isinstance(tensors.get("k"), torch.Tensor) else trainer.get("k")
        return TopK(require_count(int(k) if isinstance(k, torch.Tensor) else k, "k", path))
    if name in (*_BATCH, _JUMP):
        return JumpRelu(take(tensors, path, "threshold").float())
    if name == _GATED:
        return Gated(take(tensors, path, "gate_bias"), take(tensors, path, "r_mag").float().exp())
    raise unsupported(f"the class {name!r}", path, _KNOWN)


def _matrices(tensors: Mapping[str, Any], path: Path) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return encoder and decoder, (n_features, d_in); classes differ in how they store them."""
    if "W_enc" in tensors:
        return take_matrix(tensors, path, "W_enc"), take(tensors, path, "W_dec")
    return take(tensors, path, "encoder.weight"), take_matrix(tensors, path, "decoder.weight")


def _target_l0(trainer: Mapping[str, Json]) -> float | None:
    target = trainer.get("k", trainer.get("target_l0"))
    return float(target) if isinstance(target, int | float) else None


def _site(checkpoint: Checkpoint, trainer: Mapping[str, Json], buffer: Json) -> ReaderSite | None:
    layer = trainer.get("layer")
    place = re.match(
        r"(resid_post|mlp_out|attn_out)", str(trainer.get("submodule_name") or "resid_post")
    )
    hook = f"blocks.{layer}.hook_{place.group(1)}" if place else None
    return build_site(
        checkpoint,
        hooks=(hook,),
        model=trainer.get("lm_name"),
        context_size=buffer.get("ctx_len") if isinstance(buffer, dict) else None,
    )
