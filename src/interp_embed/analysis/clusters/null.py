"""What clustering finds in features without structure: each shuffled by itself over documents."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.analysis.clusters.partition import FEW_STARTS, Method, make_space
from interp_embed.analysis.clusters.rows import find_rows
from interp_embed.analysis.clusters.stability import explained_share, mean_known, resample

_N_RESAMPLES = 3
"""Samples of the data and of each shuffle: the same number, so that they compare."""


@dataclass(frozen=True, slots=True)
class ShuffledNull:
    """Clusters beside those of features shuffled independently, which keep their densities."""

    n: int
    """Shuffles; 0 where none was asked for, and all else is NaN."""
    explained: float
    """Share of the spread of documents that lies between the clusters."""
    explained_shuffled: float
    """The same of shuffled features, mean."""
    p_explained: float
    """(1 + shuffles that explain as much) / (1 + n)."""
    stability: float
    """Agreement of samples with the whole, of three samples."""
    stability_shuffled: float
    p_stability: float
    n_documents: int
    """Documents compared: all, or a sample of them."""


def shuffle_features(fires: csr_matrix, random: np.random.Generator) -> csr_matrix:
    """Return each feature fired in as many documents as before, drawn without the others.

    Args:
        fires: 1 where a feature fires, shape (n_documents, n_used).
        random: Draws the documents.
    """
    n = fires.shape[0]
    by_feature = np.diff(fires.tocsc().indptr)
    places = [random.permutation(n)[:count] for count in by_feature.tolist()]
    columns = np.repeat(np.arange(len(places)), by_feature)
    rows = np.concatenate(places)
    found = csr_matrix((np.ones(len(columns), np.float32), (rows, columns)), fires.shape)
    found.sort_indices()
    return found


def shuffled_explained(
    fires: csr_matrix,
    weights: NDArray[np.float64],
    ks: Sequence[int],
    *,
    method: Method,
    n_shuffles: int,
    seed: int,
) -> NDArray[np.float64]:
    """Return the share explained by clusters of shuffled features, mean, shape (n_ks,)."""
    found = np.full((n_shuffles, len(ks)), np.nan)
    for number in range(n_shuffles):
        rows = find_rows(shuffle_features(fires, np.random.default_rng([seed, 3, number])))
        space = make_space(rows, weights, method=method, most=max(ks), seed=seed)
        for place, k in enumerate(ks):
            if k <= len(rows.counts):
                cluster = space.cut(k, seed=seed, n_starts=FEW_STARTS)
                found[number, place] = explained_share(rows, weights, cluster)
    return mean_known(found)


def compare_with_shuffled(
    fires: csr_matrix,
    weights: NDArray[np.float64],
    k: int,
    *,
    method: Method,
    n_shuffles: int,
    seed: int,
    done: Callable[[], object] = lambda: None,
) -> ShuffledNull:
    """Return how clusters of the data compare with those of shuffled features.

    Args:
        fires: 1 where a feature fires, shape (n_documents, n_used).
        weights: Of the features.
        k: Number of clusters.
        method: How to cluster.
        n_shuffles: >= 0.
        seed: Of all that is drawn.
        done: Called after each shuffle.

    Source: Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9(1):39 (the p-value).
    """
    nan, n_documents = float("nan"), fires.shape[0]
    if n_shuffles == 0:
        return ShuffledNull(0, nan, nan, nan, nan, nan, nan, n_documents)
    real = _judge(fires, weights, k, method, seed)
    found = np.full((n_shuffles, 2), np.nan)
    for number in range(n_shuffles):
        shuffled = shuffle_features(fires, np.random.default_rng([seed, 2, number]))
        found[number] = _judge(shuffled, weights, k, method, seed)
        done()
    # A shuffle that cannot be cut into k clusters explains everything: it counts against us.
    as_high = (~(found < real)).sum(axis=0)
    p = (1 + as_high) / (1 + n_shuffles)
    means = mean_known(found)
    return ShuffledNull(
        n=n_shuffles,
        explained=float(real[0]),
        explained_shuffled=float(means[0]),
        p_explained=float(p[0]),
        stability=float(real[1]),
        stability_shuffled=float(means[1]),
        p_stability=float(p[1]),
        n_documents=n_documents,
    )


def _judge(
    fires: csr_matrix, weights: NDArray[np.float64], k: int, method: Method, seed: int
) -> NDArray[np.float64]:
    """Return share explained and stability, NaN where there are too few distinct rows."""
    rows = find_rows(fires)
    if k > len(rows.counts):
        return np.full(2, np.nan)
    space = make_space(rows, weights, method=method, most=k, seed=seed)
    whole = space.cut(k, seed=seed, n_starts=FEW_STARTS)
    drawn = resample(rows, weights, [whole], method=method, n_resamples=_N_RESAMPLES, seed=seed)
    stability = mean_known(drawn.agreement[:, 0])
    return np.array([explained_share(rows, weights, whole), float(stability)])
