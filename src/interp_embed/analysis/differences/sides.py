"""Which documents of two groups are compared, and which of them belong together."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from interp_embed.analysis.differences.length_matching import (
    MATCHED,
    MatchedLengths,
    enough_pairs,
    match_pairs,
    match_strata,
)
from interp_embed.analysis.documents import EncodedDocuments, check_comparable
from interp_embed.errors import InputError
from interp_embed.stats import merge_groups

Names = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Two groups of documents, and the design of their comparison."""

    first: EncodedDocuments
    second: EncodedDocuments
    rows_first: NDArray[np.int64]
    """Places of the documents that are compared; of pairs, in the order of the pairs."""
    rows_second: NDArray[np.int64]
    paired: bool
    groups: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    """Of the compared documents: those of one number are not independent."""
    strata: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    """Of the compared documents: only those of one number are compared."""
    notes: tuple[str, ...] = ()
    """What a reader must know, such as how many documents have no partner."""

    @property
    def n_strata(self) -> int:
        """How many strata there are; 0 where documents are not stratified."""
        return 0 if self.strata is None else 1 + max(int(side.max()) for side in self.strata)

    @property
    def tokens(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lengths of the compared documents."""
        return (
            self.first.n_tokens[self.rows_first].astype(np.float64),
            self.second.n_tokens[self.rows_second].astype(np.float64),
        )

    def weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return each compared document's weight in its side's mean: those of a side sum to 1.

        Within strata those of Mantel and Haenszel, so that both sides are alike in the strata.
        """
        strata = self.strata
        if strata is None:
            n_first, n_second = len(self.rows_first), len(self.rows_second)
            return np.full(n_first, 1.0 / n_first), np.full(n_second, 1.0 / n_second)
        sizes = [np.bincount(side, minlength=self.n_strata).astype(np.float64) for side in strata]
        share = sizes[0] * sizes[1] / np.maximum(sizes[0] + sizes[1], 1.0)
        share = share / share.sum()
        return share[strata[0]] / sizes[0][strata[0]], share[strata[1]] / sizes[1][strata[1]]

    def keep(self, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Self:
        """Return the comparison of some of the compared documents; pairs stay whole.

        Args:
            first: Which of the compared documents of the first group, shape (n_rows_first,).
            second: Which of those of the second.
        """
        if self.paired:
            first = second = first & second
        kept = (first, second)

        def take(parts: tuple[NDArray[np.int64], NDArray[np.int64]] | None) -> Any:  # noqa: ANN401
            return None if parts is None else (parts[0][kept[0]], parts[1][kept[1]])

        return replace(
            self,
            rows_first=self.rows_first[first],
            rows_second=self.rows_second[second],
            groups=take(self.groups),
            strata=take(self.strata),
        )


def oppose(
    first: EncodedDocuments,
    second: EncodedDocuments,
    *,
    names: Names = ("first", "second"),
    pair_first: ArrayLike | None = None,
    pair_second: ArrayLike | None = None,
    groups_first: ArrayLike | None = None,
    groups_second: ArrayLike | None = None,
    strata_first: ArrayLike | None = None,
    strata_second: ArrayLike | None = None,
    match_length: bool = False,
) -> Sides:
    """Return the comparison of two groups; arguments as in ``diff_groups``.

    Raises:
        InputError: The groups cannot be compared, one is empty, or keys or groups do not fit.
    """
    check_comparable(first, second)
    _check_cuts(first, second)
    for documents, name in zip((first, second), names, strict=True):
        if len(documents) == 0:
            raise InputError(f"{name!r} has no documents; a difference needs some on both sides")
    sides = Sides(first, second, np.arange(len(first)), np.arange(len(second)), paired=False)
    keys = _both("pairing keys", pair_first, pair_second)
    if keys is not None:
        sides = _pair(sides, keys, names)
    groups = _both("groups", groups_first, groups_second)
    if groups is not None:
        sides = replace(sides, groups=_number_groups(sides, groups, names))
    strata = _both("strata", strata_first, strata_second)
    if strata is None:
        return _match(sides) if match_length else sides
    if sides.paired or match_length:
        raise InputError(
            "strata go neither with pairs, which are alike already, nor with match_length, which "
            "makes strata of its own; give one of the three"
        )
    return _divide(sides, strata, names)


def _check_cuts(first: EncodedDocuments, second: EncodedDocuments) -> None:
    none = np.zeros(first.n_features, np.float32)
    one, other = (none if side.cuts is None else side.cuts for side in (first, second))
    n_differ = int((one != other).sum())
    if n_differ:
        raise InputError(
            f"the activations above which features count as firing (cuts) differ for {n_differ} "
            "features between the groups, so that their rates cannot be compared; use the same"
        )


def _both(
    what: str, first: ArrayLike | None, second: ArrayLike | None
) -> tuple[ArrayLike, ArrayLike] | None:
    if first is None and second is None:
        return None
    if first is None or second is None:
        lacking = "first" if first is None else "second"
        raise InputError(f"{what} of the {lacking} group are missing; give both, or none")
    return first, second


def as_keys(values: ArrayLike, documents: EncodedDocuments, *, what: str) -> "pd.Series[Any]":
    """Return one label for each document, none missing.

    Raises:
        InputError: There are too few or too many, or one is missing.
    """
    if hasattr(values, "dtype"):
        keys = pd.Series(np.asarray(values))
    else:  # as objects: numpy would turn ["a", None] into text
        keys = pd.Series(list(values), dtype=object)  # type: ignore[arg-type]
    if len(keys) != len(documents):
        raise InputError(f"{what} has {len(keys)} values for {len(documents)} documents")
    absent = np.flatnonzero(keys.isna())
    if len(absent):
        raise InputError(
            f"{what} is missing in {len(absent)} of {len(keys)} documents, such as document "
            f"{documents.positions[absent[0]]}; leave these documents out, or give it"
        )
    return keys


def _pair(sides: Sides, keys: tuple[ArrayLike, ArrayLike], names: Names) -> Sides:
    indexes = []
    for documents, values, name in zip((sides.first, sides.second), keys, names, strict=True):
        column = as_keys(values, documents, what=f"the pairing key of {name!r}")
        twice = column[column.duplicated()]
        if len(twice):
            raise InputError(
                f"the pairing key of {name!r} has {twice.nunique()} values more than once, such as "
                f"{twice.iloc[0]!r}; each document needs a key of its own on its side"
            )
        indexes.append(pd.Index(column))
    place = indexes[1].get_indexer(indexes[0])
    paired = np.flatnonzero(place >= 0)
    if not len(paired):
        raise InputError(
            f"no pairing key is in both groups: {names[0]!r} has keys such as "
            f"{indexes[0][0]!r}, {names[1]!r} such as {indexes[1][0]!r}"
        )
    n_alone = len(indexes[0]) + len(indexes[1]) - 2 * len(paired)
    notes = sides.notes
    if n_alone:
        notes = (*notes, f"{n_alone} documents have no partner of the same key and are left out")
    return replace(
        sides, rows_first=paired, rows_second=place[paired].astype(np.int64), paired=True,
        notes=notes,
    )  # fmt: skip


def _divide(sides: Sides, strata: tuple[ArrayLike, ArrayLike], names: Names) -> Sides:
    """Return the comparison within strata that have documents of both groups."""
    columns = [
        as_keys(values, documents, what=f"strata of {name!r}").to_numpy(object)
        for values, documents, name in zip(strata, (sides.first, sides.second), names, strict=True)
    ]
    shared = pd.Index(columns[0]).unique().intersection(pd.Index(columns[1]).unique(), sort=False)
    if not len(shared):
        raise InputError(
            f"no stratum has documents of both groups: {names[0]!r} has strata such as "
            f"{columns[0][0]!r}, {names[1]!r} such as {columns[1][0]!r}"
        )
    first, second = (shared.get_indexer(pd.Index(column)).astype(np.int64) for column in columns)
    kept = sides.keep(first >= 0, second >= 0)
    n_used, n = len(kept.rows_first) + len(kept.rows_second), len(first) + len(second)
    told = f"compared {n_used} of {n} documents, within {len(shared)} strata"
    numbers = first[first >= 0], second[second >= 0]
    return replace(kept, strata=numbers, notes=(*sides.notes, told))


def _number_groups(
    sides: Sides, groups: tuple[ArrayLike, ArrayLike], names: Names
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    columns = [
        as_keys(values, documents, what=f"groups of {name!r}").to_numpy()[rows]
        for values, documents, name, rows in zip(
            groups,
            (sides.first, sides.second),
            names,
            (sides.rows_first, sides.rows_second),
            strict=True,
        )
    ]
    numbers = pd.factorize(np.concatenate([column.astype(object) for column in columns]))[0]
    n_first = len(sides.rows_first)
    if sides.paired:
        pairs = np.arange(n_first)
        numbers = merge_groups(numbers, np.concatenate([pairs, pairs]))
    return numbers[:n_first].astype(np.int64), numbers[n_first:].astype(np.int64)


def _match(sides: Sides) -> Sides:
    """Return the comparison with length held fixed, by pairs if enough are alike, or by strata."""
    lengths = sides.tokens
    note = ""
    if sides.paired:
        alike = match_pairs(*lengths)
        if enough_pairs(alike):
            told = (
                f"compared the {int(alike.sum())} of {len(alike)} pairs whose lengths differ by at "
                f"most {MATCHED.ratio - 1:.0%}"
            )
            return replace(sides.keep(alike, alike), notes=(*sides.notes, told))
        note = (
            f"only {int(alike.sum())} of {len(alike)} pairs are alike in length, so that documents "
            "were compared within strata of length without regard to pairs, which is conservative; "
        )
        sides = replace(sides, paired=False)
    matched: MatchedLengths = match_strata(*lengths)
    kept = sides.keep(matched.first >= 0, matched.second >= 0)
    if not len(kept.rows_first):
        raise InputError(
            "the documents of one group are all longer than those of the other, or too few, so "
            "that length cannot be held fixed; compare without match_length"
        )
    n_used, n = len(kept.rows_first) + len(kept.rows_second), sum(map(len, lengths))
    told = (
        f"{note}compared {n_used} of {n} documents within {matched.n_strata} strata of length; the "
        "others have no counterpart of like length"
    )
    strata = matched.first[matched.first >= 0], matched.second[matched.second >= 0]
    return replace(kept, strata=strata, notes=(*sides.notes, told))
