"""The documents that a comparison reads, from one data set or from several."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interp_embed.analysis import EncodedDocuments
from interp_embed.dataset.binding import LazyBinding
from interp_embed.dataset.contents import Contents
from interp_embed.dataset.encoded import Firing, cuts_for, load_entries
from interp_embed.dataset.groups import Groups, choose_groups
from interp_embed.dataset.labels import LabelBook
from interp_embed.errors import InputError
from interp_embed.tables import require_column


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A data set as a comparison sees it."""

    contents: Contents
    labels: Mapping[int, str]
    of_documents: bool
    """Whether its activations are of whole documents."""


@dataclass(frozen=True, slots=True, eq=False)
class TwoSides:
    """Two groups of documents with activations."""

    first: EncodedDocuments
    second: EncodedDocuments
    names: tuple[str, str]


class Parts(Protocol):
    """What a data set consists of."""

    _contents: Contents
    _binding: LazyBinding
    _labels: LabelBook


def source_of(dataset: Parts) -> Source:
    """Return a data set as the analyses see it."""
    return Source(dataset._contents, dataset._labels.every(), dataset._binding.is_of_documents())


def two_sides(
    dataset: Parts,
    other: Parts | None,
    by: object,
    values: tuple[object, object],
    names: tuple[str, str],
    firing: Firing | None,
) -> TwoSides:
    """Return two groups of documents, of two data sets or of one.

    Args:
        dataset: The first, or the one that is divided.
        other: The second; None for groups of the first.
        by: Name of a column, or a mask; None for two data sets.
        values: Of the column, one for each group; None as in ``choose_groups``.
        names: What two data sets are called.
        firing: When a feature counts as firing.

    Raises:
        InputError: Both or neither are asked for, or a group has no documents.
    """
    if (other is None) == (by is None):
        raise InputError(
            "say what to compare: another data set, diff(other), or groups of this one, "
            'diff(by="column"), and not both'
        )
    if by is not None:
        groups = choose_groups(dataset._contents.frame, by, first=values[0], second=values[1])
        return split_by(source_of(dataset), groups, firing=firing)
    if values != (None, None):
        raise InputError("first= and second= are values of a column: name it, by=...")
    assert other is not None  # noqa: S101 - by is None
    sources = {"first": source_of(dataset), "second": source_of(other)}
    loaded = load_together(sources, firing=firing)
    return TwoSides(loaded["first"], loaded["second"], names)


def split_by(source: Source, groups: Groups, *, firing: Firing | None) -> TwoSides:
    """Return two groups of the documents of one data set."""
    whole = load_documents(source, firing=firing)
    sides = []
    for name, positions in zip(groups.names, (groups.first, groups.second), strict=True):
        kept = positions[~np.isin(positions, [*whole.missing])]
        if not len(kept):
            raise InputError(f"none of the {len(positions)} documents of {name!r} has activations")
        sides.append(whole.take(np.searchsorted(whole.positions, kept)))
    return TwoSides(sides[0], sides[1], groups.names)


def load_documents(source: Source, *, firing: Firing | None) -> EncodedDocuments:
    """Return the documents of a data set that have activations."""
    cuts = cuts_for(firing, [source.contents], of_documents=source.of_documents)
    return load_entries(
        source.contents, labels=source.labels, of_documents=source.of_documents, cuts=cuts
    ).documents


def load_together(
    sources: Mapping[str, Source], *, firing: Firing | None
) -> dict[str, EncodedDocuments]:
    """Return the documents of several data sets, a feature firing in all of them above one cut."""
    of_documents = any(source.of_documents for source in sources.values())
    contents = [source.contents for source in sources.values()]
    cuts = cuts_for(firing, contents, of_documents=of_documents)
    return {
        name: load_entries(
            source.contents, labels=source.labels, of_documents=source.of_documents, cuts=cuts
        ).documents
        for name, source in sources.items()
    }


def series_of(documents: EncodedDocuments, name: str, *, purpose: str) -> "pd.Series[Any]":
    """Return a column of the user's table of some documents, with the order of its categories."""
    assert documents.metadata is not None  # noqa: S101 - load_entries gives it
    return require_column(documents.metadata, name, purpose=purpose)


def column_of(documents: EncodedDocuments, name: str | None, *, purpose: str) -> Any:  # noqa: ANN401
    """Return the values of a column as objects; None for None."""
    return None if name is None else series_of(documents, name, purpose=purpose).to_numpy(object)


@dataclass(frozen=True, slots=True)
class WholeCounts:
    """In how many documents of a stored data set each feature fires, without a scan."""

    count: NDArray[np.int64]
    n_documents: int


def stored_counts(contents: Contents) -> WholeCounts | None:
    """Return the counts kept with a data set; None where only some of its documents are shown."""
    if not contents.is_whole:
        return None
    stats, status = contents.store.stats(), contents.store.status()
    return WholeCounts(stats.count, stats.n_documents - status.n_failed)


@dataclass(frozen=True, slots=True)
class ComparedColumns:
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
