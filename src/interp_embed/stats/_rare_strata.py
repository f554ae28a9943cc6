"""Intervals for a rate difference within strata where a property is rare, or nearly all have it."""

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

_Floats = NDArray[np.float64]


def rare_difference_interval(
    first: _Floats, second: _Floats, sizes_first: _Floats, sizes_second: _Floats, level: float
) -> tuple[_Floats, _Floats]:
    """Return Newcombe's interval of the difference of standardised rates.

    Each side's rate is the mean of its strata with Mantel's and Haenszel's weights, and has the
    Wilson interval of as many documents as would give it the same variance in one stratum; the two
    are combined by square-and-add. The variance is of both sides' documents together.

    Args:
        first: Documents of the first set with the property, shape (n_strata, n_properties).
        second: Those of the second set.
        sizes_first: Documents of the first set, all above 0, shape (n_strata, 1).
        sizes_second: Those of the second set.
        level: Confidence level.

    Returns:
        Ends of shape (n_properties,); NaN where in every stratum none have it, or all.

    Source: Newcombe 1998, Stat. Med. 17, 873-890 (method 10, square-and-add); Zou and Donner 2008,
    Stat. Med. 27, 1693-1702 (it holds for any two limits); Yan and Su 2010, Stat. Biopharm. Res.
    2, 329-335 (Wilson's limits over strata; there from limits in each stratum, which are too wide
    where strata are small).
    """
    total = sizes_first + sizes_second
    share = sizes_first * sizes_second / total
    share = share / share.sum()
    pooled = (first + second) / total
    spread = pooled * (1.0 - pooled) * total / np.maximum(total - 1.0, 1.0)
    overall = (share * pooled).sum(axis=0)
    ends = []
    for hits, sizes in ((first, sizes_first), (second, sizes_second)):
        rate = (share * hits / sizes).sum(axis=0)
        variance = (share**2 * spread / sizes).sum(axis=0)
        known = variance > 0.0
        worth = np.divide(
            overall * (1.0 - overall), variance, out=np.full_like(rate, np.nan), where=known
        )
        low, high = proportion_confint(rate * worth, worth, alpha=1.0 - level, method="wilson")
        ends.append((rate, low, high))
    (one, low_one, high_one), (other, low_other, high_other) = ends
    value = one - other
    down = np.hypot(one - low_one, high_other - other)
    up = np.hypot(high_one - one, other - low_other)
    return np.asarray(value - down), np.asarray(value + up)
