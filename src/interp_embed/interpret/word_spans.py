"""Where the words of a text stand, in any script."""

import re
import unicodedata
from itertools import pairwise

Span = tuple[int, int]

_OF_SYMBOLS = frozenset((*range(0x20D0, 0x2100), *range(0xFE00, 0xFE10)))
"""Marks around symbols, and signs that choose how a symbol is drawn."""
_UNSPACED = (
    "\u0e01-\u0e4f\u0e81-\u0ecf\u0edc-\u0edf"  # Thai, Lao; without their digits
    "\u1000-\u103f\u104c-\u108f\u109a-\u109f\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17df"  # Khmer
    "\u3041-\u309f\u30a1-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001b000-\U0001b16f"  # Japanese
    "\u2e80-\u2fd5\u3005-\u3007\u3021-\u3029\u3031-\u303b\u3400-\u4dbf\u4e00-\u9fff"  # Han
    "\uf900-\ufaff\U00020000-\U000323af"
)
"""Letters of scripts without spaces between words, as inside of a character class."""


def _combining_marks() -> str:
    """Return the marks of letters (accents, points, vowel signs), as inside of a class."""
    marks = (
        code
        for code in range(0x300, 0x20000)  # none of letters above
        if unicodedata.category(chr(code)) in {"Mn", "Mc"} and code not in _OF_SYMBOLS
    )
    ranges: list[list[int]] = []
    for code in marks:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


_MARKS = _combining_marks()  # none of which is in Python's \w
_LETTERS = rf"[^\W_]+(?:[{_MARKS}]+[^\W_]*)*"
# Joiners (U+200C, U+200D) shape letters of one word in Persian and in scripts of India.
_WORD = re.compile(rf"{_LETTERS}(?:['\u2019\u200c\u200d]{_LETTERS})*")
_ASCII_WORD = re.compile("[0-9A-Za-z]+(?:'[0-9A-Za-z]+)*")
_HAS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_LETTER = re.compile(f"(?![{_MARKS}])[{_UNSPACED}][{_MARKS}]*")
_RUN = re.compile(f"(?:{_LETTER.pattern})+")
_SPACED = rf"[^\W_{_UNSPACED}]"


def word_spans(document: str) -> list[Span]:
    """Return the characters [start, end) of each word, in order.

    >>> word_spans("Don't go")
    [(0, 5), (6, 8)]

    A letter keeps its marks. Runs of letters of scripts without spaces between words (Han,
    Hiragana, Katakana, Thai, Lao, Khmer, Myanmar) are cut into pairs of neighbouring letters, each
    of which overlaps the next: a word of such a script is among them or made up of them, whatever
    stands around it. A letter alone is a word.

    Source: pairs as in Lucene's CJKAnalyzer, here of more scripts, but not of Hangul, which has
    spaces.
    """
    if document.isascii():
        return [match.span() for match in _ASCII_WORD.finditer(document)]
    spans = [match.span() for match in _WORD.finditer(document)]
    if _HAS_UNSPACED.search(document) is None:
        return spans
    return [part for start, end in spans for part in _cut(document, start, end)]


def words_of(document: str) -> list[str]:
    """Return the words that ``word_spans`` tells the places of, as they are written."""
    if document.isascii():
        return _ASCII_WORD.findall(document)
    return [document[start:end] for start, end in word_spans(document)]


def is_one_run(text: str) -> bool:
    """Whether a text is one word but for the cuts between letters of scripts without spaces.

    >>> is_one_run("\u6771\u4eac\u90fd"), is_one_run("two words")
    (True, False)
    """
    return _WORD.fullmatch(text) is not None


def find_run(document: str, run: str) -> list[Span]:
    """Return where a run stands: its letters side by side, no spaced word it begins or ends cut.

    Args:
        document: Any text.
        run: Case folded, of ``is_one_run``.
    """
    ends_spaced = all(match.end() < len(run) for match in _RUN.finditer(run))
    before = "" if _LETTER.match(run) else f"(?<!{_SPACED})"
    after = f"(?![{_MARKS}]|{_SPACED})" if ends_spaced else f"(?![{_MARKS}])"
    found = re.compile(f"{before}{re.escape(run)}{after}", re.IGNORECASE)
    return [match.span() for match in found.finditer(document)]


def _cut(document: str, start: int, end: int) -> list[Span]:
    """Return the parts of a word that runs of letters without spaces divide it into."""
    found: list[Span] = []
    at = start
    for run in _RUN.finditer(document, start, end):
        found += [match.span() for match in _WORD.finditer(document, at, run.start())]
        letters = [match.span() for match in _LETTER.finditer(document, *run.span())]
        pairs = [(first, last) for (first, _), (_, last) in pairwise(letters)]
        found += pairs or letters
        at = run.end()
    return [*found, *(match.span() for match in _WORD.finditer(document, at, end))]
