"""Scores of all documents for a query, in each of the rankings, and fused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interp_embed.analysis.retrieval.feature_query import FeatureQuery
from interp_embed.analysis.retrieval.result import Ranker
from interp_embed.stats import descending_ranks, reciprocal_rank_fusion

DEPTH = 10_000
"""Documents of each ranking that are fused: those below would add less than 1 / 10,000."""


class NotApplicableError(Exception):
    """A ranking that does not apply to a query, and why."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """What each document scores for a query, before any hit is made."""

    scores: Mapping[Ranker, NDArray[np.float32]]
    """High is first, -inf where a document is not ranked, each of shape (n_documents,)."""
    features: FeatureQuery | None
    """What stood for the query; None where features were not used."""
    notes: tuple[str, ...]
    """Rankings left out and why."""

    def fused(self, *, depth: int | None = DEPTH) -> NDArray[np.floating[Any]]:
        """Return one score per document, -inf where none of the rankings has it.

        One ranking keeps its scores; several are fused by reciprocal rank, each with weight 1.

        Args:
            depth: Documents of each ranking that count; None for all.
        """
        if len(self.scores) == 1:
            return next(iter(self.scores.values()))
        ranks = [descending_ranks(scores, depth=depth) for scores in self.scores.values()]
        fused = reciprocal_rank_fusion(ranks)
        return np.where(fused > 0, fused, -np.inf)
