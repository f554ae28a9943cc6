"""The target: what each document's value means, as numbers, and how it was understood."""

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

from interp_embed.errors import InputError
from interp_embed.hypotheses.class_targets import (
    TargetValues,
    is_multilabel,
    looks_multiclass,
    multiclass,
    multilabel,
)
from interp_embed.hypotheses.preferences import preference
from interp_embed.hypotheses.target_kinds import (
    Target,
    count,
    numeric,
    one_class_against_others,
    ordinal,
    two_classes,
)
from interp_embed.hypotheses.values import (
    Value,
    distinct_values,
    read_values,
    tell_counts,
    without_missing,
)
from interp_embed.records import TargetKind

AskedKind = TargetKind | Literal["auto"]
"""A kind of target, or ``auto``: told from the values."""
_WITH_POSITIVE = {"auto", "binary", "preference"}


def understand_target(
    values: TargetValues,
    *,
    name: str,
    kind: AskedKind = "auto",
    positive: str | None = None,
    order: Sequence[object] | None = None,
) -> Target:
    """Return the target as numbers, with what was made of it in words.

    ["-1", "1", None] -> values [0, 1, NaN], ``binary: "1" is 1, "-1" is 0; 1 missing``

    Numbers and strings that are numbers make a numeric target, two distinct values a binary one:
    of two numbers the larger is 1, of known pairs (yes/no, true/false, …) the affirmative one, of
    any other two strings the alphabetically later one. Three to twelve classes in words, each in
    at least 20 rows, are several classes; lists of labels are labels. Strings are compared
    without outer white space and letter case. Mostly numbers (at least half, and 3 distinct ones)
    with some other strings are numeric, the others missing. None, NaN, empty strings, "NA" and
    the like, and infinities are missing; they are listed in ``dropped``.

    Args:
        values: One per row: a column, a list, an array; for ``multilabel`` a list of labels a
            row, or a mapping or table with a column of 0/1 for each label.
        name: The column's name, for messages.
        kind: ``numeric`` keeps two distinct numbers as they are; ``binary`` insists on two values;
            ``count`` on whole numbers >= 0; ``ordinal`` takes numbers or words as ranks;
            ``multiclass`` tells all classes of at least 20 rows from each other; ``multilabel``
            takes any number of labels a row; ``preference``: which of two texts, see there.
        positive: The class to tell from all others, which become 0.
        order: For ``ordinal`` words: all of them, the lowest first.

    Raises:
        InputError: The target is constant, is not of the kind, has three or more classes in words
            of which some are rare, or holds dates or other things that are no target.
    """
    _check_options(kind, positive, order)
    if isinstance(values, Iterator):
        values = list(values)
    if kind == "multilabel" or (kind == "auto" and positive is None and is_multilabel(values)):
        return multilabel(values, name=name)
    keep = [*([] if positive is None else [str(positive)]), *map(str, order or ())]
    read = read_values(values, name=name, keep=keep)
    usable = without_missing(read)
    if not usable:
        raise InputError(f"target {name!r} has no usable value in {len(read)} rows")
    if kind == "preference":
        return preference(read, name=name, positive=positive)
    if positive is not None:
        return one_class_against_others(read, positive, name=name)
    if len(distinct_values(usable)) == 1:
        raise InputError(
            f"target {name!r} is constant: all {len(usable)} usable rows of {len(read)} are "
            f"{usable[0].shown!r}; there is nothing to explain"
        )
    if kind == "count":
        return count(read, name=name)
    if kind == "ordinal":
        return ordinal(read, order, name=name)
    if kind == "multiclass" or (kind == "auto" and looks_multiclass(usable)):
        return multiclass(read, name=name)
    return _number_or_two_classes(read, name=name, kind=kind)


def _check_options(kind: str, positive: str | None, order: Sequence[object] | None) -> None:
    kinds = ("auto", *get_args(TargetKind))
    if kind not in kinds:
        raise InputError(f"kind must be one of {', '.join(kinds)}, got {kind!r}")
    if positive is not None and kind not in _WITH_POSITIVE:
        raise InputError(f"positive={positive!r} makes a binary target: leave out kind={kind!r}")
    if order is not None and kind != "ordinal":
        raise InputError('order= is for kind="ordinal"; leave it out, or ask for that')


def _number_or_two_classes(read: Sequence[Value], *, name: str, kind: str) -> Target:
    usable = without_missing(read)
    distinct = distinct_values(usable)
    all_numbers = all(value.number is not None for value in usable)
    if len(distinct) == 2 and not (kind == "numeric" and all_numbers):
        if kind == "numeric":
            raise InputError(
                f"target {name!r} is not numeric: its values are {tell_counts(usable)}; "
                'leave out kind="numeric"'
            )
        return two_classes(read, distinct)
    if kind == "binary":
        raise InputError(
            f"target {name!r} is not binary: it has {len(distinct)} distinct values "
            f"({tell_counts(usable)}); name the class to tell from the others with positive="
        )
    return numeric(read, name=name, required=kind == "numeric")
