"""Which documents of a data set are alike, and which have a property."""

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from interp_embed.analysis import (
    Clusters,
    Duplicates,
    FeatureQuery,
    LabelIndex,
    LabelMatches,
    Searcher,
    SearchResult,
    cluster_documents,
    estimate_clusters,
    estimate_search,
    find_duplicates,
    find_features,
)
from interp_embed.analysis.clusters.partition import Method
from interp_embed.analysis.retrieval.result import Ranker
from interp_embed.dataset.binding import LazyBinding
from interp_embed.dataset.contents import Contents
from interp_embed.dataset.encoded import Firing
from interp_embed.dataset.labels import LabelBook
from interp_embed.dataset.searching import KeptSearcher, make_searcher
from interp_embed.dataset.selection import as_feature
from interp_embed.dataset.sides import load_documents, source_of
from interp_embed.dataset.tokens import TokenAccess
from interp_embed.embedders import Embedder, load_embedder
from interp_embed.errors import InputError, MissingExtraError
from interp_embed.interpret import Annotator, LLMLike
from interp_embed.llm import CostEstimate


class Explorations:
    """Searches and clusters of one data set: each loads what it reads, and forwards."""

    _contents: Contents
    _binding: LazyBinding
    _labels: LabelBook

    def cluster(
        self,
        query: str | None = None,
        *,
        keyphrases: Sequence[str] = (),
        k: int | None = None,
        method: Method = "auto",
        features: FeatureQuery | Sequence[int] | None = None,
        firing: Firing | None = None,
        llm: LLMLike | None = None,
        annotator: Annotator | None = None,
        embedder: Embedder | str | None = "minilm",
        seed: int = 0,
        progress: bool = False,
    ) -> Clusters:
        """Return the documents in clusters, along what is asked for.

        Args:
            query: What to cluster by, such as ``tone``: features whose labels match; None for all
                features.
            keyphrases: What documents say that differ in it, such as ``friendly`` and ``rude``:
                features whose labels match these count too. Without any, and without a language
                model, 27 common axes have built-in ones.
            k: Clusters; None: as many as come back when documents are drawn again.
            method: ``auto``, ``spectral``, ``jaccard``, ``kmeans`` or ``agglomerative``.
            features: To cluster by these in place of those found for the query
                (:meth:`find_features`, edited).
            firing: When a feature counts as firing, as in :meth:`diff`.
            llm: A language model or its name: finds features and names clusters.
            annotator: Reads the names of clusters in documents, to tell how well they fit.
            embedder: Compares meanings; None for words and letters alone.
            seed: Of the partition and of samples.
            progress: Show bars.

        Raises:
            InputError: No label matches the query, there are phrases without a query or beside
                features, or there are too few documents.
        """
        _check_phrases(keyphrases, query, features=features is not None)
        documents = load_documents(source_of(self), firing=firing)
        chosen: FeatureQuery | NDArray[np.int64] | None = None
        if isinstance(features, FeatureQuery):
            chosen = features
        elif features is not None:
            numbers = [as_feature(feature, documents.n_features) for feature in features]
            chosen = np.array(numbers, np.int64)
        elif query is not None:
            chosen = self.find_features(query, keyphrases=keyphrases, llm=llm, embedder=embedder)
        return cluster_documents(
            documents,
            features=chosen,
            k=k,
            method=method,
            seed=seed,
            annotator=annotator,
            roles=llm,
            progress=progress,
        )

    def estimate_cluster(
        self, query: str | None = None, *, llm: LLMLike, k: int | None = None
    ) -> CostEstimate:
        """Return what :meth:`cluster` with a language model would take at most; nothing is sent.

        Args:
            query: As there.
            llm: A language model or its name.
            k: Clusters; None: 15, the most that are tried.
        """
        return estimate_clusters(self._texts(), self._labels.every(), query, k=k, llm=llm)

    def search(
        self,
        query: str | FeatureQuery,
        *,
        keyphrases: Sequence[str] = (),
        k: int = 10,
        use: Sequence[Ranker] | None = None,
        features: FeatureQuery | None = None,
        llm: LLMLike | None = None,
        embedder: Embedder | str | None = "minilm",
        progress: bool = False,
    ) -> SearchResult:
        """Return the documents that have a property, which features tell so, and where.

        Args:
            query: The property in words, or as features.
            keyphrases: Other words for it: features whose labels match these count too.
            k: Documents wanted.
            use: Rankings to fuse, of ``features``, ``meaning``, ``words``; None: all there are.
            features: Features to score by, in place of those found for the words of the query
                (:meth:`find_features`, edited).
            llm: A language model or its name: chooses the features and orders the first hits.
            embedder: Compares meanings; None for no ranking by meaning.
            progress: Show bars.

        Raises:
            InputError: Nothing matches the query, there are phrases beside features, or a setting
                is out of range.
        """
        asked = query
        if features is not None:
            text = query if isinstance(query, str) else query.text
            asked = replace(features, text=text)
        searcher = self._searcher(embedder, progress=progress)
        return searcher.search(asked, keyphrases=keyphrases, k=k, use=use, llm=llm)

    def estimate_search(self, query: str, *, llm: LLMLike) -> CostEstimate:
        """Return what :meth:`search` with a language model would take at most; nothing is sent.

        Args:
            query: The property in words.
            llm: A language model or its name.
        """
        return estimate_search(self._texts(), self._labels.every(), query, llm=llm)

    def duplicates(self, *, threshold: float = 0.8) -> Duplicates:
        """Return equal and nearly equal documents, in groups.

        Args:
            threshold: Share of common word 3-grams from which two documents are near copies, in
                (0, 1].
        """
        return find_duplicates(self._texts(), threshold=threshold)

    def find_features(
        self,
        query: str,
        *,
        keyphrases: Sequence[str] = (),
        keep: int | None = None,
        llm: LLMLike | None = None,
        embedder: Embedder | str | None = "minilm",
        common_axes: bool = True,
    ) -> FeatureQuery:
        """Return the features whose labels match a query, to edit and to search or cluster by.

        Args:
            query: A property in words.
            keyphrases: Phrases to search for beside the query; a model is not asked for any then.
            keep: Most features; None: all that are near enough.
            llm: A language model or its name: gives phrases and keeps what is relevant.
            embedder: Compares meanings; None for words and letters alone.
            common_axes: Without phrases and a model, whether a query that names a common axis, such
                as ``sentiment``, is searched for by built-in phrases for all its sides.

        Raises:
            InputError: There are no labels, none matches, or a phrase is empty.
        """
        return find_features(
            query,
            self._label_index(embedder),
            keep=keep,
            keyphrases=keyphrases,
            llm=llm,
            common_axes=common_axes,
        )

    def find_labels(
        self, text: str, *, k: int = 20, embedder: Embedder | str | None = "minilm"
    ) -> LabelMatches:
        """Return the features whose labels are nearest to a text, by word and by meaning.

        Args:
            text: Words, or what is meant.
            k: Labels wanted.
            embedder: Compares meanings; None for words and letters alone.

        Raises:
            InputError: There are no labels, or the text is empty.
        """
        return self._label_index(embedder).search(text, k)

    def _label_index(self, embedder: Embedder | str | None) -> LabelIndex:
        return LabelIndex(self._labels.every(), embedder=meaning_embedder(embedder))

    def _texts(self) -> list[str]:
        return [self._contents.text(place) for place in range(len(self._contents))]

    def _searcher(self, embedder: Embedder | str | None, *, progress: bool) -> Searcher:
        """Return what searches, kept between searches with one embedder."""
        source = source_of(self)
        kept: KeptSearcher | None = getattr(self, "_kept_searcher", None)
        if kept is not None and kept.fits(embedder, source.labels):
            return kept.searcher
        spans = TokenAccess(self._contents, self._binding).spans
        compares = meaning_embedder(embedder)
        searcher = make_searcher(source, compares, locate=spans, progress=progress)
        self._kept_searcher = KeptSearcher(embedder, source.labels, searcher)
        return searcher


def meaning_embedder(embedder: Embedder | str | None) -> Embedder | None:
    """Return what compares meanings; where it is not installed, None, and a warning says so."""
    if not isinstance(embedder, str):
        return embedder
    try:
        return load_embedder(embedder)
    except MissingExtraError as error:
        warnings.warn(
            f"labels are compared by words and letters, not by meaning: {error}",
            UserWarning,
            stacklevel=4,
        )
        return None


def _check_phrases(keyphrases: Sequence[str], query: str | None, *, features: bool) -> None:
    """Raise where phrases have no query to belong to, or features would be taken without them."""
    if keyphrases and features:
        raise InputError(
            "give keyphrases or features, not both: find_features(query, keyphrases=...) returns "
            "features to edit"
        )
    if keyphrases and query is None:
        raise InputError(
            "keyphrases need a query, which says in a word what they stand for: "
            'cluster("tone", keyphrases=["friendly", "rude"])'
        )
