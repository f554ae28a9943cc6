"""Targets of pairs: which of two texts was preferred."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from interp_embed.errors import InputError
from interp_embed.hypotheses.target_kinds import Target, find_value, finish_target
from interp_embed.hypotheses.values import (
    Value,
    distinct_values,
    tell_counts,
    tell_spellings,
    without_missing,
)

_TIES = {
    "tie", "ties", "tied", "draw", "both", "equal", "same", "neither", "none", "0.5",
    "both bad", "both good", "tie (bothbad)", "tie (both bad)", "no preference", "undecided",
}  # fmt: skip
_FIRST_OF = {
    frozenset(pair): pair[0]
    for pair in (
        ("1", "0"),
        ("1", "2"),
        ("1", "-1"),
        ("a", "b"),
        ("first", "second"),
        ("left", "right"),
        ("chosen", "rejected"),
        ("win", "loss"),
        ("yes", "no"),
        ("true", "false"),
        ("model_a", "model_b"),
        ("text 1", "text 2"),
        ("answer a", "answer b"),
        ("response_a", "response_b"),
    )
}


def preference(read: Sequence[Value], *, name: str, positive: str | None) -> Target:
    """Return 1 where the first text of a pair is preferred, 0 where the second is.

    ["A", "b", "tie"] -> [1, 0, NaN]; of 0/1 the 1 is the first text, of 1/2 too.

    Args:
        read: One value a pair; ties count as missing.
        name: Of the column.
        positive: The value that means "the first"; needed for words that are not known.

    Raises:
        InputError: There are other than two values beside ties, or it is not known which of the
            two means the first text.
    """
    keys = set(distinct_values(without_missing(read)))
    ties = keys & _TIES | ({"0"} if {"1", "-1"} <= keys else set())
    judged = [
        replace(v, key="", reason=f'no preference: target is "{v.shown}"') if v.key in ties else v
        for v in read
    ]
    usable = without_missing(judged)
    distinct = distinct_values(usable)
    if len(distinct) != 2:
        raise InputError(
            f"target {name!r} must hold two values, for the first and for the second text, beside "
            f"ties; it holds {tell_counts(usable) or 'none'}"
        )
    if positive is not None:
        first = find_value(usable, positive, name=name)
    elif frozenset(distinct) in _FIRST_OF:
        first = distinct[_FIRST_OF[frozenset(distinct)]]
    else:
        raise InputError(
            f"target {name!r} holds {tell_counts(usable)}: which of them means that the first text "
            f"is preferred? Say so with positive=, such as positive={usable[0].shown!r}"
        )
    second = next(value for key, value in distinct.items() if key != first.key)
    values = np.array([math.nan if v.reason else float(v.key == first.key) for v in judged])
    note = (
        f'"{first.shown}" is the first text preferred, "{second.shown}" the second'
        f"{tell_spellings(judged)}"
    )
    return finish_target(judged, values, "preference", note)
