"""Groups of rows placed into parts (folds, discover and confirm) of given shares, none divided."""

import numpy as np
from numpy.typing import NDArray


def allocate_groups(
    groups: NDArray[np.int64],
    strata: NDArray[np.int64],
    *,
    shares: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return the part of each row, shape (n,).

    Groups are shuffled, then taken from the largest to the smallest; each goes where the parts
    then are nearest to their shares, in rows altogether and in the rows of each stratum.

    Args:
        groups: Label of each row from 0, shape (n,).
        strata: Stratum of each row from 0, shape (n,): all zeros for none.
        shares: Wanted share of rows in each part, > 0, sum 1, shape (n_parts,).
        rng: Decides the order among groups of the same size.
    """
    order = _shuffled_by_size(groups, rng)
    cells = _cells_by_group(groups, strata)
    wanted = [[share * len(groups)] for share in shares]
    for part, share in enumerate(shares):
        wanted[part] += list(share * np.bincount(strata))
    filled = [[0.0] * len(row) for row in wanted]
    parts = np.empty(int(groups.max()) + 1, dtype=np.int64)
    for group in order:
        added = cells[group]
        costs = [
            sum(
                count
                * (2.0 * (filled[part][cell] - wanted[part][cell]) + count)
                / wanted[part][cell]
                for cell, count in added
            )
            for part in range(len(wanted))
        ]
        best = costs.index(min(costs))
        parts[group] = best
        for cell, count in added:
            filled[best][cell] += count
    return parts[groups]


def _shuffled_by_size(groups: NDArray[np.int64], rng: np.random.Generator) -> list[int]:
    sizes = np.bincount(groups)
    shuffled = rng.permutation(sizes.size)
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    return [int(group) for group in order if sizes[group]]


def _cells_by_group(
    groups: NDArray[np.int64], strata: NDArray[np.int64]
) -> list[list[tuple[int, int]]]:
    """Return, for each group, its rows in all (cell 0) and in each stratum s (cell s + 1)."""
    n_strata = int(strata.max()) + 1
    cells: list[list[tuple[int, int]]] = [[(0, int(size))] for size in np.bincount(groups)]
    keys, counts = np.unique(groups * n_strata + strata, return_counts=True)
    for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
        group, stratum = divmod(key, n_strata)
        cells[group].append((stratum + 1, count))
    return cells
