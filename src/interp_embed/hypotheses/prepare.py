"""The rows of a study: what can be used of what was given, aligned; the rest with reasons."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interp_embed.errors import InputError
from interp_embed.hypotheses.class_targets import TargetValues
from interp_embed.hypotheses.corpus import Corpus
from interp_embed.hypotheses.covariates import (
    Column,
    CovariateColumns,
    Covariates,
    encode_covariates,
    number_strata,
    read_column,
    read_columns,
)
from interp_embed.hypotheses.target_kinds import MIN_CLASS, Target
from interp_embed.hypotheses.targets import AskedKind, understand_target
from interp_embed.records import DroppedDocument
from interp_embed.stats import merge_groups, near_duplicate_groups
from interp_embed.tables import Documents, collect_documents

MIN_DOCUMENTS = 100
"""Usable documents (or pairs) below which a study is refused: 50 a side leave nothing to find or
to test."""
_MIN_OF_SEVERAL = 10
"""Usable documents that each of several classes needs once other reasons have dropped rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the user gave for each row of a table."""

    documents: Sequence[object]
    target: TargetValues
    second: Sequence[object] | None = None
    """The other text of each pair."""
    groups: Sequence[object] | None = None
    covariates: Covariates | None = None
    strata: Sequence[object] | None = None
    strata_name: str = "stratum"
    target_name: str = "target"
    target_kind: AskedKind = "auto"
    positive: str | None = None
    order: Sequence[object] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Usable documents, aligned; of pairs first and second text follow each other."""

    documents: tuple[str, ...]
    target: Target
    values: NDArray[np.float64]
    """Shape (n_documents,) or (n_documents, n_classes)."""
    rows: NDArray[np.int64]
    """Of the user's table."""
    groups: NDArray[np.int64]
    """User's groups, duplicates and pairs merged."""
    n_duplicates: int
    dropped: tuple[DroppedDocument, ...]
    n_read: int
    grouped: bool
    """Whether the user gave groups."""
    covariates: CovariateColumns
    strata: NDArray[np.int64] | None
    strata_names: tuple[str, ...]
    strata_name: str
    """Empty where no strata were given."""
    pairs: NDArray[np.int64] | None

    @property
    def classes(self) -> tuple[str, ...]:
        """Of a target with several; empty otherwise."""
        return self.target.classes if self.values.ndim > 1 else ()

    def corpus(self, embeddings: NDArray[np.float32]) -> Corpus:
        """Return the documents with their embeddings, which for pairs are differences."""
        return Corpus(
            documents=self.documents,
            target=self.values,
            embeddings=embeddings,
            rows=self.rows,
            groups=self.groups,
            covariates=self.covariates.values if self.covariates.names else None,
            strata=self.strata,
            pairs=self.pairs,
        )

    def balance(self) -> NDArray[np.float64]:
        """Return numbers in which the sides of a split should be alike, shape (n_documents,)."""
        values = self.values
        if values.ndim > 1:  # by the rarest class a document has
            ranks = np.argsort(np.argsort(values.sum(axis=0), kind="stable"), kind="stable")
            values = np.where(values > 0, ranks, len(ranks)).min(axis=1).astype(np.float64)
        if self.strata is None or len(self.strata_names) > 5:
            return values if self.strata is None else self.strata.astype(np.float64)
        medians = np.array(
            [np.median(values[self.strata == s]) for s in range(len(self.strata_names))]
        )
        return np.asarray(2.0 * self.strata + (values > medians[self.strata]), np.float64)


def prepare_rows(given: Given) -> Prepared:
    """Return the usable rows; the others are listed with the reason.

    Raises:
        InputError: Columns are of unequal length or cannot be understood, or what is left cannot
            bear a study.
    """
    kind = _kind(given)
    lengths: list[Any] = [
        column
        for column in (given.target, given.groups, given.second, given.strata)
        if hasattr(column, "__len__") and not isinstance(column, Mapping)
    ]
    collected = collect_documents(given.documents, *lengths)
    n_read = len(collected.texts) + len(collected.dropped)
    understood = understand_target(
        given.target,
        name=given.target_name,
        kind=kind,
        positive=given.positive,
        order=given.order,
    )
    if len(understood.values) != n_read:
        raise InputError(
            f"there are {n_read} texts but {len(understood.values)} values of the target; "
            "both must come from the same rows"
        )
    second = None if given.second is None else collect_documents(given.second)
    columns = read_columns(given.covariates, n_rows=n_read)
    strata = None
    if given.strata is not None:
        strata = read_column(given.strata, name=given.strata_name, what="stratum", n_rows=n_read)
    groups = np.arange(n_read) if given.groups is None else _group_numbers(given.groups)
    dropped = _dropped(collected, second, understood, groups, columns, strata)
    kept = np.array([row for row in range(n_read) if row not in dropped], np.int64)
    _check_rows(kept, n_read, dropped)
    texts = _texts(collected, second, kept)
    covariates = encode_covariates(columns, kept)
    numbers, names = (None, []) if strata is None else number_strata(strata, kept)
    duplicates = near_duplicate_groups([" ".join(sorted(several)) for several in texts])
    prepared = _expand(
        texts,
        Prepared(
            documents=tuple(several[0] for several in texts),
            target=understood,
            values=understood.values[kept],
            rows=kept,
            groups=merge_groups(groups[kept], duplicates),
            n_duplicates=int(len(kept) - len(np.unique(duplicates))),
            dropped=tuple(dropped[row] for row in sorted(dropped)),
            n_read=n_read,
            grouped=given.groups is not None,
            covariates=covariates,
            strata=numbers,
            strata_names=tuple(names),
            strata_name=given.strata_name if names else "",
            pairs=None,
        ),
        columns,
    )
    _check_target(prepared)
    return prepared


def _kind(given: Given) -> AskedKind:
    if given.second is None:
        if given.target_kind == "preference":
            raise InputError(
                'target_kind="preference" compares two texts a row; give the other one as second='
            )
        return given.target_kind
    if given.target_kind not in ("auto", "preference"):
        raise InputError(
            f"with second= the target says which text is preferred, and is of no other kind; "
            f"leave out target_kind={given.target_kind!r}"
        )
    return "preference"


def _dropped(
    collected: Documents,
    second: Documents | None,
    understood: Target,
    groups: NDArray[np.int64],
    columns: Iterable[Column],
    strata: Column | None,
) -> dict[int, DroppedDocument]:
    """Return the rows that cannot be used, with the reason that a reader looks for first."""
    found: list[DroppedDocument] = []
    for column in (*columns, *([] if strata is None else [strata])):
        found += column.missing()
    found += [
        DroppedDocument(row, "group is missing") for row in np.flatnonzero(groups < 0).tolist()
    ]
    found += understood.dropped
    if second is not None:
        first_of = dict(zip(collected.rows.tolist(), collected.texts, strict=True))
        found += [
            DroppedDocument(row, "both texts are the same")
            for row, text in zip(second.rows.tolist(), second.texts, strict=True)
            if first_of.get(row) == text
        ]
        found += [DroppedDocument(drop.row, f"second {drop.reason}") for drop in second.dropped]
    found += collected.dropped
    return {drop.row: drop for drop in found}


def _texts(
    collected: Documents, second: Documents | None, kept: NDArray[np.int64]
) -> list[tuple[str, ...]]:
    """Return the text, or the two texts, of each usable row."""
    sides = [collected] if second is None else [collected, second]
    by_row = [dict(zip(side.rows.tolist(), side.texts, strict=True)) for side in sides]
    texts = [tuple(side[row] for side in by_row) for row in kept.tolist()]
    distinct = {text for several in texts for text in several}
    if len(texts) > 1 and len(distinct) == 1:
        raise InputError(
            f"all {len(texts)} usable documents are the same text, {texts[0][0][:60]!r}; "
            "check that the right column was named"
        )
    return texts


def _expand(
    texts: list[tuple[str, ...]], prepared: Prepared, columns: Sequence[Column]
) -> Prepared:
    """Return two documents for each pair, the second with everything turned round."""
    if prepared.target.kind != "preference":
        return prepared
    words = [column.name for column in columns if not column.is_numeric]
    if words:
        raise InputError(
            f"the covariate {words[0]!r} holds words; of pairs a covariate is the first text's "
            "number less the second's: give numbers, or take it as strata="
        )
    covariates = prepared.covariates
    # Half to each text: one less the other is what was given.
    halves = np.repeat(covariates.values / 2, 2, axis=0)
    halves[1::2] *= -1
    return Prepared(
        documents=tuple(text for pair in texts for text in pair),
        target=prepared.target,
        values=np.column_stack([prepared.values, 1.0 - prepared.values]).ravel(),
        rows=np.repeat(prepared.rows, 2),
        groups=np.repeat(prepared.groups, 2),
        n_duplicates=prepared.n_duplicates,
        dropped=prepared.dropped,
        n_read=prepared.n_read,
        grouped=prepared.grouped,
        covariates=CovariateColumns(halves, covariates.names, covariates.notes),
        strata=None if prepared.strata is None else np.repeat(prepared.strata, 2),
        strata_names=prepared.strata_names,
        strata_name=prepared.strata_name,
        pairs=np.repeat(np.arange(len(texts)), 2),
    )


def _group_numbers(groups: Sequence[object]) -> NDArray[np.int64]:
    """Return a number for each group, -1 where the label is missing."""
    numbers: dict[object, int] = {}
    found = np.empty(len(groups), np.int64)
    for row, label in enumerate(groups):
        try:
            missing = label is None or label is pd.NA or bool(label != label)
            missing = missing or (isinstance(label, str) and not label.strip())
            found[row] = -1 if missing else numbers.setdefault(label, len(numbers))
        except (TypeError, ValueError) as error:  # a list, an array
            raise InputError(
                f"groups must be plain labels, but row {row} holds a {type(label).__name__}; "
                "use strings or numbers"
            ) from error
    return found


def _check_rows(
    kept: NDArray[np.int64], n_read: int, dropped: Mapping[int, DroppedDocument]
) -> None:
    if len(kept) >= MIN_DOCUMENTS:
        return
    reasons = Counter(drop.reason for drop in dropped.values()).most_common(3)
    told = "; ".join(f"{count} x {reason}" for reason, count in reasons)
    raise InputError(
        f"a study needs at least {MIN_DOCUMENTS} usable documents, some to search and some to "
        f"test, but {len(kept)} of {n_read} rows are usable"
        + (f" ({told})" if told else "")
        + "; give more documents"
    )


def _check_target(prepared: Prepared) -> None:
    values, n = prepared.values, len(prepared.values)
    if np.ptp(values, axis=0).max() == 0:
        raise InputError(
            f"the target is {values.flat[0]:g} on all {n} usable documents; nothing can predict it"
        )
    if values.ndim > 1:
        for name, present in zip(prepared.classes, values.sum(axis=0), strict=True):
            if min(present, n - present) < _MIN_OF_SEVERAL:
                raise InputError(
                    f"class {name!r} is on {int(present)} of {n} usable documents; it needs at "
                    f"least {_MIN_OF_SEVERAL} with and without it: leave these rows out, or join "
                    "it with another class"
                )
    elif prepared.target.kind in ("binary", "preference"):
        values = values if prepared.pairs is None else values[::2]
        ones = int(values.sum())
        if min(ones, len(values) - ones) < MIN_CLASS:
            raise InputError(
                f"the target has {ones} of one class and {len(values) - ones} of the other "
                f"({prepared.target.note}); each needs at least {MIN_CLASS} documents"
            )
