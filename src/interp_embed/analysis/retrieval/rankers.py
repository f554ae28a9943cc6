"""What ranks all documents for a query: by features, by meaning and by words."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interp_embed.analysis.retrieval.bm25 import BM25Index, query_stems
from interp_embed.analysis.retrieval.dense import DenseVectors
from interp_embed.analysis.retrieval.feature_query import FeatureQuery, find_features
from interp_embed.analysis.retrieval.label_search import LabelIndex
from interp_embed.analysis.retrieval.postings import ScaledColumns
from interp_embed.analysis.retrieval.ranking import NotApplicableError, Ranking
from interp_embed.analysis.retrieval.result import RANKERS, Ranker
from interp_embed.embedders import Embedder, embed_documents
from interp_embed.errors import InputError
from interp_embed.interpret import LLMLike


class Rankers:
    """Keeps what rankings share: units of activations, vectors, words, labels."""

    def __init__(
        self,
        texts: Sequence[str],
        *,
        columns: ScaledColumns | None,
        labels: LabelIndex | None,
        vectors: NDArray[Any] | None,
        embedder: Embedder | None,
        words: bool,
        progress: bool,
    ) -> None:
        """Bind; vectors and words are made when they are first needed.

        Args:
            texts: The documents, n_documents.
            columns: Activations by feature; None: no ranking by features.
            labels: Of the features; None: queries must be features.
            vectors: Dense vectors of the documents by the embedder, (n_documents, d_in).
            embedder: Embeds queries and, without ``vectors``, the documents; None: no ranking by
                meaning.
            words: Whether documents may be ranked by words.
            progress: Whether to show bars while documents are read.

        Raises:
            InputError: The vectors are not of the documents, or NaN or infinite.
        """
        self.texts = texts
        self.columns = columns
        self.embedder = embedder
        self._labels = labels
        self._dense = None if vectors is None else DenseVectors(vectors, len(texts))
        self._use_words = words
        self._words: BM25Index | None = None
        self._progress = progress

    @property
    def labels(self) -> LabelIndex:
        """The labels, searchable; an index of none where the features have none."""
        return LabelIndex({}) if self._labels is None else self._labels

    @property
    def available(self) -> tuple[Ranker, ...]:
        """The rankings there are."""
        has = (self.columns is not None, self.embedder is not None, self._use_words)
        return tuple(ranker for ranker, there in zip(RANKERS, has, strict=True) if there)

    def rank(
        self,
        query: str | FeatureQuery,
        *,
        keyphrases: Sequence[str],
        use: Sequence[Ranker] | None,
        keep: int,
        temperature: float,
        llm: LLMLike | None,
    ) -> Ranking:
        """Return the score of every document in each ranking; arguments as for ``Searcher``.

        Raises:
            InputError: As there.
        """
        text = text_of(query)
        if not isinstance(query, FeatureQuery) and not any(map(str.isalnum, text)):
            raise InputError(f"the query is empty: {query!r}; say what to look for")
        ways = self._ways(use)
        scores: dict[Ranker, NDArray[np.float32]] = {}
        notes: list[str] = []
        features: FeatureQuery | None = None
        for way in ways:
            try:
                if way == "features":
                    features = self._query(
                        query, keyphrases, keep=keep, temperature=temperature, llm=llm
                    )
                    scores[way] = self._by_features(features)
                elif way == "meaning":
                    scores[way] = self._by_meaning(text)
                else:
                    scores[way] = self._by_words(text)
            except NotApplicableError as error:
                if use is not None or len(ways) == 1:
                    raise InputError(str(error)) from error
                notes.append(f"Not ranked by {way}: {error}.")
        if not scores:
            raise InputError("; ".join(notes))
        return Ranking(scores, features, tuple(notes))

    def _ways(self, use: Sequence[Ranker] | None) -> tuple[Ranker, ...]:
        if isinstance(use, str):
            raise InputError(f"use must be several rankings, but is one string; give [{use!r}]")
        ways = self.available if use is None else tuple(dict.fromkeys(use))
        missing = {
            "features": "there are no activations",
            "meaning": "there is no embedder; give one",
            "words": "it was turned off (words=False)",
        }
        for way in ways:
            if way not in RANKERS:
                raise InputError(f"there is no ranking {way!r}; use {', '.join(RANKERS)}")
            if way not in self.available:
                raise InputError(f"documents cannot be ranked by {way}: {missing[way]}")
        if not ways:
            raise InputError(
                "there is nothing to rank by; give activations, an embedder or words=True"
            )
        return ways

    def _query(
        self,
        query: str | FeatureQuery,
        keyphrases: Sequence[str],
        *,
        keep: int,
        temperature: float,
        llm: LLMLike | None,
    ) -> FeatureQuery:
        """Return the features that stand for a query."""
        assert self.columns is not None  # noqa: S101 - it is available
        if isinstance(query, FeatureQuery):
            if keyphrases:
                raise InputError(
                    "keyphrases are for a query in words, but the query is features already; find "
                    "them with find_features(query, keyphrases=...)"
                )
            found = query
        else:
            for name, value in (("keep", keep), ("temperature", temperature)):
                if not (math.isfinite(value) and value > 0):
                    raise InputError(f"{name} must be above 0, but got {value}")
            try:
                # Phrases for an axis stand for all its sides; what is searched for is on one.
                found = find_features(
                    query,
                    self.labels,
                    keep=keep,
                    keyphrases=keyphrases,
                    temperature=temperature,
                    llm=llm,
                    common_axes=False,
                )
            except InputError as error:  # no label, or none that matches
                raise NotApplicableError(str(error)) from error
        found.check_features(self.columns.n_features)
        return found

    def _by_features(self, query: FeatureQuery) -> NDArray[np.float32]:
        assert self.columns is not None  # noqa: S101
        return _matched(self.columns.sum(query.features, query.weights))

    def _by_meaning(self, text: str) -> NDArray[np.float32]:
        assert self.embedder is not None  # noqa: S101
        if not text:
            raise NotApplicableError("the query is features without a text")
        if self._dense is None:
            vectors = embed_documents(self.texts, self.embedder, progress=self._progress)
            self._dense = DenseVectors(vectors, len(self.texts))
        vector = embed_documents([text], self.embedder, cache=None, progress=False)[0]
        return self._dense.scores(vector)

    def _by_words(self, text: str) -> NDArray[np.float32]:
        if not text:
            raise NotApplicableError("the query is features without a text")
        try:
            query_stems(text)
        except InputError as error:
            raise NotApplicableError(str(error)) from error
        if self._words is None:
            self._words = BM25Index(self.texts, progress=self._progress)
        return _matched(self._words.scores(text))


def text_of(query: str | FeatureQuery) -> str:
    """Return the question in words; empty where features were given without one."""
    return query.text if isinstance(query, FeatureQuery) else query


def _matched(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scores with those of documents without a match, which are 0, as -inf."""
    return np.where(scores > 0, scores, np.float32(-np.inf))
