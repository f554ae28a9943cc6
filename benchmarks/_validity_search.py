"""Retrieval of properties that texts have more or less, planted (X12)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from _validity_rows import Row, Sizes, number_row
from interp_embed.analysis import Searcher
from interp_embed.analysis.retrieval.ranking import Ranking
from interp_embed.stats import average_precision, ranking_quality

_N_DOCUMENTS, _N_PROPERTIES, _N_ASPECTS = 2_000, 60, 6
_HAVE, _RELEVANT = 0.1, 0.5
"""Share of documents that have a property at all, and the degree from which one is relevant."""
_RECALL = (0.55, 0.5, 0.45, 0.4, 0.3, 0.2)
"""Share of a property's documents in which each of its features fires, by rank of its label."""
_FALSE = 0.01
_WORD_RECALL, _WORD_FALSE = 0.35, 0.01
_D_IN, _NOISE = 64, 2.0
_HOW = f"{_N_DOCUMENTS:,} texts, {_N_PROPERTIES} properties, {_N_ASPECTS} features each, seed 0"
_SYLLABLES = ("ba", "do", "fe", "gi", "ku", "la", "mo", "nu", "pa", "ri", "so", "te", "vu", "wa")


@dataclass(frozen=True)
class GradedCorpus:
    """Texts with properties of known degree, and all that a search needs."""

    texts: tuple[str, ...]
    degree: NDArray[np.float64]
    """In [0, 1], shape (n_documents, n_properties)."""
    names: tuple[str, ...]
    activations: csr_matrix
    labels: Mapping[int, str]
    vectors: NDArray[np.float32]
    directions: NDArray[np.float32]


class PropertyEmbedder:
    """Embeds the names of properties as their directions, and other words as nothing."""

    chunk_size, is_slow = 1_000, False

    def __init__(self, names: Sequence[str], directions: NDArray[np.float32]) -> None:
        self._of = dict(zip(names, directions, strict=True))
        self.d_in = directions.shape[1]
        self.identity: Mapping[str, Any] = {"kind": "planted properties"}

    def fit(self, documents: Sequence[str]) -> Self:
        """Return itself."""
        del documents
        return self

    def embed(self, documents: Sequence[str], *, progress: object = None) -> NDArray[np.float32]:
        """Return the sum of the directions of the names in each text."""
        del progress
        zero = np.zeros(self.d_in, np.float32)
        rows = [sum((self._of.get(w, zero) for w in text.split()), zero) for text in documents]
        return np.array(rows, np.float32)


def plant_properties(seed: int = 0) -> GradedCorpus:
    """Return 2,000 texts with 60 properties, each found in part by features, vector and words."""
    rng = np.random.default_rng([seed, 12])
    pairs = [first + second for first in _SYLLABLES for second in _SYLLABLES]
    drawn = rng.choice(len(pairs) ** 2, 600, replace=False)
    words = [pairs[number // len(pairs)] + pairs[number % len(pairs)] for number in drawn]
    names, aspects, fillers = words[:60], words[60:120], words[120:]
    shape = (_N_DOCUMENTS, _N_PROPERTIES)
    degree = np.where(rng.random(shape) < _HAVE, rng.random(shape), 0.0)
    columns, labels = [], {}
    for prop in range(_N_PROPERTIES):
        for rank, recall in enumerate(_RECALL):
            chance = np.where(degree[:, prop] > 0, recall, _FALSE)
            size = rng.lognormal(0, 1) * (0.3 + degree[:, prop] + rng.exponential(0.2, len(degree)))
            labels[len(columns)] = " ".join(
                [names[prop], *rng.choice(aspects, rank, replace=False)]
            )
            columns.append(np.where(rng.random(len(degree)) < chance, size, 0.0))
    said = rng.random(shape) < np.where(degree > 0, _WORD_RECALL + 0.3 * degree, _WORD_FALSE)
    texts = tuple(
        " ".join([*(names[i] for i in np.flatnonzero(row)), *rng.choice(fillers, 15)])
        for row in said
    )
    directions = rng.normal(size=(_N_PROPERTIES, _D_IN)).astype(np.float32)
    noise = _NOISE * rng.normal(size=(_N_DOCUMENTS, _D_IN))
    return GradedCorpus(
        texts=texts,
        degree=degree,
        names=tuple(names),
        activations=csr_matrix(np.column_stack(columns).astype(np.float32)),
        labels=labels,
        vectors=(degree @ directions + noise).astype(np.float32),
        directions=directions,
    )


def search_rows(sizes: Sizes) -> list[Row]:
    """Return X12: retrieval of planted graded properties, 60 queries."""
    del sizes
    corpus = plant_properties()
    # The planted embedder knows names only: labels of one property are told apart by their words.
    searcher = Searcher(
        corpus.texts,
        activations=corpus.activations,
        labels=corpus.labels,
        vectors=corpus.vectors,
        embedder=PropertyEmbedder(corpus.names, corpus.directions),
    )
    rankings = [searcher.rank(name) for name in corpus.names]
    relevant = [column >= _RELEVANT for column in corpus.degree.T]
    single = {
        way: _map([ranking.scores[way] for ranking in rankings], relevant)
        for way in ("features", "meaning", "words")
    }
    first_only = [searcher.rank(name, use=["features"], temperature=0.01) for name in corpus.names]
    sharp = _map([ranking.scores["features"] for ranking in first_only], relevant)
    return [
        _metric_row(rankings, relevant),
        _fused_row(rankings, relevant, single),
        number_row(
            "X12",
            "MAP by features, all weighted by rank (T = .2) above the first alone (T = .01)",
            single["features"] - sharp,
            least=0.0,
            shown=f"{single['features']:.3f} and {sharp:.3f}",
            meaning="one feature misses documents that others of the same property find.",
            how=_HOW,
        ),
    ]


def _metric_row(rankings: Sequence[Ranking], relevant: Sequence[NDArray[np.bool_]]) -> Row:
    error = max(
        abs(average_precision(ranking.scores["meaning"], truth) - _by_hand(ranking, truth))
        for ranking, truth in zip(rankings, relevant, strict=True)
    )
    return number_row(
        "X12",
        "Average precision against its definition: largest error",
        error,
        most=1e-12,
        shown=f"{error:.1e}",
        meaning="the metric is what one computes by hand.",
        how=_HOW,
    )


def _fused_row(
    rankings: Sequence[Ranking],
    relevant: Sequence[NDArray[np.bool_]],
    single: Mapping[str, float],
) -> Row:
    fused = _map([ranking.fused(depth=None) for ranking in rankings], relevant)
    shown = ", ".join(f"{way} {value:.3f}" for way, value in single.items())
    return number_row(
        "X12",
        "MAP of the fused ranking, above the best single one",
        fused - max(single.values()),
        least=0.0,
        shown=f"{fused:.3f} ({shown}; chance {np.mean(relevant):.3f})",
        meaning="features, vectors and words find different documents of a property, so that "
        "the three together find more than the best of them.",
        how=_HOW,
    )


def _map(scores: Sequence[NDArray[np.float64]], relevant: Sequence[NDArray[np.bool_]]) -> float:
    return ranking_quality(scores, relevant).mean_average_precision.value


def _by_hand(ranking: Ranking, truth: NDArray[np.bool_]) -> float:
    order = sorted(range(len(truth)), key=lambda row: -ranking.scores["meaning"][row])
    found, total = 0, 0.0
    for place, row in enumerate(order, 1):
        if truth[row]:
            found += 1
            total += found / place
    return total / found
