"""Text to tokens with character spans: nothing is cut off, nothing in a document is a command."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from interp_embed.errors import InputError

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Tokens of a text, special ones of the tokenizer's own not added."""

    ids: NDArray[np.int32]
    """Shape (n_tokens,)."""
    span: NDArray[np.int32]
    """Characters [begin, end) of the text, shape (n_tokens, 2)."""


@dataclass(frozen=True, slots=True)
class Wrapping:
    """Tokens put around every piece that is run, such as BOS, or [CLS] and [SEP]."""

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]


class TextTokenizer:
    """A fast tokenizer, held so that it never truncates, pads, or adds special tokens.

    Two copies of it are kept. In documents, the names of special tokens (``</s>``, ``[MASK]``) are
    ordinary characters; in rendered chat templates they are the tokens they name.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.pretrained = tokenizer
        self._plain = _copy(tokenizer)
        self._plain.encode_special_tokens = True
        self._template = _copy(tokenizer)
        self._template.encode_special_tokens = False
        added = tokenizer.added_tokens_decoder.items()
        special = {i for i, token in added if token.special} | set(tokenizer.all_special_ids)
        self.special_ids: frozenset[int] = frozenset(special - {tokenizer.unk_token_id})

    def encode(self, text: str) -> Tokens:
        """Return the tokens of a document; lone surrogates must be gone (:func:`readable`)."""
        return _tokens(self._plain, text)

    def encode_template(self, text: str) -> Tokens:
        """Return the tokens of a rendered chat template."""
        return _tokens(self._template, text)

    def own_wrapping(self) -> Wrapping:
        """Return what the tokenizer itself puts around a text."""
        bare = self._template.encode("a", add_special_tokens=False).ids
        full = self._template.encode("a", add_special_tokens=True).ids
        for start in range(len(full) - len(bare) + 1):
            if full[start : start + len(bare)] == bare:
                return Wrapping(tuple(full[:start]), tuple(full[start + len(bare) :]))
        raise InputError(
            "the tokenizer changes the tokens of a text when it adds its special tokens, so that "
            "pieces of a document cannot be wrapped; use another model"
        )


def load_tokenizer(folder: Path) -> TextTokenizer:
    """Return the tokenizer of a model's folder; no code from the folder is run.

    Raises:
        InputError: There is none, or it gives no character offsets.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(folder), use_fast=True, trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError, KeyError, ImportError, TypeError, AttributeError) as error:
        raise InputError(
            f"{folder} holds no tokenizer that can be loaded ({error}); it needs a tokenizer.json, "
            "as save_pretrained of a fast tokenizer writes it"
        ) from error
    return TextTokenizer(require_fast(tokenizer, str(folder)))


def require_fast(tokenizer: PreTrainedTokenizerBase, name: str) -> PreTrainedTokenizerBase:
    """Return the tokenizer if it tells which characters a token stands for.

    Raises:
        InputError: It is a slow one.
    """
    if not isinstance(getattr(tokenizer, "backend_tokenizer", None), Tokenizer):
        raise InputError(
            f"the tokenizer of {name} is {type(tokenizer).__name__}, a slow one: it does not say "
            "which characters a token stands for; save a fast version beside the model "
            "(tokenizer.json)"
        )
    return tokenizer


def digest_tokenizer(folder: Path) -> str:
    """Return the digest of a folder's tokenizer files, chat template included."""
    whole = sha256()
    for name in _TOKENIZER_FILES:
        path = folder / name
        if path.is_file():
            content = path.read_bytes()
            whole.update(f"{name} {len(content)} ".encode())
            whole.update(content)
    return whole.hexdigest()


def readable(text: str) -> str:
    """Return the text with lone surrogates, which no tokenizer takes, replaced one for one."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


def check_text(text: object, what: str) -> str:
    """Return a text that can be read.

    Args:
        text: Anything.
        what: Names it in the message, such as ``"the document"``.

    Raises:
        InputError: It is not a string, or has no character but white space.
    """
    if not isinstance(text, str):
        shown = "missing (None)" if text is None else f"{type(text).__name__} {text!r:.40}"
        raise InputError(f"{what} is not text: it is {shown}; give a string")
    if not text.strip():
        kind = "empty" if not text else "only white space"
        raise InputError(f"{what} is {kind}; leave it out")
    return readable(text)


def _copy(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    copied: Tokenizer = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    copied.no_truncation()
    copied.no_padding()
    return copied


def _tokens(tokenizer: Tokenizer, text: str) -> Tokens:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    return Tokens(np.array(encoding.ids, dtype=np.int32), _spans(encoding.offsets))


def _spans(offsets: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
    return np.array(offsets, dtype=np.int32).reshape(-1, 2)
