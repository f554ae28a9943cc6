"""Targets of one column: numbers, two classes, counts, ranks."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from interp_embed.errors import InputError
from interp_embed.hypotheses.values import (
    MAX_SHOWN,
    Value,
    count_values,
    distinct_values,
    read_word,
    tell_counts,
    tell_spellings,
    without_missing,
)
from interp_embed.records import DroppedDocument, TargetKind

MIN_CLASS = 20
"""Documents below which a class is not studied."""
_MAX_RANKS = 20
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


@dataclass(frozen=True, slots=True)
class Target:
    """The value per document that a study tries to explain."""

    values: NDArray[np.float64]
    """One per row as given, shape (n,): 0 and 1 for a binary target, NaN where dropped. With
    several classes 0 and 1 in a column for each, shape (n, n_classes)."""
    kind: TargetKind
    note: str
    """How the values were understood, in words."""
    dropped: tuple[DroppedDocument, ...]
    """Rows without a usable value, in order."""
    classes: tuple[str, ...]
    """What 0 and what 1 stands for, or the classes of the columns; empty where values are
    numbers."""


def finish_target(
    read: Sequence[Value],
    values: NDArray[np.float64],
    kind: TargetKind,
    note: str,
    classes: tuple[str, ...] = (),
) -> Target:
    """Return the target, what was left out counted in its note and listed."""
    reasons = Counter(value.reason for value in read if value.reason)
    for reason, count in reasons.most_common(MAX_SHOWN):
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


def two_classes(read: Sequence[Value], distinct: Mapping[str, Value]) -> Target:
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


def one_class_against_others(read: Sequence[Value], positive: str, *, name: str) -> Target:
    """Return a binary target: one class, against all the others together.

    Raises:
        InputError: There is no such class, or no other.
    """
    usable = without_missing(read)
    one = find_value(usable, positive, name=name)
    distinct = distinct_values(usable)
    if len(distinct) == 1:
        raise InputError(
            f"target {name!r} is constant: all {len(usable)} usable rows are {positive!r}"
        )
    if len(distinct) == 2:
        other = next(value.shown for key, value in distinct.items() if key != one.key)
        return _binary(read, one, other, f'"{other}" is 0')
    return _binary(read, one, f"not {one.shown}", f"the {len(distinct) - 1} other values are 0")


def find_value(usable: Sequence[Value], wanted: object, *, name: str) -> Value:
    """Return the value a caller names.

    Raises:
        InputError: No row holds it.
    """
    key = read_word(str(wanted), keep=frozenset({str(wanted).strip().casefold()})).key
    distinct = distinct_values(usable)
    if key in distinct:
        return distinct[key]
    close = get_close_matches(key, distinct, n=1, cutoff=0.5)
    hint = f"; did you mean {distinct[close[0]].shown!r}?" if close else "."
    raise InputError(
        f"target {name!r} has no class {wanted!r}{hint} Its classes: {tell_counts(usable)}"
    )


def _binary(read: Sequence[Value], one: Value, zero: str, note: str) -> Target:
    values = np.array([math.nan if v.reason else float(v.key == one.key) for v in read])
    note = f'"{one.shown}" is 1, {note}{tell_spellings(read)}'
    return finish_target(read, values, "binary", note, (zero, one.shown))


def numeric(read: Sequence[Value], *, name: str, required: bool) -> Target:
    """Return a target of numbers; words between them are missing.

    Args:
        read: The values.
        name: Of the column.
        required: Whether numbers were asked for; if not, at least half must be numbers.

    Raises:
        InputError: There are too few numbers.
    """
    usable = without_missing(read)
    found = [value.number for value in usable if value.number is not None]
    enough = len(set(found)) >= (2 if required else 3) and 2 * len(found) >= len(usable)
    if not enough:
        share = f"{len(found)} of {len(usable)} values are numbers; " if found else ""
        common = count_values(usable).most_common(1)[0][0]
        raise InputError(
            f"target {name!r} has {len(distinct_values(usable))} classes: {share}"
            f"{tell_counts(usable)}. Tell one of them from all others with positive=, such as "
            f"positive={distinct_values(usable)[common].shown!r}, or all from each other with "
            f'target_kind="multiclass", which leaves out classes of fewer than {MIN_CLASS}'
        )
    judged = _words_missing(read)
    note = f"from {min(found):.6g} to {max(found):.6g}"
    return finish_target(judged, _numbers(judged), "numeric", note)


def count(read: Sequence[Value], *, name: str) -> Target:
    """Return a target of whole numbers >= 0, such as votes; words between them are missing.

    Raises:
        InputError: A number is negative or no whole one, or there are fewer than 2 numbers.
    """
    judged = _words_missing(read)
    for row, value in enumerate(judged):
        number = value.number
        if number is not None and not (number >= 0 and number.is_integer()):
            raise InputError(
                f"target {name!r} is no count: row {row} holds {value.shown}, and counts are whole "
                'numbers of at least 0; leave out target_kind="count"'
            )
    found = _found(judged, name=name, kind="count")
    note = f"whole numbers from {min(found):.0f} to {max(found):.0f}"
    return finish_target(judged, _numbers(judged), "count", note)


def ordinal(read: Sequence[Value], order: Sequence[object] | None, *, name: str) -> Target:
    """Return a target of ranks: of numbers by size, of words in the order that was given.

    Consecutive whole numbers are their own ranks; other values are numbered from 1.

    Raises:
        InputError: Words have no order, the order does not fit, or there are too many ranks.
    """
    judged = list(read)
    if order is None:
        judged = _words_missing(read)
        if not any(value.number is not None for value in judged):
            raise InputError(
                f"target {name!r} holds words, whose order is not known: give order= with the "
                f"lowest first; its values are {tell_counts(without_missing(read))}"
            )
        found = _found(judged, name=name, kind="ordinal")
        ranked = [Value(v.key, v.shown, v.number) for v in _by_size(judged)]
    else:
        judged, ranked = _in_order(read, order, name=name)
        found = []
    if len(ranked) > _MAX_RANKS:
        raise InputError(
            f"target {name!r} has {len(ranked)} distinct values, more than {_MAX_RANKS} ranks; "
            'leave out target_kind="ordinal"'
        )
    own = bool(found) and all(b == a + 1 for a, b in pairwise(found))
    first = int(found[0]) if own and found[0].is_integer() else 1
    ranks = {value.key: float(first + place) for place, value in enumerate(ranked)}
    values = np.array([math.nan if v.reason else ranks[v.key] for v in judged])
    told = ", ".join(f'"{v.shown}" is {ranks[v.key]:.0f}' for v in ranked)
    return finish_target(judged, values, "ordinal", told + tell_spellings(judged))


def _in_order(
    read: Sequence[Value], order: Sequence[object], *, name: str
) -> tuple[list[Value], list[Value]]:
    """Return the values, those that are not in the order missing; and the ranks."""
    usable = without_missing(read)
    if isinstance(order, str) or len(order) < 2:
        raise InputError(
            f"order must list the values of target {name!r}, the lowest first, but got {order!r}; "
            f"its values are {tell_counts(usable)}"
        )
    ranked = [find_value(usable, wanted, name=name) for wanted in order]
    keys = [value.key for value in ranked]
    if len(set(keys)) < len(keys):
        raise InputError(f"order names a value of target {name!r} twice: {list(order)!r}")
    judged = [
        value
        if value.reason or value.key in keys
        else Value("", "", reason=f'target "{value.shown}" is not in order=')
        for value in read
    ]
    return judged, ranked


def _by_size(judged: Sequence[Value]) -> list[Value]:
    distinct = distinct_values(without_missing(judged))
    return sorted(distinct.values(), key=lambda value: value.number or 0.0)


def _found(judged: Sequence[Value], *, name: str, kind: str) -> list[float]:
    """Return the distinct numbers, ascending."""
    found = sorted({value.number for value in judged if value.number is not None})
    if len(found) < 2:
        raise InputError(
            f"target {name!r} has {len(found)} distinct numbers, and a {kind} needs at least 2"
        )
    return found


def _words_missing(read: Sequence[Value]) -> list[Value]:
    return [
        value
        if value.reason or value.number is not None
        else replace(value, key="", reason=f'target "{value.shown}" is not a number')
        for value in read
    ]


def _numbers(judged: Sequence[Value]) -> NDArray[np.float64]:
    return np.array([math.nan if v.number is None else v.number for v in judged])
