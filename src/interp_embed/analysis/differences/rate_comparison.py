"""Rates of features on two sides, their difference and its test, whatever the design."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.analysis.differences.firing_counts import (
    count_firing,
    count_together,
    fires_in,
    fires_in_both,
)
from interp_embed.analysis.differences.sides import Sides
from interp_embed.errors import InputError
from interp_embed.stats import (
    RateDifferences,
    adjust_benjamini_hochberg,
    adjust_benjamini_yekutieli,
    adjust_bonferroni,
    adjust_holm,
    clustered_sums,
    compare_clustered,
    paired_rate_differences,
    rate_differences,
    stratified_rate_differences,
)

CORRECTIONS = {
    "bh": adjust_benjamini_hochberg,
    "by": adjust_benjamini_yekutieli,
    "bonferroni": adjust_bonferroni,
    "holm": adjust_holm,
}


@dataclass(frozen=True, slots=True, eq=False)
class RateComparison:
    """How often features fire on two sides; arrays of shape (n_features,)."""

    rate_first: NDArray[np.float64]
    rate_second: NDArray[np.float64]
    """Shares of documents in which it fires; within strata the strata's rates, weighted alike."""
    difference: NDArray[np.float64]
    """First rate less second."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """95 % interval."""
    p: NDArray[np.float64]
    n: NDArray[np.int64]
    """Documents of both sides; of pairs, pairs."""
    support: NDArray[np.int64]
    """Documents of both sides in which the feature fires."""
    method: str
    """Test and interval, in words."""


def compare_rates(sides: Sides) -> RateComparison:
    """Return the rates of each feature on two sides with the test that fits their design.

    Raises:
        InputError: Documents are in groups, and a side has fewer than two of them.
    """
    if sides.groups is not None:
        return _compare_clustered(sides)
    if sides.strata is not None:
        return _compare_strata(sides)
    return _compare_pairs(sides) if sides.paired else _compare_documents(sides)


def check_testing(min_support: int, level: float, correction: str) -> None:
    """Raise unless these settings can be used.

    Raises:
        InputError: The least support is below 1, the level not in (0, 1), or the correction
            unknown.
    """
    if min_support < 1:
        raise InputError(f"min_support must be at least 1, got {min_support}")
    if not 0.0 < level < 1.0:
        raise InputError(f"level must lie between 0 and 1, such as 0.05, got {level}")
    if correction not in CORRECTIONS:
        raise InputError(f"correction must be one of {', '.join(CORRECTIONS)}, got {correction!r}")


def can_compare(sides: Sides) -> bool:
    """Tell whether both sides have documents, in some stratum alike, and groups enough to judge."""
    if not len(sides.rows_first) or not len(sides.rows_second):
        return False
    if sides.strata is not None and not np.intersect1d(*sides.strata).size:
        return False
    return all(len(np.unique(side)) > 1 for side in sides.groups or ())


def counted(sides: Sides) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return in how many compared documents of each side each feature fires."""
    found = []
    for documents, rows in ((sides.first, sides.rows_first), (sides.second, sides.rows_second)):
        part = None
        if len(rows) < len(documents):
            part = np.full(len(documents), -1)
            part[rows] = 0
        found.append(count_firing(documents, part)[0])
    return found[0], found[1]


def compare_counts(
    first: NDArray[np.int64], second: NDArray[np.int64], *, n_first: int, n_second: int
) -> RateComparison:
    """Return the comparison of independent documents from counts alone."""
    return _with_rates(
        rate_differences(first, second, n_first=n_first, n_second=n_second),
        rates=(first / n_first, second / n_second),
        support=first + second,
        method="score test, Fisher's where expected counts are small; Newcombe interval",
    )


def _with_rates(
    found: RateDifferences,
    *,
    rates: tuple[NDArray[np.float64], NDArray[np.float64]],
    support: NDArray[np.int64],
    method: str,
) -> RateComparison:
    return RateComparison(
        rate_first=rates[0],
        rate_second=rates[1],
        difference=found.value,
        low=found.low,
        high=found.high,
        p=found.p,
        n=found.n,
        support=support,
        method=method,
    )


def _compare_documents(sides: Sides) -> RateComparison:
    first, second = counted(sides)
    return compare_counts(
        first, second, n_first=len(sides.rows_first), n_second=len(sides.rows_second)
    )


def _compare_pairs(sides: Sides) -> RateComparison:
    first, second = counted(sides)
    both = count_together(sides.first, sides.second, sides.rows_first, sides.rows_second)
    n = len(sides.rows_first)
    found = paired_rate_differences(
        first - both, second - both, both=both, neither=n - first - second + both, test="mid-p"
    )
    return _with_rates(
        found,
        rates=(first / n, second / n),
        support=first + second,
        method="McNemar's test of pairs (mid-p); Newcombe's paired interval",
    )


def _compare_strata(sides: Sides) -> RateComparison:
    counts, sizes = _by_stratum(sides)
    found = stratified_rate_differences(*counts, n_first=sizes[0], n_second=sizes[1])
    used = (sizes[0] > 0) & (sizes[1] > 0)
    first, second = (side[used].sum(axis=0) for side in counts)
    return _with_rates(
        found,
        rates=standard_rates(counts, sizes),
        support=first + second,
        method="Mantel-Haenszel difference within strata; Cochran-Mantel-Haenszel test, exact "
        "where counts are small",
    )


def standard_rates(
    counts: list[NDArray[np.int64]], sizes: list[NDArray[np.int64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each side's rate had it the strata of both: their difference is Mantel-Haenszel's."""
    used = (sizes[0] > 0) & (sizes[1] > 0)
    m, n = (size[used].astype(np.float64) for size in sizes)
    share = m * n / (m + n)
    share = share / share.sum()
    return share / m @ counts[0][used], share / n @ counts[1][used]


def _by_stratum(sides: Sides) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    counts, sizes, n = [], [], sides.n_strata
    strata = sides.strata or (np.empty(0, np.int64),) * 2
    for documents, rows, stratum in zip(
        (sides.first, sides.second), (sides.rows_first, sides.rows_second), strata, strict=True
    ):
        part = np.full(len(documents), -1)
        part[rows] = stratum
        counts.append(count_firing(documents, part, n))
        sizes.append(np.bincount(stratum, minlength=n))
    return counts, sizes


def _compare_clustered(sides: Sides) -> RateComparison:
    """Return the comparison with uncertainty from how much groups of documents differ.

    A side of one group would seem certain: it does not differ from its own mean.
    """
    for side in sides.groups or ():
        if len(np.unique(side)) < 2:
            raise InputError(
                f"{len(side)} documents are in 1 group: how much groups differ cannot be judged "
                "from fewer than two on each side; group by something finer, or leave the groups "
                "out"
            )
    n_first, n_second = len(sides.rows_first), len(sides.rows_second)
    on_first = np.arange(n_first + n_second) < n_first
    own = sides.weights()
    weights, cells = np.concatenate([own[0], -own[1]]), _cells(sides)
    groups = np.concatenate(sides.groups or ())
    crossing = np.intersect1d(groups[on_first], groups[~on_first]).size > 0
    sums = [
        clustered_sums(fires, weights[part], groups=groups[part], cells=cells[part])
        for fires, part in _independent_parts(sides, on_first, crossing=crossing)
    ]
    first, second = counted(sides)
    found = compare_clustered(*sums, least=_independent_variance(sides, first, second))
    rates = first / n_first, second / n_second
    if sides.strata is not None:
        rates = standard_rates(*_by_stratum(sides))
    within = " within strata" if sides.strata is not None else ""
    return RateComparison(
        rate_first=rates[0],
        rate_second=rates[1],
        difference=found.value,
        low=found.low,
        high=found.high,
        p=found.p,
        n=np.full(len(first), n_first if sides.paired else n_first + n_second),
        support=first + second,
        method=f"cluster-robust t-test of the difference{within}, {found.n_groups} groups",
    )


def _independent_parts(
    sides: Sides, on_first: NDArray[np.bool_], *, crossing: bool
) -> Iterator[tuple[csr_matrix, NDArray[np.bool_]]]:
    """Yield where features fire in documents that share no group with others, and which they are.

    Args:
        sides: The documents.
        on_first: Which of all compared documents are of the first side.
        crossing: Whether a group has documents of both sides.
    """
    if crossing:
        both = fires_in_both(sides.first, sides.second, sides.rows_first, sides.rows_second)
        yield both, np.ones_like(on_first)
    else:
        yield fires_in(sides.first, sides.rows_first), on_first
        yield fires_in(sides.second, sides.rows_second), ~on_first


def _cells(sides: Sides) -> NDArray[np.int64]:
    """Return the side and stratum of each compared document, as a number."""
    if sides.strata is None:
        return np.repeat([0, 1], [len(sides.rows_first), len(sides.rows_second)])
    return np.concatenate([sides.strata[0], sides.strata[1] + sides.n_strata])


def _independent_variance(
    sides: Sides, first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the variance of the differences if documents were independent and did not differ."""
    n_first, n_second = len(sides.rows_first), len(sides.rows_second)
    if sides.paired:
        both = count_together(sides.first, sides.second, sides.rows_first, sides.rows_second)
        return np.asarray((first + second - 2 * both) / n_first**2)
    if sides.strata is None:
        rate = (first + second) / (n_first + n_second)
        return np.asarray(rate * (1.0 - rate) * (1.0 / n_first + 1.0 / n_second))
    counts, sizes = _by_stratum(sides)
    m, n = (size[:, None].astype(np.float64) for size in sizes)
    rate = (counts[0] + counts[1]) / np.maximum(m + n, 1.0)
    share = m * n / np.maximum(m + n, 1.0)
    spread = rate * (1.0 - rate) * share  # share^2 x (1/m + 1/n) = share
    return np.asarray(spread.sum(axis=0) / share.sum() ** 2)
