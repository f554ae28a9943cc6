"""Columns of a user's table as categories or numbers that features can be compared with."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.tables import is_missing

MAX_CATEGORIES = 50
"""Different values above which a column is taken for free text or a key."""


@dataclass(frozen=True, slots=True, eq=False)
class MetadataColumn:
    """A column that can be compared with features."""

    name: str
    known: NDArray[np.int64]
    """Places of the documents whose value is not missing, shape (n_known,)."""
    categories: tuple[str, ...] = ()
    """Values, most frequent first; none for numbers."""
    holds: csr_matrix | None = None
    """1 where a document has a category, shape (n_known, n_categories)."""
    numbers: NDArray[np.float64] | None = None
    """Shape (n_known,); None for categories."""


@dataclass(frozen=True, slots=True)
class SkippedColumn:
    """A column that cannot be compared, and why."""

    name: str
    reason: str


def read_column(
    values: "pd.Series[Any]", *, max_categories: int = MAX_CATEGORIES
) -> MetadataColumn | SkippedColumn:
    """Return a column as categories (also several a document, as lists) or as numbers.

    Args:
        values: One for each document; None, NaN, NaT and empty texts are missing.
        max_categories: Different values at most.
    """
    name = str(values.name)
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return SkippedColumn(name, "holds dates; turn it into numbers or categories, such as years")
    given = values.tolist()
    known = np.array([i for i, value in enumerate(given) if not _is_absent(value)], np.int64)
    if not known.size:
        return SkippedColumn(name, "has no values")
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        return _as_numbers(name, values, known)
    return _as_categories(name, [given[place] for place in known.tolist()], known, max_categories)


def _is_absent(value: object) -> bool:
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return False
    return bool(is_missing(value)) or (isinstance(value, str) and not value.strip())


def _as_numbers(
    name: str, values: "pd.Series[Any]", known: NDArray[np.int64]
) -> MetadataColumn | SkippedColumn:
    numbers = np.asarray(values.iloc[known], np.float64)
    if not np.isfinite(numbers).all():
        return SkippedColumn(name, "has infinite values")
    if np.ptp(numbers) == 0.0:
        return SkippedColumn(name, "has one value only")
    return MetadataColumn(name, known, numbers=numbers)


def _as_categories(
    name: str, values: list[object], known: NDArray[np.int64], max_categories: int
) -> MetadataColumn | SkippedColumn:
    several = [
        [*value] if isinstance(value, list | tuple | set | frozenset | np.ndarray) else [value]
        for value in values
    ]
    if any(not isinstance(item, str | int | float | bool) for own in several for item in own):
        return SkippedColumn(name, "holds values that are neither texts nor numbers")
    names = [[str(item) for item in own if not _is_absent(item)] for own in several]
    counts = pd.Series([item for own in names for item in dict.fromkeys(own)]).value_counts()
    if len(counts) > max_categories:
        reason = f"has {len(counts):,} different values, free text or a key; at most"
        return SkippedColumn(name, f"{reason} {max_categories} are compared")
    ordered = sorted(counts.index, key=lambda item: (-int(counts[item]), item))
    if not ordered or (len(ordered) == 1 and counts[ordered[0]] == len(values)):
        return SkippedColumn(name, "has one value only")
    place = {item: number for number, item in enumerate(ordered)}
    rows = [row for row, own in enumerate(names) for _ in dict.fromkeys(own)]
    columns = [place[item] for own in names for item in dict.fromkeys(own)]
    shape = (len(values), len(ordered))
    holds = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape)
    return MetadataColumn(name, known, tuple(ordered), holds)
