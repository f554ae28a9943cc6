"""Layouts that are one file of ``torch.save``: Goodfire, Qwen-Scope, HypotheSAEs."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interp_embed.errors import InputError, StoredFileError
from interp_embed.sae.formats.files import Checkpoint, read_torch, take, take_matrix
from interp_embed.sae.formats.raw import RawSAE, require_count
from interp_embed.sae.formats.sites import build_declared, build_site
from interp_embed.sae.rules import JumpRelu, Relu, Rule, TopK

_CONTEXT = 1024


def detect(checkpoint: Checkpoint) -> str:
    """Return the name of the format of a single file, by the names of its tensors.

    Raises:
        StoredFileError: The file is damaged.
        InputError: The names are of no known format.
    """
    path, tensors = _open(checkpoint)
    names = set(tensors)
    if {"encoder_linear.weight", "decoder_linear.weight"} <= names:
        return "goodfire"
    if {"W_enc", "W_dec", "b_enc", "b_dec"} <= names:
        return "qwen_scope"
    if {"config", "state_dict"} <= names:
        return "hypothesaes"
    raise InputError(
        f"{path} is of no known single-file SAE (it has {', '.join(sorted(names))[:150]}); "
        "known: goodfire, qwen_scope, hypothesaes (for dictionary_learning give the folder that "
        "holds ae.pt and config.json)"
    )


def _open(checkpoint: Checkpoint) -> "tuple[Path, dict[str, Any]]":
    if checkpoint.file is None:
        raise InputError(
            f"{checkpoint.words} is a folder, but this format is a single file: "
            "give the file (as sae_id, for a repository)"
        )
    path = checkpoint.path(checkpoint.file)
    return path, read_torch(path)


def read_goodfire(checkpoint: Checkpoint, *, with_decoder: bool) -> RawSAE:
    """Return a Goodfire SAE, of whatever width its tensors have.

    Raises:
        StoredFileError: The file is damaged.
    """
    path, tensors = _open(checkpoint)
    rule = Relu()
    named = re.search(r"(Llama-3\.\d-\d+B-Instruct)-SAE-l(\d+)", checkpoint.words)
    site = build_site(
        checkpoint,
        hooks=(f"blocks.{named.group(2)}.hook_resid_post",) if named else (),
        model=f"meta-llama/{named.group(1)}" if named else None,
    )
    return RawSAE(
        encoder=take(tensors, path, "encoder_linear.weight"),
        encoder_bias=take(tensors, path, "encoder_linear.bias"),
        decoder=take_matrix(tensors, path, "decoder_linear.weight") if with_decoder else None,
        decoder_bias=take(tensors, path, "decoder_linear.bias"),
        rule=rule,
        site=site,
        declared=build_declared(checkpoint, rule),
    )


def read_qwen_scope(checkpoint: Checkpoint, *, with_decoder: bool) -> RawSAE:
    """Return a Qwen-Scope SAE: TopK with the k of the repository's name.

    Raises:
        StoredFileError: The file is damaged.
        InputError: The name does not say k.
    """
    path, tensors = _open(checkpoint)
    named = re.search(r"SAE-Res-(Qwen.+?)-W\d+K-L0_(\d+)", checkpoint.words)
    layer = re.search(r"layer(\d+)\.sae\.pt", checkpoint.words)
    if named is None:
        raise InputError(
            f"the number of active features of {path} is told only by the name of its repository; "
            "keep it in the path, such as SAE-Res-Qwen3-8B-Base-W64K-L0_50/layer0.sae.pt"
        )
    rule = TopK(int(named.group(2)))
    return RawSAE(
        encoder=take(tensors, path, "W_enc"),
        encoder_bias=take(tensors, path, "b_enc"),
        decoder=take_matrix(tensors, path, "W_dec") if with_decoder else None,
        decoder_bias=take(tensors, path, "b_dec"),
        rule=rule,
        site=build_site(
            checkpoint,
            hooks=(f"blocks.{layer.group(1)}.hook_resid_post",) if layer else (),
            model=f"Qwen/{named.group(1)}",
            prepend_bos=False,  # Qwen tokenizers have no BOS
            context_size=_CONTEXT,
        ),
        declared=build_declared(checkpoint, rule),
    )


def read_hypothesaes(checkpoint: Checkpoint, *, with_decoder: bool) -> RawSAE:
    """Return an SAE of text embeddings saved by HypotheSAEs.

    Raises:
        StoredFileError: The file is damaged.
    """
    path, content = _open(checkpoint)
    config, tensors = content["config"], content["state_dict"]
    if not isinstance(config, Mapping) or not isinstance(tensors, Mapping):
        raise StoredFileError(f"{path} does not hold a config and tensors")
    rule: Rule
    if config.get("use_batch_topk"):
        rule = JumpRelu(take(tensors, path, "threshold").float())
    else:
        rule = TopK(require_count(config.get("k_active_neurons"), "k_active_neurons", path))
    return RawSAE(
        encoder=take(tensors, path, "encoder.weight"),
        encoder_bias=take(tensors, path, "neuron_bias"),
        decoder=take_matrix(tensors, path, "decoder.weight") if with_decoder else None,
        decoder_bias=take(tensors, path, "input_bias"),
        rule=rule,
        declared=build_declared(checkpoint, rule),
        subtract_decoder_bias=True,
    )
