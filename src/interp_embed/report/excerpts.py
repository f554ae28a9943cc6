"""A document cut to what matters: the words around its highlights, and the highlights marked."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from interp_embed.records import Example

EXCERPT_CHARACTERS = 360
"""About how long an excerpt is."""
FULL_CHARACTERS = 4000
"""Longest text that the report carries in full."""

_MAX_WINDOWS = 3
_LEAD = 60
_SLACK = 24
_LONGEST_CHARACTER = 64
_JOINERS = ("\u200c", "\u200d")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, highlighted or not."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What the report shows of a document."""

    pieces: tuple[Piece, ...]
    """The part shown at once, an ellipsis where something is left out."""
    full: tuple[Piece, ...]
    """The text up to the limit; empty where ``pieces`` is all of it."""
    n_characters: int
    """Length of the whole text."""
    n_full: int
    """Characters in ``full``."""


def excerpt(example: Example) -> Excerpt:
    """Return the words around the first highlights of a document, and the text behind them.

    Args:
        example: The document. Spans that overlap are joined, and what lies outside of the text
            is ignored.
    """
    text = example.text
    spans = clean_spans(example.spans, n_characters=len(text))
    windows = _windows(text, spans)
    shortened = windows != [(0, len(text))]
    n_full = _boundary(text, min(len(text), FULL_CHARACTERS)) if shortened else 0
    return Excerpt(
        pieces=_show(text, spans, windows),
        full=_show(text, spans, [(0, n_full)]) if shortened else (),
        n_characters=len(text),
        n_full=n_full,
    )


def clean_spans(
    spans: Sequence[tuple[int, int]], *, n_characters: int
) -> tuple[tuple[int, int], ...]:
    """Return the spans in order, inside the text, neither empty nor overlapping.

    >>> clean_spans([(6, 99), (-3, 2), (1, 4), (5, 5)], n_characters=9)
    ((0, 4), (6, 9))
    """
    inside = sorted((max(0, start), min(n_characters, end)) for start, end in spans)
    joined: list[tuple[int, int]] = []
    for start, end in inside:
        if start >= end:
            continue
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def _windows(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the ranges shown: all of a short text, else one around each of the first spans."""
    if len(text) <= EXCERPT_CHARACTERS + _SLACK:
        return [(0, len(text))]
    if not spans:
        return [(0, _boundary(text, EXCERPT_CHARACTERS))]
    budget, windows = EXCERPT_CHARACTERS, list[tuple[int, int]]()
    width = EXCERPT_CHARACTERS // min(len(spans), _MAX_WINDOWS)
    for start, end in spans:
        if budget <= 0 or len(windows) == _MAX_WINDOWS:
            break
        if windows and end <= windows[-1][1]:
            continue
        left = max(0, start - min(_LEAD, width // 2))
        right = min(len(text), max(left + min(width, budget), min(end, start + budget)))
        left, right = _boundary(text, left), _boundary(text, right)
        if right <= start:
            break
        budget -= right - left
        if windows and left <= windows[-1][1] + _SLACK:
            windows[-1] = (windows[-1][0], max(right, windows[-1][1]))
        else:
            windows.append((left, right))
    return windows


def _boundary(text: str, position: int) -> int:
    """Return a place near ``position`` to cut at: a space, else not inside a character."""
    if position <= 0 or position >= len(text):
        return max(0, min(position, len(text)))
    for back in range(_SLACK):
        if position - back > 0 and text[position - back].isspace():
            return position - back
    for back in range(_LONGEST_CHARACTER):
        if position - back > 0 and not _continues(text, position - back):
            return position - back
    return position


def _continues(text: str, position: int) -> bool:
    """Whether what stands at ``position`` is drawn as one with what stands before it."""
    here, before = text[position], text[position - 1]
    return (
        unicodedata.category(here) in ("Mn", "Me", "Mc", "Sk")
        or here in _JOINERS
        or before in _JOINERS
        or ("\U0001f1e6" <= here <= "\U0001f1ff" and "\U0001f1e6" <= before <= "\U0001f1ff")
    )


def _show(
    text: str, spans: Sequence[tuple[int, int]], windows: Sequence[tuple[int, int]]
) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for number, (left, right) in enumerate(windows):
        if left > 0:
            pieces.append(Piece("… " if number == 0 else " … "))
        position = left
        for start, end in spans:
            start, end = max(start, left), min(end, right)
            if start >= end:
                continue
            pieces += [Piece(text[position:start]), Piece(text[start:end], marked=True)]
            position = end
        pieces.append(Piece(text[position:right]))
    if windows and windows[-1][1] < len(text):
        pieces.append(Piece(" …"))
    return tuple(piece for piece in pieces if piece.text)
