"""One value of a column as it was read: a number, a class in words, or the reason why neither."""

import math
import numbers
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

from interp_embed.errors import InputError

MAX_SHOWN = 12
"""Classes or reasons listed in a message."""
_MAX_LETTERS = 60
"""Letters of a value shown in a message."""
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INFINITE = {"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
_MISSING_WORDS = {"na", "n/a", "#n/a", "nan", "<na>", "null", "nat"}


@dataclass(frozen=True, slots=True)
class Value:
    """One value as read: a number, or a class in words, or the reason why it is neither."""

    key: str
    """What is compared: without letter case and spare white space; equal numbers are equal."""
    shown: str
    number: float | None = None
    reason: str = ""


def read_values(
    values: Iterable[object], *, name: str, keep: Iterable[str] = (), what: str = "target"
) -> list[Value]:
    """Return the values of one column, in order.

    Args:
        values: A column, a list, an array.
        name: The column's name, for messages.
        keep: Words that count as classes even where they usually mean "missing", such as "NA".
        what: What the column is, for messages.

    Raises:
        InputError: It is no column, or holds dates, lists or the like.
    """
    if isinstance(values, str | bytes | Mapping | pd.DataFrame):
        raise InputError(f"{what} {name!r} must be one column of values, got {type(values)}")
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise InputError(f"{what} {name!r} must be one column, got shape {values.shape}")
    kept = frozenset(fold(word) for word in keep)
    return [_read(value, row, name, kept, what) for row, value in enumerate(values)]


def fold(text: str) -> str:
    """Return a text as it is compared.

    >>> fold("  Very  GOOD ")
    'very good'
    """
    return " ".join(text.split()).casefold()


def read_word(text: str, *, keep: frozenset[str] = frozenset(), what: str = "target") -> Value:
    """Return one value that was written as a text."""
    key = fold(text)
    shown = text.strip()
    shown = shown if len(shown) <= _MAX_LETTERS else shown[: _MAX_LETTERS - 1] + "…"
    if not key:
        return Value("", "", reason=f"{what} is empty")
    if _NUMBER.fullmatch(key):
        return _read_number(float(key), shown=shown, what=what)
    if key in _INFINITE:
        return Value("", "", reason=f"{what} is infinite")
    if key in _MISSING_WORDS and key not in keep:
        return Value("", "", reason=f'{what} "{shown}" reads as missing')
    return Value(key, shown)


def without_missing(read: Sequence[Value]) -> list[Value]:
    """Return the values that can be used."""
    return [value for value in read if not value.reason]


def distinct_values(usable: Sequence[Value]) -> dict[str, Value]:
    """Return the first value of each key, as it was first written, by key."""
    return {value.key: value for value in reversed(usable)}


def count_values(usable: Sequence[Value]) -> Counter[str]:
    """Return how often each key occurs."""
    return Counter(value.key for value in usable)


def tell_counts(usable: Sequence[Value]) -> str:
    """Return the values with how often each occurs, the most frequent first."""
    counts, distinct = count_values(usable), distinct_values(usable)
    parts = [f"{distinct[key].shown!r} ({count})" for key, count in counts.most_common(MAX_SHOWN)]
    more = len(counts) - len(parts)
    return ", ".join(parts) + (f" and {more} more" if more else "")


def tell_spellings(read: Sequence[Value]) -> str:
    """Return what to add to a note where one class is written in several ways; empty if none is."""
    usable = without_missing(read)
    if len({value.shown for value in usable}) > len({value.key for value in usable}):
        return "; compared without letter case and outer white space"
    return ""


def _read(value: object, row: int, name: str, keep: frozenset[str], what: str) -> Value:
    if value is None or value is pd.NA or value is pd.NaT:
        return Value("", "", reason=f"{what} is missing")
    if isinstance(value, str):
        return read_word(value, keep=keep, what=what)
    if isinstance(value, bool | np.bool_):
        return Value(str(bool(value)).casefold(), str(bool(value)), number=float(value))
    if isinstance(value, numbers.Real | Decimal):
        return _read_number(value, what=what)
    raise InputError(
        f"{what} {name!r} holds a {type(value).__name__} in row {row}: "
        "it must hold numbers, or words for classes"
    )


def _read_number(
    value: numbers.Real | Decimal | float, *, shown: str | None = None, what: str
) -> Value:
    try:
        number = float(value)
    except (OverflowError, ValueError):  # an integer beyond float64; a signalling NaN
        number = math.inf
    if math.isnan(number):
        return Value("", "", reason=f"{what} is missing")
    if math.isinf(number):
        return Value("", "", reason=f"{what} is infinite")
    number += 0.0  # -0.0 becomes 0.0
    plain = str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    return Value(plain, shown or plain, number=number)
