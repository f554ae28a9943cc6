"""Permutation tests and bootstrap intervals of any statistic that takes many samples at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from interp_embed.errors import InputError
from interp_embed.stats._checks import check_level, finite_vector
from interp_embed.stats._units import (
    Units,
    count_arrangements,
    drawn_counts,
    number_units,
    permuted_places,
    values_of_units,
)

Statistic = Callable[[NDArray[np.float64]], ArrayLike]
"""Takes samples, shape (n_samples, n_rows), and returns one number for each, (n_samples,)."""

_ENTRIES = 2_000_000
"""Numbers in a chunk of samples, 16 MB."""

_MOST_FAILED = 0.05
"""Share of bootstrap samples without a value above which there is no interval."""


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """A statistic and how often chance does as well."""

    value: float
    """The statistic of the data."""
    p: float
    """p-value in (0, 1]; NaN where there was nothing to test: see ``note``."""
    null_mean: float
    """Mean of the statistic over the permutations."""
    null_spread: float
    """Its standard deviation over the permutations."""
    n_permutations: int
    n_units: int
    """What was exchanged: rows, or groups."""
    note: str
    """What limits the p-value, in words; empty if nothing does."""


@dataclass(frozen=True, slots=True)
class BootstrapInterval:
    """A statistic with an interval from samples drawn with replacement."""

    value: float
    """The statistic of the data."""
    low: float
    high: float
    """Ends of the interval; NaN where there is none: see ``note``."""
    error: float
    """Standard error: the standard deviation over the samples; NaN as the ends."""
    method: str
    """``bca`` or ``percentile``."""
    n_resamples: int
    n_failed: int
    """Samples for which the statistic had no value, such as an empty group; left out."""
    n_units: int
    """What was drawn: rows, or groups."""
    note: str
    """Why there is no interval or what to mind, in words; empty if all is well."""


def permutation_test(
    statistic: Statistic,
    target: ArrayLike,
    *,
    alternative: Literal["two-sided", "greater", "less"] = "two-sided",
    n_permutations: int = 9999,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    seed: int = 0,
) -> PermutationTest:
    """Return how often a statistic is as extreme when the target is exchanged between documents.

    target [1, 2, 3, 4], statistic = sum over the last two = 7 -> p tends to 2 x 1/6 = 1/3

    Two-sided p is twice the smaller of the two one-sided ones, at most 1. The data themselves
    count as one permutation (+1), so p is never 0.

    Args:
        statistic: Takes permuted targets, shape (n_samples, n_documents), and returns one finite
            number for each; whatever else it needs stays in the order of the documents.
        target: Shape (n_documents,).
        alternative: ``greater`` asks whether the statistic is larger than by chance.
        n_permutations: Random permutations, >= 1; the smallest two-sided p is 2 / (this + 1).
        groups: Rows with one label are exchanged as a whole; the target must be one value in each.
        strata: Targets are exchanged only between rows (groups) of one label.
        seed: Same seed, same result.

    Raises:
        InputError: The target is not finite or differs within a group, a group lies in several
            strata, there is one unit only, the statistic does not return one number per sample, or
            it is NaN for some permutation.

    Source: Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9(1):39.
    """
    if n_permutations < 1:
        raise InputError(f"n_permutations must be at least 1, got {n_permutations}")
    if alternative not in {"two-sided", "greater", "less"}:
        raise InputError(
            f'alternative must be "two-sided", "greater" or "less", got {alternative!r}'
        )
    values = finite_vector(target, name="target")
    units = number_units(values.size, groups=groups, strata=strata)
    of_unit = values_of_units(values, units)
    rng = np.random.default_rng(seed)
    chunk = max(1, _ENTRIES // values.size)
    observed = float(_apply(statistic, values[None, :])[0])
    null = np.concatenate(
        [
            _apply(statistic, of_unit[places][:, units.of_row])
            for places in permuted_places(units, rng, n_permutations=n_permutations, chunk=chunk)
        ]
    )
    if not (np.isfinite(observed) and np.isfinite(null).all()):
        raise InputError(
            f"the statistic is NaN or infinite for {int((~np.isfinite(null)).sum())} of "
            f"{null.size} permutations (of the data: {observed}); a permutation test needs a "
            "statistic that always has a value"
        )
    arrangements = count_arrangements(of_unit, units)
    return PermutationTest(
        value=observed,
        p=_p(observed, null, alternative) if arrangements > 1.0 else float("nan"),
        null_mean=float(null.mean()),
        null_spread=float(null.std()),
        n_permutations=n_permutations,
        n_units=units.n,
        note=_arrangements_note(arrangements, n_permutations),
    )


def bootstrap_interval(
    statistic: Statistic,
    n: int,
    *,
    method: Literal["bca", "percentile"] = "bca",
    level: float = 0.95,
    n_resamples: int = 2000,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    seed: int = 0,
) -> BootstrapInterval:
    """Return a statistic of ``n`` rows with a bootstrap interval, of rows or of whole groups.

    The statistic gets counts, how often each row is drawn: the mean of ``y`` is
    ``lambda counts: counts @ y / counts.sum(axis=1)``. For a function of row numbers see
    ``by_rows``.

    Args:
        statistic: Takes counts, shape (n_samples, n), whole numbers >= 0, and returns one number
            for each sample; NaN where it has none.
        n: Number of rows, >= 1.
        method: ``percentile``, or ``bca``, which corrects it for bias and for an error that
            changes with the value (acceleration from leaving out one unit at a time).
        level: Confidence level in (0, 1).
        n_resamples: Samples drawn, >= 100.
        groups: Rows with one label are drawn together; with fewer than about 30 groups intervals
            tend to be too short, and with fewer than 10 a note says so.
        strata: Rows (groups) are drawn within each label, whose sizes stay as they are; for a
            difference between two sets give the set.
        seed: Same seed, same result.

    Returns:
        An interval of NaN, with the reason in ``note``, where every sample gives the same value,
        more than 5 % of the samples have none, all lie on one side of the value (``bca``), or the
        value itself is NaN. It is never replaced by another method's.

    Raises:
        InputError: There is one unit only, a group lies in several strata, ``n_resamples`` < 100,
            or the statistic does not return one number per sample.

    Source: Efron 1987, JASA 82, 171-185 (BCa); Davison and Hinkley 1997, Bootstrap Methods and
    their Application, section 5.3.2 (strata) and 3.8 (groups).
    """
    check_level(level)
    if method not in {"bca", "percentile"}:
        raise InputError(f'method must be "bca" or "percentile", got {method!r}')
    if n_resamples < 100:
        raise InputError(f"n_resamples must be at least 100, got {n_resamples}")
    units = number_units(n, groups=groups, strata=strata)
    rng = np.random.default_rng(seed)
    chunk = max(1, _ENTRIES // n)
    value = float(_apply(statistic, np.ones((1, n)))[0])
    drawn = np.concatenate(
        [
            _apply(statistic, counts)
            for counts in drawn_counts(units, rng, n_resamples=n_resamples, chunk=chunk)
        ]
    )
    found = drawn[np.isfinite(drawn)]
    note = _failure(value, found, n_resamples)
    tails = np.array([0.5 - level / 2.0, 0.5 + level / 2.0])
    if not note and method == "bca":
        tails, note = _bca_tails(statistic, value, found, units, tails)
    known = not note
    low, high = np.quantile(found, tails) if known else (np.nan, np.nan)
    return BootstrapInterval(
        value=value,
        low=float(low),
        high=float(high),
        error=float(found.std(ddof=1)) if known else float("nan"),
        method=method,
        n_resamples=n_resamples,
        n_failed=n_resamples - found.size,
        n_units=units.n,
        note=note or _caveat(units, n_resamples - found.size, grouped=groups is not None),
    )


def by_rows(function: Callable[[NDArray[np.int64]], float]) -> Statistic:
    """Return a statistic of counts from one of row numbers, called once for each sample.

    ``by_rows(lambda rows: np.median(y[rows]))`` -> for ``bootstrap_interval``

    Args:
        function: Takes row numbers, ascending, with repeats, shape (n_drawn,).
    """

    def statistic(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = np.arange(counts.shape[1])
        return np.array([function(np.repeat(rows, sample.astype(np.int64))) for sample in counts])

    return statistic


def _apply(statistic: Statistic, samples: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.asarray(statistic(samples), dtype=np.float64)
    if values.shape != samples.shape[:1]:
        raise InputError(
            f"the statistic must return one number for each of {samples.shape[0]} samples (rows of "
            f"what it is given), got shape {values.shape}"
        )
    return values


def _p(observed: float, null: NDArray[np.float64], alternative: str) -> float:
    # A permutation that is the data again may differ from them by rounding.
    slack = 1e-9 * max(abs(observed), float(np.abs(null).max()))
    greater = (1.0 + np.count_nonzero(null >= observed - slack)) / (1.0 + null.size)
    less = (1.0 + np.count_nonzero(null <= observed + slack)) / (1.0 + null.size)
    both = min(1.0, 2.0 * min(greater, less))
    return float({"greater": greater, "less": less}.get(alternative, both))


def _arrangements_note(arrangements: float, n_permutations: int) -> str:
    if arrangements <= 1.0:
        return "nothing was tested: the target has one arrangement only (constant within strata)"
    if arrangements < n_permutations:
        return (
            f"the target has only {arrangements:.0f} different arrangements, "
            f"so p tends to no less than {1.0 / arrangements:.2g}"
        )
    return ""


def _failure(value: float, found: NDArray[np.float64], n_resamples: int) -> str:
    """Return why there is no interval, or nothing."""
    if not np.isfinite(value):
        return "the statistic of the data is not a number"
    if n_resamples - found.size > _MOST_FAILED * n_resamples:
        return (
            f"the statistic has no value in {n_resamples - found.size} of {n_resamples} samples; "
            "too few documents of some kind"
        )
    if np.ptp(found) <= 1e-12 * np.abs(found).max():
        return "every sample gives the same value, which tells nothing about its error"
    return ""


def _caveat(units: Units, n_failed: int, *, grouped: bool) -> str:
    if n_failed:
        return f"{n_failed} samples without a value are left out"
    if grouped and units.n < 10:
        return f"{units.n} groups are few: the interval is likely to be too short"
    n_single = int((np.bincount(units.strata) == 1).sum())
    if n_single:
        return f"{n_single} strata have a single unit, which never varies"
    return ""


def _bca_tails(
    statistic: Statistic,
    value: float,
    found: NDArray[np.float64],
    units: Units,
    tails: NDArray[np.float64],
) -> tuple[NDArray[np.float64], str]:
    """Return the quantiles to take instead of ``tails``, and why there are none."""
    below = (np.mean(found < value) + np.mean(found <= value)) / 2.0
    if below in {0.0, 1.0}:
        return tails, "all samples lie on one side of the value: bca has no correction for that"
    acceleration = _acceleration(statistic, units)
    if not np.isfinite(acceleration):
        return tails, "leaving out one unit leaves no value, which bca needs: see percentile"
    bias = stats.norm.ppf(below)
    shifted = bias + stats.norm.ppf(tails)
    stretch = 1.0 - acceleration * shifted
    if (stretch <= 0.0).any():
        return tails, "the error changes too fast with the value for bca: see percentile"
    return np.asarray(stats.norm.cdf(bias + shifted / stretch), dtype=np.float64), ""


def _acceleration(statistic: Statistic, units: Units) -> float:
    """Return the skewness of the influence of units: leaving out one at a time."""
    left_out = np.empty(units.n)
    chunk = max(1, _ENTRIES // units.of_row.size)
    for start in range(0, units.n, chunk):
        these = np.arange(start, min(start + chunk, units.n))
        counts = (units.of_row[None, :] != these[:, None]).astype(np.float64)
        left_out[these] = _apply(statistic, counts)
    sizes = np.bincount(units.strata)
    means = np.bincount(units.strata, weights=left_out) / sizes
    # A stratum's only unit does not vary, whatever happens without it.
    single = sizes[units.strata] == 1
    influence = np.where(
        single, 0.0, (means[units.strata] - left_out) * (1.0 - 1.0 / sizes[units.strata])
    )
    squares = float((influence**2).sum())
    if not np.isfinite(squares) or squares == 0.0:
        return float("nan")
    return float((influence**3).sum() / (6.0 * squares**1.5))
