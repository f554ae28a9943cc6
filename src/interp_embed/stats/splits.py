"""Rows that belong together, and splits that never part them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from interp_embed.errors import InputError
from interp_embed.stats._allocation import allocate_groups
from interp_embed.stats._checks import check_same_length, finite_vector, number_labels
from interp_embed.stats._shingles import (
    MIN_SHINGLES,
    MIN_WORDS,
    Shingles,
    collect_shingles,
    number_words,
)

_PRODUCT_ENTRIES = 4_000_000
"""Products of shared 3-grams held at a time, about 50 MB."""

_N_QUANTILES = 5
"""Strata of a numeric target."""


@dataclass(frozen=True, slots=True)
class SplitRows:
    """Rows to discover on and rows to confirm on; no row and no group is in both."""

    discover: NDArray[np.int64]
    """Positions, ascending."""
    confirm: NDArray[np.int64]
    """Positions, ascending."""


def near_duplicate_groups(
    documents: Sequence[str], *, similarity: float = 0.8
) -> NDArray[np.int64]:
    """Return groups of equal and nearly equal documents, chains included.

    ["The end.", "the  END", "Another"] -> [0, 0, 1]

    Documents are equal if their words are, letter case, white space and punctuation apart. They
    are nearly equal if the Jaccard similarity of their sets of word 3-grams reaches
    ``similarity``. 3-grams found in more than 50 different documents are boilerplate and are left
    out of the sets, so that documents made from one template are compared by what fills it;
    more than 50 slightly different copies of one text are therefore not found. Documents under 8
    words, or with fewer than 6 3-grams left, are matched only if equal.

    Args:
        documents: Texts, any number of which may be empty.
        similarity: In (0, 1].

    Returns:
        Group of each document, numbered from 0 by first appearance, shape (n_documents,).

    Raises:
        InputError: ``similarity`` is outside (0, 1], or ``documents`` is a single string.

    Source: Broder 1997, Compression and Complexity of Sequences (shingles); compared exactly
    here, without sampling.
    """
    if isinstance(documents, str):
        raise InputError("documents must be a sequence of strings, got one string")
    if not 0.0 < similarity <= 1.0:
        raise InputError(f"similarity must lie above 0 and at most at 1, got {similarity}")
    first_of: dict[bytes, int] = {}
    same_as = np.fromiter(
        (first_of.setdefault(words.tobytes(), len(first_of)) for words in number_words(documents)),
        dtype=np.int64,
        count=len(documents),
    )
    distinct = [np.frombuffer(words, dtype=np.uint32) for words in first_of]
    long = np.flatnonzero([words.size >= MIN_WORDS for words in distinct])
    pairs = _similar_pairs(collect_shingles([distinct[row] for row in long]), similarity)
    components = _components(long[pairs], len(distinct))
    return number_labels(components[same_as])


def equal_groups(documents: Sequence[str]) -> NDArray[np.int64]:
    """Return groups of documents of the same words, letter case and punctuation apart.

    ["The end.", "the  END", "Another"] -> [0, 0, 1]

    Returns:
        Group of each document, numbered from 0 by first appearance, shape (n_documents,).

    Raises:
        InputError: ``documents`` is a single string.
    """
    if isinstance(documents, str):
        raise InputError("documents must be a sequence of strings, got one string")
    first_of: dict[bytes, int] = {}
    return np.fromiter(
        (first_of.setdefault(words.tobytes(), len(first_of)) for words in number_words(documents)),
        dtype=np.int64,
        count=len(documents),
    )


def merge_groups(*labels: ArrayLike) -> NDArray[np.int64]:
    """Return the finest grouping in which rows that share a label of any kind are together.

    [0, 0, 1, 2], ["a", "b", "b", "c"] -> [0, 0, 0, 1]

    Args:
        labels: Groupings of the same rows, each of shape (n,).

    Returns:
        Groups, numbered from 0 by first appearance, shape (n,).

    Raises:
        InputError: There is no grouping, lengths differ, or a label is missing.
    """
    if not labels:
        raise InputError("merge_groups needs at least one grouping")
    numbered = [number_labels(grouping, name="a grouping") for grouping in labels]
    n = numbered[0].size
    edges: list[NDArray[np.int64]] = []
    offset = n
    for grouping in numbered:
        check_same_length(n, grouping, name="each grouping")
        edges.append(np.column_stack([np.arange(n), grouping + offset]))
        offset += int(grouping.max(initial=-1)) + 1
    return number_labels(_components(np.concatenate(edges), offset)[:n])


def split_rows(
    groups: ArrayLike,
    *,
    confirm_share: float = 0.5,
    seed: int = 0,
    stratify: ArrayLike | None = None,
    as_classes: bool = False,
    minimum: int = 2,
) -> SplitRows:
    """Return a random split into discover and confirm rows that keeps groups whole.

    Groups are placed from the largest to the smallest, those of the same size in random order,
    each where the sides are then nearest to their shares (in every stratum, if there are any).

    Args:
        groups: Label of each row, shape (n,).
        confirm_share: Wanted share of confirm rows, in (0, 1).
        seed: Decides the order of groups of the same size.
        stratify: Numbers in which the sides should be alike, shape (n,): up to 10 distinct values
            are taken as classes, more are cut into fifths.
        as_classes: Whether values are classes however many there are.
        minimum: Fewest rows a side may have, >= 1.

    Raises:
        InputError: The rows cannot be split so: there is one group only, one holds nearly
            everything, or a side would have fewer than ``minimum`` rows.
    """
    if not 0.0 < confirm_share < 1.0:
        raise InputError(f"confirm_share must lie between 0 and 1, got {confirm_share}")
    labels = number_labels(groups)
    strata = np.zeros(labels.size, dtype=np.int64)
    if stratify is not None:
        strata = _strata(finite_vector(stratify, name="stratify"), as_classes=as_classes)
        check_same_length(labels.size, strata, name="stratify")
    _check_splittable(labels, minimum)
    parts = allocate_groups(
        labels,
        strata,
        shares=np.array([1.0 - confirm_share, confirm_share]),
        rng=np.random.default_rng(seed),
    )
    rows = SplitRows(discover=np.flatnonzero(parts == 0), confirm=np.flatnonzero(parts == 1))
    if min(rows.discover.size, rows.confirm.size) < minimum:
        raise InputError(
            f"{labels.size} rows in {labels.max() + 1} groups split into {rows.discover.size} to "
            f"discover and {rows.confirm.size} to confirm: each side needs at least {minimum}; "
            "choose confirm_share nearer to 0.5, smaller groups, or more documents"
        )
    return rows


def _check_splittable(labels: NDArray[np.int64], minimum: int) -> None:
    n = labels.size
    if n < 2 * minimum:
        raise InputError(
            f"{n} rows are too few to split: {minimum} are needed to discover and {minimum} to "
            "confirm"
        )
    sizes = np.bincount(labels)
    if sizes.size == 1:
        raise InputError(
            f"all {n} rows are in one group, and groups are never divided: "
            "group by something finer, or leave the groups out"
        )
    largest = int(sizes.max())
    if n - largest < minimum:
        raise InputError(
            f"one group holds {largest} of {n} rows ({largest / n:.0%}), and groups are never "
            f"divided: the {n - largest} other rows are fewer than the {minimum} a side needs; "
            "group by something finer, or leave the groups out"
        )


def _strata(values: NDArray[np.float64], *, as_classes: bool) -> NDArray[np.int64]:
    classes, numbers = np.unique(values, return_inverse=True)
    if as_classes or classes.size <= 10:
        return numbers.astype(np.int64)
    inner = np.quantile(values, np.arange(1, _N_QUANTILES) / _N_QUANTILES)
    _, numbers = np.unique(np.searchsorted(inner, values, side="right"), return_inverse=True)
    return numbers.astype(np.int64)


def _similar_pairs(shingles: Shingles, similarity: float) -> NDArray[np.int64]:
    """Return pairs of rows whose sets have at least this Jaccard similarity, shape (n_pairs, 2)."""
    rows = _candidates(shingles, similarity)
    sizes = shingles.sizes[rows]
    own = shingles.shared[rows]
    transposed = own.T.tocsr()
    found = [np.empty((0, 2), dtype=np.int64)]
    for start, stop in _row_blocks(own):
        shared = (own[start:stop] @ transposed).tocoo()
        first, second = shared.coords[0] + start, shared.coords[1].astype(np.int64)
        union = sizes[first] + sizes[second] - shared.data
        # The small allowance keeps 4 of 5 at a similarity of 0.8 in spite of rounding.
        similar = (first < second) & (shared.data >= (similarity - 1e-12) * union)
        found.append(np.column_stack([first[similar], second[similar]]))
    return rows[np.concatenate(found)]


def _candidates(shingles: Shingles, similarity: float) -> NDArray[np.int64]:
    """Return the rows that share enough 3-grams with any others: few, in most collections.

    A similar partner shares at least ``similarity`` of a document's 3-grams. What is shared with
    documents already ruled out does not count, hence the rounds.
    """
    rows = np.flatnonzero(shingles.sizes >= MIN_SHINGLES)
    for _ in range(3):
        own = shingles.shared[rows]
        n_documents = np.bincount(own.indices, minlength=own.shape[1])
        still_shared = np.concatenate(([0], np.cumsum(n_documents[own.indices] > 1)))
        n_shared = np.diff(still_shared[own.indptr])
        rows = rows[n_shared >= (similarity - 1e-12) * shingles.sizes[rows]]
    return rows


def _row_blocks(own: csr_array) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows whose product with all rows has a bounded number of entries."""
    n_documents = np.bincount(own.indices, minlength=own.shape[1])
    work = np.concatenate(([0], np.cumsum(n_documents[own.indices])))[own.indptr]
    start = 0
    while start < own.shape[0]:
        stop = int(np.searchsorted(work, work[start] + _PRODUCT_ENTRIES, side="right")) - 1
        stop = min(max(stop, start + 1), own.shape[0])
        yield start, stop
        start = stop


def _components(edges: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    ones = np.ones(edges.shape[0], dtype=np.int8)
    graph = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
