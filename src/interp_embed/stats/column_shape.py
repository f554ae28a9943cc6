"""Whether the rates of many yes/no columns go one way over ordered levels, or turn."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, csr_matrix
from tqdm.auto import tqdm

from interp_embed.errors import InputError
from interp_embed.stats._checks import check_same_length, number_labels
from interp_embed.stats.column_trend import count_by_level
from interp_embed.stats.trend import best_rising, count_departures

_ENTRIES = 2_000_000
"""Signs drawn at once, 16 MB."""

_FIRST_DRAWS = 99
_ENOUGH = 20
"""Draws as far from monotone as what was found, among the first, after which no more are made: p
is above 0.2 then, and known well enough."""


@dataclass(frozen=True, slots=True)
class ColumnShapes:
    """Whether the rates of columns go one way throughout; arrays of shape (n_columns,)."""

    p_departure: NDArray[np.float64]
    """Small: they turn. NaN where a level has a single document or group."""
    rising: NDArray[np.bool_]
    """Whether the best monotone curve rises."""
    share: NDArray[np.float64]
    """Share of the spread between levels that it explains, in [0, 1]; NaN without spread."""


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
    of_level, sizes, hits = count_by_level(fires, levels)
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
        draw = partial(_drawn_means, hits[:, column], sizes)
        if of_group is not None:
            rows = by_column.indices[by_column.indptr[column] : by_column.indptr[column + 1]]
            residuals = _group_residuals(rows, of_level, of_group, means, sizes)
            draw = partial(_drawn_group_means, residuals, sizes)
        rng = np.random.default_rng([seed, column])
        p[column] = _departure_p(draw, sizes, float(left.min()), n_resamples, rng)
    return ColumnShapes(p, rising, share)


def _departure_p(
    draw: Callable[[int, np.random.Generator], NDArray[np.float64] | None],
    sizes: NDArray[np.int64],
    left: float,
    n_resamples: int,
    rng: np.random.Generator,
) -> float:
    """Return the share of draws as far from monotone as what was found; NaN without draws."""
    n_done, found = 0, 0
    for n_draws in (min(_FIRST_DRAWS, n_resamples), n_resamples - _FIRST_DRAWS):
        if n_draws < 1 or found >= _ENOUGH:
            break
        draws = draw(n_draws, rng)
        if draws is None:
            return float("nan")
        n_done += n_draws
        # Signs are as likely turned round, so that draws are as far from rising as from falling:
        # the smaller distance has the larger p, which is the one wanted.
        found += count_departures(draws, sizes, left - 1e-12 * sizes.sum())
    return (1.0 + found) / (1.0 + n_done)


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
