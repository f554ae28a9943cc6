"""Gemma Scope 1 (``params.npz``) and 2 (``params.safetensors``): JumpReLU, a threshold a feature.

What the SAE reads is told by names: ``google/gemma-scope-2b-pt-res`` and
``layer_12/width_16k/average_l0_82``; version 2 has a ``config.json`` in most folders.
"""

import re

from interp_embed.records import Json
from interp_embed.sae.formats.files import (
    Checkpoint,
    Tensors,
    read_npz,
    read_safetensors,
    take,
    take_matrix,
)
from interp_embed.sae.formats.raw import RawSAE
from interp_embed.sae.formats.sites import build_declared, build_site
from interp_embed.sae.rules import JumpRelu
from interp_embed.sae.site import ReaderSite

FILES_1 = ("params.npz",)
FILES_2 = ("params.safetensors",)

_CONTEXT = 1024


def read_1(checkpoint: Checkpoint, *, with_decoder: bool) -> RawSAE:
    """Return a Gemma Scope 1 SAE.

    Raises:
        StoredFileError: The file is damaged.
    """
    path = checkpoint.path("params.npz")
    tensors = {_capital(name): tensor for name, tensor in read_npz(path).items()}
    rule = JumpRelu(take(tensors, path, "threshold"))
    words = checkpoint.words
    transcoder = "transcoder" in words
    l0 = re.search(r"average_l0_(\d+)", words)
    encoder = take_matrix(tensors, path, "W_enc")
    # Trained on token embeddings before Gemma multiplies them by sqrt(d_in).
    scale = encoder.shape[1] ** -0.5 if "/embedding/" in f"/{words}/" else 1.0
    return RawSAE(
        encoder=encoder,
        encoder_bias=take(tensors, path, "b_enc"),
        decoder=take(tensors, path, "W_dec") if with_decoder and not transcoder else None,
        decoder_bias=None if transcoder else take(tensors, path, "b_dec"),
        rule=rule,
        site=_site_1(checkpoint),
        declared=build_declared(checkpoint, rule, l0=float(l0.group(1)) if l0 else None),
        scale=scale,
    )


def _capital(name: str) -> str:
    return "W_" + name[2:] if name.startswith("w_") else name


def _site_1(checkpoint: Checkpoint) -> ReaderSite | None:
    found = re.search(
        r"gemma-scope-(2b|9b|27b)-(pt|it)-(res|mlp|att|transcoders)", checkpoint.words
    )
    layer = re.search(r"layer_(\d+)", checkpoint.words)
    if found is None:
        return None
    size, kind, place = found.groups()
    if "/embedding/" in f"/{checkpoint.words}/":
        hook = "blocks.0.hook_resid_pre"
    elif layer is None:
        return None
    else:
        ends = {
            "res": "hook_resid_post",
            "mlp": "hook_mlp_out",
            "att": "attn.hook_z",
            "transcoders": "hook_mlp_in",
        }
        hook = f"blocks.{layer.group(1)}.{ends[place]}"
    return build_site(
        checkpoint,
        hooks=(hook,),
        model=f"gemma-2-{size}{'-it' if kind == 'it' else ''}",
        context_size=_CONTEXT,
    )


def read_2(checkpoint: Checkpoint, *, with_decoder: bool) -> RawSAE:
    """Return a Gemma Scope 2 SAE, or the encoder of a transcoder.

    Raises:
        StoredFileError: A file is damaged.
    """
    path = checkpoint.path("params.safetensors")
    config = checkpoint.read_config("config.json") if checkpoint.find("config.json") else {}
    tensors: Tensors = read_safetensors(path, skip=() if with_decoder else ("w_dec",))
    rule = JumpRelu(take(tensors, path, "threshold"))
    transcoder = bool(re.search(r"transcoder|clt", checkpoint.words)) or (
        config.get("hf_hook_point_out") not in (None, config.get("hf_hook_point_in"))
    )
    l0 = config.get("l0", config.get("average_l0"))
    return RawSAE(
        encoder=take_matrix(tensors, path, "w_enc"),
        encoder_bias=take(tensors, path, "b_enc"),
        decoder=tensors.get("w_dec") if not transcoder else None,
        decoder_bias=None if transcoder else take(tensors, path, "b_dec"),
        rule=rule,
        site=_site_2(checkpoint, config),
        declared=build_declared(
            checkpoint, rule, l0=float(l0) if isinstance(l0, int | float) else None
        ),
    )


def _site_2(checkpoint: Checkpoint, config: dict[str, Json]) -> ReaderSite | None:
    model = config.get("model_name")
    if not isinstance(model, str):
        found = re.search(r"gemma-scope-2-([\w.]+-(?:pt|it))", checkpoint.words)
        model = f"gemma-3-{found.group(1)}" if found else None
    if model is not None:
        model = f"google/{model.removeprefix('google/').replace('-v3', '-3')}"
        if "270m" in model:  # on the hub the pretrained one has no suffix
            model = model.removesuffix("-pt")
    return build_site(
        checkpoint,
        hooks=(config.get("hf_hook_point_in"), _hook_in_path(checkpoint.words)),
        model=model,
        context_size=_CONTEXT,
    )


def _hook_in_path(words: str) -> str | None:
    layer = re.search(r"layer_(\d+)", words)
    ends = {
        "transcoder": "hook_mlp_in",
        "clt": "hook_mlp_in",
        "resid_post": "hook_resid_post",
        "attn_out": "attn.hook_z",  # Gemma Scope 2 reads the input of the output projection
        "mlp_out": "hook_mlp_out",
    }
    end = next((end for part, end in ends.items() if part in words), None)
    return None if layer is None or end is None else f"blocks.{layer.group(1)}.{end}"
