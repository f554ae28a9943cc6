"""Which documents make two groups: by the values of a column, or by a mask."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interp_embed.dataset.selection import as_rows
from interp_embed.errors import InputError
from interp_embed.tables import is_missing, require_column

_SHOWN = 8


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Two groups of documents of one data set."""

    names: tuple[str, str]
    first: NDArray[np.int64]
    """Positions, ascending."""
    second: NDArray[np.int64]
    n_missing: int
    """Documents left out because their value is missing."""


def choose_groups(
    frame: pd.DataFrame, by: object, *, first: object = None, second: object = None
) -> Groups:
    """Return two groups of the rows of a table.

    Args:
        frame: The table.
        by: Name of a column, or a mask of the rows.
        first: Value, or list of values, of the first group; None where the column has two values,
            or for a mask.
        second: The same of the second; None for all other values.

    Raises:
        InputError: There is no such column or value, a group is empty, or a document is in both.
    """
    if not isinstance(by, str):
        chosen = as_rows(by, len(frame), frame.index)
        rest = np.setdiff1d(np.arange(len(frame)), chosen)
        return _checked(Groups(("chosen", "others"), np.sort(chosen), rest, 0), "the mask")
    column = require_column(frame, by, purpose="the groups")
    known = np.flatnonzero([not is_missing(value) for value in column])
    values = column.iloc[known]
    if first is None:
        if second is not None:
            raise InputError("second= is given without first=: name the value of both groups")
        first, second = _two_values(values, by)
    one = _rows_of(values, first, by)
    other = _rows_of(values, second, by) if second is not None else ~one
    if (one & other).any():
        raise InputError(f"some documents are in both groups: {first!r} and {second!r} overlap")
    names = (_name(first), _name(second) if second is not None else f"not {_name(first)}")
    n_missing = len(frame) - len(known)
    return _checked(Groups(names, known[one], known[other], n_missing), f"column {by!r}")


def _checked(groups: Groups, what: str) -> Groups:
    for name, rows in zip(groups.names, (groups.first, groups.second), strict=True):
        if not len(rows):
            raise InputError(f"the group {name!r} of {what} has no documents")
    return groups


def _two_values(values: "pd.Series[Any]", by: str) -> tuple[object, object]:
    distinct = list(pd.unique(values))
    if len(distinct) != 2:
        raise InputError(
            f"column {by!r} has {len(distinct)} values ({_listed(distinct)}), not two: say which "
            "to compare, first= against second= (or against all others)"
        )
    low, high = sorted(distinct, key=str)
    return low, high


def _rows_of(values: "pd.Series[Any]", wanted: object, by: str) -> NDArray[np.bool_]:
    several = isinstance(wanted, Sequence | set | np.ndarray) and not isinstance(wanted, str)
    texts = values.map(str)
    found = np.zeros(len(values), np.bool_)
    for value in list(wanted) if several else [wanted]:  # type: ignore[call-overload]
        rows = (texts == str(value)).to_numpy(dtype=bool)  # "1" of a command line means 1
        if not rows.any():
            distinct = [str(other) for other in pd.unique(values)]
            close = difflib.get_close_matches(str(value), distinct, n=1)
            meant = f", did you mean {close[0]!r}?" if close else ";"
            raise InputError(
                f"no document has {value!r} in column {by!r}{meant} the values are: "
                f"{_listed(distinct)}"
            )
        found |= rows
    return found


def _name(value: object) -> str:
    if isinstance(value, Sequence | set | np.ndarray) and not isinstance(value, str):
        return ", ".join(str(part) for part in value)
    return str(value)


def _listed(values: Sequence[object]) -> str:
    shown = ", ".join(str(value)[:40] for value in values[:_SHOWN])
    return shown + (f", … ({len(values)} in all)" if len(values) > _SHOWN else "")
