"""How many clusters: those that come back in samples and explain more than chance would."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.analysis.clusters.null import shuffled_explained
from interp_embed.analysis.clusters.partition import FEW_STARTS, Method, make_space
from interp_embed.analysis.clusters.rows import find_rows
from interp_embed.analysis.clusters.stability import explained_share, mean_known, resample

_N_SHUFFLES = 3


@dataclass(frozen=True, slots=True)
class CandidateCount:
    """A number of clusters that was tried."""

    k: int
    stability: float
    """Mean adjusted Rand index of clusters of samples with those of the whole, at most 1."""
    explained: float
    """Share of the spread of documents that lies between the clusters."""
    explained_shuffled: float
    """The same where each feature is shuffled over documents by itself."""
    score: float
    """``stability`` times what is explained beyond shuffled features."""
    chosen: bool


def choose_count(
    fires: csr_matrix,
    weights: NDArray[np.float64],
    ks: Sequence[int],
    *,
    method: Method,
    n_resamples: int,
    seed: int,
) -> tuple[CandidateCount, ...]:
    """Return the candidates, of which the one of the highest score is chosen.

    Stability alone does not tell: two halves of anything may be stable, and where few features
    make few distinct rows a large number of clusters is stable too. What clusters explain beyond
    those of shuffled features falls once real groups are split, and is small where they are lumped.

    Args:
        fires: 1 where a feature fires, shape (n_documents, n_used).
        weights: Of the features.
        ks: Numbers of clusters to try; those above the number of distinct rows are left out.
        method: How to cluster.
        n_resamples: Samples for the stability.
        seed: Of all that is drawn.

    Source: Ben-Hur, Elisseeff and Guyon 2002, PSB (stability); Tibshirani, Walther and Hastie
    2001, J. R. Stat. Soc. B 63, 411-423 (comparison with data without clusters). The product is
    ours; measured in docs/validity.md.
    """
    rows = find_rows(fires)
    ks = [k for k in ks if k <= len(rows.counts)]
    space = make_space(rows, weights, method=method, most=max(ks), seed=seed)
    whole = [space.cut(k, seed=seed, n_starts=FEW_STARTS) for k in ks]
    drawn = resample(rows, weights, whole, method=method, n_resamples=n_resamples, seed=seed)
    stability = mean_known(drawn.agreement)
    explained = np.array([explained_share(rows, weights, cluster) for cluster in whole])
    chance = shuffled_explained(
        fires, weights, ks, method=method, n_shuffles=_N_SHUFFLES, seed=seed
    )
    score = stability * np.maximum(explained - chance, 0.0)
    best = int(np.argmax(np.nan_to_num(score, nan=-1.0)))
    return tuple(
        CandidateCount(
            k=k,
            stability=float(stability[place]),
            explained=float(explained[place]),
            explained_shuffled=float(chance[place]),
            score=float(score[place]),
            chosen=place == best,
        )
        for place, k in enumerate(ks)
    )
