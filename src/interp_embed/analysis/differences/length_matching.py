"""Documents of like length: pairs that differ little, or strata of the pooled lengths."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MatchingRule:
    """What counts as like in length."""

    ratio: float = 1.25
    """Longer over shorter, the most that a pair may have."""
    pairs: int = 50
    """Fewest such pairs a paired comparison may stand on ..."""
    share: float = 0.2
    """... and which share of all pairs: few would tell of unusual prompts only."""
    per_stratum: int = 25
    """Documents of the smaller group that a stratum has on average."""
    fewest: int = 5
    most: int = 40
    """Strata: five leave about a tenth of the bias of length (Cochran 1968), forty next to none."""


MATCHED = MatchingRule()


@dataclass(frozen=True, slots=True, eq=False)
class MatchedLengths:
    """Strata of length that have documents of both groups."""

    first: NDArray[np.int64]
    """Stratum of each document of the first group from 0; -1 where the other has none there."""
    second: NDArray[np.int64]
    n_strata: int


def match_pairs(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which pairs are alike in length, shape (n_pairs,)."""
    longer, shorter = np.maximum(first, second), np.minimum(first, second)
    return np.asarray(longer <= MATCHED.ratio * shorter)


def enough_pairs(alike: NDArray[np.bool_]) -> bool:
    """Whether the pairs that are alike in length can stand for all of them."""
    return bool(alike.sum() >= MATCHED.pairs and alike.mean() >= MATCHED.share)


def match_strata(first: NDArray[np.float64], second: NDArray[np.float64]) -> MatchedLengths:
    """Return strata cut at quantiles of the lengths that both groups have.

    Args:
        first: Tokens of each document of the first group.
        second: Tokens of each document of the second.

    Source: Cochran 1968, Biometrics 24, 295-313 (how many strata it takes).
    """
    rule = MATCHED
    low, high = max(first.min(), second.min()), min(first.max(), second.max())
    inside = [(low <= side) & (side <= high) for side in (first, second)]
    shorter = [side[own] for side, own in zip((first, second), inside, strict=True)]
    n = min(map(len, shorter))
    if n == 0:
        return MatchedLengths(np.full(len(first), -1), np.full(len(second), -1), 0)
    n_bins = int(np.clip(n // rule.per_stratum, rule.fewest, rule.most))
    # Each group weighs the same, so that a large one does not decide alone where to cut.
    pooled = np.concatenate(shorter)
    weights = np.concatenate([np.full(len(side), 1.0 / len(side)) for side in shorter])
    order = np.argsort(pooled, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    inner = np.unique(pooled[order][np.searchsorted(share, np.arange(1, n_bins) / n_bins)])
    bins = [np.searchsorted(inner, side, side="left") for side in (first, second)]
    counts = [
        np.bincount(own[kept], minlength=inner.size + 1)
        for own, kept in zip(bins, inside, strict=True)
    ]
    shared = (counts[0] > 0) & (counts[1] > 0)
    number = np.where(shared, np.cumsum(shared) - 1, -1)
    numbers = [np.where(kept, number[own], -1) for own, kept in zip(bins, inside, strict=True)]
    return MatchedLengths(numbers[0], numbers[1], int(shared.sum()))
