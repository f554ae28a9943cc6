"""How good rankings of documents are, and how several become one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed.errors import InputError
from interp_embed.stats.resampling import BootstrapInterval, bootstrap_interval

RRF_K = 60
"""The constant of reciprocal-rank fusion, as in its source."""


@dataclass(frozen=True, slots=True, eq=False)
class RankingQuality:
    """How well documents are ranked for several queries, with intervals over queries."""

    average_precision: NDArray[np.float64]
    """Of each query; NaN where no document is relevant, shape (n_queries,)."""
    precision: Mapping[int, NDArray[np.float64]]
    """By k: the share of relevant documents among the first k; NaN as above."""
    mean_average_precision: BootstrapInterval
    """MAP, of the queries that have a relevant document."""
    mean_precision: Mapping[int, BootstrapInterval]
    """MP@k by k, of the same queries."""
    n_queries: int
    """Queries that count."""
    n_without: int
    """Queries without a relevant document: left out."""


def average_precision(scores: ArrayLike, relevant: ArrayLike) -> float:
    """Return the mean precision at the relevant documents of a ranking; ties in expectation.

    scores [3, 2, 1], relevant [1, 0, 1] -> (1 + 2/3) / 2 = 0.833

    Documents of equal score are in random order: the value is the mean over all their orders.

    Args:
        scores: High is first, shape (n_documents,); -inf for documents that are not ranked, which
            come last.
        relevant: True or 1 where a document is, shape (n_documents,).

    Returns:
        In (0, 1]; NaN where no document is relevant.

    Raises:
        InputError: A score is NaN, lengths differ, or ``relevant`` is not 0 and 1.

    Source: McSherry and Najork 2008, ECIR, "Computing information retrieval performance measures
    efficiently in the presence of tied scores".
    """
    tied = _tied_groups(scores, relevant)
    total = int(tied.n_relevant.sum())
    if total == 0:
        return float("nan")
    group = np.repeat(np.arange(tied.size.size), tied.size)
    place = np.arange(group.size) - tied.before[group]  # from 0, within the group
    size, own = tied.size[group], tied.n_relevant[group]
    # Of the documents above one that is relevant, those of its group are so by chance.
    others = place * (own - 1) / np.maximum(size - 1, 1)
    found = tied.relevant_before[group] + 1 + others
    return float(((own / size) * found / (np.arange(group.size) + 1)).sum() / total)


def precision_at(scores: ArrayLike, relevant: ArrayLike, k: int) -> float:
    """Return the share of relevant documents among the first k; ties in expectation.

    scores [3, 2, 2], relevant [1, 1, 0], k = 2 -> (1 + 1/2) / 2 = 0.75

    Args:
        scores: As for ``average_precision``.
        relevant: As there.
        k: At least 1; of fewer documents all are taken.

    Returns:
        In [0, 1]; NaN where no document is relevant.

    Raises:
        InputError: k < 1, or as there.
    """
    if k < 1:
        raise InputError(f"k must be at least 1, but got {k}")
    tied = _tied_groups(scores, relevant)
    if not tied.n_relevant.any():
        return float("nan")
    k = min(k, int(tied.size.sum()))
    taken = np.clip(k - tied.before, 0, tied.size)
    return float((taken / tied.size * tied.n_relevant).sum() / k)


def ranking_quality(
    scores: Sequence[ArrayLike],
    relevant: Sequence[ArrayLike],
    *,
    ks: Sequence[int] = (10, 50),
    level: float = 0.95,
    n_resamples: int = 2_000,
    seed: int = 0,
) -> RankingQuality:
    """Return AP, MAP and MP@k of several queries, with bootstrap intervals over the queries.

    Args:
        scores: One array a query, as for ``average_precision``.
        relevant: One array a query.
        ks: At which precision is taken, each >= 1.
        level: Of the percentile intervals, in (0, 1).
        n_resamples: Bootstrap samples, >= 100.
        seed: Of the bootstrap.

    Raises:
        InputError: There are no queries or none with a relevant document, the two differ in
            number, a score is NaN, or a k is below 1.
    """
    if len(scores) != len(relevant):
        raise InputError(
            f"there are scores of {len(scores)} queries, but relevant documents of {len(relevant)}"
        )
    pairs = list(zip(scores, relevant, strict=True))
    average = np.array([average_precision(one, true) for one, true in pairs])
    precision = {k: np.array([precision_at(one, true, k) for one, true in pairs]) for k in ks}
    counted = ~np.isnan(average)
    if not counted.any():
        raise InputError(
            f"none of {len(scores)} queries has a relevant document: there is nothing to measure"
        )

    def mean(values: NDArray[np.float64]) -> BootstrapInterval:
        return _mean_interval(values[counted], level=level, n_resamples=n_resamples, seed=seed)

    return RankingQuality(
        average_precision=average,
        precision=precision,
        mean_average_precision=mean(average),
        mean_precision={k: mean(values) for k, values in precision.items()},
        n_queries=int(counted.sum()),
        n_without=int((~counted).sum()),
    )


def descending_ranks(scores: ArrayLike, *, depth: int | None = None) -> NDArray[np.float64]:
    """Return ranks from 1, the highest score first, ties at their mean rank.

    [5, 7, 5, -inf] -> [2.5, 1, 2.5, inf]

    Args:
        scores: Shape (n_documents,); -inf for documents that are not ranked.
        depth: Documents ranked at most, >= 1; those tied at the end are left out together if
            they are too many, unless they are tied at the top. None for all.

    Returns:
        Ranks, inf where a document is not ranked, shape (n_documents,).

    Raises:
        InputError: A score is NaN, or depth is below 1.
    """
    if depth is not None and depth < 1:
        raise InputError(f"depth must be at least 1, but got {depth}")
    values = _scores(scores)
    ranks = np.full(values.size, np.inf)
    ranked = np.flatnonzero(values > -np.inf)
    if depth is not None and ranked.size > depth:
        found = values[ranked]
        least = np.partition(found, ranked.size - depth)[ranked.size - depth]
        above, higher = found >= least, found > least
        fits = np.count_nonzero(above) <= depth or not higher.any()
        ranked = ranked[above if fits else higher]
    if ranked.size == 0:
        return ranks
    falling, group = np.unique(-values[ranked], return_inverse=True)
    sizes = np.bincount(group, minlength=falling.size)
    last = np.cumsum(sizes)
    ranks[ranked] = (last - (sizes - 1) / 2.0)[group]
    return ranks


def reciprocal_rank_fusion(
    ranks: Sequence[ArrayLike], *, k: float = RRF_K, weights: Sequence[float] | None = None
) -> NDArray[np.float64]:
    """Return one score per document from several rankings: the sum of 1 / (k + rank).

    ranks [1, 2], [2, inf], k = 60 -> [1/61 + 1/62, 1/62]

    Args:
        ranks: From 1, inf where a document is not ranked, each of shape (n_documents,).
        k: How slowly the top ranks stop to count, >= 0.
        weights: Of the rankings, >= 0; None: all 1.

    Returns:
        High is first, 0 where no ranking has the document, shape (n_documents,).

    Raises:
        InputError: There are no rankings, lengths differ, a rank is below 1 or NaN, or weights do
            not fit.

    Source: Cormack, Clarke and Buettcher 2009, SIGIR, "Reciprocal rank fusion outperforms
    Condorcet and individual rank learning methods".
    """
    if not len(ranks):
        raise InputError("there are no rankings to fuse")
    if not (np.isfinite(k) and k >= 0):
        raise InputError(f"k must be at least 0, such as 60, but got {k}")
    shares = [1.0] * len(ranks) if weights is None else list(weights)
    if len(shares) != len(ranks) or not all(np.isfinite(w) and w >= 0 for w in shares):
        raise InputError(f"weights must be {len(ranks)} numbers >= 0, got {weights!r}")
    fused = np.zeros(np.shape(ranks[0]))
    for one, share in zip(ranks, shares, strict=True):
        values = np.asarray(one, np.float64)
        if values.ndim != 1 or values.shape != fused.shape or not (values >= 1).all():
            raise InputError(
                "rankings must hold ranks >= 1 (inf: not ranked) of the same documents"
            )
        fused += share / (k + values)
    return fused


@dataclass(frozen=True, slots=True)
class _Tied:
    """Groups of equal score, highest first; each of shape (n_groups,)."""

    size: NDArray[np.int64]
    n_relevant: NDArray[np.int64]
    before: NDArray[np.int64]
    """Documents in higher groups."""
    relevant_before: NDArray[np.int64]


def _tied_groups(scores: ArrayLike, relevant: ArrayLike) -> _Tied:
    values = _scores(scores)
    truth = np.asarray(relevant)
    if truth.shape != values.shape:
        raise InputError(
            f"there are {values.size} scores, but relevant documents have shape {truth.shape}"
        )
    if not np.isin(truth, (0, 1)).all():
        raise InputError("relevant must hold True and False (or 1 and 0) only")
    falling, group = np.unique(-values, return_inverse=True)
    size = np.bincount(group, minlength=falling.size)
    n_relevant = np.bincount(group[truth.astype(bool)], minlength=falling.size)
    return _Tied(size, n_relevant, np.cumsum(size) - size, np.cumsum(n_relevant) - n_relevant)


def _scores(scores: ArrayLike) -> NDArray[np.floating[Any]]:
    values = np.asarray(scores)
    if values.dtype != np.float32:
        values = values.astype(np.float64)
    if values.ndim != 1:
        raise InputError(f"scores must have one axis, got shape {values.shape}")
    n_missing = int(np.isnan(values).sum())
    if n_missing:
        raise InputError(
            f"{n_missing} of {values.size} scores are NaN; give -inf to documents that are not "
            "ranked"
        )
    return values


def _mean_interval(
    values: NDArray[np.float64], *, level: float, n_resamples: int, seed: int
) -> BootstrapInterval:
    if values.size == 1:  # one query tells nothing about others
        nan = float("nan")
        note = "one query: there is no interval"
        return BootstrapInterval(float(values[0]), nan, nan, nan, "percentile", 0, 0, 1, note)
    return bootstrap_interval(
        lambda counts: counts @ values / counts.sum(axis=1),
        values.size,
        method="percentile",
        level=level,
        n_resamples=n_resamples,
        seed=seed,
    )
