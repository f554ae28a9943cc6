"""Many features against one target, adjusted by how large the largest is when nothing is there."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, csr_matrix

from interp_embed.errors import InputError
from interp_embed.stats._checks import check_same_length, finite_matrix, finite_vector
from interp_embed.stats._units import (
    Units,
    count_arrangements,
    number_units,
    permuted_places,
    values_of_units,
)

_ENTRIES = 2_000_000
"""Permuted targets or correlations held at a time, 16 MB each."""

_TIE = 1e-9
"""Correlations nearer than this share are equal: a permutation may be the data themselves."""


@dataclass(frozen=True, slots=True)
class MaxT:
    """Correlations of features with a target, with p-values from permutations of the target."""

    correlation: NDArray[np.float64]
    """In [-1, 1], within strata if there are any, shape (n_features,); NaN for a constant one."""
    p: NDArray[np.float64]
    """p adjusted for all features together (step-down max-T), shape (n_features,); NaN as above."""
    p_single: NDArray[np.float64]
    """p of each feature alone, by the same permutations; not adjusted."""
    n_permutations: int
    n_units: int
    """What was exchanged: rows, or groups."""
    n_tested: int
    """The family: features that are not constant."""
    note: str
    """What limits the p-values, in words; empty if nothing does."""


def max_t_permutation(
    features: ArrayLike | csr_matrix | csr_array,
    target: ArrayLike,
    *,
    n_permutations: int = 1000,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    seed: int = 0,
) -> MaxT:
    """Return each feature's correlation with the target and its p-value among all features.

    features [[0], [0], [1], [1]], target [1, 2, 3, 4] -> correlation 0.894; two of the six ways to
    choose which documents have the feature are as extreme, so p tends to 1/3

    The chance that any feature unrelated to the target has p <= 0.05 is at most 5 %, whatever the
    correlations among features: they are kept, only the target is exchanged. What is tested is that
    documents (or groups) are exchangeable, within strata where given. A feature of few documents
    has wilder correlations by chance and raises the bar for all: leave such features out before.

    Args:
        features: Activations or annotations, dense or CSR, shape (n_documents, n_features).
        target: Numeric or 0/1, shape (n_documents,).
        n_permutations: Random permutations; the smallest p is 1 / (n_permutations + 1).
        groups: Rows with one label are exchanged as a whole; the target must be one value in each,
            shape (n_documents,).
        strata: Targets are exchanged between rows (groups) of one label only, and both sides are
            taken as differences from the stratum's mean, shape (n_documents,).
        seed: Same seed, same result.

    Raises:
        InputError: Shapes differ, a value is NaN or infinite, the target differs within a group, a
            group lies in several strata, there is one unit only, or ``n_permutations`` < 1.

    Source: Westfall and Young 1993, Resampling-Based Multiple Testing, algorithm 4.1 (step-down);
    the +1 after Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9(1):39. We rank by the
    correlation, which orders permutations as the pooled t does.
    """
    if n_permutations < 1:
        raise InputError(f"n_permutations must be at least 1, got {n_permutations}")
    values = finite_vector(target, name="target")
    columns = _checked_features(features)
    check_same_length(columns.shape[0], values, name="target")
    units = number_units(values.size, groups=groups, strata=strata)
    of_unit = values_of_units(values, units)
    sums, norms = _sums_and_norms(columns, units)
    observed = _correlations(sums, norms, of_unit[None, :], units)[:, 0]  # (n_features,)
    tested = np.flatnonzero(~np.isnan(observed))
    order = tested[np.argsort(-np.abs(observed[tested]), kind="stable")]
    p = np.full((2, observed.size), np.nan)
    if order.size:
        hits = _count_exceedances(
            sums[:, order], norms[order], observed[order], of_unit, units, n_permutations, seed
        )
        shares = (1.0 + hits) / (1.0 + n_permutations)
        p[0, order] = np.maximum.accumulate(shares[0])
        p[1, order] = shares[1]
    return MaxT(
        correlation=observed,
        p=p[0],
        p_single=p[1],
        n_permutations=n_permutations,
        n_units=units.n,
        n_tested=order.size,
        note=_note(of_unit, units, order.size, n_permutations),
    )


def _checked_features(
    features: ArrayLike | csr_matrix | csr_array,
) -> NDArray[np.float64] | csr_array:
    if getattr(features, "format", None) is None:
        return finite_matrix(features, name="features")  # type: ignore[arg-type]
    matrix: csr_array = csr_array(cast("csr_array", features)).astype(np.float64)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    if not np.isfinite(matrix.data).all():
        raise InputError("some values of features are NaN or infinite; leave those rows out before")
    return matrix


def _indicator(labels: NDArray[np.int64], n: int) -> csr_array:
    """Return the matrix that sums rows by label, shape (n, n_rows)."""
    ones = np.ones(labels.size)
    return csr_array((ones, (labels, np.arange(labels.size))), shape=(n, labels.size))


def _sums_and_norms(
    columns: NDArray[np.float64] | csr_array, units: Units
) -> tuple[NDArray[np.float64] | csr_array, NDArray[np.float64]]:
    """Return features summed by unit and their norms within strata, NaN where constant there."""
    strata = units.strata[units.of_row]
    counts = np.bincount(strata)[:, None]
    by_stratum = _indicator(strata, counts.size)
    sums = by_stratum @ columns
    means = (sums if isinstance(sums, np.ndarray) else sums.toarray()) / counts
    if isinstance(columns, np.ndarray):
        columns = columns - means[strata]
        squares = (columns**2).sum(axis=0)
    else:
        rows = np.repeat(strata, np.diff(columns.indptr))
        places = rows * means.shape[1] + columns.indices
        stored = np.bincount(places, minlength=means.size).reshape(means.shape)
        gaps = (columns.data - means.reshape(-1)[places]) ** 2
        squares = np.bincount(columns.indices, weights=gaps, minlength=means.shape[1])
        squares = squares + ((counts - stored) * means**2).sum(axis=0)
    sizes = (counts * means**2).sum(axis=0)
    norms = np.sqrt(squares)
    # Two passes leave rounding of 1e-16 of the mean where a column is constant.
    norms[norms <= 1e-12 * np.sqrt(sizes)] = np.nan
    if units.n < columns.shape[0]:
        return cast("csr_array", _indicator(units.of_row, units.n) @ columns), norms
    return columns, norms


def _correlations(
    sums: NDArray[np.float64] | csr_array,
    norms: NDArray[np.float64],
    targets: NDArray[np.float64],
    units: Units,
) -> NDArray[np.float64]:
    """Return correlations with each of the targets of units, shape (n_features, n_targets)."""
    by_stratum = _indicator(units.strata, units.n_strata)
    rows = np.bincount(units.strata, weights=units.sizes)
    means = (by_stratum @ (targets * units.sizes).T) / rows[:, None]  # (n_strata, n_targets)
    centred = targets.T - means[units.strata]
    lengths = np.sqrt(units.sizes @ centred**2)
    lengths[lengths <= 1e-12 * np.sqrt(units.sizes @ targets.T**2)] = np.nan
    return np.asarray((sums.T @ centred) / norms[:, None] / lengths, dtype=np.float64)


def _count_exceedances(
    sums: NDArray[np.float64] | csr_array,
    norms: NDArray[np.float64],
    observed: NDArray[np.float64],
    of_unit: NDArray[np.float64],
    units: Units,
    n_permutations: int,
    seed: int,
) -> NDArray[np.float64]:
    """Return, for features in falling order, how often chance does as well: step-down and alone."""
    bar = np.abs(observed)[:, None] * (1.0 - _TIE)
    hits = np.zeros((2, observed.size))
    chunk = max(1, _ENTRIES // max(units.n, observed.size))
    rng = np.random.default_rng(seed)
    for places in permuted_places(units, rng, n_permutations=n_permutations, chunk=chunk):
        chance = np.abs(_correlations(sums, norms, of_unit[places], units))
        hits[1] += (chance >= bar).sum(axis=1)
        # The largest among the features that are not ranked above this one.
        largest = np.maximum.accumulate(chance[::-1], axis=0)[::-1]
        hits[0] += (largest >= bar).sum(axis=1)
    return hits


def _note(of_unit: NDArray[np.float64], units: Units, n_tested: int, n_permutations: int) -> str:
    if not n_tested:
        return "nothing was tested: the target or every feature is constant (within strata)"
    arrangements = count_arrangements(of_unit, units)
    if arrangements < n_permutations:
        return (
            f"the target has only {arrangements:.0f} different arrangements, "
            f"so p tends to no less than {1.0 / arrangements:.2g}"
        )
    return ""
