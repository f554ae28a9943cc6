"""Which documents an index means: any kind of integer, slices, masks, lists."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interp_embed.errors import InputError
from interp_embed.tables import read_table


def as_index(index: object, n: int, *, what: str) -> int:
    """Return a position from 0 to n - 1; negative ones count from the end.

    >>> as_index(np.int8(-1), 5, what="document")
    4

    Raises:
        InputError: It is no integer.
        IndexError: It is out of range.
    """
    if isinstance(index, bool | np.bool_):
        raise InputError(f"{what} must be given by number, got {index!r}")
    try:
        number = operator.index(index)  # type: ignore[arg-type]
    except TypeError as error:
        raise InputError(
            f"{what} must be given by a whole number, got {type(index).__name__} {index!r}"
        ) from error
    if not -n <= number < n:
        last = f"use an index from 0 to {n - 1}" if n else "there are none"
        raise IndexError(f"{what} {number} is out of range: there are {n}; {last}")
    return number % n


def as_feature(index: object, n_features: int) -> int:
    """Return the index of a feature; negative ones are refused.

    Raises:
        InputError: It is no integer, or out of range.
    """
    try:
        number = as_index(index, n_features, what="feature")
    except IndexError as error:
        raise InputError(str(error)) from error
    if operator.index(index) < 0:  # type: ignore[arg-type]
        raise InputError(f"feature {index} is negative; use an index from 0 to {n_features - 1}")
    return number


def as_rows(index: object, n: int, labels: pd.Index) -> NDArray[np.int64]:
    """Return the positions that a slice, a mask or a list of integers means, in its order.

    Args:
        index: A slice; a boolean list, array or Series of length n; a list, array or Series of
            integers. A boolean Series is matched by its own index.
        n: Documents there are.
        labels: Index of the user's table, for Series.

    Raises:
        InputError: It is none of these, or a mask of another length.
        IndexError: A position is out of range.
    """
    if isinstance(index, slice):
        return np.arange(n)[index].astype(np.int64)
    if isinstance(index, pd.Series) and index.dtype == bool:
        index = _aligned(index, labels)
    values = np.asarray(index)
    if values.ndim != 1:
        raise InputError(
            f"documents cannot be chosen by {type(index).__name__} of shape {values.shape}; use a "
            "number, a slice, a mask, a list of numbers, or the name of a column"
        )
    if values.dtype == bool:
        if len(values) != n:
            raise InputError(f"the mask has {len(values)} values, but there are {n} documents")
        return np.flatnonzero(values).astype(np.int64)
    if values.dtype == object and len(values) and all(isinstance(v, bool) for v in values):
        return as_rows(values.astype(bool), n, labels)
    if len(values) == 0:
        return np.empty(0, np.int64)
    if not np.issubdtype(values.dtype, np.integer):
        raise InputError(
            f"documents are chosen by whole numbers or a mask, got values of type {values.dtype}"
        )
    wrong = values[(values.astype(object) < -n) | (values.astype(object) >= n)]
    if len(wrong):
        raise IndexError(f"document {wrong[0]} is out of range: there are {n}")
    return np.where(values.astype(np.int64) < 0, values.astype(np.int64) + n, values).astype(
        np.int64
    )


def _aligned(mask: "pd.Series[Any]", labels: pd.Index) -> NDArray[np.bool_]:
    if mask.index.equals(labels):
        return mask.to_numpy(dtype=bool)
    if len(mask) == len(labels) and mask.index.is_unique and not len(labels.difference(mask.index)):
        return mask.reindex(labels).to_numpy(dtype=bool)
    raise InputError(
        f"the mask is a Series of {len(mask)} values whose index is not that of the "
        f"{len(labels)} documents; pass mask.to_numpy() to go by position"
    )


def as_frame(data: object) -> pd.DataFrame:
    """Return the user's data as a table: a DataFrame, list of dicts or of texts, Arrow, HF, a path.

    Raises:
        InputError: It is none of these.
    """
    if isinstance(data, pd.DataFrame):
        return data if all(isinstance(name, str) for name in data) else data.rename(columns=str)
    if isinstance(data, pd.Series):
        return data.to_frame(name=data.name or "text")
    if isinstance(data, str) or hasattr(data, "__fspath__"):
        return read_table(data)
    if hasattr(data, "to_pandas"):  # Arrow tables, Hugging Face and polars
        frame = data.to_pandas()
        if isinstance(frame, pd.DataFrame):
            return frame
    if isinstance(data, Sequence) and len(data):
        if all(isinstance(row, dict) for row in data):
            return pd.DataFrame(list(data))
        if all(isinstance(row, str) or row is None for row in data):
            return pd.DataFrame({"text": list(data)})
    if isinstance(data, dict):
        return pd.DataFrame(data)
    raise InputError(
        f"data must be a DataFrame, a list of dicts or of texts, an Arrow table, a Hugging Face "
        f"dataset, or the path of a file, got {type(data).__name__}"
        + (" with no rows" if isinstance(data, Sequence) and not len(data) else "")
    )
