"""Checks that arrays entering a statistic are what it needs."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from interp_embed.errors import InputError


def check_level(level: float) -> None:
    """Raise an error unless a confidence level lies strictly between 0 and 1."""
    if not 0.0 < level < 1.0:
        raise InputError(f"level must lie between 0 and 1, such as 0.95, got {level}")


def finite_vector(values: ArrayLike, *, name: str) -> NDArray[np.float64]:
    """Return values as a float64 vector, shape (n,).

    Raises:
        InputError: They are not numbers, not one-dimensional, or some are NaN or infinite.
    """
    return _finite_array(values, name=name, n_axes=1)


def finite_matrix(values: ArrayLike, *, name: str) -> NDArray[np.float64]:
    """Return values as a float64 matrix, shape (n, p).

    Raises:
        InputError: They are not numbers, not two-dimensional, or some are NaN or infinite.
    """
    return _finite_array(values, name=name, n_axes=2)


def check_same_length(n: int, other: NDArray[Any], *, name: str) -> None:
    """Raise an error unless an array has one entry for each of ``n`` rows."""
    if other.ndim != 1 or other.shape[0] != n:
        raise InputError(
            f"{name} must have one value for each of {n} rows, got shape {other.shape}"
        )


def number_labels(labels: ArrayLike, *, name: str = "groups") -> NDArray[np.int64]:
    """Return labels of any kind as numbers from 0 by first appearance, shape (n,).

    Raises:
        InputError: A label is missing (None or NaN), or there is more than one axis.
    """
    if hasattr(labels, "dtype"):
        values = np.asarray(labels)
    else:  # as objects: numpy would turn ["a", nan] into ["a", "nan"]
        values = pd.Series(list(labels), dtype=object).to_numpy()  # type: ignore[arg-type]
    if values.ndim != 1:
        raise InputError(f"{name} must have one axis, got shape {values.shape}")
    numbers, _ = pd.factorize(values)
    n_missing = int(np.count_nonzero(numbers < 0))
    if n_missing:
        raise InputError(
            f"{n_missing} of {values.size} labels of {name} are missing; "
            "leave those rows out, or give each a label of its own"
        )
    return numbers.astype(np.int64)


def whole_numbers(values: ArrayLike, *, name: str) -> NDArray[np.int64]:
    """Return counts of any shape as int64.

    Raises:
        InputError: One is negative, NaN or not a whole number.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must hold counts only ({error})") from error
    bad = array[~((array >= 0.0) & (array == np.floor(array)) & (array < 2.0**53))]
    if bad.size:
        raise InputError(f"{name} must be counts: whole numbers >= 0, got {bad.flat[0]}")
    return array.astype(np.int64)


def _finite_array(values: ArrayLike, *, name: str, n_axes: int) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must hold numbers only ({error})") from error
    if array.ndim != n_axes:
        raise InputError(f"{name} must have {n_axes} axes, got shape {array.shape}")
    n_bad = int(array.size - np.count_nonzero(np.isfinite(array)))
    if n_bad:
        raise InputError(
            f"{n_bad} of {array.size} values of {name} are NaN or infinite; "
            "leave those rows out before"
        )
    return array
