"""Words and word pairs of a document, with where they stand."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from interp_embed.interpret.word_spans import find_run, is_one_run, word_spans, words_of

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

    In scripts without spaces a word is a pair of letters: see ``word_spans``.

    >>> [term.text for term in iter_terms("Cold food, sadly")]
    ['cold', 'cold food', 'food', 'sadly']
    """
    spans = word_spans(document)
    for i, (start, end) in enumerate(spans):
        folded = _fold(document[start:end])
        yield Term(folded, start, end)
        if i + 1 < len(spans) and document[end : spans[i + 1][0]].isspace():
            pair = f"{folded} {_fold(document[slice(*spans[i + 1])])}"
            yield Term(pair, start, spans[i + 1][1])


def iter_words(document: str) -> Iterator[str]:
    """Yield every word, case folded, in order; no pairs.

    >>> list(iter_words("Cold food!"))
    ['cold', 'food']
    """
    return map(_fold, words_of(document))


def whole_term(text: str) -> str | None:
    """Return the text as the one term it is, or None if it is no word or pair of words.

    >>> whole_term("Cold Food"), whole_term("cold, food")
    ('cold food', None)

    A run of letters of a script without spaces is one too; ``find_terms`` finds it as it stands.
    """
    if is_one_run(text):
        return _fold(text)
    return next((t.text for t in iter_terms(text) if (t.start, t.end) == (0, len(text))), None)


def informative_terms(document: str) -> list[str]:
    """Return the terms worth putting into a label: not digits, stop words, or pairs of these.

    Negations count as informative; in other languages than English nothing is a stop word.
    """
    return [term.text for term in iter_terms(document) if _informative(term.text)]


def find_terms(document: str, terms: frozenset[str]) -> list[Term]:
    """Return where any of the terms stands, in order; terms of ``whole_term``."""
    found = [term for term in iter_terms(document) if term.text in terms]
    runs = _long_runs(terms)
    if runs and not document.isascii():
        found += [Term(run, *span) for run in runs for span in find_run(document, run)]
        found.sort(key=lambda term: (term.start, term.end))
    return found


@lru_cache(maxsize=1_000)
def _long_runs(terms: frozenset[str]) -> tuple[str, ...]:
    """Return the terms that are cut in documents, in alphabetical order."""
    return tuple(sorted(term for term in terms if is_one_run(term) and len(word_spans(term)) > 1))


def find_spans(document: str, terms: frozenset[str]) -> tuple[tuple[int, int], ...]:
    """Return where any of the terms stands, in order and without overlap.

    >>> find_spans("Cold food. The food!", frozenset({"cold food", "food"}))
    ((0, 9), (15, 19))
    """
    found: list[tuple[int, int]] = []
    for term in find_terms(document, terms):
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
