"""Trends of many yes/no columns over ordered levels at once: where a feature fires, by year."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.sparse import csr_array, csr_matrix

from interp_embed.errors import InputError
from interp_embed.stats._checks import (
    check_same_length,
    finite_vector,
    whole_numbers,
)
from interp_embed.stats._saddlepoint import is_lopsided, saddlepoint_p
from interp_embed.stats.clustered import clustered_sums, compare_clustered
from interp_embed.stats.trend import count_pairs, null_variance


@dataclass(frozen=True, slots=True)
class ColumnTrends:
    """Whether columns rise or fall over ordered levels; arrays share the shape (n_columns,)."""

    share: NDArray[np.float64]
    """Of all pairs of documents at different levels, the share whose higher level alone has the
    property, plus half of those that are alike; 0.5 is no trend. NaN if there is no pair."""
    tau: NDArray[np.float64]
    """Kendall's tau-b, in [-1, 1]; NaN where all documents are alike or at one level."""
    p: NDArray[np.float64]
    """Two-sided p of "the same at every level"; NaN as ``tau``."""
    n: int
    n_levels: int
    method: str
    """``normal``, with ``saddlepoint`` where most documents are at one level, or
    ``cluster-robust``."""


def column_trends(hits: ArrayLike, sizes: ArrayLike) -> ColumnTrends:
    """Return the Jonckheere-Terpstra test of each column, ties corrected, from counts alone.

    1 of 2 and 2 of 2 documents -> share (1 x 2 + half of the 2 alike) / 4 = 0.75

    Args:
        hits: Documents of each level with the property, shape (n_levels, n_columns), levels
            ascending.
        sizes: Documents of each level, shape (n_levels,).

    Raises:
        InputError: A count is negative, no whole number or above its level's, or shapes do not fit.

    Source: as ``jonckheere_terpstra``, whose normal p this equals, unless a level holds so many of
    the documents that few hits are expected elsewhere: p of the sum's tail then, by a saddlepoint
    (Robinson 1982, JRSS B 44, 91-101), where it is larger.
    """
    ones = np.atleast_2d(whole_numbers(hits, name="hits"))
    of_level = whole_numbers(sizes, name="sizes")
    if of_level.shape != (ones.shape[0],):
        raise InputError(f"{ones.shape[0]} levels need as many sizes, got shape {of_level.shape}")
    if (ones > of_level[:, None]).any():
        raise InputError("hits has counts above the documents of their level")
    n = int(of_level.sum())
    n_pairs = float(count_pairs(n) - count_pairs(of_level).sum())
    excess = _excess(ones, of_level)
    with_it = ones.sum(axis=0)
    nan = np.full(with_it.shape, np.nan)
    usable = (with_it > 0) & (with_it < n) & bool(n_pairs)
    alike = np.sqrt(n_pairs * with_it * (n - with_it), where=usable, out=nan.copy())
    p = nan.copy()
    lopsided = usable.copy()
    if usable.any():
        ties = np.stack([with_it, n - with_it])[:, usable]
        z = excess[usable] / 2.0 / np.sqrt(null_variance(n, of_level, ties))
        p[usable] = 2.0 * stats.norm.sf(np.abs(z))
        filled, weights = of_level > 0, _lower_less_higher(of_level)
        lopsided[usable] = is_lopsided(with_it[usable], of_level, weights)
        exacter = saddlepoint_p(ones[filled][:, lopsided], of_level[filled], weights[filled])
        p[lopsided] = np.maximum(p[lopsided], exacter)
    return ColumnTrends(
        share=0.5 + excess / (2.0 * n_pairs) if n_pairs else nan,
        tau=excess / alike,
        p=p,
        n=n,
        n_levels=int((of_level > 0).sum()),
        method="normal or, of lopsided levels, saddlepoint" if lopsided.any() else "normal",
    )


def clustered_trends(
    fires: csr_matrix | csr_array, levels: ArrayLike, *, groups: ArrayLike
) -> ColumnTrends:
    """Return the same trends where documents of one group are not independent.

    The concordant pairs of a yes/no column are a sum over documents, each weighted by how many are
    at lower levels less how many at higher ones; its variance is over groups, about a linear trend
    in this weight.

    Args:
        fires: 1 where a document has the property, sparse, shape (n, n_columns).
        levels: Numbers whose order counts, shape (n,).
        groups: Label of each document's group, shape (n,); a group may be at several levels.

    Raises:
        InputError: As ``clustered_sums``; or a level is not finite.
    """
    of_level, sizes, hits = count_by_level(fires, levels)
    independent = column_trends(hits, sizes)
    n_pairs = float(count_pairs(independent.n) - count_pairs(sizes).sum())
    weights = _lower_less_higher(sizes)
    own = weights[of_level] / max(n_pairs, 1.0)
    sums = clustered_sums(fires, own, groups=groups, slope=own)
    with_it = hits.sum(axis=0)
    ties = np.stack([with_it, independent.n - with_it])
    least = 4.0 * null_variance(independent.n, sizes, ties) / max(n_pairs, 1.0) ** 2
    tested = compare_clustered(sums, least=np.maximum(least, 0.0))
    return ColumnTrends(
        share=independent.share,
        tau=independent.tau,
        p=np.where(np.isnan(independent.tau), np.nan, tested.p),
        n=independent.n,
        n_levels=independent.n_levels,
        method="cluster-robust",
    )


def column_spread(hits: ArrayLike, sizes: ArrayLike) -> NDArray[np.float64]:
    """Return p of "the rate is the same at every level", whatever the order, of each column.

    Args:
        hits: Documents of each level with the property, shape (n_levels, n_columns).
        sizes: Documents of each level, >= 1, shape (n_levels,).

    Returns:
        Pearson's chi-squared with n_levels - 1 degrees of freedom; 1 where all are alike.
    """
    ones = np.atleast_2d(whole_numbers(hits, name="hits")).astype(np.float64)
    of_level = whole_numbers(sizes, name="sizes").astype(np.float64)[:, None]
    if of_level.shape[0] != ones.shape[0] or (ones > of_level).any():
        raise InputError("hits must be counts of as many levels as sizes, none above its size")
    rate = ones.sum(axis=0) / of_level.sum()
    spread = of_level * rate * (1.0 - rate)
    gaps = (ones - of_level * rate) ** 2
    squared = np.divide(gaps, spread, out=np.zeros_like(gaps), where=spread > 0.0).sum(axis=0)
    return np.asarray(stats.chi2.sf(squared, max(1, len(of_level) - 1)))


def _excess(ones: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return pairs whose higher level alone has the property less those whose lower one has."""
    return np.asarray(_lower_less_higher(sizes).astype(np.float64) @ ones)


def _lower_less_higher(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many documents are at lower levels than each, less those at higher ones."""
    below = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return np.asarray(below - (sizes.sum() - below - sizes))


def count_by_level(
    fires: csr_matrix | csr_array, levels: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return each document's level by number, documents a level, and hits (n_levels, n_columns)."""
    xs = finite_vector(levels, name="levels")
    check_same_length(fires.shape[0], xs, name="levels")
    if not xs.size:
        raise InputError("there are no documents: levels are empty")
    of_level, sizes = np.unique(xs, return_inverse=True, return_counts=True)[1:]
    to_levels = csr_array(
        (np.ones(xs.size), (of_level, np.arange(xs.size))), shape=(sizes.size, xs.size)
    )
    hits = np.asarray((to_levels @ fires).toarray()).round().astype(np.int64)
    return of_level, sizes, hits
