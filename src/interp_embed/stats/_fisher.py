"""Fisher's exact test of many 2 x 2 tables at once."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

_SLACK = 1e-7
"""Tables whose probabilities differ by less than this share are equally likely, as in scipy."""

_NEGLIGIBLE = 1e-17
"""A tail is summed until its terms fall below this share of the sum."""

_CHUNK = 200_000
"""Tables at a time, about 50 MB."""

_SMALLEST = float(np.finfo(np.float64).tiny)


def fisher_p(
    both: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    n: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return two-sided p-values: the chance of a table at most as likely, the margins given.

    3 together of 3 and 3, n = 6 -> 2 / 20 = 0.1

    scipy has the same test for one table. Equal tables are computed once.

    Args:
        both: Documents with both properties, shape (n_tables,).
        first: Documents with the first property, shape (n_tables,).
        second: Documents with the second one, shape (n_tables,).
        n: Documents in all, shape (n_tables,).

    Returns:
        p in (0, 1], shape (n_tables,); never below 2.2e-308, the smallest number held exactly.

    Source: Fisher 1935, The Logic of Inductive Inference; two-sided as in R and scipy.
    """
    tables = np.stack([both, np.minimum(first, second), np.maximum(first, second), n])
    rows, places = _distinct(tables)
    p = np.empty(rows.size)
    for start in range(0, p.size, _CHUNK):
        chunk = rows[start : start + _CHUNK]
        p[start : start + _CHUNK] = _two_sided(*tables[:, chunk])
    return p[places]


def _distinct(tables: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return one place of each different table, and which of them each table is."""
    key = np.zeros(tables.shape[1], dtype=np.int64)
    reach = 1
    for side in tables:
        lowest = int(side.min(initial=0))
        width = int(side.max(initial=0)) - lowest + 1
        reach *= width
        if reach >= 2**63:  # cannot be numbered: take each as it is
            each = np.arange(tables.shape[1])
            return each, each
        key = key * width + (side - lowest)
    _, rows, places = np.unique(key, return_index=True, return_inverse=True)
    return rows, places


def _two_sided(
    x: NDArray[np.int64], a: NDArray[np.int64], b: NDArray[np.int64], n: NDArray[np.int64]
) -> NDArray[np.float64]:
    lowest, highest = np.maximum(a + b - n, 0), np.minimum(a, b)
    mode = np.clip(((a + 1) * (b + 1)) // (n + 2), lowest, highest)
    observed = log_hypergeometric(x, a, b, n)
    limit = observed + np.log1p(_SLACK)
    certain = log_hypergeometric(mode, a, b, n) <= limit  # nothing is less likely than the mode
    above = x > mode
    left = np.where(above, _last_below(limit, lowest - 1, mode, (a, b, n)), x)
    right = np.where(above, x, _first_above(limit, mode, highest + 1, (a, b, n)))
    p = _tail(left, -1, lowest, (a, b, n)) + _tail(right, 1, highest, (a, b, n))
    return np.clip(np.where(certain, 1.0, p), _SMALLEST, 1.0)


def log_hypergeometric(
    x: NDArray[np.int64], a: NDArray[np.int64], b: NDArray[np.int64], n: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the log of the hypergeometric probability of x."""
    logs = _log_choose(a, x) + _log_choose(n - a, b - x) - _log_choose(n, b)
    return np.asarray(logs, dtype=np.float64)


def _log_choose(n: NDArray[np.int64], k: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), dtype=np.float64)


def _last_below(
    limit: NDArray[np.float64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    table: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Return the largest count under the mode with a probability within the limit, or ``low``."""
    low, high = low.copy(), high.copy()
    while (high - low > 1).any():
        middle = (low + high) // 2
        inside = np.maximum(middle, low + 1)
        within = log_hypergeometric(np.minimum(inside, high), *table) <= limit
        move = high - low > 1
        low = np.where(move & within, middle, low)
        high = np.where(move & ~within, middle, high)
    return low


def _first_above(
    limit: NDArray[np.float64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    table: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Return the smallest count over the mode with a probability within the limit, or ``high``."""
    low, high = low.copy(), high.copy()
    while (high - low > 1).any():
        middle = (low + high) // 2
        within = log_hypergeometric(np.minimum(middle, high - 1), *table) <= limit
        move = high - low > 1
        high = np.where(move & within, middle, high)
        low = np.where(move & ~within, middle, low)
    return high


def _tail(
    start: NDArray[np.int64],
    step: int,
    end: NDArray[np.int64],
    table: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.float64]:
    """Return the probability of all counts from ``start`` outwards to ``end``."""
    total = np.zeros(start.shape)
    rows = np.flatnonzero((end - start) * step >= 0)
    x = start[rows]
    a, b, n = (side[rows] for side in table)
    term = np.exp(log_hypergeometric(x, a, b, n))
    while rows.size:
        total[rows] += term
        if step > 0:
            ratio = (a - x) * (b - x) / ((x + 1.0) * (n - a - b + x + 1.0))
        else:
            ratio = x * (n - a - b + x) / ((a - x + 1.0) * (b - x + 1.0))
        term, x = term * ratio, x + step
        going = ((end[rows] - x) * step >= 0) & (term > _NEGLIGIBLE * total[rows])
        rows, x, term = rows[going], x[going], term[going]
        a, b, n = a[going], b[going], n[going]
    return total
