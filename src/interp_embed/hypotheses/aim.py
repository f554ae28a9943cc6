"""Point an SAE at a target: what ridge regression predicts becomes one more column to rebuild.

The column is linear in the embedding, so afterwards it is folded into the encoder: what is left is
an ordinary SAE that reads embeddings alone.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from interp_embed.sae import SAEWeights
from interp_embed.stats import crossfit_predictions, fit_ridge

_N_FOLDS = 10
_LEAST_SPREAD = 1e-3
"""Spread of predictions, in units of the target's, below which there is nothing to aim at."""


@dataclass(frozen=True, slots=True, eq=False)
class Aim:
    """Directions of the embedding that predict the targets, as columns beside it."""

    directions: NDArray[np.float64]
    """Column = (embedding - centre) @ direction; shape (d_in, n_columns)."""
    centre: NDArray[np.float64]
    """Mean of the embeddings, shape (d_in,)."""
    columns: NDArray[np.float32]
    """Of the documents it was fitted on, each predicted from others: (n_documents, n_columns)."""

    @classmethod
    def fit(
        cls,
        embeddings: NDArray[np.float32],
        targets: NDArray[np.float64],
        groups: NDArray[np.int64],
        *,
        weight: float,
        seed: int,
    ) -> Self:
        """Return the aim at targets; of those that nothing predicts, no column is made.

        A column's variance is ``weight`` squared times that of the embeddings in all directions
        together, times the share of the target that is predicted; several share that variance.

        Args:
            embeddings: Discover documents, shape (n_documents, d_in).
            targets: Shape (n_documents, n_targets), none constant.
            groups: Rows of a group are predicted from other groups, shape (n_documents,).
            weight: Of the targets, at least 0; at 0 no column is made.
            seed: Of the folds.
        """
        centre = embeddings.mean(axis=0, dtype=np.float64)
        length = np.sqrt(np.square(embeddings - centre).sum(axis=1).mean())
        n_folds = min(_N_FOLDS, len(np.unique(groups)), len(embeddings) // 2)
        directions, columns = [], []
        for target in targets.T if weight > 0 and n_folds >= 2 else ():
            predicted = crossfit_predictions(
                embeddings, target, groups=groups, n_folds=n_folds, seed=seed
            )
            if predicted.std() < _LEAST_SPREAD * target.std():
                continue
            unit = weight * length / target.std() / np.sqrt(targets.shape[1])
            directions.append(unit * fit_ridge(embeddings, target).weights)
            columns.append(unit * (predicted - predicted.mean()))
        n, d_in = embeddings.shape
        return cls(
            np.column_stack([np.empty((d_in, 0)), *directions]),
            centre,
            np.column_stack([np.empty((n, 0)), *columns]).astype(np.float32),
        )

    def fold(self, weights: SAEWeights) -> SAEWeights:
        """Return an SAE of embeddings and columns as one of embeddings alone.

        Its directions are what is left of unit ones without the columns: at most of length 1.
        """
        d_in = len(self.centre)
        aimed = weights.encoder[:, d_in:].astype(np.float64) @ self.directions.T
        return replace(
            weights,
            encoder=(weights.encoder[:, :d_in] + aimed).astype(np.float32),
            encoder_bias=(weights.encoder_bias - aimed @ self.centre).astype(np.float32),
            decoder=np.ascontiguousarray(weights.decoder[:, :d_in]),
            decoder_bias=weights.decoder_bias[:d_in].copy(),
        )
