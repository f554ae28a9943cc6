"""How documents are shown to a model and which tokens count: chosen from what the model is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from interp_embed.errors import InputError
from interp_embed.readers.cut_model import CutModel, DtypeName
from interp_embed.readers.sites import Site
from interp_embed.readers.tokens import TextTokenizer, Wrapping

ChatRule = Literal["auto", "user", "assistant"]

_LONGEST_CONTEXT = 2048
_NO_LIMIT = 1 << 30


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """How documents are shown to the model, and which of their tokens count in pooling."""

    context_size: int
    """The most tokens the model sees at once, those put around a piece included."""
    wrapping: Wrapping
    skip_first: int = 0
    """Positions at the start of what the model reads that do not count, a BOS included."""
    max_norm_ratio: float | None = 10.0
    """A token does not count if its hidden state is longer than so many times the median."""
    roles: tuple[str, ...] | None = None
    """Whose turns of a chat count; None for all but system and developer."""
    chat: ChatRule = "auto"
    """Whether a text is put into the chat template, as a turn of which role."""
    center: bool = False
    """Whether the mean over d_in is subtracted from every hidden state."""


def choose_wrapping(
    tokenizer: TextTokenizer, *, prepend_bos: bool | None, is_causal: bool
) -> Wrapping:
    """Return what is put around every piece.

    Raises:
        InputError: A BOS is asked for where there is none, or to be left out of an encoder.
    """
    own = tokenizer.own_wrapping()
    if not is_causal:
        if prepend_bos is not None:
            raise InputError(
                "prepend_bos is for causal models; an encoder is read with the tokens its "
                "tokenizer puts around a text: leave prepend_bos out"
            )
        return own
    if prepend_bos is False:
        return Wrapping((), ())
    bos = tokenizer.pretrained.bos_token_id
    if not own.prefix and bos is None and prepend_bos:
        raise InputError(
            "prepend_bos=True, and the tokenizer has no beginning-of-sequence token; "
            "use prepend_bos=False"
        )
    prefix = own.prefix or (() if bos is None else (int(bos),))
    return Wrapping(prefix, ())  # nothing sees what comes after it


def choose_context(
    asked: int | None, model: CutModel, tokenizer: TextTokenizer, wrapping: Wrapping
) -> int:
    """Return how many tokens the model sees at once.

    Raises:
        InputError: The model cannot see so many, or no token of a document would fit.
    """
    limit = min(model.max_tokens or _NO_LIMIT, int(tokenizer.pretrained.model_max_length))
    if asked is None:
        return min(limit, _LONGEST_CONTEXT)
    least = len(wrapping.prefix) + len(wrapping.suffix) + 1
    if not least <= asked <= limit:
        raise InputError(
            f"context_size must be from {least} to {limit} tokens for this model, got {asked}"
        )
    return asked


def best_device() -> str:
    """Return ``"cuda"``, ``"mps"`` or ``"cpu"``, the first there is."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_dtype(name: DtypeName, device: str) -> torch.dtype:
    """Return the dtype that ``"auto"`` or a name means on a device."""
    if name == "auto":
        return torch.bfloat16 if device.startswith("cuda") else torch.float32
    return {
        "float32": torch.float32,
        "bfloat16": torch.bfloat16,
        "float16": torch.float16,
    }[name]


def check_choices(*, site: str, dtype: str, chat: str, roles: Sequence[str] | None) -> None:
    """Refuse words that are none of those there are.

    Raises:
        InputError: One is not; the message names those there are.
    """
    for option, got, kind in (("site", site, Site), ("dtype", dtype, DtypeName)):
        if got not in get_args(kind):
            raise InputError(f"{option} must be one of {', '.join(get_args(kind))}, got {got!r}")
    if chat not in get_args(ChatRule):
        raise InputError(f"chat must be one of {', '.join(get_args(ChatRule))}, got {chat!r}")
    if isinstance(roles, str) or (roles is not None and not roles):
        raise InputError(f"roles must be a list such as ['assistant'], or None, got {roles!r}")


def check_ranges(
    *,
    token_budget: int | None,
    skip_first: int | None,
    max_norm_ratio: float | None,
    threads: int | None,
) -> None:
    """Refuse numbers out of range.

    Raises:
        InputError: One is; the message names the range.
    """
    for option, got, least in (
        ("token_budget", token_budget, 1),
        ("skip_first", skip_first, 0),
        ("threads", threads, 1),
    ):
        if got is not None and got < least:
            raise InputError(f"{option} must be at least {least}, got {got}")
    if max_norm_ratio is not None and not max_norm_ratio > 1:
        raise InputError(f"max_norm_ratio must be above 1, or None, got {max_norm_ratio}")
