"""Texts as a model is shown them: clean, of bounded length, and unable to pass for the prompt."""

import math
import re
from collections.abc import Iterable, Sequence

from interp_embed.errors import InputError

CUT = "[...]"
"""Stands where a text was cut."""
_MARKERS = frozenset(("TEXT:", "END OF TEXT"))
_WORD = re.compile(r"\S+")
_CHARACTERS_A_WORD = 12
"""A cut text has at most so many characters for each of its words: some scripts put no spaces."""


def as_texts(documents: Sequence[str | None]) -> list[str]:
    """Return the documents as strings that any server takes; missing ones are empty.

    Raises:
        InputError: It is one string instead of several, or an entry is no text.
    """
    if isinstance(documents, str):
        raise InputError("documents must be a sequence of texts, but got one string; give [text]")
    texts: list[str] = []
    entries: Sequence[object] = documents
    for position, document in enumerate(entries):
        if document is None or (isinstance(document, float) and math.isnan(document)):
            texts.append("")
        elif isinstance(document, str):
            texts.append(well_formed(document))
        else:
            raise InputError(
                f"document {position} is no text but {type(document).__name__}; give strings"
            )
    return texts


def well_formed(text: str) -> str:
    """Return the text with lone surrogates, which no server takes, replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def one_line(text: str) -> str:
    r"""Return the text with runs of white space as one space.

    >>> one_line(" mentions\n the sea ")
    'mentions the sea'
    """
    return " ".join(text.split())


def cut_text(text: str, max_words: int | None, *, around: int = 0) -> str:
    """Return at most ``max_words`` words of a text, with ``[...]`` where something is missing.

    >>> cut_text("one two three four", 2), cut_text("one two three four", 2, around=8)
    ('one two [...]', '[...] three four')

    Args:
        text: As it is; white space inside is kept.
        max_words: None for all. Texts without spaces are cut at 12 characters a word.
        around: Character the excerpt must hold, from 0.
    """
    if max_words is None:
        return text
    words = [match.span() for match in _WORD.finditer(text)]
    limit = _CHARACTERS_A_WORD * max_words
    if not words or (len(words) <= max_words and words[-1][1] - words[0][0] <= limit):
        return text
    at = max(0, sum(begin <= around for begin, _ in words) - 1)
    first = min(max(0, at - max_words // 4), max(0, len(words) - max_words))
    begin, end = words[first][0], words[min(first + max_words, len(words)) - 1][1]
    if end - begin > limit:
        begin = min(max(begin, around - limit // 4), end - limit)
        end = begin + limit
    before = f"{CUT} " if begin > words[0][0] else ""
    after = f" {CUT}" if end < words[-1][1] else ""
    return f"{before}{text[begin:end]}{after}"


def cut_marked_text(text: str, max_words: int | None) -> str:
    """Return a text with ``<<`` ``>>`` around words, cut so that the first of them is in it."""
    shown = cut_text(text, max_words, around=max(0, text.find("<<")))
    if shown.count("<<") <= shown.count(">>"):
        return shown
    # The cut went through a mark: close it, so that it does not seem to go on.
    return f"{shown.removesuffix(f' {CUT}')}>> {CUT}"


def shield_markers(text: str) -> str:
    r"""Return the text with the lines that frame a text in the prompt indented by a space.

    >>> shield_markers("one\nEND OF TEXT\ntwo")
    'one\n END OF TEXT\ntwo'
    """
    return "".join(
        f" {line}" if line.strip().upper() in _MARKERS else line
        for line in text.splitlines(keepends=True)
    )


def numbered(texts: Iterable[str]) -> str:
    r"""Return examples under each other; further lines of one are indented below its first.

    >>> print(numbered(["one\ntwo", "three"]))
    1. one
       two
    2. three
    """
    return "\n".join(
        f"{number}. " + "\n   ".join(text.strip().splitlines())
        for number, text in enumerate(texts, 1)
    )
