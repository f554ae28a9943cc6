"""Differences between two rates within strata, such as documents of like length."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from interp_embed.errors import InputError
from interp_embed.stats._checks import check_level, whole_numbers
from interp_embed.stats.proportions import RateDifferences


def stratified_rate_differences(
    first: ArrayLike,
    second: ArrayLike,
    *,
    n_first: ArrayLike,
    n_second: ArrayLike,
    level: float = 0.95,
) -> RateDifferences:
    """Return differences of two rates with the stratum held fixed: Mantel and Haenszel's.

    Strata of 40 + 40 and 20 + 20 documents, 20 and 10 of 40, 4 and 2 of 20 -> weights 20 and 10,
    difference (20 x 0.25 + 10 x 0.1) / 30 = 0.2

    Args:
        first: Documents of the first set with the property, shape (n_strata, n_properties).
        second: Documents of the second set with it, same shape.
        n_first: Documents of the first set in each stratum, shape (n_strata,).
        n_second: Documents of the second set in each stratum, shape (n_strata,).
        level: Confidence level in (0, 1).

    Returns:
        Arrays of shape (n_properties,). A stratum without documents of one side tells nothing and
        is left out of all, of ``n`` too; NaN where that leaves none. ``test`` is ``cmh``.

    Raises:
        InputError: A count is negative, no whole number or above its n, or shapes do not fit.

    Source: Mantel and Haenszel 1959, JNCI 22, 719-748 (the test, without continuity correction);
    Greenland and Robins 1985, Biometrics 41, 55-68 (the estimate); Sato 1989, Biometrics 45,
    1323-1324 (the variance, right for many small strata and for few large ones); Klingenberg 2014,
    Stat. Med. 33, 2968-2983 (the interval that inverts it).
    """
    check_level(level)
    a, b = (
        np.atleast_2d(whole_numbers(x, name=n)) for x, n in ((first, "first"), (second, "second"))
    )
    m, n = (whole_numbers(x, name=k) for x, k in ((n_first, "n_first"), (n_second, "n_second")))
    _check(a, b, m, n)
    used = (m > 0) & (n > 0)
    hits_a, hits_b = a[used].astype(np.float64), b[used].astype(np.float64)
    sizes_a, sizes_b = m[used, None].astype(np.float64), n[used, None].astype(np.float64)
    total = sizes_a + sizes_b
    weight = float((sizes_a * sizes_b / total).sum())
    documents = np.full(a.shape[1], int(total.sum()), np.int64)
    if not used.any():
        unknown = np.full(a.shape[1], np.nan)
        return RateDifferences(
            unknown, unknown, unknown, unknown, np.full(a.shape[1], ""), documents, "klingenberg"
        )
    value = ((sizes_b * hits_a - sizes_a * hits_b) / total).sum(axis=0) / weight
    low, high = _interval(value, hits_a, hits_b, sizes_a, sizes_b, level)
    return RateDifferences(
        value=value,
        low=low,
        high=high,
        p=_cmh_p(hits_a, hits_b, sizes_a, sizes_b),
        test=np.full(value.shape, "cmh"),
        n=documents,
        interval="klingenberg",
    )


def _interval(
    value: NDArray[np.float64],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    m: NDArray[np.float64],
    n: NDArray[np.float64],
    level: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the differences d with (value - d)^2 <= z^2 (d P + Q), Sato's variance at d."""
    total = m + n
    weight = float((m * n / total).sum())
    slope = ((m**2 * b - n**2 * a + m * n * (n - m) / 2.0) / total**2).sum(axis=0) / weight**2
    constant = ((a * (n - b) + b * (m - a)) / (2.0 * total)).sum(axis=0) / weight**2
    z2 = float(stats.norm.ppf(0.5 + level / 2.0)) ** 2
    middle = value + z2 * slope / 2.0
    half = np.sqrt(np.maximum(middle**2 - value**2 + z2 * constant, 0.0))
    # Where no document has it, or all have, the variance is 0: Newcombe's ends of 0 against 0.
    flat = np.isin(a.sum(axis=0) + b.sum(axis=0), (0.0, total.sum()))
    low = np.where(flat, -z2 / (n.sum() + z2), middle - half)
    high = np.where(flat, z2 / (m.sum() + z2), middle + half)
    return np.clip(low, -1.0, 1.0), np.clip(high, -1.0, 1.0)


def _cmh_p(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    m: NDArray[np.float64],
    n: NDArray[np.float64],
) -> NDArray[np.float64]:
    total, hits = m + n, a + b
    gap = (a - m * hits / total).sum(axis=0)
    per_stratum = m * n * hits * (total - hits) / (total**2 * np.maximum(total - 1.0, 1.0))
    variance = per_stratum.sum(axis=0)
    squared = np.divide(gap**2, variance, out=np.zeros_like(gap), where=variance > 0.0)
    return np.asarray(stats.chi2.sf(squared, 1))


def _check(
    a: NDArray[np.int64], b: NDArray[np.int64], m: NDArray[np.int64], n: NDArray[np.int64]
) -> None:
    if a.shape != b.shape or m.shape != n.shape or m.shape != (a.shape[0],):
        raise InputError(
            f"counts of shapes {a.shape} and {b.shape} need documents of each stratum on both "
            f"sides, but got shapes {m.shape} and {n.shape}"
        )
    for hits, sizes, name in ((a, m, "first"), (b, n, "second")):
        n_above = int((hits > sizes[:, None]).sum())
        if n_above:
            raise InputError(f"{name} has counts above n_{name}: {n_above} of them")
