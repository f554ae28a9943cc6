"""All pairs of one feature, counted from its documents alone."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, csr_matrix

from interp_embed.errors import InputError
from interp_embed.stats._firing import Firing, check_activations
from interp_embed.stats.design_effects import (
    DesignEffects,
    PairTables,
    design_effects,
    number_groups,
)
from interp_embed.stats.grouped_tables import grouped_p
from interp_embed.stats.multiplicity import adjust_benjamini_hochberg
from interp_embed.stats.top_pairs import TopPairs, check_pair_settings, exact_p, rank_pairs


def partner_pairs(
    activations: csr_matrix | csr_array,
    feature: int,
    *,
    other: csr_matrix | csr_array | None = None,
    min_support: int = 5,
    min_pairs: int = 5,
    max_q: float = 0.05,
    groups: ArrayLike | None = None,
) -> TopPairs:
    """Return every pair of one feature that is significant among the pairs of this feature.

    Args:
        activations: Shape (n_documents, n_features), values >= 0; a feature fires above 0.
        feature: A column of it; ``first`` of every pair returned.
        other: Columns to pair with instead, shape (n_documents, n_other).
        min_support: Documents in which a partner fires, >= 1.
        min_pairs: Documents in which a positive pair is, or a negative one is expected, >= 1.
        max_q: Largest q listed, in (0, 1]; the family is this feature's partners.
        groups: As in ``top_pairs``.

    Raises:
        InputError: As ``top_pairs``; or the feature is out of range.
    """
    check_pair_settings(min_support=min_support, min_pairs=min_pairs, max_q=max_q)
    left = check_activations(activations, "activations")
    right = left if other is None else check_activations(other, "other")
    n, n_features = left.shape
    if right.shape[0] != n:
        raise InputError(f"activations have {n} documents and other has {right.shape[0]}")
    if not 0 <= feature < n_features:
        raise InputError(
            f"feature {feature} is out of range: there are {n_features} features; "
            f"use an index from 0 to {n_features - 1}"
        )
    counts = np.bincount(right.indices[right.data > 0], minlength=right.shape[1])
    rows = _rows_of(left, feature)
    held = right[rows]
    both = np.bincount(held.indices[held.data > 0], minlength=right.shape[1])
    partners = np.flatnonzero((counts >= min_support) & (counts < n))
    if other is None:
        partners = partners[partners != feature]
    a = rows.size
    if not min_support <= a < n:
        partners = partners[:0]
    b, together = counts[partners].astype(np.int64), both[partners].astype(np.int64)
    own = np.full(partners.size, a)
    p, design = exact_p(together, own, b, n), None
    n_tests = p.size
    if groups is not None:
        of_group = number_groups(groups, n)
        kept = np.flatnonzero(adjust_benjamini_hochberg(p) <= max_q)
        partners, together, own, b = partners[kept], together[kept], own[kept], b[kept]
        tables = PairTables(np.zeros(kept.size, np.int64), partners, together, own, b)
        design, tested = _test_groups(left[:, [feature]], right, tables, of_group)
        p = np.maximum(p[kept], tested)
    first = np.full(partners.size, feature)
    q = adjust_benjamini_hochberg(p, n_tests=n_tests)
    expected = a * b / n
    carried = np.where(together >= expected, together, expected) >= min_pairs
    order = np.flatnonzero((q <= max_q) & carried)
    order = order[
        rank_pairs(
            together[order], own[order], b[order], p[order], first[order], partners[order], n
        )
    ]
    return TopPairs(
        first=first[order].astype(np.int32),
        second=partners[order].astype(np.int32),
        n_both=together[order].astype(np.int32),
        n_first=own[order].astype(np.int32),
        n_second=b[order].astype(np.int32),
        p=p[order],
        q=q[order],
        n_tests=n_tests,
        n_kept=n_tests,
        n_rare=int((counts < min_support).sum()),
        n_everywhere=int((counts == n).sum()),
        n_documents=n,
        design=None if design is None else design.take(order),
    )


def _test_groups(
    one: csr_matrix | csr_array,
    right: csr_matrix | csr_array,
    tables: PairTables,
    of_group: NDArray[np.int64],
) -> tuple[DesignEffects, NDArray[np.float64]]:
    """Return the design effects and p of pairs of one column with columns of a matrix."""
    sides = [
        Firing.of(side, name="activations", min_support=1)
        for side in (one, right[:, tables.second])
    ]
    place = np.zeros(tables.second.size, np.int64)
    place[sides[1].kept] = np.arange(place.size)
    placed = replace(tables, second=place)
    design = design_effects(sides[0], sides[1], placed, of_group)
    return design, grouped_p(placed, design, one.shape[0])


def _rows_of(matrix: csr_matrix | csr_array, feature: int) -> NDArray[np.int64]:
    entries = np.flatnonzero((matrix.indices == feature) & (matrix.data > 0))
    return np.asarray(np.searchsorted(matrix.indptr, entries, side="right") - 1, np.int64)
