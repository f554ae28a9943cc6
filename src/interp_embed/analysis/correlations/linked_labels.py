"""Pairs of features whose labels say the same, or quote the same words."""

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.analysis.documents import EncodedDocuments
from interp_embed.hypotheses.same_concept import normal_words
from interp_embed.interpret.words import iter_words
from interp_embed.stats import TopPairs

_QUOTED = re.compile(r'"([^"]*)"')
_PAIRS = 50_000
"""Pairs at a time."""


def same_labels(
    pairs: TopPairs, labels: Mapping[int, str], others: Mapping[int, str]
) -> NDArray[np.bool_]:
    """Return whether the labels of a pair have the same words; no label equals none."""
    numbers: dict[tuple[str, ...], int] = {}
    first = _numbered(labels, int(pairs.first.max(initial=-1)) + 1, numbers)
    second = _numbered(others, int(pairs.second.max(initial=-1)) + 1, numbers)
    one, two = first[pairs.first], second[pairs.second]
    return np.asarray((one == two) & (one >= 0))


def _numbered(
    labels: Mapping[int, str], n_features: int, numbers: dict[tuple[str, ...], int]
) -> NDArray[np.int64]:
    found = np.full(n_features, -1, np.int64)
    for feature, label in labels.items():
        words = normal_words(label)
        if feature < n_features and words:
            found[feature] = numbers.setdefault(words, len(numbers))
    return found


def shared_words(
    pairs: TopPairs, documents: EncodedDocuments, other: EncodedDocuments
) -> NDArray[np.float64]:
    """Return the share of the fewer quoted words of two labels that both quote, 0 where none."""
    columns: dict[str, int] = {}
    first = _quoted_words(documents, columns)
    second = first if other is documents else _quoted_words(other, columns)
    width = max(1, len(columns))
    first, second = (
        csr_matrix((side.data, side.indices, side.indptr), (side.shape[0], width))
        for side in (first, second)
    )
    sizes = [np.diff(side.indptr) for side in (first, second)]
    share = np.zeros(pairs.first.size)
    for start in range(0, share.size, _PAIRS):
        one, two = (side[start : start + _PAIRS] for side in (pairs.first, pairs.second))
        fewer = np.minimum(sizes[0][one], sizes[1][two])
        both = np.asarray(first[one].multiply(second[two]).sum(axis=1)).ravel()
        share[start : start + _PAIRS] = both / np.maximum(fewer, 1)
    return share


def _quoted_words(documents: EncodedDocuments, columns: dict[str, int]) -> csr_matrix:
    """Return 1 where a feature's label quotes a word, shape (n_features, n_words so far)."""
    rows: list[int] = []
    places: list[int] = []
    for feature, label in documents.labels.items():
        for word in sorted({word for text in _QUOTED.findall(label) for word in iter_words(text)}):
            rows.append(feature)
            places.append(columns.setdefault(word, len(columns)))
    shape = (documents.n_features, max(1, len(columns)))
    return csr_matrix((np.ones(len(rows)), (rows, places)), shape)
