"""What differs between documents of data sets, and what changes over ordered groups."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from numpy.typing import ArrayLike

from interp_embed.analysis import (
    GroupDiff,
    GroupTrend,
    VerifySettings,
    check_sources,
    diff_against,
    diff_counts,
    diff_groups,
    estimate_difference,
    study_difference,
    trend_groups,
)
from interp_embed.dataset.binding import LazyBinding
from interp_embed.dataset.contents import Contents
from interp_embed.dataset.encoded import Firing
from interp_embed.dataset.labels import LabelBook
from interp_embed.dataset.sides import (
    ComparedColumns,
    column_of,
    load_documents,
    load_together,
    series_of,
    source_of,
    stored_counts,
    two_sides,
)
from interp_embed.dataset.verifying import Verify, reading_of
from interp_embed.errors import InputError
from interp_embed.interpret import LLMLike
from interp_embed.llm import CostEstimate

Correction = Literal["bh", "by", "bonferroni", "holm"]
Against = Literal["every", "any", "pooled"]


class Comparisons:
    """Comparisons of a data set's documents: each loads what it reads, and forwards."""

    _contents: Contents
    _binding: LazyBinding
    _labels: LabelBook

    def diff(  # noqa: PLR0913 - one keyword per choice
        self,
        other: "Comparisons | Mapping[str, Comparisons] | None" = None,
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
                compared with each other, those searched and those held out.
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
        if baseline and verify is None:
            raise InputError("baseline= tests a language model's own proposals: give verify=, too")
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
        columns = ComparedColumns(pair_by, group_by, within)
        is_plain = reading is None and columns == ComparedColumns() and not match_length
        if other is not None and by is None and is_plain and self._any_activation(firing):
            found = self._diff_stored(other, names, settings)
            if found is not None:
                return found
        sides = two_sides(self, other, by, (first, second), names, firing)
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
        other: "Comparisons | None" = None,
        *,
        verify: LLMLike,
        by: str | ArrayLike | None = None,
        first: object = None,
        second: object = None,
        names: tuple[str, str] = ("first", "second"),
        pair_by: str | None = None,
        group_by: str | None = None,
        within: str | None = None,
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
            within: Column that is held fixed.
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
        sides = two_sides(self, other, by, (first, second), names, firing)
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
            **ComparedColumns(pair_by, group_by, within).of(sides),
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
        documents = load_documents(source_of(self), firing=firing)
        return trend_groups(
            documents,
            series_of(documents, by, purpose="the ordered groups"),
            order=order,
            groups=column_of(documents, group_by, purpose="the groups that are not independent"),
            min_support=min_support,
            level=level,
            correction=correction,
            seed=seed,
        )

    def _diff_stored(
        self, other: "Comparisons", names: tuple[str, str], settings: Mapping[str, Any]
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

    def _diff_many(
        self,
        others: "Mapping[str, Comparisons]",
        name: str,
        pair_by: str | None,
        against: Against,
        firing: Firing | None,
        settings: Mapping[str, Any],
    ) -> GroupDiff:
        if name in others:
            raise InputError(f"one of the others is called {name!r}, too: give names=(..., ...)")
        sources = {name: source_of(self)} | {key: source_of(one) for key, one in others.items()}
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

    def _any_activation(self, firing: Firing | None) -> bool:
        """Tell whether a feature fires at any activation, as the stored counts have it."""
        if firing is None:
            return self._binding.is_of_documents()
        return firing == "any" or firing == 0
