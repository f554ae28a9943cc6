"""Differences between two rates: of different documents, or of the same ones."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from interp_embed.errors import InputError
from interp_embed.stats._checks import check_level, whole_numbers
from interp_embed.stats._fisher import fisher_p

_SMALL = 5.0
"""Expected count below which ``auto`` leaves the score test for Fisher's (Cochran 1954)."""

_BISECTIONS = 60
"""Halvings of a range of at most 2: down to rounding."""


@dataclass(frozen=True, slots=True)
class RateDifferences:
    """Differences between two rates, first minus second, one or many; arrays share one shape."""

    value: NDArray[np.float64]
    """First rate minus second, in [-1, 1]; NaN where a side has no documents."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """Ends of the interval, in [-1, 1]; NaN as ``value``."""
    p: NDArray[np.float64]
    """Two-sided p-value of equal rates, in [0, 1]; NaN as ``value``."""
    test: NDArray[Any]
    """What gave ``p``: ``score``, ``fisher``, ``mcnemar``, ``mcnemar mid-p``, or within strata
    ``cmh`` and ``exact``; empty for none."""
    n: NDArray[np.int64]
    """Documents of both sides; of paired data, pairs."""
    interval: str
    """How ``low`` and ``high`` were made: ``newcombe`` (his method 10), ``tango`` or, within
    strata, ``klingenberg``, but ``newcombe`` of standardised rates where the test is exact."""


def rate_differences(
    first: ArrayLike,
    second: ArrayLike,
    *,
    n_first: ArrayLike,
    n_second: ArrayLike,
    level: float = 0.95,
    test: Literal["auto", "score", "fisher"] = "auto",
) -> RateDifferences:
    """Return the difference of two rates in different documents, with Newcombe's interval.

    56 of 70 against 48 of 80 -> 0.2, interval [0.052, 0.334], score test p = 0.008

    The interval and the p-value come from different methods and can disagree at the border.

    Args:
        first: Documents of the first set with the property, any shape.
        second: Documents of the second set with it, of a shape that fits ``first``.
        n_first: Documents of the first set, a number or one for each entry.
        n_second: Documents of the second set.
        level: Confidence level in (0, 1).
        test: ``score`` (Pearson's chi-squared with one degree of freedom, without continuity
            correction), ``fisher`` (exact, conservative), or ``auto``: Fisher's wherever one of
            the four expected counts is below 5, else the score test. The result says which.

    Raises:
        InputError: A count is negative, no whole number or above its n, or shapes do not fit.

    Source: Newcombe 1998, Stat. Med. 17, 873-890 (method 10, without continuity correction);
    Cochran 1954, Biometrics 10, 417-451 (the rule of 5).
    """
    check_level(level)
    if test not in {"auto", "score", "fisher"}:
        raise InputError(f'test must be "auto", "score" or "fisher", got {test!r}')
    a, b, m, n = _fitting(first=first, second=second, n_first=n_first, n_second=n_second)
    for hits, size, name in ((a, m, "first"), (b, n, "second")):
        if (hits > size).any():
            raise InputError(
                f"{name} has counts above n_{name}: {int((hits > size).sum())} of them"
            )
    known = (m > 0) & (n > 0)
    rate_a, low_a, high_a = _wilson(a, m, level)
    rate_b, low_b, high_b = _wilson(b, n, level)
    value = rate_a - rate_b
    down = np.hypot(rate_a - low_a, high_b - rate_b)
    up = np.hypot(high_a - rate_a, rate_b - low_b)
    p, used = _independent_p(a, b, m, n, test)
    return RateDifferences(
        value=np.asarray(value),
        low=np.asarray(np.clip(value - down, -1.0, 1.0)),
        high=np.asarray(np.clip(value + up, -1.0, 1.0)),
        p=np.where(known, p, np.nan),
        test=np.where(known, used, ""),
        n=np.asarray(m + n),
        interval="newcombe",
    )


def paired_rate_differences(
    first_only: ArrayLike,
    second_only: ArrayLike,
    *,
    both: ArrayLike,
    neither: ArrayLike,
    level: float = 0.95,
    interval: Literal["newcombe", "tango"] = "newcombe",
    test: Literal["exact", "mid-p"] = "exact",
) -> RateDifferences:
    """Return the difference of two rates in the same documents, such as two answers to a prompt.

    12 first only, 2 second only, 36 both, 0 neither -> 0.2, Newcombe [0.057, 0.340], exact
    McNemar p = 2 x (1 + 14 + 91) / 2^14 = 0.0129

    Pairs with a missing side are to be left out before (and their number told).

    Args:
        first_only: Pairs with the property in the first only, any shape.
        second_only: Pairs with it in the second only.
        both: Pairs with it in both.
        neither: Pairs with it in neither.
        level: Confidence level in (0, 1).
        interval: ``newcombe``: square-and-add of two Wilson intervals with his correlation term;
            ``tango``: inverts the score test, whose p without exactness is McNemar's.
        test: ``exact`` McNemar (the binomial test of the discordant pairs), conservative; or its
            ``mid-p``, which counts half of the chance of the observed split.

    Raises:
        InputError: A count is negative or no whole number, or shapes do not fit.

    Source: Newcombe 1998, Stat. Med. 17, 2635-2650 (method 10); Tango 1998, Stat. Med. 17,
    891-908; Fagerland, Lydersen and Laake 2013, BMC Med. Res. Methodol. 13:91 (mid-p).
    """
    check_level(level)
    if interval not in {"newcombe", "tango"}:
        raise InputError(f'interval must be "newcombe" or "tango", got {interval!r}')
    if test not in {"exact", "mid-p"}:
        raise InputError(f'test must be "exact" or "mid-p", got {test!r}')
    b, c, a, d = _fitting(
        first_only=first_only, second_only=second_only, both=both, neither=neither
    )
    n = a + b + c + d
    known = n > 0
    bounds = _newcombe_paired if interval == "newcombe" else _tango
    low, high = bounds(np.stack([a, b, c, d]), level)
    tail = stats.binom.cdf(np.minimum(b, c), b + c, 0.5)
    if test == "mid-p":
        tail = tail - 0.5 * stats.binom.pmf(np.minimum(b, c), b + c, 0.5)
    return RateDifferences(
        value=_ratio(b - c, n),
        low=np.where(known, np.clip(low, -1.0, 1.0), np.nan),
        high=np.where(known, np.clip(high, -1.0, 1.0), np.nan),
        p=np.where(known, np.minimum(2.0 * tail, 1.0), np.nan),
        test=np.where(known, "mcnemar" if test == "exact" else "mcnemar mid-p", ""),
        n=np.asarray(n),
        interval=interval,
    )


def _fitting(**counts: ArrayLike) -> list[NDArray[np.int64]]:
    checked = [whole_numbers(values, name=name) for name, values in counts.items()]
    try:
        return [np.array(values) for values in np.broadcast_arrays(*checked)]
    except ValueError as error:
        shapes = ", ".join(
            f"{name} {side.shape}" for name, side in zip(counts, checked, strict=True)
        )
        raise InputError(f"the counts have shapes that do not fit: {shapes}") from error


def _ratio(
    counts: NDArray[np.int64] | NDArray[np.float64], n: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return counts / n, NaN where n is 0."""
    return np.asarray(counts / np.where(n > 0, n, np.nan), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates with Wilson's intervals, one or many; NaN where there are no documents."""

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def rates_of(hits: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> Rates:
    """Return rates with Wilson's intervals, as ``wilson_interval`` for many counts at once.

    Args:
        hits: Documents with a property, any shape.
        n: Documents, of a shape that fits.
        level: Confidence level in (0, 1).

    Raises:
        InputError: A count is negative, no whole number or above its n, or shapes do not fit.
    """
    check_level(level)
    counts, sizes = _fitting(hits=hits, n=n)
    if (counts > sizes).any():
        raise InputError(f"hits has counts above n: {int((counts > sizes).sum())} of them")
    return Rates(*_wilson(counts, sizes, level))


def _wilson(hits: NDArray[np.int64], n: NDArray[np.int64], level: float) -> NDArray[np.float64]:
    """Return rate, low and high, stacked; NaN where n is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = proportion_confint(hits, n, alpha=1.0 - level, method="wilson")
    low = np.where(hits == 0, 0.0, low)
    high = np.where(hits == n, 1.0, high)
    bounds = np.where(n > 0, np.stack([_ratio(hits, n), low, high]), np.nan)
    return bounds


def _independent_p(
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    m: NDArray[np.int64],
    n: NDArray[np.int64],
    test: str,
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    hits = a + b
    pooled = _ratio(hits, m + n)
    spread = pooled * (1.0 - pooled) * (_ratio(np.ones_like(m), m) + _ratio(np.ones_like(n), n))
    gap = _ratio(a, m) - _ratio(b, n)
    squared = np.divide(gap**2, spread, out=np.zeros(gap.shape), where=spread > 0.0)
    p = np.array(stats.chi2.sf(squared, 1))
    smallest = np.minimum(m, n) * np.minimum(pooled, 1.0 - pooled)
    exact = {"score": False, "fisher": True}.get(test, smallest < _SMALL)
    exact = np.broadcast_to(exact, p.shape) & (m > 0) & (n > 0)
    if exact.any():
        p[exact] = fisher_p(a[exact], hits[exact], m[exact], (m + n)[exact])
    return p, np.where(exact, "fisher", "score")


def _newcombe_paired(
    cells: NDArray[np.int64], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b, c, d = cells
    n = a + b + c + d
    rate_1, low_1, high_1 = _wilson(a + b, n, level)
    rate_2, low_2, high_2 = _wilson(a + c, n, level)
    product = a.astype(np.float64) * d - b.astype(np.float64) * c
    # Newcombe's correction draws a positive correlation towards 0; a negative one stays.
    product = np.where(product > 0.0, np.maximum(product - n / 2.0, 0.0), product)
    margins = np.sqrt((a + b).astype(np.float64) * (c + d) * (a + c) * (b + d))
    phi = np.divide(product, margins, out=np.zeros(product.shape), where=margins > 0.0)
    value = rate_1 - rate_2

    def width(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        squared = one**2 - 2.0 * phi * one * other + other**2
        return np.asarray(np.sqrt(np.maximum(squared, 0.0)), dtype=np.float64)

    return (
        value - width(rate_1 - low_1, high_2 - rate_2),
        value + width(high_1 - rate_1, rate_2 - low_2),
    )


def _tango(
    cells: NDArray[np.int64], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    _, b, c, _ = cells
    n = cells.sum(axis=0)
    z = float(stats.norm.ppf(0.5 + level / 2.0))
    value = np.nan_to_num(_ratio(b - c, n))
    ends = []
    for far in (-1.0, 1.0):
        inside, outside = value, np.full(value.shape, far)
        for _ in range(_BISECTIONS):
            middle = (inside + outside) / 2.0
            close = np.abs(_tango_score(middle, b, c, n)) <= z
            inside = np.where(close, middle, inside)
            outside = np.where(close, outside, middle)
        ends.append(inside)
    return ends[0], ends[1]


def _tango_score(
    delta: NDArray[np.float64],
    b: NDArray[np.int64],
    c: NDArray[np.int64],
    n: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the score of "the difference is delta": standard normal if it is."""
    linear = -(b + c) + (2.0 * n - b + c) * delta
    constant = -c * delta * (1.0 - delta)
    root = np.sqrt(np.maximum(linear**2 - 8.0 * n * constant, 0.0))
    second_only = _ratio(root - linear, 4 * n)  # its rate, given delta
    variance = n * (2.0 * second_only + delta * (1.0 - delta))
    gap = b - c - n * delta
    score = np.where(gap == 0.0, 0.0, np.copysign(np.inf, gap))
    return np.divide(gap, np.sqrt(np.maximum(variance, 0.0)), out=score, where=variance > 1e-15)
