"""From scores of all documents to the few that are shown: which, at what ranks, and why."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interp_embed.analysis.retrieval.feature_query import FeatureQuery
from interp_embed.analysis.retrieval.postings import ScaledColumns
from interp_embed.analysis.retrieval.questions import ask_texts
from interp_embed.analysis.retrieval.result import FeatureMatch, SearchHit, Span
from interp_embed.llm import LLM

N_RERANKED = 50
"""Hits a language model puts in order."""


def first_documents(scores: NDArray[np.floating[Any]], k: int) -> NDArray[np.int64]:
    """Return the positions of the k highest scores, equal ones in order, -inf left out."""
    ranked = np.flatnonzero(scores > -np.inf)
    found = scores[ranked]
    if len(ranked) > k:
        above = found >= np.partition(found, len(ranked) - k)[len(ranked) - k]
        ranked, found = ranked[above], found[above]
    return ranked[np.lexsort((ranked, -found))][:k]


def ranks_of(
    scores: NDArray[np.floating[Any]], documents: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the ranks of few documents among all, ties at their mean; inf where not ranked."""
    own, place = np.unique(scores[documents], return_inverse=True)
    finite = own > -np.inf
    if not finite.any():
        return np.full(len(documents), np.inf)
    # Scores below the lowest asked for matter to no rank.
    above = scores[scores >= own[finite][0]]
    level = _n_from(np.searchsorted(own, above, side="right"), len(own))
    higher = _n_from(np.searchsorted(own, above, side="left"), len(own))
    return np.where(finite, (higher + 1 + level) / 2.0, np.inf)[place]


def feature_matches(
    columns: ScaledColumns,
    query: FeatureQuery,
    documents: NDArray[np.int64],
    spans: Callable[[int, int], tuple[Span, ...]],
) -> list[tuple[FeatureMatch, ...]]:
    """Return the features of a query that fire in each of few documents, strongest first."""
    found = columns.at(query.features, documents)
    contributions = found * np.array(query.weights)
    matches = []
    for place, row in enumerate(documents.tolist()):
        order = np.argsort(-contributions[place], kind="stable")
        matches.append(
            tuple(
                FeatureMatch(
                    feature=query.features[column],
                    label=query.labels[column],
                    weight=query.weights[column],
                    activation=float(found[place, column]),
                    contribution=float(contributions[place, column]),
                    spans=spans(row, query.features[column]),
                )
                for column in order.tolist()
                if found[place, column] > 0
            )
        )
    return matches


def rerank_hits(
    hits: tuple[SearchHit, ...], query: str, model: LLM
) -> tuple[tuple[SearchHit, ...], str]:
    """Return the first hits in a model's order, the others after them; and why not, if so."""
    shown = hits[:N_RERANKED]
    told = ask_texts(query, [hit.text for hit in shown], model)
    if told.why_not:
        return hits, told.why_not
    ordered = (*(shown[place] for place in told.numbers), *hits[N_RERANKED:])
    moved = [replace(hit, rank=rank, rank_before=hit.rank) for rank, hit in enumerate(ordered, 1)]
    return tuple(moved), ""


def _n_from(places: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return how many places lie beyond each of n."""
    counts = np.bincount(places, minlength=n + 1)[::-1]
    return np.cumsum(counts)[::-1][1:]
