"""Documents to learn from: rows of a matrix that is read in pieces and never copied."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed.errors import InputError
from interp_embed.sae.matrix import check_embeddings
from interp_embed.sae.settings import TrainingSettings

_log = logging.getLogger(__name__)

_BLOCK_BYTES = 16 * 2**20
_HELD_OUT = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some rows of a matrix, or all of them."""

    matrix: NDArray[np.float32]
    """Shape (n_all, d_in)."""
    positions: NDArray[np.int64] | None = None
    """The rows that count, in order; None: all."""

    def __len__(self) -> int:
        return len(self.matrix if self.positions is None else self.positions)

    def take(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return copies of rows by their place among these, shape (len(places), d_in)."""
        return self.matrix[places if self.positions is None else self.positions[places]]

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield all rows in order, at most 16 MB at a time."""
        step = max(1, _BLOCK_BYTES // (4 * self.matrix.shape[1]))
        for begin in range(0, len(self), step):
            if self.positions is None:
                yield self.matrix[begin : begin + step]
            else:
                yield self.matrix[self.positions[begin : begin + step]]

    def mean(self) -> NDArray[np.float32]:
        """Return the mean row, shape (d_in,)."""
        total = np.zeros(self.matrix.shape[1], np.float64)
        for block in self.blocks():
            total += block.sum(axis=0, dtype=np.float64)
        return (total / len(self)).astype(np.float32)

    def squared_distance(self, center: NDArray[np.float32]) -> float:
        """Return the squared distance of the rows from a point, summed."""
        return sum(
            float(np.square(block - center, dtype=np.float64).sum()) for block in self.blocks()
        )


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Rows to train on and rows to stop by."""

    train: Rows
    validation: Rows


def hold_out(
    matrix: NDArray[np.float32], validation: ArrayLike | None, settings: TrainingSettings
) -> HeldOut:
    """Return training rows and validation rows: those given, or a tenth drawn with the seed.

    Where fewer documents than features would remain, nothing is held out: the training documents
    serve for both.

    Raises:
        InputError: The validation documents do not fit, or there are fewer documents than features.
    """
    if validation is not None:
        given = check_embeddings(validation, d_in=matrix.shape[1], name="validation embeddings")
        if (given == given[0]).all():
            raise InputError(
                "validation needs at least 2 documents that differ, but the "
                f"{len(given)} given {'are equal' if len(given) > 1 else 'is alone'}"
            )
        return HeldOut(Rows(matrix), Rows(given))
    n_held_out = round(_HELD_OUT * len(matrix))
    if len(matrix) - n_held_out < settings.n_features or n_held_out < 2:
        _log.warning(
            "%d documents are too few to hold some out from %d features: "
            "the validation error is that of the training documents",
            len(matrix),
            settings.n_features,
        )
        return HeldOut(Rows(matrix), Rows(matrix))
    order = np.random.default_rng([settings.seed, 1]).permutation(len(matrix))
    train, held_out = np.sort(order[n_held_out:]), np.sort(order[:n_held_out])
    return HeldOut(Rows(matrix, train), Rows(matrix[held_out]))
