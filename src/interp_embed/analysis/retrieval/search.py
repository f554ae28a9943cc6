"""Documents with a property: rankings by features, by meaning and by words, fused."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from interp_embed.analysis.documents import EncodedDocuments
from interp_embed.analysis.retrieval.bm25 import query_stems
from interp_embed.analysis.retrieval.feature_query import TEMPERATURE, FeatureQuery
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
from interp_embed.analysis.retrieval.rankers import Rankers, text_of
from interp_embed.analysis.retrieval.ranking import DEPTH, Ranking
from interp_embed.analysis.retrieval.result import (
    FeatureMatch,
    Ranker,
    SearchHit,
    SearchResult,
    Span,
)
from interp_embed.analysis.retrieval.words import stem_spans
from interp_embed.embedders import Embedder
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
        index: LabelIndex | None = None
        if isinstance(labels, LabelIndex):
            index = labels
        elif labels:
            index = LabelIndex(labels, embedder=embedder, progress=progress)
        self._rankers = Rankers(
            texts,
            columns=_columns(activations, column, n_features, len(texts)),
            labels=index,
            vectors=vectors,
            embedder=embedder,
            words=words,
            progress=progress,
        )
        self._locate = locate
        self._rows = rows

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
    def texts(self) -> Sequence[str]:
        """The documents."""
        return self._rankers.texts

    @property
    def labels(self) -> LabelIndex:
        """The labels, searchable; an index of none where the features have none."""
        return self._rankers.labels

    @property
    def available(self) -> tuple[Ranker, ...]:
        """The rankings there are."""
        return self._rankers.available

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
        for name, value in (("k", k), ("depth", depth)):
            if value < 1:
                raise InputError(f"{name} must be at least 1, but got {value}")
        ranking = self.rank(
            query, keyphrases=keyphrases, use=use, keep=keep, temperature=temperature, llm=llm
        )
        model = as_model(llm) if rerank else None
        wanted = k if model is None else max(k, N_RERANKED)
        fused = ranking.fused(depth=max(depth, wanted))
        first = first_documents(fused, wanted)
        hits = self._hits(first, fused, ranking, text_of(query))
        note = "" if ranking.features is None else ranking.features.note
        notes, reranked_by = (*(note,) * bool(note), *ranking.notes), ""
        if model is not None and len(hits) > 1 and text_of(query):
            hits, why_not = rerank_hits(hits, text_of(query), model)
            reranked_by = "" if why_not else model.model
            notes += (f"{model.model} did not order the hits: {why_not}.",) * bool(why_not)
        return SearchResult(
            query=text_of(query),
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
        return self._rankers.rank(
            query, keyphrases=keyphrases, use=use, keep=keep, temperature=temperature, llm=llm
        )

    def _hits(
        self,
        first: NDArray[np.int64],
        fused: NDArray[np.floating[Any]],
        ranking: Ranking,
        text: str,
    ) -> tuple[SearchHit, ...]:
        matches: list[tuple[FeatureMatch, ...]] = [()] * len(first)
        columns = self._rankers.columns
        if ranking.features is not None and columns is not None:
            matches = feature_matches(columns, ranking.features, first, self._spans)
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
