"""What is held fixed beside the concepts, and the strata: columns of a table made numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interp_embed.errors import InputError
from interp_embed.hypotheses.values import (
    Value,
    count_values,
    distinct_values,
    read_values,
    tell_counts,
    without_missing,
)
from interp_embed.records import DroppedDocument

Covariates = Mapping[str, Sequence[object]] | pd.DataFrame
"""Columns by name, one value a row of the user's table."""
_MAX_LEVELS = 20
_COLLINEAR = 1e-6
"""Share of a column's spread below which the columns before it leave nothing of it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as read, one value a row of the user's table."""

    name: str
    values: tuple[Value, ...]

    @property
    def is_numeric(self) -> bool:
        """Whether all values that are there are numbers."""
        return all(value.number is not None for value in without_missing(self.values))

    def missing(self) -> tuple[DroppedDocument, ...]:
        """Return the rows without a value, with the reason."""
        return tuple(
            DroppedDocument(row, value.reason)
            for row, value in enumerate(self.values)
            if value.reason
        )


@dataclass(frozen=True, slots=True, eq=False)
class CovariateColumns:
    """Covariates as numbers."""

    values: NDArray[np.float64]
    """Shape (n_documents, n_columns), finite."""
    names: tuple[str, ...]
    """Of the columns, such as ``price`` or ``city = Rome``."""
    notes: tuple[str, ...]
    """In words, what was left out and why."""


def read_columns(columns: Covariates | None, *, n_rows: int) -> tuple[Column, ...]:
    """Return covariates as read.

    Raises:
        InputError: They are no named columns of ``n_rows`` values, or a column has no value, or
            more than 20 levels in words.
    """
    if columns is None:
        return ()
    if not isinstance(columns, Mapping | pd.DataFrame):
        raise InputError(
            "covariates must be named columns, a mapping or a table, but got "
            f"{type(columns).__name__}; give {{'price': [...]}}"
        )
    names = [str(name) for name in columns]
    if len(set(names)) < len(names):
        raise InputError(f"two covariates have one name: {', '.join(sorted(names))}")
    read = []
    for place, name in enumerate(names):
        given = (
            columns.iloc[:, place]
            if isinstance(columns, pd.DataFrame)
            else list(columns.values())[place]
        )
        column = read_column(given, name=name, what="covariate", n_rows=n_rows)
        if not column.is_numeric:
            _check_levels(column)
        read.append(column)
    return tuple(read)


def read_column(
    given: "Sequence[object] | pd.Series[Any]", *, name: str, what: str, n_rows: int
) -> Column:
    """Return one column as read.

    Raises:
        InputError: It has other than ``n_rows`` values, or none that can be used.
    """
    values = read_values(given, name=name, what=what)
    if len(values) != n_rows:
        raise InputError(
            f"there are {n_rows} texts but {len(values)} values of the {what} {name!r}; "
            "both must come from the same rows"
        )
    named = tuple(
        Value("", "", reason=v.reason.replace(what, f'{what} "{name}"', 1)) if v.reason else v
        for v in values
    )
    if not without_missing(named):
        raise InputError(f"the {what} {name!r} has no usable value in {n_rows} rows")
    return Column(name, named)


def encode_covariates(columns: Sequence[Column], rows: NDArray[np.int64]) -> CovariateColumns:
    """Return the covariates of some rows as numbers that no others among them determine.

    Numbers stay as they are; of words each level but the most frequent is a column of 0/1.
    Columns that are constant, or a linear combination of earlier ones, are left out with a note.

    Args:
        columns: As read.
        rows: Of the user's table; none of them misses a value.
    """
    values: list[NDArray[np.float64]] = []
    names: list[str] = []
    for column in columns:
        used = [column.values[row] for row in rows]
        if column.is_numeric:
            values.append(np.array([v.number for v in used], np.float64))
            names.append(column.name)
            continue
        counts, distinct = count_values(used), distinct_values(used)
        base = max(counts, key=lambda key: (counts[key], key))
        for key in sorted(set(counts) - {base}):
            values.append(np.array([float(v.key == key) for v in used]))
            names.append(f"{column.name} = {distinct[key].shown}")
        if len(counts) == 1:
            values.append(np.zeros(len(used)))
            names.append(column.name)
    table = np.column_stack(values) if values else np.empty((len(rows), 0))
    return _independent(table, tuple(names))


def number_strata(column: Column, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[str]]:
    """Return the number of each row's stratum, and the names of the strata by number.

    Raises:
        InputError: All rows are of one stratum, or there are more than 20.
    """
    used = [column.values[row] for row in rows]
    distinct = distinct_values(used)
    if len(distinct) < 2:
        only = used[0].shown if used else "none"
        raise InputError(
            f"all {len(used)} usable rows are of one stratum of {column.name!r} ({only!r}); "
            "leave the strata out"
        )
    _check_levels(column)
    order = {key: place for place, key in enumerate(sorted(distinct))}
    numbers = np.array([order[value.key] for value in used], np.int64)
    return numbers, [distinct[key].shown for key in order]


def _check_levels(column: Column) -> None:
    usable = without_missing(column.values)
    n = len(count_values(usable))
    if n > _MAX_LEVELS:
        raise InputError(
            f"{column.name!r} has {n} levels, and at most {_MAX_LEVELS} can be held fixed: "
            f"{tell_counts(usable)}; put levels together, or leave it out"
        )


def _independent(table: NDArray[np.float64], names: tuple[str, ...]) -> CovariateColumns:
    kept: list[int] = []
    notes: list[str] = []
    basis = np.ones((len(table), 1)) / np.sqrt(max(len(table), 1))
    for place, name in enumerate(names):
        column = table[:, place]
        centred = column - column.mean()
        spread = float(np.linalg.norm(centred))
        if spread <= 1e-12 * max(1.0, float(np.linalg.norm(column))):
            notes.append(f"The covariate {name!r} is constant on the usable rows and is left out.")
            continue
        rest = centred / spread
        for _ in range(2):  # once more: the first pass leaves rounding along the basis
            rest = rest - basis @ (basis.T @ rest)
        norm = float(np.linalg.norm(rest))
        if norm <= _COLLINEAR:
            notes.append(
                f"The covariate {name!r} is determined by those before it and is left out."
            )
            continue
        basis = np.column_stack([basis, rest / norm])
        kept.append(place)
    return CovariateColumns(table[:, kept], tuple(names[i] for i in kept), tuple(notes))
