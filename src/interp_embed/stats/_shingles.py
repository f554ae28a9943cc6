"""Words and word 3-grams of documents, for finding near-duplicates."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

MIN_WORDS = 8
"""Shorter documents are compared as wholes only: one word changes most of their 3-grams."""

MIN_SHINGLES = MIN_WORDS - 2
"""Documents with fewer 3-grams of their own (boilerplate left out) are compared as wholes only."""

MAX_DOCUMENTS = 50
"""A 3-gram in more documents than this is boilerplate."""

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


def collect_shingles(documents: Sequence[Sequence[str]]) -> Shingles:
    """Return the word 3-grams of documents, each given as its words.

    3-grams in more than ``MAX_DOCUMENTS`` documents are left out.
    """
    hashes, owners = _hashed_shingles(documents)
    order = np.argsort(hashes, kind="stable")  # so that owners ascend within a 3-gram
    hashes, owners = hashes[order], owners[order]
    starts = np.ones(hashes.size, dtype=np.bool_)
    starts[1:] = hashes[1:] != hashes[:-1]
    repeated = np.zeros(hashes.size, dtype=np.bool_)
    repeated[1:] = ~starts[1:] & (owners[1:] == owners[:-1])
    owners, starts = owners[~repeated], starts[~repeated]
    columns = np.cumsum(starts) - 1
    n_owners = np.bincount(columns)[columns]
    sizes = np.bincount(owners[n_owners <= MAX_DOCUMENTS], minlength=len(documents))
    used = (n_owners > 1) & (n_owners <= MAX_DOCUMENTS)
    distinct, columns = np.unique(columns[used], return_inverse=True)
    shared = coo_array(
        (np.ones(columns.size, dtype=np.int32), (owners[used], columns)),
        shape=(len(documents), distinct.size),
    )
    return Shingles(sizes=sizes, shared=shared.tocsr())


def _hashed_shingles(
    documents: Sequence[Sequence[str]],
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return a 64-bit hash of each three neighbouring words, with the document it is in."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__  # a new word gets the next number
    lengths = np.fromiter(map(len, documents), dtype=np.int64, count=len(documents))
    ids = np.fromiter(
        map(numbers.__getitem__, chain.from_iterable(documents)),
        dtype=np.uint64,
        count=int(lengths.sum()),
    )
    owners = np.repeat(np.arange(len(documents)), lengths)
    if ids.size < 3:
        return np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
    hashes = _mix(_mix(_mix(ids[:-2]) + ids[1:-1]) + ids[2:])
    inside = owners[:-2] == owners[2:]
    return hashes[inside], owners[:-2][inside]


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return values scattered over 64 bits, one to one (the finaliser of splitmix64)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
