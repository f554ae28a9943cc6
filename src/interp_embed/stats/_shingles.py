"""Words and word 3-grams of documents, for finding near-duplicates."""

import re
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

MIN_WORDS = 8
"""Shorter documents are compared as wholes only: one word changes most of their 3-grams."""

MIN_SHINGLES = MIN_WORDS - 2
"""Documents with fewer 3-grams of their own (boilerplate left out) are compared as wholes only."""

MAX_DOCUMENTS = 50
"""A 3-gram in more documents than this is boilerplate."""

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""Scripts written without spaces (Thai, Lao, Burmese, Khmer, Japanese, Chinese): by character."""


@cache
def _word_pattern() -> re.Pattern[str]:
    punctuation = "".join(
        re.escape(letter)
        for letter in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(letter).startswith("P")
    )
    return re.compile(f"[{_UNSPACED}]|[^{_UNSPACED}{punctuation}\\s]+")


def split_words(document: str) -> list[str]:
    """Return the words of a document, letter case and punctuation apart.

    "Don't  STOP!" -> ["don", "t", "stop"]. Symbols such as emoji stay. A document of nothing but
    punctuation is one word.
    """
    text = unicodedata.normalize("NFC", document).casefold()
    return _word_pattern().findall(text) or [" ".join(text.split())]


def shingle_matrix(documents: Sequence[Sequence[str]]) -> csr_array:
    """Return which word 3-grams each document has, those in one document only included.

    Args:
        documents: Words of each document.

    Returns:
        A matrix of ones, shape (n_documents, n_shingles).
    """
    numbers: dict[str, int] = {}
    hashes: list[NDArray[np.uint64]] = []
    for words in documents:
        ids = np.fromiter(
            (numbers.setdefault(word, len(numbers)) for word in words),
            dtype=np.uint64,
            count=len(words),
        )
        hashes.append(np.unique(_hash_triples(ids)))
    lengths = np.fromiter(map(len, hashes), dtype=np.int64, count=len(hashes))
    flat = np.concatenate(hashes) if hashes else np.empty(0, dtype=np.uint64)
    distinct, columns = np.unique(flat, return_inverse=True)
    indptr = np.concatenate(([0], np.cumsum(lengths)))
    ones = np.ones(flat.size, dtype=np.int32)
    return csr_array((ones, columns, indptr), shape=(len(documents), distinct.size))


def _hash_triples(ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each three neighbours, shape (max(0, n_words - 2),)."""
    if ids.size < 3:
        return np.empty(0, dtype=np.uint64)
    mixed = ids[:-2]
    for following in (ids[1:-1], ids[2:]):
        mixed = _mix(mixed) + following
    return _mix(mixed)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return values scattered over 64 bits, one to one (the finaliser of splitmix64)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
