"""What goes together in the documents of a data set, which are alike, which have a property."""

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from interp_embed.analysis import (
    Clusters,
    Correlations,
    Duplicates,
    EncodedDocuments,
    FeatureQuery,
    LabelIndex,
    LabelMatches,
    MetadataAssociations,
    Neighbours,
    Searcher,
    SearchResult,
    align_documents,
    associate_feature,
    cluster_documents,
    correlate_features,
    correlate_metadata,
    estimate_clusters,
    estimate_search,
    find_duplicates,
    find_features,
)
from interp_embed.analysis.clusters.partition import Method
from interp_embed.analysis.retrieval.result import Ranker
from interp_embed.dataset.binding import LazyBinding
from interp_embed.dataset.contents import Contents
from interp_embed.dataset.encoded import Entries, Firing, cuts_for, load_entries
from interp_embed.dataset.labels import LabelBook
from interp_embed.dataset.searching import KeptSearcher, make_searcher
from interp_embed.dataset.selection import as_feature
from interp_embed.dataset.sides import (
    column_of,
    load_documents,
    source_of,
)
from interp_embed.dataset.tokens import TokenAccess
from interp_embed.embedders import Embedder, load_embedder
from interp_embed.errors import InputError, MissingExtraError
from interp_embed.interpret import Annotator, LLMLike
from interp_embed.llm import CostEstimate

_GROUPS = "the groups that are not independent"


class Explorations:
    """Analyses of one data set: each loads what it reads, and forwards."""

    _contents: Contents
    _binding: LazyBinding
    _labels: LabelBook

    def correlations(
        self,
        other: "Explorations | None" = None,
        *,
        on: str | None = None,
        firing: Firing | None = None,
        min_support: int | None = None,
        min_pairs: int = 5,
        max_q: float = 0.05,
        top: int = 50,
        group_by: str | None = None,
        directions: bool | None = None,
        progress: bool = False,
    ) -> Correlations:
        """Return pairs of features that go together, or avoid each other, more than by chance.

        Args:
            other: Another text of the same documents, such as the responses to these prompts; then
                each feature is paired with each of that data set, which may be of another SAE.
            on: Column that tells which documents belong together; None: row by row.
            firing: When a feature counts as firing, as in :meth:`diff`.
            min_support: Documents in which a feature fires at least; None: by their number.
            min_pairs: Documents in which both fire at least, or are expected to.
            max_q: Largest q of a pair shown.
            top: Pairs kept for each feature, of either sign.
            group_by: Column with authors, parents or the like, whose documents are not independent;
                of this data set, with ``other``, too.
            directions: Set apart pairs of nearly equal decoder directions; None: for embedding
                SAEs, since a reader would have to be loaded.
            progress: Show a bar.

        Raises:
            InputError: A setting is out of range, the two data sets do not belong together, or a
                group is missing or the only one.
        """
        entries = self._entries(firing)
        documents = entries.documents
        if other is not None:
            others = load_documents(source_of(other), firing=firing)
            documents, partner = _aligned(documents, others, on)
            near = Neighbours(
                dictionary=self._directions(wanted=directions),
                other_dictionary=other._directions(wanted=directions),
            )
        else:
            partner = None
            near = Neighbours(peak=entries.peak, dictionary=self._directions(wanted=directions))
        return correlate_features(
            documents,
            other=partner,
            min_support=min_support,
            min_pairs=min_pairs,
            max_q=max_q,
            top=top,
            groups=column_of(documents, group_by, purpose=_GROUPS),
            near=near,
            progress=progress,
        )

    def pairs(
        self, feature: object, *, firing: Firing | None = None, group_by: str | None = None
    ) -> Correlations:
        """Return all features that go with one feature, or avoid it.

        Args:
            feature: Its index.
            firing: When a feature counts as firing, as in :meth:`diff`.
            group_by: Column of documents that are not independent.

        Raises:
            InputError: There is no such feature or column, or a group is missing or the only one.
        """
        entries = self._entries(firing)
        number = as_feature(feature, entries.documents.n_features)
        near = Neighbours(peak=entries.peak, dictionary=self._directions(wanted=None))
        groups = column_of(entries.documents, group_by, purpose=_GROUPS)
        return associate_feature(entries.documents, number, groups=groups, near=near)

    def metadata_links(
        self,
        columns: Sequence[str] | None = None,
        *,
        firing: Firing | None = None,
        min_support: int | None = None,
        max_q: float = 0.05,
        group_by: str | None = None,
        progress: bool = False,
    ) -> MetadataAssociations:
        """Return which features go with which values of the table's columns.

        Args:
            columns: Names; None for all but the text and ``group_by``. Free text and keys are
                skipped.
            firing: When a feature counts as firing, as in :meth:`diff`.
            min_support: Documents in which a feature fires, and that have a value, at least; None:
                by their number.
            max_q: Largest q shown.
            group_by: Column of documents that are not independent.
            progress: Show a bar.

        Raises:
            InputError: There is no such column, nothing to compare, or a group is missing or the
                only one.
        """
        chosen = columns
        if chosen is None:
            left_out = (self._contents.field, group_by)
            chosen = [str(name) for name in self._contents.frame if name not in left_out]
        documents = load_documents(source_of(self), firing=firing)
        return correlate_metadata(
            documents,
            chosen,
            min_support=min_support,
            max_q=max_q,
            groups=column_of(documents, group_by, purpose=_GROUPS),
            progress=progress,
        )

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

    def _entries(self, firing: Firing | None) -> Entries:
        source = source_of(self)
        cuts = cuts_for(firing, [self._contents], of_documents=source.of_documents)
        return load_entries(
            self._contents, labels=source.labels, of_documents=source.of_documents, cuts=cuts
        )

    def _directions(self, *, wanted: bool | None) -> NDArray[np.float32] | None:
        """Return the decoder directions; None where they are not wanted."""
        if wanted is False or (wanted is None and not self._binding.is_of_documents()):
            return None
        return self._binding.get().directions

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


def _aligned(
    documents: EncodedDocuments, other: EncodedDocuments, on: str | None
) -> tuple[EncodedDocuments, EncodedDocuments]:
    """Return the documents of both that belong together, by a column or by their place."""
    purpose = "telling which documents belong together"
    keys = [
        one.positions if on is None else column_of(one, on, purpose=purpose)
        for one in (documents, other)
    ]
    found = align_documents(documents, other, keys[0].tolist(), keys[1].tolist())
    return found.first, found.second
