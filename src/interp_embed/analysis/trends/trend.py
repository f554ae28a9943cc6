"""Which features fire ever more, or ever less, over ordered groups of documents."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from interp_embed.analysis.differences.diff import Correction
from interp_embed.analysis.differences.firing_counts import count_firing, fires_in
from interp_embed.analysis.differences.rate_comparison import (
    CORRECTIONS,
    can_compare,
    check_testing,
    compare_rates,
)
from interp_embed.analysis.differences.sides import Sides, as_keys
from interp_embed.analysis.documents import EncodedDocuments
from interp_embed.analysis.trends.levels import OrderedLevels, read_levels
from interp_embed.analysis.trends.records import GroupTrend
from interp_embed.errors import InputError
from interp_embed.stats import (
    ColumnTrends,
    adjust_benjamini_hochberg,
    clustered_trends,
    column_shapes,
    column_spread,
    column_trends,
    rates_of,
)


def trend_groups(
    documents: EncodedDocuments,
    levels: ArrayLike,
    *,
    order: Sequence[object] | None = None,
    groups: ArrayLike | None = None,
    min_support: int = 10,
    level: float = 0.05,
    correction: Correction = "bh",
    n_resamples: int = 499,
    seed: int = 0,
    progress: bool = False,
) -> GroupTrend:
    """Return how often each feature fires at each level, and whether that rises or falls.

    The trend is Jonckheere and Terpstra's, over all levels; documents in groups make it
    cluster-robust. Features that have a trend, or whose rates differ between levels at all, are
    tested for going one way throughout; those that do not are called ``not monotone``, whether or
    not they have a trend. ``unclear``: there is a trend, but its shape could not be judged, since
    a level has one group, or the best monotone curve goes the other way.

    More than 20 levels are tested as they are, but joined into about ten to be shown, and to judge
    shape and change by.

    Args:
        documents: n of them.
        levels: Numbers, dates, an ordered categorical, or words with ``order``, shape (n,);
            documents without a level (None, NaN) are left out and counted. The name of a pandas
            column is written in the plot.
        order: Of levels in words, the lowest first.
        groups: Documents of one label (author, parent) are not independent, shape (n,).
        min_support: Features that fire in fewer documents are not tested.
        level: Significance level after correction, in (0, 1).
        correction: Over all features tested.
        n_resamples: Draws of the test of shape.
        seed: Of these.
        progress: Show a bar while shapes are judged.

    Raises:
        InputError: There are no documents or fewer than two levels, levels have no order, or a
            setting is out of range.

    Source: as ``column_trends``, ``clustered_trends`` and ``column_shapes``.
    """
    check_testing(min_support, level, correction)
    if len(documents) == 0:
        raise InputError("there are no documents; a trend needs some at two levels")
    ordered = read_levels(levels, len(documents), order=order)
    of_group = None
    if groups is not None:
        of_group = as_keys(groups, documents, what="groups").to_numpy()[ordered.rows]
    trends = _trends(documents, ordered, of_group)
    hits = _count(documents, ordered.rows, ordered.shown, len(ordered.names))
    sizes = np.bincount(ordered.shown)
    support = hits.sum(axis=0)
    tested = (support >= min_support) & np.isfinite(trends.p)
    q = CORRECTIONS[correction](np.where(tested, trends.p, np.nan))
    significant = np.nan_to_num(q, nan=2.0) <= level
    shapes = _judge_shapes(
        documents,
        ordered,
        of_group,
        chosen=_varying(hits, sizes, tested, significant, level, clustered=of_group is not None),
        n_resamples=n_resamples,
        seed=seed,
        progress=progress,
    )
    change = _changes(documents, ordered, of_group)
    by_level = rates_of(hits.T, sizes)
    notes = _notes(ordered, tested, min_support, clustered=of_group is not None)
    return GroupTrend(
        level_names=ordered.names,
        levels=ordered.middles,
        sizes=sizes,
        by_level=by_level,
        tau=trends.tau,
        p=np.where(tested, trends.p, np.nan),
        q=q,
        shape=_verdicts(trends.tau, tested, significant, shapes, level),
        q_departure=shapes.q,
        change=by_level.value[:, -1] - by_level.value[:, 0],
        low=change[0],
        high=change[1],
        support=support,
        labels=documents.labels,
        n=ordered.rows.size,
        n_missing=ordered.n_missing,
        n_levels=ordered.n_levels,
        level=level,
        correction=correction,
        min_support=min_support,
        method=f"Jonckheere-Terpstra test, {trends.method}",
        notes=notes,
        column=ordered.column,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Shapes:
    """Of every feature, shape (n_features,)."""

    q: NDArray[np.float64]
    """NaN where it was not tested."""
    rising: NDArray[np.bool_]


def _count(
    documents: EncodedDocuments,
    rows: NDArray[np.int64],
    number: NDArray[np.int64],
    n_levels: int,
) -> NDArray[np.int64]:
    part = np.full(len(documents), -1)
    part[rows] = number
    return count_firing(documents, part, n_levels)


def _trends(
    documents: EncodedDocuments, ordered: OrderedLevels, of_group: NDArray[np.object_] | None
) -> ColumnTrends:
    if of_group is not None:
        return clustered_trends(fires_in(documents, ordered.rows), ordered.values, groups=of_group)
    number = np.unique(ordered.values, return_inverse=True)[1]
    hits = _count(documents, ordered.rows, number, ordered.n_levels)
    return column_trends(hits, np.bincount(number))


def _varying(
    hits: NDArray[np.int64],
    sizes: NDArray[np.int64],
    tested: NDArray[np.bool_],
    significant: NDArray[np.bool_],
    level: float,
    *,
    clustered: bool,
) -> NDArray[np.int64]:
    """Return the features whose shape is judged: with a trend, or with rates that differ."""
    if clustered:
        return np.flatnonzero(significant)
    p = np.where(tested, column_spread(hits, sizes), np.nan)
    differ = np.nan_to_num(adjust_benjamini_hochberg(p), nan=2.0) <= level
    return np.flatnonzero(differ | significant)


def _judge_shapes(
    documents: EncodedDocuments,
    ordered: OrderedLevels,
    of_group: NDArray[np.object_] | None,
    *,
    chosen: NDArray[np.int64],
    n_resamples: int,
    seed: int,
    progress: bool,
) -> _Shapes:
    q = np.full(documents.n_features, np.nan)
    rising = np.zeros(documents.n_features, np.bool_)
    if len(chosen) and len(ordered.names) > 2:
        found = column_shapes(
            fires_in(documents, ordered.rows)[:, chosen],
            ordered.shown,
            groups=of_group,
            n_resamples=n_resamples,
            seed=seed,
            progress=progress,
        )
        q[chosen] = adjust_benjamini_hochberg(found.p_departure)
        rising[chosen] = found.rising
    elif len(chosen):  # two levels cannot turn
        hits = _count(documents, ordered.rows, ordered.shown, 2)[:, chosen]
        rates = hits / np.bincount(ordered.shown)[:, None]
        q[chosen], rising[chosen] = 1.0, rates[1] > rates[0]
    return _Shapes(q, rising)


def _verdicts(
    tau: NDArray[np.float64],
    tested: NDArray[np.bool_],
    significant: NDArray[np.bool_],
    shapes: _Shapes,
    level: float,
) -> tuple[str, ...]:
    verdicts = np.where(tested, "no trend", "").astype(object)
    agree = (tau > 0) == shapes.rising
    known = np.isfinite(shapes.q) & agree
    verdicts[significant] = "unclear"
    verdicts[significant & known & (tau > 0)] = "rising"
    verdicts[significant & known & (tau < 0)] = "falling"
    verdicts[tested & (np.nan_to_num(shapes.q, nan=2.0) <= level)] = "not monotone"
    return tuple(verdicts.tolist())


def _changes(
    documents: EncodedDocuments, ordered: OrderedLevels, of_group: NDArray[np.object_] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the interval of last rate less first."""
    ends = ordered.shown == len(ordered.names) - 1, ordered.shown == 0
    last, first = (ordered.rows[end] for end in ends)
    groups = None
    if of_group is not None:
        number = pd.factorize(of_group)[0]
        groups = number[ends[0]], number[ends[1]]
    sides = Sides(documents, documents, last, first, paired=False, groups=groups)
    if not can_compare(sides):
        unknown = np.full(documents.n_features, np.nan)
        return unknown, unknown
    rates = compare_rates(sides)
    return rates.low, rates.high


def _notes(
    ordered: OrderedLevels, tested: NDArray[np.bool_], min_support: int, *, clustered: bool
) -> tuple[str, ...]:
    notes = []
    if ordered.n_levels > len(ordered.names):
        notes.append(
            f"{ordered.n_levels} levels are shown, and shapes judged, joined into "
            f"{len(ordered.names)}"
        )
    if clustered:
        notes.append("intervals of the rate at one level take documents for independent")
    if not tested.any():
        notes.append(f"no feature fires in {min_support} documents, so that nothing was tested")
    return tuple(notes)
