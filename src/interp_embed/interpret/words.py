"""Words and word pairs of a document, with where they stand."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_NEGATIONS = frozenset(
    ("no", "not", "never", "nothing", "nobody", "none", "nor", "cannot", "without", "neither")
)
_STOP_WORDS = (ENGLISH_STOP_WORDS | frozenset(("got", "get", "just", "really"))) - _NEGATIONS


@dataclass(frozen=True, slots=True)
class Term:
    """A word or a pair of neighbouring words, and its characters [start, end) in the document."""

    text: str
    """Case folded, a pair joined by one space."""
    start: int
    end: int


def iter_terms(document: str) -> Iterator[Term]:
    """Yield every word, and every pair of words with nothing but space between, in order.

    >>> [term.text for term in iter_terms("Cold food, sadly")]
    ['cold', 'cold food', 'food', 'sadly']
    """
    words = list(_WORD.finditer(document))
    for i, word in enumerate(words):
        folded = _fold(word.group())
        yield Term(folded, word.start(), word.end())
        if i + 1 < len(words) and document[word.end() : words[i + 1].start()].isspace():
            pair = f"{folded} {_fold(words[i + 1].group())}"
            yield Term(pair, word.start(), words[i + 1].end())


def iter_words(document: str) -> Iterator[str]:
    """Yield every word, case folded, in order; no pairs.

    >>> list(iter_words("Cold food!"))
    ['cold', 'food']
    """
    return (_fold(word.group()) for word in _WORD.finditer(document))


def whole_term(text: str) -> str | None:
    """Return the text as the one term it is, or None if it is no word or pair of words.

    >>> whole_term("Cold Food"), whole_term("cold, food")
    ('cold food', None)
    """
    return next((t.text for t in iter_terms(text) if (t.start, t.end) == (0, len(text))), None)


def informative_terms(document: str) -> list[str]:
    """Return the terms worth putting into a label: not digits, stop words, or pairs of these.

    Negations count as informative; in other languages than English nothing is a stop word.
    """
    return [term.text for term in iter_terms(document) if _informative(term.text)]


def find_spans(document: str, terms: frozenset[str]) -> tuple[tuple[int, int], ...]:
    """Return where any of the terms stands, in order and without overlap.

    >>> find_spans("Cold food. The food!", frozenset({"cold food", "food"}))
    ((0, 9), (15, 19))
    """
    found: list[tuple[int, int]] = []
    for term in iter_terms(document):
        if term.text not in terms:
            continue
        if found and term.start < found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], term.end))
        else:
            found.append((term.start, term.end))
    return tuple(found)


def _fold(word: str) -> str:
    return word.casefold().replace("\u2019", "'")


def _informative(term: str) -> bool:
    words = term.split(" ")
    if all(word in _STOP_WORDS or word.isdigit() or len(word) == 1 for word in words):
        return False
    # A pair has to begin and end on something: "of the" and "food was" say no more than "food".
    return len(words) == 1 or not (words[-1] in _STOP_WORDS or words[0] in _STOP_WORDS)
