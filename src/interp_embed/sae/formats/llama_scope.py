"""Llama Scope (``hyperparams.json``, ``checkpoints/final.safetensors``) and its R1-Distill series.

The SAE sees its input times sqrt(d_in) / (mean norm over the training data). Source: He et al.
2024, arXiv 2410.20526.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import torch

from interp_embed.errors import InputError, StoredFileError
from interp_embed.records import Json
from interp_embed.sae.formats.files import Checkpoint, Tensors, read_safetensors, take, take_matrix
from interp_embed.sae.formats.raw import RawSAE, norms_of, require_number, unsupported
from interp_embed.sae.formats.sites import build_declared, build_site
from interp_embed.sae.rules import JumpRelu

FILES = ("hyperparams.json", "checkpoints/final.safetensors")
FILES_R1 = ("config.json", "sae_weights.safetensors")

_CONTEXT = 1024


def read(checkpoint: Checkpoint, *, with_decoder: bool) -> RawSAE:
    """Return a Llama Scope SAE.

    Its one threshold is stated for activations in the units of the hidden states; ours are in the
    units the SAE was trained in, as SAELens gives them: sqrt(d_in) / (mean norm) times larger.

    Raises:
        StoredFileError: A file is missing or damaged.
        InputError: The activation function is not JumpReLU.
    """
    config = checkpoint.read_config("hyperparams.json")
    path = checkpoint.path("checkpoints/final.safetensors")
    if str(config.get("act_fn", "jumprelu")).lower() != "jumprelu":
        raise unsupported(f"the activation {config['act_fn']!r}", path, "jumprelu")
    tensors = read_safetensors(path)
    width = take(tensors, path, "encoder.weight").shape[-1]
    norms = config.get("dataset_average_activation_norm")
    norms = norms if isinstance(norms, dict) else {}
    scale_in, scale_out = (
        math.sqrt(width) / max(require_number(norms.get(side), f"norm {side}", path), 1e-12)
        for side in ("in", "out")
    )
    threshold = require_number(config.get("jump_relu_threshold"), "jump_relu_threshold", path)
    cut = torch.tensor(threshold * scale_out)
    return _build(checkpoint, config, tensors, path, cut, scale_in, with_decoder=with_decoder)


def read_r1(checkpoint: Checkpoint, *, with_decoder: bool) -> RawSAE:
    """Return an SAE of the R1-Distill series: a threshold a feature, stored as its logarithm.

    Raises:
        StoredFileError: A file is missing or damaged.
        InputError: The mean norm of the training data is neither in the file nor known.
    """
    config = checkpoint.read_config("config.json")
    path = checkpoint.path("sae_weights.safetensors")
    tensors = read_safetensors(path)
    cut = take(tensors, path, "log_jumprelu_threshold").float().exp()
    scale = _scale_r1(checkpoint, config, tensors, path)
    return _build(checkpoint, config, tensors, path, cut, scale, with_decoder=with_decoder)


def _scale_r1(
    checkpoint: Checkpoint, config: Mapping[str, Json], tensors: Tensors, path: Path
) -> float:
    if config.get("norm_activation") == "inference":  # folded when it was saved
        return 1.0
    if (given := checkpoint.facts.get("scale")) is not None:
        return float(given)
    name = f"dataset_average_activation_norm.{config.get('hook_point_in')}"
    norm = float(tensors[name]) if name in tensors and tensors[name].numel() == 1 else 0.0
    if norm <= 0:
        raise InputError(
            f"{path} does not hold the mean norm of its training data: load it by its SAELens "
            "release name (pip install 'interp-embed[saelens]'), or give input_scale="
        )
    return math.sqrt(take(tensors, path, "encoder.weight").shape[-1]) / norm


def _build(
    checkpoint: Checkpoint,
    config: Mapping[str, Json],
    tensors: Tensors,
    path: Path,
    threshold: torch.Tensor,
    scale: float,
    *,
    with_decoder: bool,
) -> RawSAE:
    hook_in, hook_out = config.get("hook_point_in"), config.get("hook_point_out")
    transcoder = hook_out not in (None, hook_in)
    decoder = take_matrix(tensors, path, "decoder.weight")
    if threshold.ndim and len(threshold) != len(decoder):
        raise StoredFileError(f"{path}: the thresholds do not fit the {len(decoder)} features")
    include = config.get("sparsity_include_decoder_norm", True)
    has_bias = bool(config.get("use_decoder_bias", True)) and "decoder.bias" in tensors
    norms = norms_of(decoder, path) if include else None
    # The threshold is for activations times the decoder's lengths; assemble brings both there.
    rule = JumpRelu(threshold if norms is None else threshold / norms)
    return RawSAE(
        encoder=take(tensors, path, "encoder.weight"),
        encoder_bias=take(tensors, path, "encoder.bias"),
        decoder=decoder if with_decoder and not transcoder else None,
        decoder_bias=take(tensors, path, "decoder.bias") if has_bias and not transcoder else None,
        rule=rule,
        site=build_site(
            checkpoint,
            hooks=(hook_in,),
            model="meta-llama/Llama-3.1-8B",
            context_size=_CONTEXT,
        ),
        declared=build_declared(checkpoint, rule),
        subtract_decoder_bias=config.get("apply_decoder_bias_to_pre_encoder") is True,
        scale=scale,
        decoder_norm=norms,
    )
