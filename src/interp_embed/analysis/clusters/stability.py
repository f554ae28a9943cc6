"""How far clusters come back in samples of the documents, and how much they explain."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.analysis.clusters.partition import FEW_STARTS, Method, make_space
from interp_embed.analysis.clusters.rows import FiringRows, unit_rows

_SHARE = 0.8
MOST_SAMPLED = 5_000
"""Documents a sample has at most: enough to judge, and quick."""


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """How clusters of all documents come back in samples of them."""

    agreement: NDArray[np.float64]
    """Adjusted Rand index of each sample's clusters with those of all documents, shape
    (n_resamples, n_ks); NaN where a sample has fewer distinct rows than clusters."""
    clusters: tuple[NDArray[np.float64], ...]
    """For each number of clusters: how alike each cluster's most similar one in a sample is
    (Jaccard), mean over samples, shape (k,); NaN where no sample has a document of it."""


def resample(
    rows: FiringRows,
    weights: NDArray[np.float64],
    whole: Sequence[NDArray[np.int64]],
    *,
    method: Method,
    n_resamples: int,
    seed: int,
) -> Resampled:
    """Cluster samples of 80 % of the documents (at most 5,000), each with a seed of its own.

    Args:
        rows: Distinct rows of all documents.
        weights: Of the features, shape (n_used,).
        whole: Clusters of the rows of all documents, one array a number of clusters.
        method: How they were made.
        n_resamples: Samples, >= 1.
        seed: Of the samples.

    Source: Hennig 2007, Comput. Stat. Data Anal. 52, 258-271 (Jaccard of the matched cluster);
    Ben-Hur, Elisseeff and Guyon 2002, PSB (samples of 80 %).
    """
    ks = [int(cluster.max()) + 1 for cluster in whole]
    agreement = np.full((n_resamples, len(ks)), np.nan)
    alike = [np.full((n_resamples, k), np.nan) for k in ks]
    for number in range(n_resamples):
        random = np.random.default_rng([seed, 1, number])
        sample = rows.take(_draw(rows.counts, random))
        own_seed = int(random.integers(2**31))
        space = make_space(sample, weights, method=method, most=max(ks), seed=own_seed)
        for place, k in enumerate(ks):
            if k > len(sample.counts):
                continue
            found = space.cut(k, seed=own_seed, n_starts=FEW_STARTS)
            own = whole[place][sample.row_of]
            both = np.zeros((k, int(found.max()) + 1))
            np.add.at(both, (own, found), sample.counts)
            agreement[number, place] = rand_index(both)
            alike[place][number] = _best_jaccard(both)
    return Resampled(agreement, tuple(mean_known(values) for values in alike))


def explained_share(
    rows: FiringRows, weights: NDArray[np.float64], cluster: NDArray[np.int64]
) -> float:
    """Return the share of the spread of documents that lies between clusters, in [0, 1].

    Of weighted rows of length 1, whatever the method was: the sum of squares between clusters by
    the total one.
    """
    points = unit_rows(rows.rows, weights)
    n, k = rows.n_clusterable, int(cluster.max()) + 1
    counts = rows.counts.astype(np.float64)
    member = csr_matrix((counts, (cluster, np.arange(len(cluster)))), (k, len(cluster)))
    sums = (member @ points).toarray()  # (k, n_used)
    sizes = np.asarray(member.sum(axis=1)).ravel()
    overall = float(np.sum((sums.sum(axis=0) / n) ** 2))
    between = float(np.sum(sums**2 / sizes[:, None])) / n - overall
    lengths = float(counts @ np.asarray(points.multiply(points).sum(axis=1)).ravel()) / n
    total = lengths - overall
    return between / total if total > 0 else 0.0


def rand_index(both: NDArray[np.float64]) -> float:
    """Return the adjusted Rand index of two divisions, from how many documents they share.

    [[2, 0], [0, 2]] -> 1; [[1, 1], [1, 1]] -> -0.5

    Args:
        both: Documents in each cluster of the one and of the other, shape (k, m).

    Source: Hubert and Arabie 1985, J. Classif. 2, 193-218.
    """

    def pairs(counts: NDArray[np.float64]) -> float:
        return float((counts * (counts - 1.0)).sum() / 2.0)

    together, first, second = pairs(both), pairs(both.sum(axis=1)), pairs(both.sum(axis=0))
    total = pairs(both.sum(keepdims=True))
    expected = first * second / total if total else 0.0
    most = (first + second) / 2.0
    return 1.0 if most == expected else (together - expected) / (most - expected)


def mean_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means over the first axis of what is not NaN; NaN where nothing is."""
    known = np.isfinite(values)
    n = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0))


def _draw(counts: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """Return how often each row occurs in a sample of the documents, shape (n_rows,)."""
    n = int(counts.sum())
    size = min(max(2, round(_SHARE * n)), MOST_SAMPLED)
    row_of_document = np.repeat(np.arange(len(counts)), counts)
    chosen = random.permutation(n)[:size]
    return np.bincount(row_of_document[chosen], minlength=len(counts)).astype(np.int64)


def _best_jaccard(both: NDArray[np.float64]) -> NDArray[np.float64]:
    in_own, in_found = both.sum(axis=1), both.sum(axis=0)
    either = in_own[:, None] + in_found[None, :] - both
    best = np.divide(both, either, out=np.zeros(both.shape), where=either > 0).max(axis=1)
    return np.where(in_own > 0, best, np.nan)
