"""Words and word 3-grams of documents, for finding near-duplicates."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

MIN_WORDS = 8
"""Shorter documents are compared as wholes only: one word changes most of their 3-grams."""

MIN_SHINGLES = MIN_WORDS - 2
"""Documents with fewer 3-grams of their own (boilerplate left out) are compared as wholes only."""

MAX_DOCUMENTS = 50
"""A 3-gram in more documents than this is boilerplate."""

_PART = 4_000_000
"""3-grams sorted at a time, about 200 MB."""

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
)
"""Scripts written without spaces (Thai, Lao, Burmese, Khmer, Japanese, Chinese): by character."""


@dataclass(frozen=True, slots=True)
class Shingles:
    """The word 3-grams of documents, boilerplate left out."""

    sizes: NDArray[np.int64]
    """Distinct 3-grams of each document, shape (n_documents,)."""
    shared: csr_array
    """Ones where a document has a 3-gram that another has too, (n_documents, n_shared)."""


def split_words(document: str) -> list[str]:
    """Return the words of a document, letter case and punctuation apart.

    "Don't  STOP!" -> ["don", "t", "stop"]. Symbols such as emoji stay. A document of nothing but
    punctuation is one word.
    """
    text = unicodedata.normalize("NFC", document).casefold()
    spaced = text
    for letter in set(text):
        replacement = _spaced(letter)
        if replacement != letter:
            spaced = spaced.replace(letter, replacement)
    return spaced.split() or [" ".join(text.split())]


@lru_cache(maxsize=65_536)
def _spaced(letter: str) -> str:
    """Return a space for punctuation, and set letters of unspaced scripts apart."""
    if unicodedata.category(letter).startswith("P"):
        return " "
    return f" {letter} " if _UNSPACED.match(letter) else letter


def number_words(documents: Iterable[str]) -> Iterator[NDArray[np.uint32]]:
    """Yield the words of each document as numbers: the same number for the same word."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__  # a new word gets the next number
    for document in documents:
        yield np.fromiter(map(numbers.__getitem__, split_words(document)), dtype=np.uint32)


def collect_shingles(documents: Sequence[NDArray[np.uint32]]) -> Shingles:
    """Return the word 3-grams of documents, each given as the numbers of its words.

    3-grams in more than ``MAX_DOCUMENTS`` documents are left out.
    """
    n_documents = len(documents)
    hashes, owners = _hashed_shingles(documents)
    sizes = np.zeros(n_documents, dtype=np.int64)
    rows = [np.empty(0, dtype=owners.dtype)]
    columns = [np.empty(0, dtype=np.int64)]
    n_columns = 0
    n_parts = np.uint64(1 + hashes.size // _PART)
    for part in range(int(n_parts)):  # a part of all 3-grams at a time, to bound the memory
        chosen = hashes % n_parts == part
        places, holders, n_holders = _holders(hashes[chosen], owners[chosen])
        kept = n_holders <= MAX_DOCUMENTS
        sizes += np.bincount(holders[kept], minlength=n_documents)
        kept &= n_holders > 1
        distinct, numbers = np.unique(places[kept], return_inverse=True)
        rows.append(holders[kept])
        columns.append(numbers + n_columns)
        n_columns += distinct.size
    row, column = np.concatenate(rows), np.concatenate(columns)
    ones = np.ones(row.size, dtype=np.int32)
    shared = coo_array((ones, (row, column)), shape=(n_documents, n_columns)).tocsr()
    return Shingles(sizes=sizes, shared=shared)


def _hashed_shingles(
    documents: Sequence[NDArray[np.uint32]],
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Return a 64-bit hash of each three neighbouring words, with the document it is in."""
    lengths = np.fromiter(map(len, documents), dtype=np.int64, count=len(documents))
    owners = np.repeat(np.arange(len(documents), dtype=np.int32), lengths)
    if owners.size < 3:
        return np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int32)
    words = np.concatenate(documents)
    hashes = _mix(words[:-2].astype(np.uint64))
    for following in (words[1:-1], words[2:]):
        hashes = _mix(hashes + following)
    inside = owners[:-2] == owners[2:]
    return hashes[inside], owners[:-2][inside]


def _holders(
    hashes: NDArray[np.uint64], owners: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Return each distinct pair of 3-gram and document, with how many documents have that 3-gram.

    3-grams are numbered from 0 in the order of their hashes; all three have one entry per pair.
    """
    order = np.argsort(hashes, kind="stable")  # so that owners ascend within a 3-gram
    hashes, owners = hashes[order], owners[order]
    is_new = np.ones(hashes.size, dtype=np.bool_)
    is_new[1:] = hashes[1:] != hashes[:-1]
    is_pair = is_new.copy()
    is_pair[1:] |= owners[1:] != owners[:-1]
    places = np.cumsum(is_new[is_pair]) - 1
    return places, owners[is_pair], np.bincount(places)[places]


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return values scattered over 64 bits, one to one (the finaliser of splitmix64)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
