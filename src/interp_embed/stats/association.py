"""Which features fire together, or avoid each other, more than chance explains."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.sparse import csc_array, csr_array, csr_matrix

from interp_embed.errors import InputError
from interp_embed.stats._checks import check_level, whole_numbers
from interp_embed.stats._fisher import fisher_p
from interp_embed.stats.multiplicity import adjust_benjamini_hochberg, adjust_benjamini_yekutieli

_ENTRIES = 2_000_000
"""Pairs at a time, about 150 MB with their tests."""


_ADDED = 0.2
"""Documents added to each cell of a table before its interval, chosen by its coverage."""


@dataclass(frozen=True, slots=True)
class PairAssociations:
    """Pairs of features associated beyond chance, most certain first; arrays (n_pairs,)."""

    first: NDArray[np.int64]
    """Feature: a column of the activations."""
    second: NDArray[np.int64]
    """Feature: a later column, or a column of the other matrix."""
    n_both: NDArray[np.int64]
    """Documents in which both fire."""
    n_first: NDArray[np.int64]
    n_second: NDArray[np.int64]
    expected: NDArray[np.float64]
    """Documents in which both would fire were they independent."""
    npmi: NDArray[np.float64]
    """Normalised pointwise mutual information, in [-1, 1]; below 0 they avoid each other."""
    npmi_low: NDArray[np.float64]
    npmi_high: NDArray[np.float64]
    """Ends of its interval."""
    npmi_shrunk: NDArray[np.float64]
    """The same, drawn towards 0 where few documents carry it."""
    p: NDArray[np.float64]
    """Two-sided p of Fisher's exact test, in (0, 1]."""
    q: NDArray[np.float64]
    """``p`` corrected for all ``n_tests`` pairs, not only those listed."""
    n_tests: int
    """Pairs tested: the family."""
    n_below_support: int
    """Listed by q, but left out: together (or, if negative, expected) in too few documents."""
    n_columns_left_out: int
    """Features of too few documents, or firing in all: in no pair."""
    n_documents: int


def npmi(
    n_both: ArrayLike, n_first: ArrayLike, n_second: ArrayLike, *, n: ArrayLike
) -> NDArray[np.float64]:
    """Return normalised pointwise mutual information, log(P(ij) / P(i)P(j)) / -log P(ij).

    never together -> -1; always together -> 1; independent -> 0; once together with 3 and 3 of
    1,000 -> 0.682

    Args:
        n_both: Documents in which both fire; all counts of shapes that fit one another.
        n_first: Documents in which the first fires.
        n_second: Documents in which the second does.
        n: Documents in all.

    Returns:
        Values in [-1, 1]; NaN where one never fires or both fire in every document.

    Raises:
        InputError: A count is negative or no whole number, or the counts contradict one another.

    Source: Bouma 2009, Proc. GSCL, 31-40; as used by Jiang et al. 2025, arXiv 2512.10092, where
    pairs never seen together got 0; here they are at -1, the limit.
    """
    both, a, b, total = _fitting(n_both, n_first, n_second, n)
    wrong = (both > np.minimum(a, b)) | (np.maximum(a, b) > total) | (a + b - both > total)
    if wrong.any():
        raise InputError(
            f"{int(wrong.sum())} of {wrong.size} counts contradict one another: n_both is at most "
            "n_first and n_second, and all are at most n"
        )
    return _npmi(both, a, b, total)


def npmi_interval(
    n_both: ArrayLike,
    n_first: ArrayLike,
    n_second: ArrayLike,
    *,
    n: ArrayLike,
    level: float = 0.95,
) -> NDArray[np.float64]:
    """Return the ends of an interval of NPMI, low and high stacked on the first axis.

    once together with 3 and 3 of 1,000 -> [0.237, 0.897], around 0.682

    The delta method for the four cells of the table, each with a fifth of a document added, on the
    scale of atanh; -1 is always inside where they were never together, 1 where never apart. In
    simulations with 300 to 5,000 documents the 95 % interval covered the truth in 92 to 99 % of
    tables (half a document, the usual addition, as seldom as 86 % for pairs seldom apart).

    Args:
        n_both: As in ``npmi``, also the other counts.
        n_first: Documents in which the first fires.
        n_second: Documents in which the second does.
        n: Documents in all.
        level: Confidence level in (0, 1).

    Raises:
        InputError: As ``npmi``; or the level is not in (0, 1).
    """
    check_level(level)
    point = npmi(n_both, n_first, n_second, n=n)
    both, a, b, total = (side.astype(np.float64) for side in _fitting(n_both, n_first, n_second, n))
    cells = np.stack([both, a - both, b - both]) + _ADDED
    p11, p10, p01 = cells / (total + 4.0 * _ADDED)
    first, second = p11 + p10, p11 + p01
    log_both, log_product = np.log(p11), np.log(first * second)
    centre = np.clip(log_product / log_both - 1.0, -1.0 + 1e-9, 1.0 - 1e-9)
    slopes = np.stack(
        [
            (1.0 / first + 1.0 / second) / log_both - log_product / (log_both**2 * p11),
            1.0 / (first * log_both),
            1.0 / (second * log_both),
        ]
    )
    shares = np.stack([p11, p10, p01])
    variance = (shares * slopes**2).sum(axis=0) - (shares * slopes).sum(axis=0) ** 2
    error = np.sqrt(np.maximum(variance, 0.0) / (total + 4.0 * _ADDED)) / (1.0 - centre**2)
    reach = float(stats.norm.ppf(0.5 + level / 2.0)) * error
    low = np.minimum(np.tanh(np.arctanh(centre) - reach), point)
    high = np.maximum(np.tanh(np.arctanh(centre) + reach), point)
    return np.stack([low, high])


def npmi_shrunk(
    n_both: ArrayLike, n_first: ArrayLike, n_second: ArrayLike, *, n: ArrayLike
) -> NDArray[np.float64]:
    """Return NPMI from the shrunken ratio (observed + 1/2) / (expected + 1/2).

    once together with 3 and 3 of 1,000 -> 0.166 in place of 0.682; always together in
    300 of 1,000 -> 0.997

    Args:
        n_both: As in ``npmi``, also the other counts.
        n_first: Documents in which the first fires.
        n_second: Documents in which the second does.
        n: Documents in all.

    Returns:
        Values in [-1, 1], near 0 where few documents are expected and seen; NaN as ``npmi``.

    Raises:
        InputError: As ``npmi``.

    Source: Noren, Hopstadius and Bate 2013, Stat. Methods Med. Res. 22(1), 57-69 (the ratio);
    divided here by -log of the likewise smoothed share of both.
    """
    point = npmi(n_both, n_first, n_second, n=n)
    both, a, b, total = (side.astype(np.float64) for side in _fitting(n_both, n_first, n_second, n))
    expected = a * b / np.maximum(total, 1.0)
    ratio = np.log((both + 0.5) / (expected + 0.5))
    return np.where(np.isnan(point), np.nan, ratio / -np.log((both + 0.5) / (total + 1.0)))


def associate_pairs(
    activations: csr_matrix | csr_array,
    *,
    other: csr_matrix | csr_array | None = None,
    min_support: int = 5,
    max_q: float = 0.05,
    level: float = 0.95,
    correction: Literal["bh", "by"] = "bh",
) -> PairAssociations:
    """Return the pairs of features that fire together more, or less, than chance explains.

    Every pair of features that each fire in ``min_support`` documents (and not in all) is tested
    by Fisher's exact test, which takes both counts as given, so that leaving out rare features
    beforehand does not bend the p-values. q counts all pairs tested. Of those with q at most
    ``max_q``, listed are positive pairs together in ``min_support`` documents and negative ones
    expected in as many; the rest is counted in ``n_below_support``.

    Documents must be independent: merge chunks of one text and leave near-duplicates out before.

    Args:
        activations: Shape (n_documents, n_features), values >= 0; a feature fires above 0.
        other: Columns to pair with instead, such as labels or metadata as 0/1, shape
            (n_documents, n_other); then all n_features x n_other pairs.
        min_support: Documents, >= 1.
        max_q: Largest q listed, in (0, 1]; at 1 every pair tested.
        level: Confidence level of the intervals, in (0, 1).
        correction: ``bh`` or, for any dependence among pairs, ``by`` (Benjamini-Yekutieli).

    Raises:
        InputError: A matrix is not CSR, has a negative or NaN value or no documents, numbers of
            documents differ, or a setting is out of range.

    Source: task of Jiang et al. 2025, arXiv 2512.10092, section on correlations, which thresholds
    NPMI without a test, a support or a correction.
    """
    check_level(level)
    _check_settings(min_support, max_q, correction)
    left = _Firing.of(activations, name="activations", min_support=min_support)
    right = left if other is None else _Firing.of(other, name="other", min_support=min_support)
    if left.n != right.n:
        raise InputError(f"activations have {left.n} documents and other has {right.n}")
    n_tests = left.kept.size * right.kept.size
    if other is None:
        n_tests = left.kept.size * (left.kept.size - 1) // 2
    parts = list(_tested(left, right, same=other is None, max_p=max_q))
    rows = np.concatenate(parts, axis=1) if parts else np.zeros((3, 0), dtype=np.int64)
    a, b = left.counts[rows[0]], right.counts[rows[1]]
    both = rows[2]
    total = np.full(both.shape, left.n)
    p = fisher_p(both, a, b, total)
    adjust = adjust_benjamini_hochberg if correction == "bh" else adjust_benjamini_yekutieli
    q = adjust(p, n_tests=n_tests)
    expected = a * (b / left.n)
    found = q <= max_q
    supported = np.where(both >= expected, both, expected) >= min_support
    listed = np.flatnonzero(found & (supported | (max_q >= 1.0)))
    listed = listed[np.lexsort((rows[1][listed], rows[0][listed], p[listed]))]
    a, b, both, total = a[listed], b[listed], both[listed], total[listed]
    low, high = npmi_interval(both, a, b, n=total, level=level)
    return PairAssociations(
        first=left.kept[rows[0][listed]],
        second=right.kept[rows[1][listed]],
        n_both=both,
        n_first=a,
        n_second=b,
        expected=expected[listed],
        npmi=_npmi(both, a, b, total),
        npmi_low=low,
        npmi_high=high,
        npmi_shrunk=npmi_shrunk(both, a, b, n=total),
        p=p[listed],
        q=q[listed],
        n_tests=n_tests,
        n_below_support=int(found.sum()) - listed.size,
        n_columns_left_out=left.n_left_out + (0 if other is None else right.n_left_out),
        n_documents=left.n,
    )


@dataclass(frozen=True, slots=True)
class _Firing:
    """Where features fire, without those that are in no pair."""

    matrix: Any
    """0/1, CSC, shape (n_documents, n_kept)."""
    counts: NDArray[np.int64]
    kept: NDArray[np.int64]
    n_left_out: int
    n: int

    @classmethod
    def of(cls, matrix: csr_matrix | csr_array, *, name: str, min_support: int) -> "_Firing":
        if getattr(matrix, "format", None) != "csr":
            raise InputError(
                f"{name} must be a scipy CSR matrix, got {type(matrix).__name__}; "
                f"use scipy.sparse.csr_array({name})"
            )
        if matrix.shape[0] == 0:
            raise InputError(f"there are no documents: {name} has 0 rows")
        if not matrix.has_canonical_format:
            matrix = matrix.copy()
            matrix.sum_duplicates()
        if matrix.data.size and not float(matrix.data.min()) >= 0.0:
            raise InputError(f"{name} must be >= 0, none of them NaN")
        fires = csc_array(matrix > 0)
        counts = np.diff(fires.indptr).astype(np.int64)
        kept = np.flatnonzero((counts >= min_support) & (counts < matrix.shape[0]))
        return cls(
            matrix=fires[:, kept].astype(np.int32),
            counts=counts[kept],
            kept=kept,
            n_left_out=counts.size - kept.size,
            n=matrix.shape[0],
        )


def _tested(
    left: _Firing, right: _Firing, *, same: bool, max_p: float
) -> Iterator[NDArray[np.int64]]:
    """Yield first, second and n_both of the pairs with p at most ``max_p``, (3, n_found)."""
    n_left, n_right = left.kept.size, right.kept.size
    if not n_left or not n_right:
        return
    block = max(1, _ENTRIES // n_right)
    for start in range(0, n_left, block):
        together = (left.matrix[:, start : start + block].T @ right.matrix).toarray()
        first, second = np.indices(together.shape)
        wanted = second > first + start if same else np.ones(together.shape, dtype=bool)
        first, second = first[wanted] + start, second[wanted]
        both = together[wanted].astype(np.int64)
        a, b = left.counts[first], right.counts[second]
        found = fisher_p(both, a, b, np.full(both.shape, left.n)) <= max_p
        yield np.stack([first[found], second[found], both[found]])


def _npmi(
    both: NDArray[np.int64], a: NDArray[np.int64], b: NDArray[np.int64], n: NDArray[np.int64]
) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        # As logs of counts: log P(i) + log P(j) of a pair always together is then exactly twice.
        joint = np.log(both) - np.log(n)
        apart = (np.log(a) - np.log(n)) + (np.log(b) - np.log(n))
        values = apart / joint - 1.0
    values = np.where(both == 0, -1.0, np.clip(values, -1.0, 1.0))
    return np.where((a == 0) | (b == 0) | (both == n), np.nan, values)


def _fitting(*counts: ArrayLike) -> list[NDArray[np.int64]]:
    names = ("n_both", "n_first", "n_second", "n")
    checked = [whole_numbers(side, name=name) for side, name in zip(counts, names, strict=True)]
    try:
        return [np.array(side) for side in np.broadcast_arrays(*checked)]
    except ValueError as error:
        raise InputError("the counts have shapes that do not fit one another") from error


def _check_settings(min_support: int, max_q: float, correction: str) -> None:
    if min_support < 1:
        raise InputError(f"min_support must be at least 1, got {min_support}")
    if not 0.0 < max_q <= 1.0:
        raise InputError(f"max_q must lie above 0 and at most at 1, got {max_q}")
    if correction not in {"bh", "by"}:
        raise InputError(f'correction must be "bh" or "by", got {correction!r}')
