"""Compiled loop over documents in groups: sums of sparse columns over each group, squared.

Callers check shapes, ranges and values before they come here; nothing is checked inside.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from interp_embed.stats._pair_kernels import Count, Float, Row


class Documents(NamedTuple):
    """What is known of each document besides its values."""

    order: Count
    """Documents, those of a group together, shape (n,)."""
    group: Count
    """Their groups, by document, shape (n,)."""
    weight: Float
    cell: Count
    """Which mean a document is compared with, shape (n,)."""
    along: Float
    """What the expected value is linear in beside, shape (n,); empty for nothing."""


class ColumnSums(NamedTuple):
    """Sums of columns, zero at first; shape (n_columns,) unless said."""

    weighted: Float
    """Of weight x value."""
    squared: Float
    """Over groups, of the square of the group's weighted sum."""
    total: Float
    """Of values."""
    total_square: Float
    """Of their squares."""
    products: Float
    """Of values by cell, and times ``along``, shape (n_basis, n_columns)."""
    crossed: Float
    """Over groups, of the weighted sum times the group's own weights, (n_basis, n_columns)."""


@numba.njit(cache=True, nogil=True)
def sum_groups(
    start: Count,
    columns: Row,
    values: NDArray[np.floating[Any]],
    documents: Documents,
    share: Float,
    sums: ColumnSums,
) -> None:
    """Add up the columns of a sparse matrix over groups of its rows.

    ``share`` is the sum of weights of each group in each cell, and of weight times ``along``,
    shape (n_groups, n_basis).
    """
    n_columns, n_basis = len(sums.weighted), share.shape[1]
    own = np.zeros(n_columns)
    held = np.full(n_columns, -1, np.int64)
    touched = np.zeros(n_columns, np.int32)
    sloped = len(documents.along) > 0
    at, n = 0, len(documents.order)
    while at < n:
        group = documents.group[documents.order[at]]
        n_touched = 0
        while at < n and documents.group[documents.order[at]] == group:
            row = documents.order[at]
            weight, cell = documents.weight[row], documents.cell[row]
            for entry in range(start[row], start[row + 1]):
                column, value = columns[entry], float(values[entry])
                if held[column] != group:
                    held[column] = group
                    own[column] = 0.0
                    touched[n_touched] = column
                    n_touched += 1
                own[column] += weight * value
                sums.total[column] += value
                sums.total_square[column] += value * value
                sums.products[cell, column] += value
                if sloped:
                    sums.products[n_basis - 1, column] += documents.along[row] * value
            at += 1
        for place in range(n_touched):
            column = touched[place]
            sums.weighted[column] += own[column]
            sums.squared[column] += own[column] * own[column]
        for k in range(n_basis):
            if share[group, k] != 0.0:
                for place in range(n_touched):
                    column = touched[place]
                    sums.crossed[k, column] += own[column] * share[group, k]
