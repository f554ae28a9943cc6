"""Trends over ordered levels, such as years or stars: is there one, and is it monotone."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from interp_embed.errors import InputError
from interp_embed.stats._checks import check_same_length, finite_vector
from interp_embed.stats._units import Units, number_units
from interp_embed.stats.resampling import permutation_test

Alternative = Literal["two-sided", "greater", "less"]

_ENTRIES = 2_000_000
"""Numbers in a chunk of samples, 16 MB."""

_MOST_LEVELS = 200


@dataclass(frozen=True, slots=True)
class TrendTest:
    """Whether values rise or fall over ordered levels."""

    share: float
    """Of all pairs of documents at different levels, the share whose higher level has the higher
    value, equal values half; 0.5 is no trend, 1 and 0 are perfect ones; NaN if there is no pair."""
    tau: float
    """Kendall's tau-b of values and levels, in [-1, 1]; NaN where one of them is constant."""
    p: float
    """p-value of "the same values at every level"; NaN as ``tau``."""
    n: int
    n_levels: int
    method: str
    """``normal`` or ``permutation``."""
    note: str
    """Why there is no p-value, or what limits it, in words; empty if nothing does."""


@dataclass(frozen=True, slots=True)
class TrendShape:
    """Whether the means over ordered levels go one way throughout."""

    verdict: str
    """``rising``, ``falling``, ``not monotone``, ``no trend``, or ``unclear`` (see ``note``)."""
    share: float
    """Share of the spread between levels that the best monotone curve explains, in [0, 1]."""
    p_trend: float
    """p of the Jonckheere-Terpstra test: NaN where there is none."""
    p_departure: float
    """p of "the means rise throughout or fall throughout"; small: they turn. NaN as above."""
    levels: NDArray[np.float64]
    """The levels, ascending, shape (n_levels,)."""
    means: NDArray[np.float64]
    """Mean value at each level."""
    fitted: NDArray[np.float64]
    """The best monotone curve at each level."""
    counts: NDArray[np.int64]
    """Documents at each level."""
    note: str
    """What could not be judged and why, in words; empty if all could."""


def jonckheere_terpstra(
    values: ArrayLike,
    levels: ArrayLike,
    *,
    alternative: Alternative = "two-sided",
    n_permutations: int = 0,
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> TrendTest:
    """Return the Jonckheere-Terpstra test of a trend over ordered levels, ties corrected.

    values [1, 2, 3, 4], levels [0, 0, 1, 1] -> share 1.0, tau 0.816, normal p = 0.121

    Args:
        values: Shape (n,).
        levels: Numbers whose order counts, not their distance, shape (n,).
        alternative: ``greater`` asks whether values rise with the level.
        n_permutations: 0 for the normal approximation (fair from about 10 documents a level);
            otherwise that many random permutations of the levels.
        groups: Documents of one label are not independent: they are permuted as a whole, so each
            group must be at one level, shape (n,). Needs ``n_permutations``.
        seed: Same seed, same result.

    Raises:
        InputError: A value is NaN or infinite, lengths differ, there are no documents, a group is
            at several levels, or there are groups without permutations.

    Source: Jonckheere 1954, Biometrika 41, 133-145; Terpstra 1952, Indag. Math. 14, 327-333; the
    variance with ties as in Hollander and Wolfe 1999, Nonparametric Statistical Methods, 6.2. No
    continuity correction, so the normal p is that of Kendall's tau-b.
    """
    ys, xs = _checked(values, levels)
    if alternative not in {"two-sided", "greater", "less"}:
        raise InputError(
            f'alternative must be "two-sided", "greater" or "less", got {alternative!r}'
        )
    if groups is not None and n_permutations < 1:
        raise InputError(
            "the normal approximation takes documents for independent; with groups give "
            "n_permutations, such as 999"
        )
    numbers, sizes = np.unique(xs, return_inverse=True, return_counts=True)[1:]
    ranks, ties = np.unique(ys, return_inverse=True, return_counts=True)[1:]
    n = ys.size
    n_pairs = count_pairs(n) - count_pairs(sizes).sum()
    found = float(_concordance(numbers[None, :], ranks, sizes.size, ties.size)[0])
    method = "permutation" if n_permutations else "normal"
    share = float(found / n_pairs) if n_pairs else float("nan")
    if sizes.size < 2 or ties.size < 2:
        what = "level" if sizes.size < 2 else "value"
        nan = float("nan")
        return TrendTest(share, nan, nan, n, sizes.size, method, f"all have the same {what}")
    tau = (2.0 * found - n_pairs) / np.sqrt(n_pairs * (count_pairs(n) - count_pairs(ties).sum()))
    if n_permutations:
        test = permutation_test(
            lambda samples: _concordance(samples.astype(np.int64), ranks, sizes.size, ties.size),
            numbers,
            alternative=alternative,
            n_permutations=n_permutations,
            groups=groups,
            seed=seed,
        )
        return TrendTest(share, float(tau), test.p, n, sizes.size, method, test.note)
    z = (found - n_pairs / 2.0) / np.sqrt(float(null_variance(n, sizes, ties)))
    p = {"greater": stats.norm.sf(z), "less": stats.norm.cdf(z)}.get(
        alternative, 2.0 * stats.norm.sf(abs(z))
    )
    return TrendTest(share, float(tau), float(p), n, sizes.size, method, "")


def trend_shape(
    values: ArrayLike,
    levels: ArrayLike,
    *,
    alpha: float = 0.05,
    n_resamples: int = 999,
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> TrendShape:
    """Return whether mean values go one way over ordered levels, or turn.

    means 1, 3, 2 of equally many documents -> best rising curve 1, 2.5, 2.5; of the spread 2 it
    leaves 0.5, so share 0.75

    Two tests: Jonckheere-Terpstra for a trend, and one of departure, how far the means are from
    the best monotone curve compared with means of the same documents' residuals, signs at random.
    The second is exact or cautious for every monotone truth, equal means being the worst. A large
    p_departure is no proof that nothing turns: read it with ``share``. ``verdict`` is for one
    feature at ``alpha``; for many, adjust the p-values of each test over the features.

    Args:
        values: Shape (n,).
        levels: Ordered numbers, shape (n,); at most 200 different ones.
        alpha: Significance level of the verdict, in (0, 1).
        n_resamples: Random signs for the departure and, with groups, permutations for the trend.
        groups: Documents of one label are not independent; each group is at one level.
        seed: Same seed, same result.

    Raises:
        InputError: A value is NaN or infinite, lengths differ, there are no documents, a group is
            at several levels, or there are more than 200 levels.

    Source: Robertson, Wright and Dykstra 1988, Order Restricted Statistical Inference, 2.3 (test of
    order against all alternatives); its null distribution here by the wild bootstrap (Wu 1986,
    Ann. Statist. 14, 1261-1295), which needs neither normal values nor equal spread. Both
    directions must be rejected.
    """
    if not 0.0 < alpha < 1.0:
        raise InputError(f"alpha must lie between 0 and 1, such as 0.05, got {alpha}")
    if n_resamples < 1:
        raise InputError(f"n_resamples must be at least 1, got {n_resamples}")
    ys, xs = _checked(values, levels)
    trend = jonckheere_terpstra(
        ys, xs, groups=groups, seed=seed, n_permutations=0 if groups is None else n_resamples
    )
    grid, numbers, counts = np.unique(xs, return_inverse=True, return_counts=True)
    if grid.size > _MOST_LEVELS:
        raise InputError(
            f"{grid.size} levels are more than {_MOST_LEVELS}: bin them, such as days into months"
        )
    means = np.bincount(numbers, weights=ys) / counts
    rising = best_rising(means[None, :], counts)[0]
    falling = -best_rising(-means[None, :], counts)[0]
    spread = float(counts @ (means - ys.mean()) ** 2)
    left = np.array([counts @ (means - fit) ** 2 for fit in (rising, falling)])
    best = int(np.argmin(left))
    p_departure, note = float("nan"), trend.note
    if not np.isnan(trend.tau):
        units = number_units(ys.size, groups=groups, strata=None)
        p_departure, why = _departure_p(
            ys - means[numbers], numbers, counts, left, units, n_resamples, seed
        )
        note = why or note
    flat = spread <= 1e-20 * float(ys @ ys)
    verdict = _verdict(trend, p_departure, rising=best == 0, alpha=alpha)
    if verdict == "unclear" and not note:
        note = "the order of the values and their means point different ways"
    return TrendShape(
        verdict=verdict,
        share=float("nan") if flat else float(np.clip(1.0 - left[best] / spread, 0.0, 1.0)),
        p_trend=trend.p,
        p_departure=p_departure,
        levels=grid,
        means=means,
        fitted=(rising, falling)[best],
        counts=counts,
        note=note,
    )


def _checked(
    values: ArrayLike, levels: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ys = finite_vector(values, name="values")
    xs = finite_vector(levels, name="levels")
    check_same_length(ys.size, xs, name="levels")
    if not ys.size:
        raise InputError("there are no documents: values are empty")
    return ys, xs


def count_pairs(counts: int | NDArray[np.int64]) -> NDArray[np.float64]:
    """Return in how many ways two of so many can be chosen."""
    counts = np.asarray(counts, dtype=np.float64)
    return counts * (counts - 1.0) / 2.0


def _concordance(
    numbers: NDArray[np.int64], ranks: NDArray[np.int64], n_levels: int, n_values: int
) -> NDArray[np.float64]:
    """Return, for each row of levels, the pairs in which the higher level has the higher value.

    Equal values count half. ``numbers`` has shape (n_samples, n), ``ranks`` shape (n,).
    """
    found = np.empty(numbers.shape[0])
    chunk = max(1, _ENTRIES // (n_levels * n_values))
    for start in range(0, found.size, chunk):
        part = numbers[start : start + chunk]
        cells = (np.arange(part.shape[0])[:, None] * n_levels + part) * n_values + ranks
        table = np.bincount(cells.reshape(-1), minlength=part.shape[0] * n_levels * n_values)
        table = table.reshape(part.shape[0], n_levels, n_values).astype(np.float64)
        below = np.cumsum(table, axis=2) - table / 2.0  # smaller values, equal ones half
        lower = np.cumsum(below, axis=1) - below  # ... at lower levels
        found[start : start + chunk] = (table * lower).sum(axis=(1, 2))
    return found


def null_variance(n: int, sizes: NDArray[np.int64], ties: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the variance of the concordant pairs if there is no trend, ties corrected.

    Args:
        n: Documents.
        sizes: Documents of each level, shape (n_levels,).
        ties: Documents of each value, shape (n_values,) or, of many columns, (n_values, n_columns).
    """

    def moments(counts: NDArray[np.int64] | int) -> tuple[NDArray[np.float64], ...]:
        c = np.atleast_1d(np.asarray(counts, dtype=np.float64))
        two = c * (c - 1.0)
        return (
            (two * (2.0 * c + 5.0)).sum(axis=0),
            (two * (c - 2.0)).sum(axis=0),
            two.sum(axis=0),
        )

    whole, levels, values = moments(n), moments(sizes), moments(ties)
    variance = (whole[0] - levels[0] - values[0]) / 72.0
    if n > 2:
        variance = variance + levels[1] * values[1] / (36.0 * whole[1])
    return np.asarray(variance + levels[2] * values[2] / (8.0 * whole[2]))


def best_rising(means: NDArray[np.float64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the best rising curve of each row, shape (n_samples, n_levels).

    By the max-min formula, many rows at a time; scipy and scikit-learn do one.
    """
    n_levels = means.shape[1]
    fitted = np.empty_like(means)
    total = np.concatenate([[0.0], np.cumsum(weights)])
    blocks = total[None, 1:] - total[:-1, None]  # weight of levels first..last
    chunk = max(1, _ENTRIES // n_levels**2)
    for start in range(0, means.shape[0], chunk):
        part = means[start : start + chunk]
        sums = np.concatenate([np.zeros((len(part), 1)), np.cumsum(part * weights, axis=1)], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            averages = (sums[:, None, 1:] - sums[:, :-1, None]) / blocks
        upper = np.triu(np.ones((n_levels, n_levels), dtype=bool))
        averages = np.where(upper, averages, np.inf)
        smallest = np.minimum.accumulate(averages[:, :, ::-1], axis=2)[:, :, ::-1]
        fitted[start : start + chunk] = np.where(upper, smallest, -np.inf).max(axis=1)
    return fitted


def _departure_p(
    residuals: NDArray[np.float64],
    numbers: NDArray[np.int64],
    counts: NDArray[np.int64],
    left: NDArray[np.float64],
    units: Units,
    n_resamples: int,
    seed: int,
) -> tuple[float, str]:
    """Return the larger of the p-values of "rises throughout" and "falls throughout"."""
    level_of_unit = np.zeros(units.n, dtype=np.int64)
    level_of_unit[units.of_row] = numbers
    per_level = np.bincount(level_of_unit)
    if per_level.min() < 2:
        return float("nan"), (
            f"{int((per_level < 2).sum())} levels have a single document or group, so their spread "
            "is unknown and departure from monotone was not tested; merge levels"
        )
    sums = np.bincount(units.of_row, weights=residuals)  # (n_units,)
    sums = sums * np.sqrt(per_level / (per_level - 1.0))[level_of_unit]
    rng = np.random.default_rng(seed)
    hits = np.zeros(2)
    slack = 1e-12 * float(residuals @ residuals)
    chunk = max(1, _ENTRIES // units.n)
    for start in range(0, n_resamples, chunk):
        n_chunk = min(chunk, n_resamples - start)
        signed = (2.0 * rng.integers(0, 2, (n_chunk, units.n)) - 1.0) * sums
        means = np.stack(
            [signed[:, level_of_unit == level].sum(axis=1) for level in range(counts.size)], axis=1
        )
        means /= counts
        for way, sign in enumerate((1.0, -1.0)):
            hits[way] += count_departures(sign * means, counts, left[way] - slack)
    return float(((1.0 + hits) / (1.0 + n_resamples)).max()), ""


def count_departures(means: NDArray[np.float64], counts: NDArray[np.int64], left: float) -> int:
    """Return how many rows of means are at least so far from rising.

    Args:
        means: Shape (n_samples, n_levels).
        counts: Documents of each level.
        left: Sum of squares that the best rising curve leaves.
    """
    gaps = means - best_rising(means, counts)
    return int((gaps**2 @ counts >= left).sum())


def _verdict(trend: TrendTest, p_departure: float, *, rising: bool, alpha: float) -> str:
    if np.isnan(trend.p):
        return "no trend" if trend.note == "all have the same value" else "unclear"
    if p_departure <= alpha:
        return "not monotone"
    if trend.p > alpha:
        return "no trend"
    if np.isnan(p_departure) or (trend.tau > 0.0) != rising:
        return "unclear"
    return "rising" if rising else "falling"
