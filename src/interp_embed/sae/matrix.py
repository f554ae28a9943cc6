"""Checks every embedding matrix once, at the public edge."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed.errors import InputError

_CHECK_ROWS = 16_384


def check_embeddings(
    embeddings: ArrayLike, *, d_in: int | None = None, name: str = "embeddings"
) -> NDArray[np.float32]:
    """Return embeddings as a finite float32 matrix, without a copy where they already are one.

    Args:
        embeddings: Anything array-like, shape (n_documents, d_in); a list or float64 is converted.
        d_in: Width that is needed, if one is.
        name: What the caller calls them, for the messages.

    Raises:
        InputError: Not a matrix of numbers, empty, of another width, or a row is not finite.
    """
    try:
        matrix = np.asarray(embeddings)
        if matrix.dtype.kind not in "fiu":
            raise InputError(
                f"{name} must hold numbers, but their dtype is {matrix.dtype}; "
                "give one row of numbers a document"
            )
        with np.errstate(over="ignore"):  # reported below as not finite, with the row
            matrix = np.ascontiguousarray(matrix, dtype=np.float32)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name} cannot be read as a matrix ({error}); "
            "give one row of numbers a document, all of one length"
        ) from error
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(
            f"{name} must have shape (n_documents, d_in), both at least 1, but got {matrix.shape}"
        )
    if d_in is not None and matrix.shape[1] != d_in:
        raise InputError(
            f"{name} are {matrix.shape[1]} wide, but this SAE reads {d_in}; "
            "use the embedder it was trained with"
        )
    _check_finite(matrix, name)
    return matrix


def _check_finite(matrix: NDArray[np.float32], name: str) -> None:
    bad: list[int] = []
    for begin in range(0, len(matrix), _CHECK_ROWS):
        finite = np.isfinite(matrix[begin : begin + _CHECK_ROWS]).all(axis=1)
        bad.extend((begin + np.flatnonzero(~finite)).tolist())
    if bad:
        raise InputError(
            f"{len(bad)} of {len(matrix)} rows of {name} are not finite (NaN or infinity), "
            f"such as {_some(bad)}; embed these documents again or leave them out"
        )


def check_varying(matrix: NDArray[np.float32], *, name: str = "embeddings") -> None:
    """Raise unless every column takes at least two values.

    Raises:
        InputError: All rows are equal, or some columns are constant.
    """
    constant = np.flatnonzero(matrix.max(axis=0) == matrix.min(axis=0))
    if len(constant) == matrix.shape[1]:
        raise InputError(
            f"all {len(matrix)} rows of {name} are equal: there is nothing to learn from; "
            "check that the documents differ"
        )
    if len(constant):
        raise InputError(
            f"{len(constant)} of {matrix.shape[1]} columns of {name} are constant, such as "
            f"{_some(constant.tolist())}; leave them out, they tell documents apart nowhere"
        )


def _some(positions: Sequence[Any], most: int = 5) -> str:
    shown = ", ".join(str(position) for position in positions[:most])
    return shown + (", …" if len(positions) > most else "")
