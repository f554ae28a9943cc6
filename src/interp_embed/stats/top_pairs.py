"""The strongest pairs of each feature among all pairs, found without a table of all pairs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.sparse import csr_array, csr_matrix
from scipy.special import xlogy
from tqdm.auto import tqdm

from interp_embed.errors import InputError
from interp_embed.stats._firing import Firing, check_same_documents, walk_of
from interp_embed.stats._fisher import fisher_p
from interp_embed.stats._pair_kernels import Heap, Limits, Tables, keep_best
from interp_embed.stats.design_effects import (
    DesignEffects,
    PairTables,
    design_effects,
    number_groups,
)
from interp_embed.stats.grouped_tables import grouped_p
from interp_embed.stats.multiplicity import adjust_benjamini_hochberg
from interp_embed.stats.npmi import npmi_of_counts

_BLOCK = 256
"""Features between two steps of the progress bar."""

_TABLES = 250_000
"""Exact tests at a time, about 100 MB."""

_SLACK = 1.25
"""How far the likelihood-ratio statistic may lie below the quantile of an exact p (see tests)."""


@dataclass(frozen=True, slots=True, eq=False)
class TopPairs:
    """Pairs kept for one of their features and significant; arrays (n_pairs,).

    Positive pairs come first, highest NPMI first; then negative ones, most certain first.
    """

    first: NDArray[np.int32]
    """Feature: a column of the activations."""
    second: NDArray[np.int32]
    """Feature: a later column, or a column of the other matrix."""
    n_both: NDArray[np.int32]
    """Documents in which both fire."""
    n_first: NDArray[np.int32]
    n_second: NDArray[np.int32]
    p: NDArray[np.float64]
    """Two-sided p of Fisher's exact test, in (0, 1]; of groups, the larger of this and theirs."""
    q: NDArray[np.float64]
    """``p`` corrected for all ``n_tests`` pairs."""
    n_tests: int
    """Pairs of features with enough documents: the family."""
    n_kept: int
    """Pairs among the best of a feature, significant or not."""
    n_rare: int
    """Features of both sides that fire in fewer documents than asked for: in no pair."""
    n_everywhere: int
    """Features of both sides that fire in every document: in no pair."""
    n_documents: int
    design: DesignEffects | None = None
    """How many documents count as one; None where documents are independent."""


def top_pairs(
    activations: csr_matrix | csr_array,
    *,
    other: csr_matrix | csr_array | None = None,
    min_support: int = 5,
    min_pairs: int = 5,
    max_q: float = 0.05,
    top: int = 50,
    negative: bool = True,
    groups: ArrayLike | None = None,
    progress: bool = False,
) -> TopPairs:
    """Return each feature's strongest pairs, of all pairs, with exact tests of those kept.

    Every pair of features that each fire in ``min_support`` documents (and not in all) is counted.
    For each feature the ``top`` positive pairs of highest NPMI stay, together in ``min_pairs``
    documents, and the ``top`` negative pairs of largest likelihood ratio, expected in as many.
    Pairs that cannot be significant take no room. No table of pairs is held: memory is that of the
    activations and of what stays.

    q counts all pairs. Only pairs that stay are tested; the others count as p = 1. A p-value set
    to 1, whatever made us do it, is still a valid one, so that Benjamini-Hochberg holds for what
    is listed; it lists no pair that it would not list were all tested.

    Documents of one group need not be independent: pairs that are significant by the exact test
    are then tested again by counts divided by their design effect (``design_effects``), their p is
    the larger of both, and that of all other pairs 1. However they were chosen, none of these
    values is below the p of the second test, so that each is valid if that one is; and since no q
    falls where a p rises, no pair is listed that the second test of all pairs would not list.
    Without groups documents must be independent. Leave near-duplicates out before, or make them
    groups.

    Args:
        activations: Shape (n_documents, n_features), values >= 0; a feature fires above 0.
        other: Columns to pair with instead, shape (n_documents, n_other).
        min_support: Documents in which a feature fires, >= 1.
        min_pairs: Documents, >= 1.
        max_q: Largest q listed, in (0, 1].
        top: Pairs that stay for each feature, of either sign, >= 1.
        negative: Look for pairs that avoid each other, too.
        groups: Label of each document's group, shape (n_documents,); None: each its own.
        progress: Show a bar.

    Raises:
        InputError: A matrix is not CSR, has a negative or NaN value or no documents, numbers of
            documents differ, a group is missing or the only one, or a setting is out of range.

    Source: task of Jiang et al. 2025, arXiv 2512.10092, section on correlations.
    """
    check_pair_settings(min_support=min_support, min_pairs=min_pairs, max_q=max_q, top=top)
    left = Firing.of(activations, name="activations", min_support=min_support)
    right = left if other is None else Firing.of(other, name="other", min_support=min_support)
    check_same_documents(left, right)
    of_group = None if groups is None else number_groups(groups, left.n)
    same = other is None
    n_tests = left.kept.size * right.kept.size
    if same:
        n_tests = left.kept.size * (left.kept.size - 1) // 2
    n_most = 2 * top * (left.kept.size + (0 if same else right.kept.size))
    least = _least_statistic(max_q, n_most / max(1, n_tests))
    limits = Limits(min(min_pairs, left.n), least, bool(negative))
    heaps = _search(left, right, limits, top, same=same, progress=progress)
    rows = np.concatenate([_unique(*pair, right.kept.size, same=same) for pair in heaps], axis=1)
    n_all = left.n
    n_rare, n_everywhere = left.n_rare, left.n_everywhere
    if not same:
        n_rare, n_everywhere = n_rare + right.n_rare, n_everywhere + right.n_everywhere
    del heaps
    a, b = left.counts[rows[0]], right.counts[rows[1]]
    both = rows[2].astype(np.int64)
    p = exact_p(both, a, b, n_all)
    n_kept, design = p.size, None
    if of_group is not None:
        kept = np.flatnonzero(adjust_benjamini_hochberg(p, n_tests=n_tests) <= max_q)
        rows, both, a, b = rows[:, kept], both[kept], a[kept], b[kept]
        tables = PairTables(rows[0], rows[1], both, a, b)
        design = design_effects(left, right, tables, of_group)
        p = np.maximum(p[kept], grouped_p(tables, design, n_all))
    first, second = left.kept[rows[0]], right.kept[rows[1]]
    del left, right, rows
    if same:  # places are by how often a feature fires
        turned = first > second
        first, second = np.where(turned, second, first), np.where(turned, first, second)
        a, b = np.where(turned, b, a), np.where(turned, a, b)
    q = adjust_benjamini_hochberg(p, n_tests=n_tests)
    order = np.flatnonzero(q <= max_q)
    order = order[
        rank_pairs(both[order], a[order], b[order], p[order], first[order], second[order], n_all)
    ]
    return TopPairs(
        first=first[order].astype(np.int32),
        second=second[order].astype(np.int32),
        n_both=both[order].astype(np.int32),
        n_first=a[order].astype(np.int32),
        n_second=b[order].astype(np.int32),
        p=p[order],
        q=q[order],
        n_tests=n_tests,
        n_kept=n_kept,
        n_rare=n_rare,
        n_everywhere=n_everywhere,
        n_documents=n_all,
        design=None if design is None else design.take(order),
    )


def exact_p(
    both: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64], n: int
) -> NDArray[np.float64]:
    """Return two-sided p of Fisher's exact test for many pairs, in pieces, shape (n_pairs,)."""
    p = np.empty(both.size)
    for start in range(0, p.size, _TABLES):
        piece = slice(start, start + _TABLES)
        total = np.full(both[piece].shape, n)
        p[piece] = fisher_p(both[piece], first[piece], second[piece], total)
    return p


def _least_statistic(max_q: float, share: float) -> float:
    """Return what the likelihood-ratio statistic is at least where q can be at most ``max_q``.

    Of m tests no more than the K pairs that stay, a ``share`` K / m, can be found, so that one with
    q = p m / rank <= max_q has p <= max_q K / m. Others would take the room of such pairs.
    """
    if max_q >= 1.0:
        return 0.0
    return float(stats.chi2.isf(max_q * min(1.0, share), 1)) / _SLACK


def _search(
    left: Firing, right: Firing, limits: Limits, top: int, *, same: bool, progress: bool
) -> tuple[tuple[Heap, Heap], tuple[Heap, Heap]]:
    """Return the positive and the negative pairs that stay, each by left and right feature."""
    high_left, low_left = _heap(left.kept.size, top), _heap(left.kept.size, top)
    high_right, low_right = high_left, low_left
    if not same:
        high_right, low_right = _heap(right.kept.size, top), _heap(right.kept.size, top)
    numbers = np.arange(left.n + 1, dtype=np.float64)
    with np.errstate(divide="ignore"):
        logs = np.log(numbers)
    tables = Tables(left.counts, right.counts, logs, np.asarray(xlogy(numbers, numbers)))
    walk = walk_of(left, right, same=same)
    tally = np.zeros(right.kept.size, np.uint32)
    for first, last in _blocks(left, progress=progress):
        keep_best(
            first, last, walk, tables, limits, tally, (high_left, high_right), (low_left, low_right)
        )
    return (high_left, high_right), (low_left, low_right)


def _blocks(left: Firing, *, progress: bool) -> Iterator[tuple[int, int]]:
    n = left.kept.size
    with tqdm(total=left.rows.size, disable=not progress, desc="pairs", unit="entry") as bar:
        for start in range(0, n, _BLOCK):
            stop = min(start + _BLOCK, n)
            yield start, stop
            bar.update(int(left.start[stop] - left.start[start]))


def _heap(n: int, top: int) -> Heap:
    shape = (n, top)
    return Heap(
        np.zeros(shape),
        np.zeros(shape, np.int32),
        np.zeros(shape, np.uint32),
        np.zeros(n, np.int32),
        np.full(n, -np.inf),
    )


def _unique(left: Heap, right: Heap, n_right: int, *, same: bool) -> NDArray[np.int64]:
    """Return left place, right place and count of the pairs that stay, each once, (3, n_pairs)."""
    found = [_listed(left)]
    if same:
        found = [np.stack([found[0][:2].min(axis=0), found[0][:2].max(axis=0), found[0][2]])]
    else:
        by_right = _listed(right)
        found.append(by_right[[1, 0, 2]])
    rows = np.concatenate(found, axis=1)
    _, at = np.unique(rows[0] * max(1, n_right) + rows[1], return_index=True)
    return rows[:, at]


def _listed(heap: Heap) -> NDArray[np.int64]:
    partner, both, size = heap.partner, heap.both, heap.size
    used = np.arange(partner.shape[1]) < size[:, None]
    of = np.repeat(np.arange(size.size), size)
    return np.stack([of, partner[used].astype(np.int64), both[used].astype(np.int64)])


def rank_pairs(
    both: NDArray[np.int64],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    p: NDArray[np.float64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    n: int,
) -> NDArray[np.int64]:
    """Return the order of pairs: positive by NPMI, then negative by p."""
    value = npmi_of_counts(both, a, b, np.full(both.shape, n))
    positive = value > 0.0
    return np.lexsort((second, first, p, np.where(positive, -value, 0.0), ~positive))


def check_pair_settings(
    *, min_support: int = 1, min_pairs: int = 1, max_q: float = 1.0, top: int = 1
) -> None:
    """Raise unless settings of a search for pairs are in range."""
    given = {"min_support": min_support, "min_pairs": min_pairs, "top": top}
    for name, value in given.items():
        if value < 1:
            raise InputError(f"{name} must be at least 1, got {value}")
    if not 0.0 < max_q <= 1.0:
        raise InputError(f"max_q must lie above 0 and at most at 1, got {max_q}")
