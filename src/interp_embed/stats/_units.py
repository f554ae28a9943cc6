"""What is exchanged or drawn in resampling: rows, or whole groups of rows, within strata."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from interp_embed.errors import InputError
from interp_embed.stats._checks import check_same_length, number_labels


@dataclass(frozen=True, slots=True)
class Units:
    """Rows, or groups of rows that stay together."""

    of_row: NDArray[np.int64]
    """Unit of each row from 0, shape (n_rows,)."""
    sizes: NDArray[np.int64]
    """Rows of each unit, shape (n_units,)."""
    strata: NDArray[np.int64]
    """Stratum of each unit from 0, shape (n_units,)."""

    @property
    def n(self) -> int:
        """Number of units."""
        return self.sizes.size

    @property
    def n_strata(self) -> int:
        """Number of strata."""
        return int(self.strata.max()) + 1


def number_units(n: int, *, groups: ArrayLike | None, strata: ArrayLike | None) -> Units:
    """Return the units of ``n`` rows.

    Raises:
        InputError: Lengths differ, a label is missing, a group lies in several strata, or there
            are fewer than two units.
    """
    of_row = np.arange(n) if groups is None else number_labels(groups)
    check_same_length(n, of_row, name="groups")
    blocks = np.zeros(n, dtype=np.int64) if strata is None else number_labels(strata, name="strata")
    check_same_length(n, blocks, name="strata")
    sizes = np.bincount(of_row)
    if sizes.size < 2:
        raise InputError(
            f"{n} rows in {sizes.size} group: resampling needs at least 2 rows or groups"
        )
    of_unit = np.zeros(sizes.size, dtype=np.int64)
    of_unit[of_row] = blocks
    n_torn = np.unique(of_row[of_unit[of_row] != blocks]).size
    if n_torn:
        raise InputError(
            f"{n_torn} of {sizes.size} groups have rows in several strata: a group is exchanged as "
            "a whole; use strata that do not divide groups"
        )
    return Units(of_row=of_row, sizes=sizes, strata=of_unit)


def values_of_units(
    values: NDArray[np.float64], units: Units, *, name: str = "target"
) -> NDArray[np.float64]:
    """Return the one value of each unit, shape (n_units,).

    Raises:
        InputError: A group has several values.
    """
    one = np.empty(units.n)
    one[units.of_row] = values
    n_mixed = np.unique(units.of_row[one[units.of_row] != values]).size
    if n_mixed:
        raise InputError(
            f"{name} differs within {n_mixed} of {units.n} groups, so groups cannot be exchanged "
            "as wholes; to exchange rows within groups give the groups as strata"
        )
    return one


def permuted_places(
    units: Units, rng: np.random.Generator, *, n_permutations: int, chunk: int
) -> Iterator[NDArray[np.int64]]:
    """Yield where each unit's value comes from, up to ``chunk`` permutations at a time.

    Units change places within their stratum only; each array has shape (n_chunk, n_units).
    """
    order = np.argsort(units.strata, kind="stable")
    for start in range(0, n_permutations, chunk):
        n_chunk = min(chunk, n_permutations - start)
        if units.n_strata == 1:
            yield rng.permuted(np.tile(np.arange(units.n), (n_chunk, 1)), axis=1)
            continue
        places = np.empty((n_chunk, units.n), dtype=np.int64)
        keys = rng.random((n_chunk, units.n)) + units.strata
        places[:, order] = np.argsort(keys, axis=1)
        yield places


def drawn_counts(
    units: Units, rng: np.random.Generator, *, n_resamples: int, chunk: int
) -> Iterator[NDArray[np.float64]]:
    """Yield how often each row is drawn, units drawn with replacement within their stratum.

    Each array has shape (n_chunk, n_rows); the rows of a unit are drawn together.
    """
    order = np.argsort(units.strata, kind="stable")
    in_stratum = np.bincount(units.strata)[units.strata[order]]
    first = (np.cumsum(np.bincount(units.strata)) - np.bincount(units.strata))[units.strata[order]]
    for start in range(0, n_resamples, chunk):
        n_chunk = min(chunk, n_resamples - start)
        drawn = first + (rng.random((n_chunk, units.n)) * in_stratum).astype(np.int64)
        flat = order[drawn] + np.arange(n_chunk)[:, None] * units.n
        counts = np.bincount(flat.reshape(-1), minlength=n_chunk * units.n)
        yield counts.reshape(n_chunk, units.n)[:, units.of_row].astype(np.float64)


def count_arrangements(values: NDArray[np.float64], units: Units) -> float:
    """Return how many different arrangements of the values there are, as a float, at least 1."""
    log_count = 0.0
    for stratum in range(units.n_strata):
        inside = values[units.strata == stratum]
        repeats = np.unique(inside, return_counts=True)[1]
        log_count += float(gammaln(inside.size + 1) - gammaln(repeats + 1).sum())
    return float(np.exp(min(log_count, 700.0)))
