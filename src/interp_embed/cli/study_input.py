"""The columns of a table that a study is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from interp_embed.cli.study_options import ColumnOptions
from interp_embed.errors import InputError
from interp_embed.tables import is_missing, require_column


@dataclass(frozen=True, slots=True, eq=False)
class StudyInput:
    """What a study is made of, one value a row."""

    documents: list[Any]
    target: Any
    """A list, or a table of 0/1 columns."""
    optional: dict[str, Any]
    """Further arguments of ``find_hypotheses``: only those that were asked for."""


def read_input(table: pd.DataFrame, columns: ColumnOptions, *, kind: str) -> StudyInput:
    """Return the columns that were named.

    Args:
        table: As read from a file.
        columns: Names of columns.
        kind: Of the target, as asked for.

    Raises:
        InputError: A column is not there, or is used twice.
    """
    documents = require_column(table, columns.text, purpose="--text")
    optional: dict[str, Any] = {}
    for option in ("second", "groups", "strata"):
        name = getattr(columns, option)
        if name is not None:
            optional[option] = require_column(table, name, purpose=f"--{option}").tolist()
    if columns.strata is not None:
        optional["strata_name"] = columns.strata
    target = _target(table, columns.target, kind=kind)
    names = [name for given in columns.covariates for name in _names(table, given)]
    if names:
        optional["covariates"] = _frame(table, names, purpose="--covariates")
    _check_different(columns, names)
    return StudyInput(documents.tolist(), target, optional)


def _target(table: pd.DataFrame, name: str, *, kind: str) -> list[Any] | pd.DataFrame:
    names = _names(table, name) if kind == "multilabel" else [name]
    if len(names) > 1:
        return _frame(table, names, purpose="--target")
    values = require_column(table, names[0], purpose="--target").tolist()
    return [_labels(value) for value in values] if kind == "multilabel" else values


def _labels(value: object) -> object:
    """Return the labels in a cell: of a list as they are, of a text those between semicolons."""
    if isinstance(value, str):
        return [label for label in map(str.strip, value.split(";")) if label]
    if isinstance(value, np.ndarray):  # a list in a Parquet file
        return value.tolist()
    return None if is_missing(value) else value


def _names(table: pd.DataFrame, given: str) -> list[str]:
    """Return the columns named by ``A,B,C``; a column of just that name comes first."""
    if given in table.columns:
        return [given]
    return [name for name in map(str.strip, given.split(",")) if name]


def _frame(table: pd.DataFrame, names: Sequence[str], *, purpose: str) -> pd.DataFrame:
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{purpose} names {', '.join(map(repr, repeated))} twice; name it once")
    return pd.DataFrame({name: require_column(table, name, purpose=purpose) for name in names})


def _check_different(columns: ColumnOptions, covariates: Sequence[str]) -> None:
    """Refuse the slips that would make a study of nothing."""
    uses = [("--text", columns.text), ("--second", columns.second), ("--target", columns.target)]
    uses += [("--covariates", name) for name in covariates] + [("--strata", columns.strata)]
    seen: dict[str, str] = {}
    for option, name in uses:
        if name is None:
            continue
        if name in seen and {option, seen[name]} != {"--covariates", "--strata"}:
            raise InputError(
                f"column {name!r} is named by {seen[name]} and by {option}; "
                "each needs a column of its own"
            )
        seen.setdefault(name, option)
