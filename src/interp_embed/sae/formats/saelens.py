"""The layout of SAELens: ``cfg.json`` and ``sae_weights.safetensors``.

Configs before version 6 are flat; since then what concerns the language model is under
``metadata``. An SAE trained with BatchTopK or Matryoshka BatchTopK is saved as JumpReLU.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from interp_embed.errors import InputError, StoredFileError
from interp_embed.records import Json
from interp_embed.sae.formats.files import Checkpoint, read_safetensors, take, take_matrix
from interp_embed.sae.formats.raw import RawSAE, norms_of, require_count, unsupported
from interp_embed.sae.formats.sites import build_declared, build_site
from interp_embed.sae.rules import Gated, JumpRelu, Normalization, Relu, Rule, TopK
from interp_embed.sae.site import ReaderSite

FILES = ("cfg.json", "sae_weights.safetensors")

_STANDARD = {"standard", "transcoder", "skip_transcoder"}
_JUMP = {"jumprelu", "jumprelu_transcoder", "jumprelu_skip_transcoder"}
_BATCH = {"batchtopk", "matryoshka_batchtopk"}
_TOPK = {"topk", "topk_transcoder", "topk_skip_transcoder"}
_KNOWN = "standard, jumprelu, topk, gated, batchtopk, matryoshka_batchtopk and transcoders"
_NORMALIZATIONS: Mapping[str, Normalization] = {
    "none": "none",
    "constant_norm_rescale": "constant_norm",
    "layer_norm": "layer_norm",
}


def read(checkpoint: Checkpoint, *, with_decoder: bool) -> RawSAE:
    """Return the SAE of a folder.

    Raises:
        StoredFileError: A file is missing or damaged.
        InputError: It is of a kind that is not supported.
    """
    config = checkpoint.read_config("cfg.json")
    path = checkpoint.path("sae_weights.safetensors")
    needed = with_decoder or bool(config.get("rescale_acts_by_decoder_norm"))
    tensors = read_safetensors(path, skip=() if needed else ("W_dec",))
    return interpret(config, tensors, path, checkpoint)


def interpret(
    config: Mapping[str, Json], tensors: Mapping[str, Any], path: Path, checkpoint: Checkpoint
) -> RawSAE:
    """Return the SAE that a config and tensors in SAELens' names describe.

    Raises:
        StoredFileError: They do not fit one another.
        InputError: It is of a kind that is not supported.
    """
    facts = _flatten(config)
    architecture = str(facts.get("architecture", "standard"))
    transcoder = "transcoder" in architecture
    encoder = take_matrix(tensors, path, "W_enc")
    rule = _rule(architecture, facts, tensors, path)
    bias = take(tensors, path, "b_mag" if isinstance(rule, Gated) else "b_enc")
    decoder = take(tensors, path, "W_dec") if "W_dec" in tensors else None
    rescaled = architecture in _TOPK and bool(facts.get("rescale_acts_by_decoder_norm"))
    decoder_norm = norms_of(decoder, path) if rescaled else None
    if decoder is not None:
        decoder = _finetuned(decoder, tensors, path)
    kind = _normalization({**facts, **checkpoint.facts})
    subtract = bool(facts.get("apply_b_dec_to_input", not transcoder))
    decoder_bias = take(tensors, path, "b_dec")
    return RawSAE(
        encoder=encoder,
        encoder_bias=bias,
        decoder=None if transcoder else decoder,
        decoder_bias=decoder_bias if subtract or not transcoder else None,
        rule=rule,
        site=_site(facts, checkpoint),
        declared=build_declared(checkpoint, rule),
        subtract_decoder_bias=subtract,
        scale=_scale(kind, checkpoint, path),
        normalization=_NORMALIZATIONS.get(kind, "none"),
        decoder_norm=decoder_norm,
    )


def _flatten(config: Mapping[str, Json]) -> dict[str, Json]:
    """Return old and new configs in one form: flat, with the names of version 6."""
    metadata = config.get("metadata")
    facts = {**(metadata if isinstance(metadata, dict) else {}), **config}
    facts.setdefault("hook_name", facts.get("hook_point"))
    arguments = facts.get("activation_fn_kwargs")
    activation = facts.get("activation_fn_str", facts.get("activation_fn"))
    if activation == "topk" and isinstance(arguments, dict):  # before 6, a kind of "standard"
        facts |= {"architecture": "topk", "k": arguments.get("k")}
    return facts


def _rule(
    architecture: str, facts: Mapping[str, Json], tensors: Mapping[str, Any], path: Path
) -> Rule:
    if architecture in _STANDARD:
        return Relu()
    if architecture in _JUMP:
        return JumpRelu(take(tensors, path, "threshold"))
    if architecture in _BATCH:  # a training checkpoint
        return JumpRelu(take(tensors, path, "topk_threshold", "threshold"))
    if architecture in _TOPK:
        return TopK(require_count(facts.get("k"), "k", path))
    if architecture == "gated":
        return Gated(take(tensors, path, "b_gate"), take(tensors, path, "r_mag").float().exp())
    raise unsupported(f"the architecture {architecture!r}", path, _KNOWN)


def _normalization(facts: Mapping[str, Json]) -> str:
    kind = facts.get("normalize_activations")
    if isinstance(kind, bool):  # the oldest configs
        return "expected_average_only_in" if kind else "none"
    return str(kind or "none")


def _scale(kind: str, checkpoint: Checkpoint, path: Path) -> float:
    if kind in _NORMALIZATIONS:
        return 1.0
    if kind != "expected_average_only_in":
        raise unsupported(
            f"the normalisation {kind!r}", path, f"{', '.join(_NORMALIZATIONS)}, {kind}"
        )
    scale = checkpoint.facts.get("scale")
    if scale is None:
        raise InputError(
            f"{path.parent} holds an SAE that was trained on hidden states times a constant, which "
            "its files do not hold: load it by its SAELens release name "
            "(pip install 'interp-embed[saelens]'), or give input_scale="
        )
    return float(scale)


def _finetuned(decoder: torch.Tensor, tensors: Mapping[str, Any], path: Path) -> torch.Tensor:
    """Fold in the factor a feature that some old SAEs were fine-tuned to decode with."""
    if "scaling_factor" not in tensors:
        return decoder
    factor = take(tensors, path, "scaling_factor")
    if factor.shape != decoder.shape[:1]:
        raise StoredFileError(f"{path}: scaling_factor does not fit the decoder")
    return decoder * factor[:, None]


def _site(facts: Mapping[str, Json], checkpoint: Checkpoint) -> ReaderSite | None:
    arguments = facts.get("model_from_pretrained_kwargs")
    centered = isinstance(arguments, dict) and arguments.get("center_writing_weights") is True
    hook = facts.get("hook_name")
    if hook is None and (found := re.search(r"blocks\.\d+\.[\w.]+", checkpoint.words)):
        hook = found.group(0)
    return build_site(
        checkpoint,
        hooks=(facts.get("hf_hook_name"), hook),
        model=facts.get("model_name"),
        prepend_bos=facts.get("prepend_bos", True),
        context_size=facts.get("context_size"),
        center=centered,
    )
