"""The target: what each document's value means, as numbers, and how it was understood."""

import math
import numbers
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interp_embed.errors import InputError
from interp_embed.records import DroppedDocument, TargetKind

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INFINITE = {"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
_MISSING_WORDS = {"na", "n/a", "#n/a", "nan", "<na>", "null", "nat"}
_POSITIVE_OF = {
    frozenset(pair): pair[0]
    for pair in (
        ("yes", "no"),
        ("y", "n"),
        ("true", "false"),
        ("t", "f"),
        ("positive", "negative"),
        ("pos", "neg"),
        ("present", "absent"),
        ("pass", "fail"),
        ("success", "failure"),
        ("win", "loss"),
        ("on", "off"),
    )
}
_MAX_SHOWN = 12
"""Classes or reasons listed in a message."""

_MAX_LETTERS = 60
"""Letters of a value shown in a message."""


@dataclass(frozen=True, slots=True)
class Target:
    """The value per document that a study tries to explain."""

    values: NDArray[np.float64]
    """One per row as given, shape (n,): 0 and 1 for a binary target, NaN where dropped."""
    kind: TargetKind
    note: str
    """How the values were understood, in words."""
    dropped: tuple[DroppedDocument, ...]
    """Rows without a usable value, in order."""
    classes: tuple[str, ...]
    """What 0 and what 1 stands for; empty for a numeric target."""


@dataclass(frozen=True, slots=True)
class _Value:
    """One value as read: a number, or a class in words, or the reason why it is neither."""

    key: str
    """What is compared: trimmed, without letter case; equal numbers have equal keys."""
    shown: str
    number: float | None = None
    reason: str = ""


def understand_target(
    values: Iterable[object],
    *,
    name: str,
    kind: Literal["auto", "numeric", "binary"] = "auto",
    positive: str | None = None,
) -> Target:
    """Return the target as numbers, with what was made of it in words.

    ["-1", "1", None] -> values [0, 1, NaN], ``binary: "1" is 1, "-1" is 0; 1 missing``

    Numbers and strings that are numbers make a numeric target, two distinct values a binary one:
    of two numbers the larger is 1, of known pairs (yes/no, true/false, …) the affirmative one, of
    any other two strings the alphabetically later one. Strings are compared without outer white
    space and letter case. Mostly numbers (at least half, and 3 distinct ones) with some other
    strings are numeric, the others missing. None, NaN, empty strings, "NA" and the like, and
    infinities are missing; they are listed in ``dropped``.

    Args:
        values: One per row: a column, a list, an array.
        name: The column's name, for messages.
        kind: ``numeric`` keeps two distinct numbers as they are; ``binary`` insists on two values.
        positive: The class to tell from all others, which become 0.

    Raises:
        InputError: The target is constant, has three or more classes in words and no
            ``positive``, or holds dates, lists or other things that are no target.
    """
    if kind not in {"auto", "numeric", "binary"}:
        raise InputError(f'kind must be "auto", "numeric" or "binary", got {kind!r}')
    if positive is not None and kind == "numeric":
        raise InputError(f'positive={positive!r} makes a binary target: leave out kind="numeric"')
    read = _read_all(values, name=name, keep=positive)
    usable = [value for value in read if not value.reason]
    if not usable:
        raise InputError(f"target {name!r} has no usable value in {len(read)} rows")
    if positive is not None:
        return _one_class_against_others(read, positive, name=name)
    distinct = _distinct(usable)
    if len(distinct) == 1:
        raise InputError(
            f"target {name!r} is constant: all {len(usable)} usable rows of {len(read)} are "
            f"{usable[0].shown!r}; there is nothing to explain"
        )
    all_numbers = all(value.number is not None for value in usable)
    if len(distinct) == 2 and not (kind == "numeric" and all_numbers):
        if kind == "numeric":
            raise InputError(
                f"target {name!r} is not numeric: its values are {_counted(usable)}; "
                'leave out kind="numeric"'
            )
        return _two_classes(read, distinct)
    if kind == "binary":
        raise InputError(
            f"target {name!r} is not binary: it has {len(distinct)} distinct values "
            f"({_counted(usable)}); name the class to tell from the others with positive="
        )
    return _numeric(read, usable, name=name, required=kind == "numeric")


def _read_all(values: Iterable[object], *, name: str, keep: str | None) -> list[_Value]:
    if isinstance(values, str | bytes | Mapping | pd.DataFrame):
        raise InputError(f"target {name!r} must be one column of values, got {type(values)}")
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise InputError(f"target {name!r} must be one column, got shape {values.shape}")
    kept = None if keep is None else keep.strip().casefold()
    return [_read(value, row, name=name, keep=kept) for row, value in enumerate(values)]


def _read(value: object, row: int, *, name: str, keep: str | None) -> _Value:
    if value is None or value is pd.NA or value is pd.NaT:
        return _Value("", "", reason="target is missing")
    if isinstance(value, str):
        return _read_string(value, keep=keep)
    if isinstance(value, bool | np.bool_):
        return _Value(str(bool(value)).casefold(), str(bool(value)), number=float(value))
    if isinstance(value, numbers.Real | Decimal):
        return _read_number(value)
    raise InputError(
        f"target {name!r} holds a {type(value).__name__} in row {row}: "
        "it must hold numbers, or words for classes"
    )


def _read_string(value: str, *, keep: str | None) -> _Value:
    shown = value.strip()
    key = shown.casefold()
    shown = shown if len(shown) <= _MAX_LETTERS else shown[: _MAX_LETTERS - 1] + "…"
    if not shown:
        return _Value("", "", reason="target is empty")
    if _NUMBER.fullmatch(key):
        return _read_number(float(key), shown=shown)
    if key in _INFINITE:
        return _Value("", "", reason="target is infinite")
    if key in _MISSING_WORDS and key != keep:
        return _Value("", "", reason=f'target "{shown}" reads as missing')
    return _Value(key, shown)


def _read_number(value: numbers.Real | Decimal | float, *, shown: str | None = None) -> _Value:
    try:
        number = float(value)
    except (OverflowError, ValueError):  # an integer beyond float64; a signalling NaN
        number = math.inf
    if math.isnan(number):
        return _Value("", "", reason="target is missing")
    if math.isinf(number):
        return _Value("", "", reason="target is infinite")
    number += 0.0  # -0.0 becomes 0.0
    plain = _plain(number)
    return _Value(plain, shown or plain, number=number)


def _plain(number: float) -> str:
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _two_classes(read: Sequence[_Value], distinct: Mapping[str, _Value]) -> Target:
    """Return a binary target; which of the two values is 1 is said in the note."""
    first, second = sorted(distinct.values(), key=lambda value: value.key)
    known = _POSITIVE_OF.get(frozenset(distinct))
    why = ""
    if known is not None:
        one = distinct[known]
    elif first.number is not None and second.number is not None:
        one = max(first, second, key=lambda value: value.number or 0.0)
        if {first.number, second.number} not in ({0.0, 1.0}, {-1.0, 1.0}):
            why = ' (of two numbers the larger is 1; kind="numeric" keeps them as they are)'
    else:
        one = second
        why = f" (the alphabetically later one is 1; positive={first.shown!r} turns it round)"
    zero = first if one is second else second
    return _binary(read, one, zero.shown, f'"{zero.shown}" is 0{why}')


def _one_class_against_others(read: Sequence[_Value], positive: str, *, name: str) -> Target:
    wanted = _read_string(str(positive), keep=str(positive).strip().casefold())
    usable = [value for value in read if not value.reason]
    distinct = _distinct(usable)
    if wanted.key not in distinct:
        close = get_close_matches(wanted.key, distinct, n=1, cutoff=0.5)
        hint = f"; did you mean {distinct[close[0]].shown!r}?" if close else "."
        raise InputError(
            f"target {name!r} has no class {positive!r}{hint} Its classes: {_counted(usable)}"
        )
    if len(distinct) == 1:
        raise InputError(
            f"target {name!r} is constant: all {len(usable)} usable rows are {positive!r}"
        )
    one = distinct[wanted.key]
    if len(distinct) == 2:
        other = next(value.shown for key, value in distinct.items() if key != one.key)
        return _binary(read, one, other, f'"{other}" is 0')
    return _binary(read, one, f"not {one.shown}", f"the {len(distinct) - 1} other values are 0")


def _binary(read: Sequence[_Value], one: _Value, zero: str, note: str) -> Target:
    values = np.array([math.nan if v.reason else float(v.key == one.key) for v in read])
    spellings = {value.shown for value in read if not value.reason}
    keys = {value.key for value in read if not value.reason}
    if len(spellings) > len(keys):
        note += "; compared without letter case and outer white space"
    return _finish(read, values, "binary", f'"{one.shown}" is 1, {note}', (zero, one.shown))


def _numeric(
    read: Sequence[_Value], usable: Sequence[_Value], *, name: str, required: bool
) -> Target:
    found = [value.number for value in usable if value.number is not None]
    enough = len(set(found)) >= (2 if required else 3) and 2 * len(found) >= len(usable)
    if not enough:
        share = f"{len(found)} of {len(usable)} values are numbers; " if found else ""
        raise InputError(
            f"target {name!r} has {len({value.key for value in usable})} classes: {share}"
            f"{_counted(usable)}. Tell one of them from all others with positive=, such as "
            f"positive={Counter(value.shown for value in usable).most_common(1)[0][0]!r}"
        )
    judged = [
        value
        if value.reason or value.number is not None
        else _Value("", "", reason=f'target "{value.shown}" is not a number')
        for value in read
    ]
    values = np.array([math.nan if v.number is None else v.number for v in judged])
    note = f"from {min(found):.6g} to {max(found):.6g}"
    return _finish(judged, values, "numeric", note, ())


def _finish(
    read: Sequence[_Value],
    values: NDArray[np.float64],
    kind: TargetKind,
    note: str,
    classes: tuple[str, ...],
) -> Target:
    reasons = Counter(value.reason for value in read if value.reason)
    for reason, count in reasons.most_common(_MAX_SHOWN):
        note += f"; {count} left out: {reason}"
    return Target(
        values=values,
        kind=kind,
        note=f"{kind}: {note}",
        dropped=tuple(
            DroppedDocument(row, value.reason) for row, value in enumerate(read) if value.reason
        ),
        classes=classes,
    )


def _distinct(usable: Sequence[_Value]) -> dict[str, _Value]:
    """Return the first value of each key, as it was first written."""
    return {value.key: value for value in reversed(usable)}


def _counted(usable: Sequence[_Value]) -> str:
    counts = Counter(value.key for value in usable)
    distinct = _distinct(usable)
    parts = [f"{distinct[key].shown!r} ({count})" for key, count in counts.most_common(_MAX_SHOWN)]
    more = len(counts) - len(parts)
    return ", ".join(parts) + (f" and {more} more" if more else "")
