"""Trends of many yes/no columns over ordered levels at once: where a feature fires, by year."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.sparse import csr_array, csr_matrix
from tqdm.auto import tqdm

from interp_embed.errors import InputError
from interp_embed.stats._checks import (
    check_same_length,
    finite_vector,
    number_labels,
    whole_numbers,
)
from interp_embed.stats.clustered import clustered_sums, compare_clustered
from interp_embed.stats.trend import (
    best_rising,
    count_departures,
    count_pairs,
    null_variance,
)

_ENTRIES = 2_000_000
"""Signs drawn at once, 16 MB."""

_FIRST_DRAWS = 99
_ENOUGH = 20
"""Draws as far from monotone as what was found, among the first, after which no more are made: p
is above 0.2 then, and known well enough."""


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
    """``normal`` or ``cluster-robust``."""


@dataclass(frozen=True, slots=True)
class ColumnShapes:
    """Whether the rates of columns go one way throughout; arrays of shape (n_columns,)."""

    p_departure: NDArray[np.float64]
    """Small: they turn. NaN where a level has a single document or group."""
    rising: NDArray[np.bool_]
    """Whether the best monotone curve rises."""
    share: NDArray[np.float64]
    """Share of the spread between levels that it explains, in [0, 1]; NaN without spread."""


def column_trends(hits: ArrayLike, sizes: ArrayLike) -> ColumnTrends:
    """Return the Jonckheere-Terpstra test of each column, ties corrected, from counts alone.

    1 of 2 and 2 of 2 documents -> share (1 x 2 + half of the 2 alike) / 4 = 0.75

    Args:
        hits: Documents of each level with the property, shape (n_levels, n_columns), levels
            ascending.
        sizes: Documents of each level, shape (n_levels,).

    Raises:
        InputError: A count is negative, no whole number or above its level's, or shapes do not fit.

    Source: as ``jonckheere_terpstra``, whose normal p this equals.
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
    if usable.any():
        ties = np.stack([with_it, n - with_it])[:, usable]
        z = excess[usable] / 2.0 / np.sqrt(null_variance(n, of_level, ties))
        p[usable] = 2.0 * stats.norm.sf(np.abs(z))
    return ColumnTrends(
        share=0.5 + excess / (2.0 * n_pairs) if n_pairs else nan,
        tau=excess / alike,
        p=p,
        n=n,
        n_levels=int((of_level > 0).sum()),
        method="normal",
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
    of_level, sizes, hits = _by_level(fires, levels)
    independent = column_trends(hits, sizes)
    n_pairs = float(count_pairs(independent.n) - count_pairs(sizes).sum())
    below = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    weights = below - (independent.n - below - sizes)  # lower less higher, by level
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


def column_shapes(
    fires: csr_matrix | csr_array,
    levels: ArrayLike,
    *,
    n_resamples: int = 999,
    groups: ArrayLike | None = None,
    seed: int = 0,
    progress: bool = False,
) -> ColumnShapes:
    """Return the test of ``trend_shape`` that rates rise or fall throughout, for many columns.

    Of independent documents the sum of a level's residuals with random signs is drawn as two
    binomial numbers, those with and those without the property; of groups the signs are drawn.
    Where the first 99 draws show a p above 0.2, no more are made.

    Args:
        fires: 1 where a document has the property, sparse, shape (n, n_columns).
        levels: Ordered numbers, few of them, shape (n,).
        n_resamples: Draws of the signs, >= 1.
        groups: Documents of one label are not independent, shape (n,).
        seed: Same seed, same result.
        progress: Show a bar.

    Source: as ``trend_shape``; signs for whole groups as in Cameron, Gelbach and Miller 2008, Rev.
    Econ. Stat. 90, 414-427 (wild cluster bootstrap).
    """
    if n_resamples < 1:
        raise InputError(f"n_resamples must be at least 1, got {n_resamples}")
    of_level, sizes, hits = _by_level(fires, levels)
    of_group = None if groups is None else number_labels(groups)
    if of_group is not None:
        check_same_length(of_level.size, of_group, name="groups")
    by_column = fires.tocsc()
    n_columns = hits.shape[1]
    p, share = np.full(n_columns, np.nan), np.full(n_columns, np.nan)
    rising = np.zeros(n_columns, np.bool_)
    for column in tqdm(range(n_columns), "Shapes", disable=not progress):
        means = hits[:, column] / sizes
        curves = best_rising(means[None, :], sizes)[0], -best_rising(-means[None, :], sizes)[0]
        left = np.array([sizes @ (means - curve) ** 2 for curve in curves])
        spread = float(sizes @ (means - hits[:, column].sum() / sizes.sum()) ** 2)
        rising[column] = left[0] <= left[1]
        if spread > 0.0:
            share[column] = float(np.clip(1.0 - left.min() / spread, 0.0, 1.0))
        rng = np.random.default_rng([seed, column])
        rows = by_column.indices[by_column.indptr[column] : by_column.indptr[column + 1]]
        residuals = None
        if of_group is not None:
            residuals = _group_residuals(rows, of_level, of_group, means, sizes)
        n_done, found = 0, 0
        for n_draws in (min(_FIRST_DRAWS, n_resamples), n_resamples - _FIRST_DRAWS):
            if n_draws < 1 or found >= _ENOUGH:
                break
            if of_group is None:
                draws = _drawn_means(hits[:, column], sizes, n_draws, rng)
            else:
                draws = _drawn_group_means(residuals, sizes, n_draws, rng)
            if draws is None:
                break
            n_done += n_draws
            # Signs are as likely turned round, so that draws are as far from rising as from
            # falling: the smaller distance has the larger p, which is the one wanted.
            found += count_departures(draws, sizes, float(left.min()) - 1e-12 * sizes.sum())
        if n_done:
            p[column] = (1.0 + found) / (1.0 + n_done)
    return ColumnShapes(p, rising, share)


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
    below = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    weights = below - (sizes.sum() - below - sizes)
    return np.asarray(weights.astype(np.float64) @ ones)


def _by_level(
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


def _drawn_means(
    hits: NDArray[np.int64], sizes: NDArray[np.int64], n_resamples: int, rng: np.random.Generator
) -> NDArray[np.float64] | None:
    if sizes.min() < 2:
        return None
    rate, shape = hits / sizes, (n_resamples, hits.size)
    with_it = 2.0 * rng.binomial(hits, 0.5, shape) - hits
    without = 2.0 * rng.binomial(sizes - hits, 0.5, shape) - (sizes - hits)
    sums = (1.0 - rate) * with_it - rate * without
    return np.asarray(sums * np.sqrt(sizes / (sizes - 1.0)) / sizes)


def _group_residuals(
    rows: NDArray[np.integer],
    of_level: NDArray[np.int64],
    of_group: NDArray[np.int64],
    means: NDArray[np.float64],
    sizes: NDArray[np.int64],
) -> NDArray[np.float64] | None:
    """Return each group's sum of residuals at each level, shape (n_groups, n_levels)."""
    shape = int(of_group.max()) + 1, sizes.size
    cell = of_group * sizes.size + of_level
    n_cell = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    per_level = (n_cell > 0).sum(axis=0)
    if per_level.min() < 2:
        return None
    hits = np.bincount(cell[rows], minlength=shape[0] * shape[1]).reshape(shape)
    return np.asarray((hits - n_cell * means) * np.sqrt(per_level / (per_level - 1.0)))


def _drawn_group_means(
    sums: NDArray[np.float64] | None,
    sizes: NDArray[np.int64],
    n_resamples: int,
    rng: np.random.Generator,
) -> NDArray[np.float64] | None:
    if sums is None:
        return None
    draws = np.empty((n_resamples, sizes.size))
    chunk = max(1, _ENTRIES // len(sums))
    for start in range(0, n_resamples, chunk):
        n_chunk = min(chunk, n_resamples - start)
        signs = 2.0 * rng.integers(0, 2, (n_chunk, len(sums))) - 1.0
        draws[start : start + n_chunk] = signs @ sums / sizes
    return draws
