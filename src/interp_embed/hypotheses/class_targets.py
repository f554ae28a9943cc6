"""Targets of several classes: one a document, or any number of labels a document."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interp_embed.errors import InputError
from interp_embed.hypotheses.target_kinds import MIN_CLASS, Target, finish_target
from interp_embed.hypotheses.values import (
    MAX_SHOWN,
    Value,
    count_values,
    distinct_values,
    read_values,
    tell_counts,
    tell_spellings,
    without_missing,
)

MAX_CLASSES = 12
"""Classes in words that are taken for classes without being asked for."""
_MOST_CLASSES = 50
_KNOWN_FLAGS = {"1": 1.0, "0": 0.0, "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}

TargetValues = Mapping[Any, Sequence[object]] | pd.DataFrame | Iterable[object]
"""One value a row, or a list of labels a row, or a column of 0/1 for each label."""


def looks_multiclass(usable: Sequence[Value]) -> bool:
    """Tell whether values are three to twelve classes in words, each of them often enough."""
    counts = count_values(usable)
    return (
        3 <= len(counts) <= MAX_CLASSES
        and all(value.number is None for value in usable)
        and min(counts.values()) >= MIN_CLASS
    )


def multiclass(read: Sequence[Value], *, name: str) -> Target:
    """Return a 0/1 column for each class, in alphabetical order; rare classes are left out.

    Raises:
        InputError: Fewer than three classes are frequent enough, or there are too many.
    """
    usable = without_missing(read)
    counts = count_values(usable)
    rare = {key for key, n in counts.items() if n < MIN_CLASS}
    judged = [
        replace(
            v,
            key="",
            reason=f'class "{v.shown}" has {counts[v.key]} rows; {MIN_CLASS} are needed',
        )
        if v.key in rare and not v.reason
        else v
        for v in read
    ]
    kept = distinct_values(without_missing(judged))
    if len(kept) < 3:
        raise InputError(
            f"target {name!r} has {len(kept)} classes of at least {MIN_CLASS} rows, and "
            f"several classes are three or more: {tell_counts(usable)}; leave out "
            'target_kind="multiclass", or name one class with positive='
        )
    _check_number(len(kept), name=name)
    classes = sorted(kept.values(), key=lambda value: _sort_key(value))
    rows = np.array([bool(v.reason) for v in judged])
    values = np.array([[float(v.key == one.key) for one in classes] for v in judged])
    values[rows] = math.nan
    present = count_values(without_missing(judged))
    told = ", ".join(f'"{one.shown}" ({present[one.key]})' for one in classes)
    note = f"{len(classes)} classes, {told}, each against all others"
    note += f"{tell_spellings(judged)}; positive= explains one alone"
    return finish_target(judged, values, "multiclass", note, tuple(one.shown for one in classes))


def is_multilabel(values: object) -> bool:
    """Tell whether these are sets of labels: lists or sets, or a table of columns."""
    if isinstance(values, Mapping | pd.DataFrame):
        return True
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        return False
    if isinstance(values, np.ndarray) and values.ndim != 1:
        return False
    return any(_is_labels(value) for value in values)


def multilabel(values: TargetValues, *, name: str) -> Target:
    """Return a 0/1 column for each label, in alphabetical order.

    [["a"], ["b", "a"], []] -> columns a: 1, 1, 0 and b: 0, 1, 0 (were they frequent enough)

    Args:
        values: A list or set of labels a row (an empty one is a row without labels), or a
            mapping or table with a column of 0/1 for each label.
        name: Of the column.

    Raises:
        InputError: Values are of another kind, or no label is frequent enough.
    """
    if isinstance(values, Mapping | pd.DataFrame):
        read, shown, table = _from_columns(values, name=name)
    else:
        read, shown, table = _from_lists(values, name=name)
    usable = np.array([not value.reason for value in read], np.bool_)
    if not usable.any():
        raise InputError(f"target {name!r} has no usable value in {len(read)} rows")
    present = table[usable].sum(axis=0)
    enough = (present >= MIN_CLASS) & (usable.sum() - present >= MIN_CLASS)
    if not enough.any():
        told = ", ".join(f"{s!r} ({int(n)})" for s, n in list(zip(shown, present, strict=True))[:5])
        raise InputError(
            f"no label of target {name!r} is on at least {MIN_CLASS} of {int(usable.sum())} usable "
            f"rows and absent from {MIN_CLASS}: {told or 'there are no labels'}"
        )
    _check_number(int(enough.sum()), name=name)
    kept = [shown[i] for i in np.flatnonzero(enough)]
    told = ", ".join(f'"{shown[i]}" ({int(present[i])})' for i in np.flatnonzero(enough))
    left = [f'"{shown[i]}" ({int(present[i])})' for i in np.flatnonzero(~enough)]
    note = told + (
        f"; labels on fewer than {MIN_CLASS} rows, or absent from fewer, are left out: "
        f"{', '.join(left[:MAX_SHOWN])}{' and more' if len(left) > MAX_SHOWN else ''}"
        if left
        else ""
    )
    columns = table[:, enough]
    columns[~usable] = math.nan
    if len(kept) == 1:
        note = f'label "{kept[0]}" is 1, its absence 0; {note}'
        classes = (f"not {kept[0]}", kept[0])
        return finish_target(read, columns[:, 0], "binary", note, classes)
    return finish_target(read, columns, "multilabel", f"labels {note}", tuple(kept))


def _sort_key(value: Value) -> tuple[float, str]:
    return (math.inf if value.number is None else value.number, value.key)


def _check_number(n: int, *, name: str) -> None:
    if n > _MOST_CLASSES:
        raise InputError(
            f"target {name!r} has {n} classes; at most {_MOST_CLASSES} can be studied at once: "
            "put some together, or name one with positive="
        )


def _is_labels(value: object) -> bool:
    return isinstance(value, list | tuple | AbstractSet) or (
        isinstance(value, np.ndarray) and value.ndim == 1
    )


def _from_lists(
    values: Iterable[object], *, name: str
) -> tuple[list[Value], list[str], NDArray[np.float64]]:
    read: list[Value] = []
    keys: list[set[str]] = []
    found: dict[str, Value] = {}
    for row, value in enumerate(values):
        if _is_labels(value):
            labels = read_values(value, name=name, what="label")  # type: ignore[arg-type]
            kept = without_missing(labels)
            for label in kept:
                found.setdefault(label.key, label)
            read.append(Value("labels", "labels"))
            keys.append({label.key for label in kept})
            continue
        if isinstance(value, str):
            raise InputError(
                f"target {name!r} holds the text {value!r} in row {row}, between lists of labels; "
                "give a list in every row, such as value.split(';')"
            )
        read.append(read_values([value], name=name)[0])
        if not read[-1].reason:
            raise InputError(
                f"target {name!r} holds {read[-1].shown} in row {row}, and no list of labels"
            )
        keys.append(set())
    order = sorted(found.values(), key=_sort_key)
    table = np.array([[float(label.key in has) for label in order] for has in keys], np.float64)
    return read, [label.shown for label in order], table.reshape(len(read), len(order))


def _from_columns(
    values: Mapping[Any, Sequence[object]] | pd.DataFrame, *, name: str
) -> tuple[list[Value], list[str], NDArray[np.float64]]:
    names = [str(key) for key in values]
    repeated = [key for key, n in Counter(names).items() if n > 1]
    if repeated or not names:
        raise InputError(f"target {name!r} needs one column for each label, got {names or 'none'}")
    columns = (
        [values.iloc[:, i] for i in range(len(names))]
        if isinstance(values, pd.DataFrame)
        else list(values.values())
    )
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        raise InputError(f"the columns of target {name!r} are of unequal lengths: {lengths}")
    read = [Value("labels", "labels") for _ in range(lengths.pop())]
    table = np.zeros((len(read), len(names)))
    for place, (label, column) in enumerate(zip(names, columns, strict=True)):
        for row, value in enumerate(read_values(column, name=label, what="label")):
            if value.reason:
                read[row] = Value("", "", reason=f'label "{label}" is missing')
            elif value.key not in _KNOWN_FLAGS:
                raise InputError(
                    f"column {label!r} of target {name!r} holds {value.shown!r} in row {row}; "
                    "columns of labels hold 0 and 1"
                )
            else:
                table[row, place] = _KNOWN_FLAGS[value.key]
    return read, names, table
