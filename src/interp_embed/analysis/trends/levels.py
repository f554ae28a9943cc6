"""Levels in an order, such as years or versions: read, checked, and joined where there are many."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from interp_embed.errors import InputError

MOST_SHOWN = 20
"""Levels shown one by one; more are joined ..."""
_JOINED = 10
"""... into so many, with about as many documents each."""


@dataclass(frozen=True, slots=True, eq=False)
class OrderedLevels:
    """The level of each document, as numbers whose order counts."""

    rows: NDArray[np.int64]
    """Documents that have one, by place, shape (n,)."""
    values: NDArray[np.float64]
    """Their levels, shape (n,)."""
    shown: NDArray[np.int64]
    """Number of the level each is shown in, from 0, shape (n,)."""
    names: tuple[str, ...]
    """Of the levels shown."""
    middles: NDArray[np.float64]
    """Mean level of the documents of each level shown."""
    n_missing: int
    """Documents without a level."""
    n_levels: int
    """Different levels, before any were joined."""
    column: str = ""
    """What the levels are called; empty where that is not known."""


def read_levels(
    levels: ArrayLike, n_documents: int, *, order: Sequence[object] | None = None
) -> OrderedLevels:
    """Return the levels of documents; those without one are left out.

    Args:
        levels: Numbers, dates, an ordered categorical, or words with ``order``, shape
            (n_documents,).
        n_documents: How many there are.
        order: All words, the lowest first.

    Raises:
        InputError: Lengths differ, words have no order or are not in it, a number is infinite, or
            fewer than two levels have documents.
    """
    column = levels if isinstance(levels, pd.Series) else pd.Series(levels)
    if len(column) != n_documents:
        raise InputError(f"there are {len(column)} levels for {n_documents} documents")
    values, words = _as_numbers(column.reset_index(drop=True), order)
    rows = np.flatnonzero(~np.isnan(values))
    known = values[rows]
    distinct, number = np.unique(known, return_inverse=True)
    if distinct.size < 2:
        told = (
            f"all {rows.size} are {words([(distinct[0], distinct[0])])[0]}"
            if distinct.size
            else "none has"
        )
        raise InputError(
            f"a trend needs at least two levels, but of {n_documents} documents {told}"
            + ("" if distinct.size else " a level")
        )
    if distinct.size <= MOST_SHOWN:
        shown, names = number, words([(value, value) for value in distinct.tolist()])
    else:
        shown, names = _join(number, distinct, words)
    counts = np.bincount(shown)
    return OrderedLevels(
        rows=rows,
        values=known,
        shown=shown,
        names=tuple(names),
        middles=np.bincount(shown, weights=known) / counts,
        n_missing=n_documents - rows.size,
        n_levels=distinct.size,
        column="" if column.name is None else str(column.name),
    )


class _Words:
    """Names levels, as briefly as tells them apart."""

    def __init__(self, names: Sequence[object] = (), *, dates: bool = False) -> None:
        self._ways: tuple[Callable[[float], str], ...]
        if names:
            self._ways = (lambda value: str(names[int(value)]), lambda v: repr(names[int(v)]))
        else:
            self._ways = _DATES if dates else _NUMBERS

    def __call__(self, spans: Sequence[tuple[float, float]]) -> list[str]:
        """Return names of ranges of levels; of one level where both ends are the same."""
        for way in self._ways:
            found = [_range(way(first), way(last)) for first, last in spans]
            if len(set(found)) == len(found):
                break
        return found


def _range(first: str, last: str) -> str:
    if first == last:
        return first
    dash = "\u2013" if f"{first}{last}".isalnum() else " \u2013 "
    return f"{first}{dash}{last}"


def _stamp(value: float) -> pd.Timestamp:
    return pd.Timestamp(int(value))


_DATES: tuple[Callable[[float], str], ...] = (
    lambda value: _stamp(value).date().isoformat(),
    lambda value: f"{_stamp(value):%Y-%m-%d %H:%M}",
    lambda value: f"{_stamp(value):%Y-%m-%d %H:%M:%S}",
    lambda value: _stamp(value).isoformat(sep=" "),
)
_NUMBERS: tuple[Callable[[float], str], ...] = (
    lambda value: f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}",
    lambda value: f"{value:.9g}",
    lambda value: f"{value:.12g}",
    repr,
)


def _as_numbers(
    column: "pd.Series[Any]", order: Sequence[object] | None
) -> tuple[NDArray[np.float64], _Words]:
    if order is None and isinstance(column.dtype, pd.CategoricalDtype) and column.cat.ordered:
        order = column.cat.categories.tolist()
    if order is not None:
        return _ranks(column, list(order))
    if pd.api.types.infer_dtype(column) in ("datetime64", "datetime", "date"):
        stamps = pd.to_datetime(column, utc=True).dt.tz_localize(None).astype("datetime64[ns]")
        values = stamps.astype("int64").to_numpy(np.float64)
        return np.where(stamps.isna(), np.nan, values), _Words(dates=True)
    numbers = pd.to_numeric(column.astype(object), errors="coerce").to_numpy(np.float64)
    wrong = column[np.isnan(numbers) & column.notna().to_numpy()]
    if len(wrong):
        raise InputError(
            f"{len(wrong)} levels are no numbers, such as {wrong.iloc[0]!r}; give their order with "
            "order=, the lowest first"
        )
    if np.isinf(numbers).any():
        raise InputError(f"{int(np.isinf(numbers).sum())} levels are infinite; leave them out")
    return numbers, _Words()


def _ranks(column: "pd.Series[Any]", order: list[object]) -> tuple[NDArray[np.float64], _Words]:
    if len(set(order)) < len(order):
        raise InputError("order names a level twice; give each once, the lowest first")
    rank = {name: place for place, name in enumerate(order)}
    plain = column.astype(object)
    unknown = [value for value in plain[plain.notna()].unique() if value not in rank]
    if unknown:
        raise InputError(
            f"{len(unknown)} levels are not in order=, such as {unknown[0]!r}; name all of them"
        )
    values = np.array([rank.get(value, np.nan) for value in plain], np.float64)
    return values, _Words(order)


def _join(
    number: NDArray[np.int64], distinct: NDArray[np.float64], words: _Words
) -> tuple[NDArray[np.int64], list[str]]:
    """Return the joined level of each document, and the names of these."""
    below = np.cumsum(np.bincount(number)) / number.size
    middle = below - np.bincount(number) / number.size / 2.0
    joined = np.unique((middle * _JOINED).astype(np.int64), return_inverse=True)[1]
    ends = np.searchsorted(joined, np.arange(int(joined.max()) + 2))  # joined ascends
    spans = list(zip(distinct[ends[:-1]].tolist(), distinct[ends[1:] - 1].tolist(), strict=True))
    return joined[number], words(spans)
