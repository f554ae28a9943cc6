"""Where long documents are cut: overlapping windows of tokens that begin and end between words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Token:
    """A token and where it stands in its text."""

    start: int
    """First character."""
    end: int
    """Character after the last."""
    word: int
    """Number of the word it is part of."""


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of a document."""

    start: int
    """First character."""
    end: int
    """Character after the last."""
    n_tokens: int


@dataclass(frozen=True, slots=True, eq=False)
class TokenStates:
    """The last hidden states of one text's tokens, special ones included."""

    hidden: NDArray[np.float32]
    """Shape (n_tokens, d_in)."""
    span: NDArray[np.int32]
    """Characters [begin, end) in the text, empty for special tokens, shape (n_tokens, 2)."""


def cut_windows(tokens: Sequence[Token], *, room: int, overlap: int, n_chars: int) -> list[Window]:
    """Return windows of at most ``room`` tokens that together cover every token.

    Neighbours share at least ``overlap`` tokens, rounded so that no word is cut (unless one word
    alone is longer than a window). A document that fits is one window, all its characters.

    Args:
        tokens: All tokens of the document, in order.
        room: The most tokens of a window, >= 1.
        overlap: From 0 to ``room - 1``.
        n_chars: Characters of the document.
    """
    if len(tokens) <= room:
        return [Window(0, n_chars, max(len(tokens), 1))]
    windows: list[Window] = []
    first = 0
    while True:
        last = _word_start(tokens, first + room, above=first)
        windows.append(Window(tokens[first].start, tokens[last - 1].end, last - first))
        if last == len(tokens):
            return windows
        first = _word_start(tokens, last - overlap, above=first)


def _word_start(tokens: Sequence[Token], index: int, *, above: int) -> int:
    """Return the last word start at or before ``index`` that is above ``above``, or ``index``."""
    if index >= len(tokens):
        return len(tokens)
    for place in range(index, above, -1):
        if tokens[place].word != tokens[place - 1].word:
            return place
    return max(index, above + 1)
