"""The analyses of a data set: each method loads what its analysis reads, and forwards."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed.analysis import (
    Clusters,
    Correlations,
    Duplicates,
    EncodedDocuments,
    FeatureQuery,
    GroupDiff,
    GroupTrend,
    LabelIndex,
    LabelMatches,
    MetadataAssociations,
    Neighbours,
    Searcher,
    SearchResult,
    VerifySettings,
    align_documents,
    associate_feature,
    check_sources,
    cluster_documents,
    correlate_features,
    correlate_metadata,
    diff_against,
    diff_counts,
    diff_groups,
    estimate_clusters,
    estimate_difference,
    estimate_search,
    find_duplicates,
    find_features,
    study_difference,
    trend_groups,
)
from interp_embed.analysis.clusters.partition import Method
from interp_embed.analysis.retrieval.result import Ranker
from interp_embed.dataset.binding import LazyBinding
from interp_embed.dataset.contents import Contents
from interp_embed.dataset.encoded import Entries, Firing, cuts_for, load_entries
from interp_embed.dataset.groups import choose_groups
from interp_embed.dataset.labels import LabelBook
from interp_embed.dataset.searching import KeptSearcher, make_searcher
from interp_embed.dataset.selection import as_feature
from interp_embed.dataset.sides import (
    Source,
    TwoSides,
    column_of,
    load_documents,
    load_together,
    split_by,
    stored_counts,
)
from interp_embed.dataset.tokens import TokenAccess
from interp_embed.dataset.verifying import Verify, reading_of
from interp_embed.embedders import Embedder, load_embedder
from interp_embed.errors import InputError, MissingExtraError
from interp_embed.interpret import Annotator, LLMLike
from interp_embed.llm import CostEstimate

Correction = Literal["bh", "by", "bonferroni", "holm"]
Against = Literal["every", "any", "pooled"]


class DatasetAnalyses:
    """What ``Dataset`` answers about its documents."""

    _contents: Contents
    _binding: LazyBinding
    _labels: LabelBook

    def diff(  # noqa: PLR0913 - one keyword per choice
        self,
        other: "DatasetAnalyses | Mapping[str, DatasetAnalyses] | None" = None,
        *,
        by: str | ArrayLike | None = None,
        first: object = None,
        second: object = None,
        names: tuple[str, str] = ("first", "second"),
        pair_by: str | None = None,
        group_by: str | None = None,
        within: str | None = None,
        against: Against = "every",
        match_length: bool = False,
        firing: Firing | None = None,
        min_support: int = 10,
        level: float = 0.05,
        correction: Correction = "bh",
        verify: Verify = None,
        k: int = 10,
        baseline: bool = False,
        seed: int = 0,
    ) -> GroupDiff:
        """Return which features fire more often in one group of documents than in another.

        ``dataset.diff(other)`` compares two data sets, ``dataset.diff({"b": b, "c": c})`` one with
        many, ``dataset.diff(by="party", first="R", second="D")`` documents of one data set.

        Args:
            other: The other data set, made with the same SAE; or several by name.
            by: Instead: a column of the table, or a mask of the documents.
            first: Value (or list of values) of the column for the first group; None where it has
                two values, or for a mask.
            second: The same for the second; None for all other values.
            names: What two data sets are called.
            pair_by: Column that tells which documents answer the same prompt: paired tests.
            group_by: Column with authors, parents or the like, whose documents are not independent.
            within: Column that is held fixed, such as the decade: documents of one value are
                compared with each other.
            against: Of one with many: ``every`` other, ``any`` of them on the same prompt, or all
                ``pooled``.
            match_length: Compare documents of like length.
            firing: When a feature counts as firing; None: at any activation, or, where they are of
                tokens, above .3 of its largest.
            min_support: Features that fire in fewer documents are not tested.
            level: Significance level after correction.
            correction: ``bh``, ``by``, ``bonferroni`` or ``holm``, over all features tested.
            verify: None for features alone. ``"words"`` (rules of words), ``"sentences"``, a
                language model or its name, ``LLMRoles``, or an annotator: differences then are
                found on some documents, named, and tested in words on the others.
            k: The most differences named then.
            baseline: With a language model, test also what it proposes without features.
            seed: Of the split and of samples.

        Raises:
            InputError: The groups cannot be compared; the message says why.
        """
        settings: dict[str, Any] = {
            "match_length": match_length,
            "min_support": min_support,
            "level": level,
            "correction": correction,
        }
        if isinstance(other, Mapping):
            if group_by is not None or within is not None or verify is not None:
                raise InputError(
                    "group_by=, within= and verify= go with two groups: compare with one data set "
                    "at a time"
                )
            return self._diff_many(other, names[0], pair_by, against, firing, settings)
        reading = reading_of(verify)
        columns = _Columns(pair_by, group_by, within)
        is_plain = reading is None and columns == _Columns() and not match_length
        if other is not None and by is None and is_plain and self._any_activation(firing):
            found = self._diff_stored(other, names, settings)
            if found is not None:
                return found
        if reading is not None and within is not None:
            raise InputError("within= holds features fixed only: leave it or verify= out")
        sides = self._two_sides(other, by, (first, second), names, firing)
        settings |= columns.of(sides)
        if reading is None:
            return diff_groups(sides.first, sides.second, names=sides.names, **settings)
        return study_difference(
            sides.first,
            sides.second,
            names=sides.names,
            llm=reading.roles,
            annotator=reading.annotator,
            settings=VerifySettings(k=k, baseline=baseline),
            seed=seed,
            **settings,
        )

    def estimate_diff(  # noqa: PLR0913 - as diff
        self,
        other: "DatasetAnalyses | None" = None,
        *,
        verify: LLMLike,
        by: str | ArrayLike | None = None,
        first: object = None,
        second: object = None,
        names: tuple[str, str] = ("first", "second"),
        pair_by: str | None = None,
        group_by: str | None = None,
        match_length: bool = False,
        firing: Firing | None = None,
        min_support: int = 10,
        level: float = 0.05,
        correction: Correction = "bh",
        k: int = 10,
        baseline: bool = False,
        seed: int = 0,
    ) -> CostEstimate:
        """Return what :meth:`diff` with a language model would take; nothing is sent.

        Features that differ are found as there. Their labels are not known beforehand: ones of
        typical length stand for them, so that what is stored of an earlier run may count as still
        to be asked.

        Args:
            other: As for :meth:`diff`, also all others.
            verify: A language model or its name, or ``LLMRoles``.
            by: Instead of the other data set: a column of the table, or a mask.
            first: Of the first group.
            second: Of the second.
            names: What two data sets are called.
            pair_by: Column of the pairs.
            group_by: Column of documents that are not independent.
            match_length: Compare documents of like length.
            firing: When a feature counts as firing.
            min_support: Of features tested.
            level: Significance level.
            correction: Over all features tested.
            k: The most differences named.
            baseline: Whether the model proposes without features, too.
            seed: Of the split and of samples.

        Raises:
            InputError: The groups cannot be compared, or ``verify`` is no language model.
        """
        reading = reading_of(verify)
        if reading is None or reading.roles is None:
            raise InputError(
                f"verify must be a language model or its name, got {verify!r}: others cost nothing"
            )
        sides = self._two_sides(other, by, (first, second), names, firing)
        return estimate_difference(
            sides.first,
            sides.second,
            names=sides.names,
            match_length=match_length,
            min_support=min_support,
            level=level,
            correction=correction,
            llm=reading.roles,
            settings=VerifySettings(k=k, baseline=baseline),
            seed=seed,
            **_Columns(pair_by, group_by).of(sides),
        )

    def correlations(
        self,
        other: "DatasetAnalyses | None" = None,
        *,
        on: str | None = None,
        firing: Firing | None = None,
        min_support: int | None = None,
        min_pairs: int = 5,
        max_q: float = 0.05,
        top: int = 50,
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
            directions: Set apart pairs of nearly equal decoder directions; None: for embedding
                SAEs, since a reader would have to be loaded.
            progress: Show a bar.

        Raises:
            InputError: A setting is out of range, or the two data sets do not belong together.
        """
        entries = self._entries(firing)
        documents = entries.documents
        if other is not None:
            others = load_documents(other._source(), firing=firing)
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
            near=near,
            progress=progress,
        )

    def pairs(self, feature: object, *, firing: Firing | None = None) -> Correlations:
        """Return all features that go with one feature, or avoid it.

        Raises:
            InputError: There is no such feature.
        """
        entries = self._entries(firing)
        number = as_feature(feature, entries.documents.n_features)
        near = Neighbours(peak=entries.peak, dictionary=self._directions(wanted=None))
        return associate_feature(entries.documents, number, near=near)

    def metadata_links(
        self,
        columns: Sequence[str] | None = None,
        *,
        firing: Firing | None = None,
        min_support: int | None = None,
        max_q: float = 0.05,
        progress: bool = False,
    ) -> MetadataAssociations:
        """Return which features go with which values of the table's columns.

        Args:
            columns: Names; None for all but the text. Free text and keys are skipped.
            firing: When a feature counts as firing, as in :meth:`diff`.
            min_support: Documents in which a feature fires, and that have a value, at least; None:
                by their number.
            max_q: Largest q shown.
            progress: Show a bar.

        Raises:
            InputError: There is no such column, or nothing to compare.
        """
        chosen = columns
        if chosen is None:
            chosen = [str(name) for name in self._contents.frame if name != self._contents.field]
        return correlate_metadata(
            load_documents(self._source(), firing=firing),
            chosen,
            min_support=min_support,
            max_q=max_q,
            progress=progress,
        )

    def trend(
        self,
        by: str,
        *,
        order: Sequence[object] | None = None,
        group_by: str | None = None,
        firing: Firing | None = None,
        min_support: int = 10,
        level: float = 0.05,
        correction: Correction = "bh",
        seed: int = 0,
    ) -> GroupTrend:
        """Return which features rise or fall over ordered groups, such as years or versions.

        Args:
            by: Column of numbers, dates or ordered categories; documents without one are left out.
            order: Of groups in words, the lowest first.
            group_by: Column with authors, parents or the like, whose documents are not independent.
            firing: When a feature counts as firing, as in :meth:`diff`.
            min_support: Features that fire in fewer documents are not tested.
            level: Significance level after correction.
            correction: Over all features tested.
            seed: Of the test of shape.

        Raises:
            InputError: There are fewer than two groups, or they have no order.
        """
        documents = load_documents(self._source(), firing=firing)
        return trend_groups(
            documents,
            column_of(documents, by, purpose="the ordered groups"),
            order=order,
            groups=column_of(documents, group_by, purpose="the groups that are not independent"),
            min_support=min_support,
            level=level,
            correction=correction,
            seed=seed,
        )

    def cluster(
        self,
        query: str | None = None,
        *,
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
            InputError: No label matches the query, or there are too few documents.
        """
        documents = load_documents(self._source(), firing=firing)
        chosen: FeatureQuery | NDArray[np.int64] | None = None
        if isinstance(features, FeatureQuery):
            chosen = features
        elif features is not None:
            numbers = [as_feature(feature, documents.n_features) for feature in features]
            chosen = np.array(numbers, np.int64)
        elif query is not None:
            chosen = self.find_features(query, llm=llm, embedder=embedder)
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
            k: Documents wanted.
            use: Rankings to fuse, of ``features``, ``meaning``, ``words``; None: all there are.
            features: Features to score by, in place of those found for the words of the query
                (:meth:`find_features`, edited).
            llm: A language model or its name: chooses the features and orders the first hits.
            embedder: Compares meanings; None for no ranking by meaning.
            progress: Show bars.

        Raises:
            InputError: Nothing matches the query, or a setting is out of range.
        """
        asked = query
        if features is not None:
            text = query if isinstance(query, str) else query.text
            asked = replace(features, text=text)
        return self._searcher(embedder, progress=progress).search(asked, k=k, use=use, llm=llm)

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

    # Labels

    def find_features(
        self,
        query: str,
        *,
        keep: int | None = None,
        llm: LLMLike | None = None,
        embedder: Embedder | str | None = "minilm",
    ) -> FeatureQuery:
        """Return the features whose labels match a query, to edit and to search or cluster by.

        Args:
            query: A property in words.
            keep: Most features; None: all that are near enough.
            llm: A language model or its name: gives phrases and keeps what is relevant.
            embedder: Compares meanings; None for words and letters alone.

        Raises:
            InputError: There are no labels, or none matches.
        """
        return find_features(query, self._label_index(embedder), keep=keep, llm=llm)

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

    # What the methods above share

    def _source(self) -> Source:
        return Source(self._contents, self._labels.every(), self._binding.is_of_documents())

    def _entries(self, firing: Firing | None) -> Entries:
        source = self._source()
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
        key = embedder if isinstance(embedder, str | None) else id(embedder)
        source = self._source()
        kept: KeptSearcher | None = getattr(self, "_kept_searcher", None)
        if kept is not None and kept.key == key and kept.labels == source.labels:
            return kept.searcher
        spans = TokenAccess(self._contents, self._binding).spans
        compares = meaning_embedder(embedder)
        searcher = make_searcher(source, compares, locate=spans, progress=progress)
        self._kept_searcher = KeptSearcher(key, source.labels, searcher)
        return searcher

    def _any_activation(self, firing: Firing | None) -> bool:
        """Tell whether a feature fires at any activation, as the stored counts have it."""
        if firing is None:
            return self._binding.is_of_documents()
        return firing == "any" or firing == 0

    def _diff_stored(
        self, other: "DatasetAnalyses", names: tuple[str, str], settings: Mapping[str, Any]
    ) -> GroupDiff | None:
        """Return what differs by the counts that are stored; None where they do not say."""
        one, two = stored_counts(self._contents), stored_counts(other._contents)
        if one is None or two is None:
            return None
        check_sources(self._contents.store.header.source, other._contents.store.header.source)
        options = {key: value for key, value in settings.items() if key != "match_length"}
        return diff_counts(
            one.count,
            two.count,
            n_first=one.n_documents,
            n_second=two.n_documents,
            names=names,
            labels=other._labels.every() | self._labels.every(),
            **options,
        )

    def _two_sides(
        self,
        other: "DatasetAnalyses | None",
        by: str | ArrayLike | None,
        values: tuple[object, object],
        names: tuple[str, str],
        firing: Firing | None,
    ) -> TwoSides:
        if (other is None) == (by is None):
            raise InputError(
                "say what to compare: another data set, diff(other), or groups of this one, "
                'diff(by="column"), and not both'
            )
        if by is not None:
            groups = choose_groups(self._contents.frame, by, first=values[0], second=values[1])
            return split_by(self._source(), groups, firing=firing)
        if values != (None, None):
            raise InputError("first= and second= are values of a column: name it, by=...")
        assert other is not None  # noqa: S101 - by is None
        sources = {"first": self._source(), "second": other._source()}
        loaded = load_together(sources, firing=firing)
        return TwoSides(loaded["first"], loaded["second"], names)

    def _diff_many(
        self,
        others: "Mapping[str, DatasetAnalyses]",
        name: str,
        pair_by: str | None,
        against: Against,
        firing: Firing | None,
        settings: Mapping[str, Any],
    ) -> GroupDiff:
        if name in others:
            raise InputError(f"one of the others is called {name!r}, too: give names=(..., ...)")
        sources = {name: self._source()} | {key: one._source() for key, one in others.items()}
        loaded = load_together(sources, firing=firing)
        target = loaded.pop(name)
        keys = {key: column_of(one, pair_by, purpose="the pairs") for key, one in loaded.items()}
        return diff_against(
            target,
            loaded,
            against=against,
            name=name,
            pair_target=column_of(target, pair_by, purpose="the pairs"),
            pair_others=None if pair_by is None else keys,
            **settings,
        )


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


@dataclass(frozen=True, slots=True)
class _Columns:
    """Columns of the user's table that a comparison reads."""

    pairs: str | None = None
    groups: str | None = None
    strata: str | None = None

    def of(self, sides: TwoSides) -> dict[str, Any]:
        """Return their values on both sides, as ``diff_groups`` takes them."""
        chosen = {
            "pair": (self.pairs, "the pairs"),
            "groups": (self.groups, "the groups that are not independent"),
            "strata": (self.strata, "what is held fixed"),
        }
        return {
            f"{kind}_{side}": column_of(documents, name, purpose=purpose)
            for kind, (name, purpose) in chosen.items()
            if name is not None
            for side, documents in (("first", sides.first), ("second", sides.second))
        }


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
