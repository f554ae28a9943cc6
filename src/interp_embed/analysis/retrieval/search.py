"""Documents with a property: rankings by features, by meaning and by words, fused."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from interp_embed.analysis.documents import EncodedDocuments
from interp_embed.analysis.retrieval.bm25 import BM25Index, query_stems
from interp_embed.analysis.retrieval.dense import DenseVectors
from interp_embed.analysis.retrieval.feature_query import TEMPERATURE, FeatureQuery, find_features
from interp_embed.analysis.retrieval.hits import (
    N_RERANKED,
    feature_matches,
    first_documents,
    ranks_of,
    rerank_hits,
)
from interp_embed.analysis.retrieval.label_search import LabelIndex
from interp_embed.analysis.retrieval.postings import Column, ScaledColumns, matrix_column
from interp_embed.analysis.retrieval.questions import as_model
from interp_embed.analysis.retrieval.ranking import DEPTH, NotApplicableError, Ranking
from interp_embed.analysis.retrieval.result import (
    RANKERS,
    FeatureMatch,
    Ranker,
    SearchHit,
    SearchResult,
    Span,
)
from interp_embed.analysis.retrieval.words import stem_spans
from interp_embed.embedders import Embedder, embed_documents
from interp_embed.errors import InputError
from interp_embed.interpret import LLMLike

Locate = Callable[[int, int], Sequence[Span]]
"""Takes the position of a document and a feature; returns the characters at which it fires."""
KEEP = 20
"""Features of a query, unless said otherwise: chosen on intents of clinc150 and on half of the
emotions of GoEmotions, of 10, 20, 50 and 100."""


class Searcher:
    """Keeps what searches share: postings, units of activations, vectors, words, labels."""

    def __init__(
        self,
        texts: Sequence[str],
        *,
        activations: csr_matrix | csc_matrix | None = None,
        column: Column | None = None,
        n_features: int | None = None,
        labels: Mapping[int, str] | LabelIndex | None = None,
        vectors: NDArray[Any] | None = None,
        embedder: Embedder | None = None,
        words: bool = True,
        locate: Locate | None = None,
        rows: NDArray[np.int64] | None = None,
        progress: bool = False,
    ) -> None:
        """Bind; vectors and words are made when they are first needed.

        Args:
            texts: The documents, n_documents.
            activations: Shape (n_documents, n_features), >= 0; or give ``column``.
            column: Access to single features, for data that are not loaded as a whole.
            n_features: How many there are, with ``column``.
            labels: Text by feature, or an index of them; without, queries must be features.
            vectors: Dense vectors of the documents by the embedder, (n_documents, d_in).
            embedder: Embeds queries, labels and, without ``vectors``, the documents; None: no
                ranking by meaning.
            words: Whether documents may be ranked by words.
            locate: Where a feature fires in a document.
            rows: Position of each document in the user's data set; None: in order.
            progress: Whether to show bars while documents are read.

        Raises:
            InputError: There are no documents, parts are not of the same documents, or values
                are NaN, infinite or (activations) negative.
        """
        if len(texts) == 0:
            raise InputError("there are no documents to search")
        self.texts = texts
        self.embedder = embedder
        self._columns = _columns(activations, column, n_features, len(texts))
        self._labels: LabelIndex | None = None
        if isinstance(labels, LabelIndex):
            self._labels = labels
        elif labels:
            self._labels = LabelIndex(labels, embedder=embedder, progress=progress)
        self._locate = locate
        self._rows = rows
        self._progress = progress
        self._dense = None if vectors is None else DenseVectors(vectors, len(texts))
        self._use_words = words
        self._words: BM25Index | None = None

    @classmethod
    def of(
        cls,
        documents: EncodedDocuments,
        *,
        vectors: NDArray[Any] | None = None,
        embedder: Embedder | None = None,
        words: bool = True,
        locate: Locate | None = None,
        progress: bool = False,
    ) -> Self:
        """Return a searcher of encoded documents; arguments as for the class."""
        return cls(
            documents.texts,
            activations=documents.activations,
            labels=documents.labels,
            vectors=vectors,
            embedder=embedder,
            words=words,
            locate=locate,
            rows=documents.rows,
            progress=progress,
        )

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def labels(self) -> LabelIndex:
        """The labels, searchable.

        Raises:
            InputError: The features have none.
        """
        return LabelIndex({}) if self._labels is None else self._labels

    @property
    def available(self) -> tuple[Ranker, ...]:
        """The rankings there are."""
        has = (
            self._columns is not None,
            self.embedder is not None,
            self._use_words,
        )
        return tuple(ranker for ranker, there in zip(RANKERS, has, strict=True) if there)

    def search(
        self,
        query: str | FeatureQuery,
        *,
        keyphrases: Sequence[str] = (),
        k: int = 10,
        use: Sequence[Ranker] | None = None,
        keep: int = KEEP,
        temperature: float = TEMPERATURE,
        llm: LLMLike | None = None,
        rerank: bool = True,
        depth: int = DEPTH,
    ) -> SearchResult:
        """Return the documents that have a property, with why each was found and where.

        Args:
            query: In words, or as features (``FeatureQuery``, whose text, if it has one, is what
                the other rankings look for).
            keyphrases: Other words for it, that labels are compared with too; none for a query of
                features.
            k: Hits wanted, >= 1; all there are where there are fewer.
            use: Rankings to fuse, of "features", "meaning", "words"; None: all that there are and
                that apply to this query.
            keep: Features that stand for a query in words, at most.
            temperature: Of their weights by rank.
            llm: Gives phrases for the query and ranks labels; a failure is noted.
            rerank: Whether it also puts the first 50 hits in order.
            depth: Documents of each ranking that are fused.

        Raises:
            InputError: The query is empty, matches no label where features alone are used, or
                has features that do not exist; k, keep, depth or temperature is out of range; or
                a ranking asked for is not there.
            LLMError: The server cannot be used.

        Source: Jiang et al. 2025 (arXiv 2512.10092), property-based retrieval.
        """
        if k < 1:
            raise InputError(f"k must be at least 1, but got {k}")
        ranking = self.rank(
            query, keyphrases=keyphrases, use=use, keep=keep, temperature=temperature, llm=llm
        )
        model = as_model(llm) if rerank else None
        wanted = k if model is None else max(k, N_RERANKED)
        fused = ranking.fused(depth=max(depth, wanted))
        first = first_documents(fused, wanted)
        hits = self._hits(first, fused, ranking, _text(query))
        note = "" if ranking.features is None else ranking.features.note
        notes, reranked_by = (*(note,) * bool(note), *ranking.notes), ""
        if model is not None and len(hits) > 1 and _text(query):
            hits, why_not = rerank_hits(hits, _text(query), model)
            reranked_by = "" if why_not else model.model
            notes += (f"{model.model} did not order the hits: {why_not}.",) * bool(why_not)
        return SearchResult(
            query=_text(query),
            features=ranking.features,
            hits=hits[:k],
            n_documents=len(self),
            n_ranked={way: int((s > -np.inf).sum()) for way, s in ranking.scores.items()},
            reranked_by=reranked_by,
            notes=notes,
        )

    def rank(
        self,
        query: str | FeatureQuery,
        *,
        keyphrases: Sequence[str] = (),
        use: Sequence[Ranker] | None = None,
        keep: int = KEEP,
        temperature: float = TEMPERATURE,
        llm: LLMLike | None = None,
    ) -> Ranking:
        """Return the score of every document in each ranking; arguments as for ``search``.

        Raises:
            InputError: As there.
        """
        text = _text(query)
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
        assert self._columns is not None  # noqa: S101 - it is available
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
        found.check_features(self._columns.n_features)
        return found

    def _by_features(self, query: FeatureQuery) -> NDArray[np.float32]:
        assert self._columns is not None  # noqa: S101
        return _matched(self._columns.sum(query.features, query.weights))

    def _by_meaning(self, text: str) -> NDArray[np.float32]:
        assert self.embedder is not None  # noqa: S101
        if not text:
            raise NotApplicableError("the query is features without a text")
        if self._dense is None:
            vectors = embed_documents(self.texts, self.embedder, progress=self._progress)
            self._dense = DenseVectors(vectors, len(self))
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

    def _hits(
        self,
        first: NDArray[np.int64],
        fused: NDArray[np.floating[Any]],
        ranking: Ranking,
        text: str,
    ) -> tuple[SearchHit, ...]:
        matches: list[tuple[FeatureMatch, ...]] = [()] * len(first)
        if ranking.features is not None and self._columns is not None:
            matches = feature_matches(self._columns, ranking.features, first, self._spans)
        ranks = {way: ranks_of(scores, first) for way, scores in ranking.scores.items()}
        stems = frozenset(query_stems(text)) if "words" in ranking.scores else frozenset()
        return tuple(
            SearchHit(
                document=self._position(row),
                rank=place + 1,
                score=float(fused[row]),
                text=self.texts[row],
                ranks={
                    way: float(of[place]) for way, of in ranks.items() if np.isfinite(of[place])
                },
                matches=matches[place],
                words=stem_spans(self.texts[row], stems) if stems else (),
            )
            for place, row in enumerate(first.tolist())
        )

    def _spans(self, row: int, feature: int) -> tuple[Span, ...]:
        if self._locate is None:
            return ()
        return tuple((int(a), int(b)) for a, b in self._locate(self._position(row), feature))

    def _position(self, row: int) -> int:
        return row if self._rows is None else int(self._rows[row])


def _text(query: str | FeatureQuery) -> str:
    return query.text if isinstance(query, FeatureQuery) else query


def _matched(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scores with those of documents without a match, which are 0, as -inf."""
    return np.where(scores > 0, scores, np.float32(-np.inf))


def _columns(
    activations: csr_matrix | csc_matrix | None,
    column: Column | None,
    n_features: int | None,
    n_documents: int,
) -> ScaledColumns | None:
    if activations is not None:
        if activations.shape[0] != n_documents:
            raise InputError(
                f"there are {n_documents} texts, but activations of {activations.shape[0]} "
                "documents: give both of the same documents"
            )
        return ScaledColumns(matrix_column(activations), *activations.shape)
    if column is None:
        return None
    if n_features is None:
        raise InputError("with column give n_features, the number of features")
    return ScaledColumns(column, n_documents, n_features)
