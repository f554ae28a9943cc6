"""Where tokens stand in a text when all that is known of them is how each decodes on its own."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BROKEN = "\ufffd"
"""What a token decodes to that is a part of a character's bytes."""
_MAX_FIRST = 4096
"""Tokens tried as the first one of the text; templates are shorter."""
_MIN_CUT = 4
"""Tokens that must fit a text cut off after them: fewer may do so by chance."""

_MAX_WORK = 20
"""Times each token may be looked at, on average; only texts of one word over and over need more."""

_Spans = list[tuple[int, int]]


def token_spans(text: str, tokens: Sequence[str]) -> NDArray[np.int32]:
    """Return the characters [begin, end) of the text each token stands for, shape (n_tokens, 2).

    >>> token_spans("a b", ["<s>", "a", " b"]).tolist()
    [[0, 0], [0, 1], [1, 3]]

    The text must follow from some token on, whole or up to where the tokens end; space around it
    may be missing (chat templates strip it). If it stands there twice, the last place is taken.
    Tokens before and after (templates) have an empty span. Neighbouring tokens that are parts of
    characters (they decode to U+FFFD) share the span of the characters they make up together.
    Where the tokens do not spell the text, all spans are empty rather than guessed.

    Args:
        text: The document.
        tokens: Each token decoded on its own, templates included.
    """
    out = np.zeros((len(tokens), 2), np.int32)
    first = work = 0
    while first < min(len(tokens), _MAX_FIRST) and work <= _MAX_WORK * len(tokens):
        spans, looked_at = _from_token(text, tokens, first)
        work += looked_at
        if spans:
            out[:] = 0
            out[first : first + len(spans)] = spans
        first += max(len(spans), 1)
    return out


def _from_token(text: str, tokens: Sequence[str], first: int) -> tuple[_Spans, int]:
    """Return the spans of the tokens that spell the text from ``first`` on, and the work done."""
    work = 0
    begin, end = len(text) - len(text.lstrip()), len(text.rstrip())
    for at in sorted({0, begin}):
        spans = _follow(text, tokens, first, at)
        work += len(spans)
        if not spans:
            continue
        is_whole = spans[-1][1] >= end > 0
        is_cut = first + len(spans) == len(tokens) and len(spans) >= _MIN_CUT
        if is_whole or is_cut:
            return spans, work
    return [], work


def _follow(text: str, tokens: Sequence[str], first: int, at: int) -> _Spans:
    """Return the spans of tokens as long as they spell the text from ``at`` on."""
    spans: _Spans = []
    while first + len(spans) < len(tokens) and at < len(text):
        here = first + len(spans)
        n = 1
        if _BROKEN in tokens[here]:
            while here + n < len(tokens) and _BROKEN in tokens[here + n]:
                n += 1
            stop = _run_end(text, tokens, here, n, at)
        else:
            stop = at + len(tokens[here]) if text.startswith(tokens[here], at) else None
        if stop is None:
            break
        spans.extend([(at, stop)] * n)
        at = stop
    return spans


def _run_end(text: str, tokens: Sequence[str], here: int, n: int, at: int) -> int | None:
    """Return where the characters of ``n`` broken tokens end: where the next token begins."""
    # A part of a character decodes to at least one mark, so there are no more characters.
    limit = min(len(text), at + sum(len(token) for token in tokens[here : here + n]))
    following = tokens[here + n] if here + n < len(tokens) else ""
    for stop in range(at + 1, limit + 1):
        if following and text.startswith(following, stop):
            return stop
    # No token follows, or one of a template: the text, or what was kept of it, ends here.
    return limit if limit == len(text) or not following else None
