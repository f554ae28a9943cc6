"""The layout of EleutherAI's sparsify: ``cfg.json`` and ``sae.safetensors`` in ``layers.N``.

The decoder bias is subtracted from the input always, except by transcoders.
"""

import re

from interp_embed.errors import InputError
from interp_embed.records import Json
from interp_embed.sae.formats.files import Checkpoint, read_safetensors, take
from interp_embed.sae.formats.raw import RawSAE, require_count, unsupported
from interp_embed.sae.formats.sites import build_declared, build_site
from interp_embed.sae.rules import GroupMax, Rule, TopK
from interp_embed.sae.site import ReaderSite

FILES = ("cfg.json", "sae.safetensors")


def read(checkpoint: Checkpoint, *, with_decoder: bool) -> RawSAE:
    """Return the SAE of a folder, or the encoder of a transcoder.

    Raises:
        StoredFileError: A file is missing or damaged.
        InputError: It uses what is not supported.
    """
    config = checkpoint.read_config("cfg.json")
    path = checkpoint.path("sae.safetensors")
    for option in ("signed", "gram_lookup"):
        if config.get(option):
            raise unsupported(f"{option}=true", path, "sparsify SAEs without it")
    tensors = read_safetensors(path, skip=() if with_decoder else ("W_dec", "W_skip"))
    transcoder = bool(config.get("transcode"))
    rule = _rule(config, checkpoint)
    return RawSAE(
        encoder=take(tensors, path, "encoder.weight"),
        encoder_bias=take(tensors, path, "encoder.bias"),
        decoder=None if transcoder else tensors.get("W_dec"),
        decoder_bias=None if transcoder else take(tensors, path, "b_dec"),
        rule=rule,
        site=_site(checkpoint),
        declared=build_declared(checkpoint, rule),
        subtract_decoder_bias=not transcoder,
    )


def _rule(config: dict[str, Json], checkpoint: Checkpoint) -> Rule:
    path = checkpoint.path("cfg.json")
    k = require_count(config.get("k"), "k", path)
    activation = config.get("activation", "topk")
    if activation == "topk":
        return TopK(k)
    if activation == "groupmax":
        return GroupMax(k)
    raise unsupported(f"the activation {activation!r}", path, "topk, groupmax")


def _site(checkpoint: Checkpoint) -> ReaderSite | None:
    """Read the hook from the folder's name, the model from the ``config.json`` above it."""
    folder = checkpoint.words.rsplit("/", 1)[-1]
    named = re.search(r"(?:[a-z_]+\.)*(?:layers|h)[._]\d+(?:\.\w+)*", folder)
    hook = named.group(0).replace("layers_", "layers.") if named else None
    if folder == "embed_tokens":
        hook = "blocks.0.hook_resid_pre"
    try:
        above = checkpoint.find("../config.json") if checkpoint.repository is None else None
    except InputError:
        above = None
    config = checkpoint.read_config("../config.json") if above else {}
    model = config.get("model")
    if model is None and checkpoint.repository is not None:
        named_model = re.search(r"sae-([\w.-]+?)-(?:\d+x|\d+k|v\d)", checkpoint.repository)
        model = named_model.group(1) if named_model else None
    return build_site(checkpoint, hooks=(hook,), model=model, context_size=config.get("ctx_len"))
