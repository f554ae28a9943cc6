"""Whether a likelihood has no maximum because columns tell outcomes apart without an error."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

_MOVED = 1e-6
"""A coefficient of the direction (largest: 1) above this is part of it; HiGHS works to 1e-7."""


def separated_columns(
    scaled: NDArray[np.float64], codes: NDArray[np.int64], *, family: str
) -> NDArray[np.int64]:
    """Return the columns whose coefficients have no finite maximum-likelihood estimate.

    There is a direction along which the likelihood never falls, and rises for some row, exactly
    if a linear programme has an optimum above 0. Its columns with weight are returned; where the
    direction is not unique all columns that share in one are.

    Args:
        scaled: Columns of mean 0 and spread 1, linearly independent, shape (n, p).
        codes: Levels from 0, shape (n,); counts for ``poisson``.
        family: ``logit``, ``multinomial``, ``ordered`` or ``poisson``.

    Source: Albert and Anderson 1984, Biometrika 71, 1-10; Konis 2007, thesis, Oxford (linear
    programme); Correia, Guimaraes and Zylkin 2019, arXiv 1903.01633 (Poisson).
    """
    p = scaled.shape[1]
    rows = np.unique(np.column_stack([codes, scaled]), axis=0)  # repeated rows add nothing
    levels, columns = rows[:, 0].astype(np.int64), rows[:, 1:]
    fixed = np.empty((0, 0))
    if family == "poisson":
        plain = np.column_stack([np.ones(len(rows)), columns])
        rising, fixed = -plain[levels == 0], plain[levels > 0]
    elif family == "ordered":
        rising = _ordered_rows(columns, levels)
    else:
        rising = _nominal_rows(columns, levels)
    if not rising.size:
        return np.empty(0, dtype=np.int64)
    found = linprog(
        -rising.sum(axis=0),
        A_ub=-rising,
        b_ub=np.zeros(len(rising)),
        A_eq=fixed if fixed.size else None,
        b_eq=np.zeros(len(fixed)) if fixed.size else None,
        bounds=(-1.0, 1.0),
        method="highs",
    )
    if found.x is None or (rising @ found.x).max() <= 1e-5:
        return np.empty(0, dtype=np.int64)
    direction = np.abs(found.x)
    if family == "ordered":
        weights = direction[:p]
    else:  # blocks of intercept and columns, one for each level but the first
        weights = direction.reshape(-1, p + 1)[:, 1:].max(axis=0)
    return np.flatnonzero(weights > _MOVED)


def _nominal_rows(columns: NDArray[np.float64], levels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return rows A with A @ direction = own level's predictor less each other level's."""
    n_levels = int(levels.max(initial=0)) + 1
    plain = np.column_stack([np.ones(len(columns)), columns])
    k = plain.shape[1]
    signs = np.eye(n_levels)[levels][:, None, :] - np.eye(n_levels)  # (n, other, level)
    full = signs[:, :, 1:, None] * plain[:, None, None, :]  # (n, other, level - 1, k)
    others = levels[:, None] != np.arange(n_levels)
    return np.asarray(full[others].reshape(-1, (n_levels - 1) * k))


def _ordered_rows(columns: NDArray[np.float64], levels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return rows: threshold above less predictor, and predictor less threshold below."""
    n_thresholds = int(levels.max(initial=0))
    thresholds = np.eye(n_thresholds)
    has_above, has_below = levels < n_thresholds, levels > 0
    above = np.column_stack([-columns[has_above], thresholds[levels[has_above]]])
    below = np.column_stack([columns[has_below], -thresholds[levels[has_below] - 1]])
    return np.vstack([above, below])
