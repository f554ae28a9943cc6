"""Concepts tested on held-out documents of two groups, from an annotator's verdicts alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.analysis.differences.rate_comparison import (
    CORRECTIONS,
    RateComparison,
    can_compare,
    compare_rates,
)
from interp_embed.analysis.differences.sides import Sides
from interp_embed.analysis.differences.verified import VerifiedDifference
from interp_embed.records import Annotations, Estimate
from interp_embed.stats import wilson_interval

_NAN = float("nan")
_MIN_PRESENT = 5
"""Held-out documents with a concept, of both groups, below which it is not tested."""


@dataclass(frozen=True, slots=True)
class NamedDifference:
    """A concept that is fixed before the held-out documents are opened."""

    concept: str
    feature: int
    source: str
    expected: float
    """The difference on the documents searched, or its sign."""
    f1: float = _NAN


def verify_concepts(
    concepts: Sequence[NamedDifference],
    verdicts: NDArray[np.float32],
    sides: Sides,
    *,
    level: float,
    correction: str,
) -> tuple[VerifiedDifference, ...]:
    """Return each concept tested; p-values are corrected over the concepts of one source.

    Args:
        concepts: Fixed before.
        verdicts: On the documents of both sides, the first group's above, 1, 0 or NaN, shape
            (n_documents, n_concepts).
        sides: The held-out documents and the design of their comparison.
        level: Significance level.
        correction: Of p-values.
    """
    n_first = len(sides.first)
    parts = verdicts[:n_first], verdicts[n_first:]
    found = [_test(parts[0][:, j], parts[1][:, j], sides) for j in range(len(concepts))]
    p = np.array([one.difference.p for one in found])
    q = np.full(len(p), _NAN)
    sources = np.array([concept.source for concept in concepts])
    for source in dict.fromkeys(sources.tolist()):
        own = sources == source
        q[own] = CORRECTIONS[correction](p[own])
    return tuple(
        VerifiedDifference(
            concept=concept.concept,
            feature=concept.feature,
            source=concept.source,
            difference=one.difference,
            rate_first=one.rate_first,
            rate_second=one.rate_second,
            q=float(q[place]),
            significant=bool(q[place] <= level),
            expected=concept.expected,
            fidelity_f1=concept.f1,
            n_missing=one.n_missing,
        )
        for place, (concept, one) in enumerate(zip(concepts, found, strict=True))
    )


@dataclass(frozen=True, slots=True)
class _Tested:
    difference: Estimate
    rate_first: float
    rate_second: float
    n_missing: int


def _test(first: NDArray[np.float32], second: NDArray[np.float32], sides: Sides) -> _Tested:
    known = np.isfinite(first[sides.rows_first]), np.isfinite(second[sides.rows_second])
    kept = sides.keep(*known)
    n_compared = len(sides.rows_first) + len(sides.rows_second)
    n_missing = n_compared - len(kept.rows_first) - len(kept.rows_second)
    if not can_compare(kept):
        n = len(kept.rows_first) + (0 if sides.paired else len(kept.rows_second))
        return _Tested(Estimate(_NAN, _NAN, _NAN, _NAN, n), _NAN, _NAN, n_missing)
    rates = compare_rates(
        replace(
            kept,
            first=replace(kept.first, activations=_column(first), cuts=None),
            second=replace(kept.second, activations=_column(second), cuts=None),
        )
    )
    return _Tested(
        _estimate(rates), float(rates.rate_first[0]), float(rates.rate_second[0]), n_missing
    )


def _estimate(rates: RateComparison) -> Estimate:
    p = float(rates.p[0]) if rates.support[0] >= _MIN_PRESENT else _NAN
    value, low, high = (float(part[0]) for part in (rates.difference, rates.low, rates.high))
    return Estimate(value, low, high, p, int(rates.n[0]))


def _column(verdicts: NDArray[np.float32]) -> csr_matrix:
    return csr_matrix((np.nan_to_num(verdicts) > 0).astype(np.float32)[:, None])


def measure_coverage(
    verdicts: NDArray[np.float32],
    sides: Sides,
    named: Sequence[int],
    *,
    of_second: bool = False,
) -> Estimate:
    """Return the share of a side's documents that have one of the named concepts.

    Of pairs: that have one which the other document has not. Documents (pairs) with a missing
    verdict on any of them are left out, even where another is a yes: without those that have none
    alone, the rest would seem covered the more, the more verdicts are missing.

    Args:
        verdicts: As for ``verify_concepts``.
        sides: The held-out documents.
        named: Concepts, by column.
        of_second: Whether the second side's documents are meant.
    """
    n_first, columns = len(sides.first), list(named)
    own, other = (
        verdicts[sides.rows_first][:, columns],
        verdicts[n_first + sides.rows_second][:, columns],
    )
    if of_second:
        own, other = other, own
    if not columns:
        return Estimate(_NAN, _NAN, _NAN, _NAN, len(own))
    yes, missing = own == 1, np.isnan(own)
    if sides.paired:
        yes, missing = yes & (other == 0), missing | np.isnan(other)
    known = ~missing.any(axis=1)
    return share_estimate(int(yes[known].any(axis=1).sum()), int(known.sum()))


def share_estimate(hits: int, n: int) -> Estimate:
    """Return a share with Wilson's interval; NaN of none."""
    interval = wilson_interval(hits, n)
    return Estimate(hits / n if n else _NAN, interval.low, interval.high, _NAN, n)


def count_missing(annotations: Annotations) -> int:
    """Return how many verdicts are missing."""
    return int(np.isnan(annotations.verdicts).sum())
