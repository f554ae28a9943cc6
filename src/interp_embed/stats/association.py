"""Which features fire together, or avoid each other, more than chance explains."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, csr_matrix

from interp_embed.errors import InputError
from interp_embed.stats._checks import check_level
from interp_embed.stats._firing import Firing, check_same_documents, walk_of
from interp_embed.stats._fisher import fisher_p
from interp_embed.stats._pair_kernels import count_block
from interp_embed.stats.design_effects import (
    DesignEffects,
    PairTables,
    design_effects,
    number_groups,
)
from interp_embed.stats.grouped_tables import grouped_p
from interp_embed.stats.multiplicity import adjust_benjamini_hochberg, adjust_benjamini_yekutieli
from interp_embed.stats.npmi import npmi_interval, npmi_of_counts, npmi_shrunk

_ENTRIES = 2_000_000
"""Pairs at a time, about 150 MB with their tests."""


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
    """Two-sided p of Fisher's exact test, in (0, 1]; of groups, the larger of this and theirs."""
    q: NDArray[np.float64]
    """``p`` corrected for all ``n_tests`` pairs, not only those listed."""
    n_tests: int
    """Pairs tested: the family."""
    n_below_support: int
    """Listed by q, but left out: together (or, if negative, expected) in too few documents."""
    n_columns_left_out: int
    """Features of too few documents, or firing in all: in no pair."""
    n_documents: int
    design: DesignEffects | None = None
    """How many documents count as one; None where documents are independent."""


def associate_pairs(
    activations: csr_matrix | csr_array,
    *,
    other: csr_matrix | csr_array | None = None,
    min_support: int = 5,
    max_q: float = 0.05,
    level: float = 0.95,
    correction: Literal["bh", "by"] = "bh",
    groups: ArrayLike | None = None,
) -> PairAssociations:
    """Return the pairs of features that fire together more, or less, than chance explains.

    Every pair of features that each fire in ``min_support`` documents (and not in all) is tested
    by Fisher's exact test, which takes both counts as given, so that leaving out rare features
    beforehand does not bend the p-values. q counts all pairs tested. Of those with q at most
    ``max_q``, listed are positive pairs together in ``min_support`` documents and negative ones
    expected in as many; the rest is counted in ``n_below_support``.

    Documents must be independent, or those of one group be named as such: p is then the larger of
    the exact test's and of that of counts divided by their design effect (``design_effects``).
    Leave near-duplicates out before, or make them groups.

    Args:
        activations: Shape (n_documents, n_features), values >= 0; a feature fires above 0.
        other: Columns to pair with instead, such as labels or metadata as 0/1, shape
            (n_documents, n_other); then all n_features x n_other pairs.
        min_support: Documents, >= 1.
        max_q: Largest q listed, in (0, 1]; at 1 every pair tested.
        level: Confidence level of the intervals, in (0, 1).
        correction: ``bh`` or, for any dependence among pairs, ``by`` (Benjamini-Yekutieli).
        groups: Label of each document's group, shape (n_documents,); None: each its own.

    Raises:
        InputError: A matrix is not CSR, has a negative or NaN value or no documents, numbers of
            documents differ, a group is missing or the only one, or a setting is out of range.

    Source: task of Jiang et al. 2025, arXiv 2512.10092, section on correlations, which thresholds
    NPMI without a test, a support or a correction.
    """
    check_level(level)
    _check_settings(min_support, max_q, correction)
    left = Firing.of(activations, name="activations", min_support=min_support)
    right = left if other is None else Firing.of(other, name="other", min_support=min_support)
    check_same_documents(left, right)
    of_group = None if groups is None else number_groups(groups, left.n)
    n_tests = left.kept.size * right.kept.size
    if other is None:
        n_tests = left.kept.size * (left.kept.size - 1) // 2
    parts = list(_tested(left, right, same=other is None, max_p=max_q))
    rows = np.concatenate(parts, axis=1) if parts else np.zeros((3, 0), dtype=np.int64)
    a, b = left.counts[rows[0]], right.counts[rows[1]]
    both = rows[2]
    total = np.full(both.shape, left.n)
    p, design = fisher_p(both, a, b, total), None
    if of_group is not None:
        tables = PairTables(rows[0], rows[1], both, a, b)
        design = design_effects(left, right, tables, of_group)
        p = np.maximum(p, grouped_p(tables, design, left.n))
    adjust = adjust_benjamini_hochberg if correction == "bh" else adjust_benjamini_yekutieli
    q = adjust(p, n_tests=n_tests)
    expected = a * (b / left.n)
    found = q <= max_q
    supported = np.where(both >= expected, both, expected) >= min_support
    listed = np.flatnonzero(found & (supported | (max_q >= 1.0)))
    first, second = left.kept[rows[0]], right.kept[rows[1]]
    if other is None:  # places are by how often a feature fires
        first, second = np.minimum(first, second), np.maximum(first, second)
        turned = first != left.kept[rows[0]]
        a, b = np.where(turned, b, a), np.where(turned, a, b)
    listed = listed[np.lexsort((second[listed], first[listed], p[listed]))]
    a, b, both, total = a[listed], b[listed], both[listed], total[listed]
    design = None if design is None else design.take(listed)
    certainty = {} if design is None else {"effect": design.effect, "df": design.df}
    low, high = npmi_interval(both, a, b, n=total, level=level, **certainty)
    return PairAssociations(
        first=first[listed],
        second=second[listed],
        n_both=both,
        n_first=a,
        n_second=b,
        expected=expected[listed],
        npmi=npmi_of_counts(both, a, b, total),
        npmi_low=low,
        npmi_high=high,
        npmi_shrunk=npmi_shrunk(both, a, b, n=total),
        p=p[listed],
        q=q[listed],
        n_tests=n_tests,
        n_below_support=int(found.sum()) - listed.size,
        n_columns_left_out=left.n_left_out + (0 if other is None else right.n_left_out),
        n_documents=left.n,
        design=design,
    )


def _tested(
    left: Firing, right: Firing, *, same: bool, max_p: float
) -> Iterator[NDArray[np.int64]]:
    """Yield places and n_both of the pairs with p at most ``max_p``, (3, n_found)."""
    n_left, n_right = left.kept.size, right.kept.size
    if not n_left or not n_right:
        return
    walk = walk_of(left, right, same=same)
    block = max(1, _ENTRIES // n_right)
    for start in range(0, n_left, block):
        together = np.zeros((min(block, n_left - start), n_right), np.uint32)
        count_block(start, walk, together)
        first, second = np.indices(together.shape)
        wanted = second > first + start if same else np.ones(together.shape, dtype=bool)
        first, second = first[wanted] + start, second[wanted]
        both = together[wanted].astype(np.int64)
        a, b = left.counts[first], right.counts[second]
        found = fisher_p(both, a, b, np.full(both.shape, left.n)) <= max_p
        yield np.stack([first[found], second[found], both[found]])


def _check_settings(min_support: int, max_q: float, correction: str) -> None:
    if min_support < 1:
        raise InputError(f"min_support must be at least 1, got {min_support}")
    if not 0.0 < max_q <= 1.0:
        raise InputError(f"max_q must lie above 0 and at most at 1, got {max_q}")
    if correction not in {"bh", "by"}:
        raise InputError(f'correction must be "bh" or "by", got {correction!r}')
