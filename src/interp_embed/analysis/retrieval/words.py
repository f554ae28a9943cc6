"""Words as they are searched: case folded, cut to their stems, those that say nothing left out."""

import unicodedata
from functools import lru_cache

from interp_embed.interpret.words import Term, informative_terms, iter_terms

_GENERIC = frozenset(
    """
    mention mentions mentioned mentioning describe describes describing contain contains express
    expresses expressing expressed show shows showing text texts document documents talk talks
    talking say says word words ending beginning
    """.split()  # noqa: SIM905 - a list of words reads better
)
"""Words of how a property or a label is put, not of what it says."""
_VOWELS = frozenset("aeiouy")
_SHORTEST = 3
"""Letters a stem keeps."""


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """Return an English word without the endings of number, tense and manner.

    >>> [stem(word) for word in ("parties", "thanked", "stopping", "sadly", "glass", "is")]
    ['parti', 'thank', 'stop', 'sad', 'glass', 'is']

    Words of other languages mostly stay as they are. A word and its stem are compared only with
    stems, which need not be words.
    """
    found = word.removesuffix("'s").replace("'", "")
    if found.endswith(("sses", "xes", "ches", "shes")):
        found = found[:-2]
    elif found.endswith("ies") and len(found) > 4:
        found = f"{found[:-3]}y"
    elif found.endswith("s") and not found.endswith(("ss", "us", "is")) and len(found) > 3:
        found = found[:-1]
    for ending in ("ing", "edly", "ed", "ly"):
        rest = found.removesuffix(ending)
        if rest != found and len(rest) >= _SHORTEST and _VOWELS & set(rest):
            found = _undoubled(rest)
            break
    if found.endswith("e") and len(found) > _SHORTEST:
        found = found[:-1]
    return f"{found[:-1]}i" if found.endswith("y") and len(found) > _SHORTEST else found


def search_stems(text: str) -> list[str]:
    """Return the stems of the words of a text that say something, in order, with repeats.

    >>> search_stems("Mentions the waiting, and waited!")
    ['wait', 'wait']
    """
    terms = informative_terms(composed(text))
    return [stem(word) for word in terms if " " not in word and word not in _GENERIC]


def composed(text: str) -> str:
    """Return the text case folded, letters joined with their marks where there is such a character.

    A word is then the same however its letters are stored: "e" and an accent, or "é".
    """
    return unicodedata.normalize("NFC", text.casefold())


def stem_spans(text: str, stems: frozenset[str]) -> tuple[tuple[int, int], ...]:
    """Return where words with one of the stems stand, characters [start, end), in order.

    >>> stem_spans("Waiting. We waited", frozenset({"wait"}))
    ((0, 7), (12, 18))
    """
    words: list[Term] = [term for term in iter_terms(text) if " " not in term.text]
    return tuple((word.start, word.end) for word in words if stem(composed(word.text)) in stems)


def _undoubled(word: str) -> str:
    twice = len(word) > _SHORTEST and word[-1] == word[-2] and word[-1] not in _VOWELS
    return word[:-1] if twice and word[-1] not in "lsz" else word
