"""Documents in pieces of about a sentence: what a short label can be compared with."""

import re
from collections.abc import Iterator
from itertools import pairwise

MAX_CHARS = 220
"""A longer sentence is cut, where it can be at a comma: a label says one thing, not five."""
MAX_PIECES = 64
"""Pieces of one document; of a longer one they are longer, so that all of it is read."""
_MIN_CHARS = 12
"""A shorter piece, such as ``Yum!``, goes with its neighbour."""
_END = re.compile(
    r"(?<=[.!?\u2026\u3002\uff01\uff1f])[\"'\u201d\u2019)\]]*\s+|\n+|(?<=[\u3002\uff01\uff1f])"
)
_PAUSES = (", ", "; ", ": ", " - ", " and ", " but ")


def split_sentences(document: str) -> list[str]:
    """Return the sentences of a document, none blank; together they hold all its words.

    >>> split_sentences("The soup was cold. We waited for an hour!")
    ['The soup was cold.', 'We waited for an hour!']
    """
    pieces: list[str] = []
    for sentence in _END.split(document):
        for piece in _cut(" ".join(sentence.split())):
            if pieces and (len(piece) < _MIN_CHARS or len(pieces[-1]) < _MIN_CHARS):
                pieces[-1] = f"{pieces[-1]} {piece}"
            else:
                pieces.append(piece)
    return _join(pieces) if len(pieces) > MAX_PIECES else pieces


def _cut(sentence: str) -> Iterator[str]:
    """Yield a sentence in pieces of at most ``MAX_CHARS``, a word of more than that whole."""
    rest = sentence
    while len(rest) > MAX_CHARS:
        pauses = [rest.rfind(pause, MAX_CHARS // 4, MAX_CHARS) for pause in _PAUSES]
        place = max(pauses) + 1 or rest.rfind(" ", 1, MAX_CHARS) + 1 or rest.find(" ") + 1
        if not place:
            break
        yield rest[:place].strip()
        rest = rest[place:].strip()
    if rest:
        yield rest


def _join(pieces: list[str]) -> list[str]:
    """Return the pieces joined to ``MAX_PIECES``, neighbours together, as even as can be."""
    bounds = [len(pieces) * i // MAX_PIECES for i in range(MAX_PIECES + 1)]
    return [" ".join(pieces[a:b]) for a, b in pairwise(bounds)]
