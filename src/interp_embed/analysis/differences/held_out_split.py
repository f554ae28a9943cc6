"""Two groups of documents divided: some to search, the others to test on."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from interp_embed.analysis.differences.sides import Sides
from interp_embed.errors import InputError
from interp_embed.hypotheses import Corpus
from interp_embed.stats import SplitRows, merge_groups, near_duplicate_groups, split_rows

MIN_SIDE = 10
"""Documents a part of the split has at least."""


def design_keys(sides: Sides) -> dict[str, NDArray[np.int64]]:
    """Return keys, groups and strata of sides whose documents are all compared, in order."""
    found: dict[str, NDArray[np.int64]] = {}
    if sides.paired:
        pairs = np.arange(len(sides.rows_first))
        found |= {"pair_first": pairs, "pair_second": pairs}
    if sides.groups is not None:
        found |= {"groups_first": sides.groups[0], "groups_second": sides.groups[1]}
    if sides.strata is not None:
        found |= {"strata_first": sides.strata[0], "strata_second": sides.strata[1]}
    return found


def as_corpus(sides: Sides) -> Corpus:
    """Return the compared documents of both sides, the first group's above, target 1 for it.

    Near-duplicates, pairs and groups are one group each.
    """
    n_first, n_second = len(sides.rows_first), len(sides.rows_second)
    n = n_first + n_second
    texts = [sides.first.texts[row] for row in sides.rows_first.tolist()]
    texts += [sides.second.texts[row] for row in sides.rows_second.tolist()]
    together = [near_duplicate_groups(texts)]
    pairs = None
    if sides.paired:
        pairs = np.concatenate([np.arange(n_first), np.arange(n_first)])
        together.append(pairs)
    if sides.groups is not None:
        together.append(np.concatenate(sides.groups))
    return Corpus(
        documents=tuple(texts),
        target=np.repeat([1.0, 0.0], [n_first, n_second]),
        embeddings=np.zeros((n, 1), np.float32),
        rows=np.arange(n),
        groups=merge_groups(*together),
        strata=None if sides.strata is None else np.concatenate(sides.strata),
        pairs=pairs,
    )


def split_corpus(corpus: Corpus, confirm_share: float, seed: int) -> SplitRows:
    """Return a random split that keeps groups whole and is alike in the shares of both sides.

    Within strata it is alike in the shares of both sides of each stratum, so that small strata do
    not lose a side in one part, and count there for nothing.

    Raises:
        InputError: There are too few documents.
    """
    return split_rows(
        corpus.groups,
        confirm_share=confirm_share,
        seed=seed,
        stratify=_sides_of_strata(corpus),
        as_classes=True,
        minimum=2 * MIN_SIDE,
    )


def _sides_of_strata(corpus: Corpus) -> NDArray[np.int64]:
    """Return a number for each side of each stratum; for a side where that has one document."""
    side = corpus.target.astype(np.int64)
    if corpus.strata is None:
        return side
    cell = 2 + 2 * corpus.strata + side
    return np.where(np.bincount(cell)[cell] > 1, cell, side)


def alike_in_strata(corpus: Corpus, sides: Sides, seed: int) -> Corpus:
    """Return the documents that are compared, as many of each side in every stratum.

    What differs between the strata alone does not differ between the sides of these.

    Args:
        corpus: The documents of the sides, the first group's above.
        sides: The comparison of them, whatever it leaves out.
        seed: Of the documents taken from the larger side of a stratum.
    """
    rows = np.concatenate([sides.rows_first, len(sides.first) + sides.rows_second])
    if sides.strata is None:
        return corpus.take(np.sort(rows))
    stratum, side = np.concatenate(sides.strata), corpus.target[rows].astype(np.int64)
    cell = 2 * stratum + side
    sizes = np.bincount(cell, minlength=2 * sides.n_strata).reshape(-1, 2)
    order = np.random.default_rng(seed).permutation(len(rows))
    order = order[np.argsort(cell[order], kind="stable")]  # at random within each cell
    first_of = np.concatenate([[0], np.cumsum(sizes.ravel())])[:-1]
    place = np.arange(len(rows)) - first_of[cell[order]]
    kept = order[place < sizes.min(axis=1)[stratum[order]]]
    return replace(corpus.take(np.sort(rows[kept])), pairs=None, strata=None)


def take_rows(sides: Sides, rows: NDArray[np.int64]) -> Sides:
    """Return some of the compared documents, all of which are compared, in order.

    Args:
        sides: All of them.
        rows: Places in the corpus, ascending.

    Raises:
        InputError: Hardly any document of a group is among them.
    """
    n_first = len(sides.rows_first)
    kept = np.zeros(n_first + len(sides.rows_second), np.bool_)
    kept[rows] = True
    part = sides.keep(kept[:n_first], kept[n_first:])
    for chosen, side in ((part.rows_first, "first"), (part.rows_second, "second")):
        if len(chosen) < MIN_SIDE // 2:
            raise InputError(
                f"a part of the split has {len(chosen)} documents of the {side} group, which is "
                "too few; give more documents, or groups that are smaller"
            )
    return replace(
        part,
        first=part.first.take(part.rows_first),
        second=part.second.take(part.rows_second),
        rows_first=np.arange(len(part.rows_first)),
        rows_second=np.arange(len(part.rows_second)),
    )
