"""What sets each cluster apart: chosen on one half of the documents, measured on the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.analysis.clusters.records import ClusterFeature
from interp_embed.analysis.clusters.rows import unit_rows
from interp_embed.analysis.documents import EncodedDocuments
from interp_embed.stats import adjust_benjamini_hochberg, rate_differences

_N_FEATURES = 5
_N_BESIDE = 3
_N_CENTRAL = 5
_MIN_SUPPORT = 5
_LEVEL = 0.05
"""q up to which a feature that was not clustered by is listed."""


@dataclass(frozen=True, slots=True, eq=False)
class Halves:
    """Clustered documents in two halves; equal texts are in the same one."""

    making: NDArray[np.int64]
    """Places of the documents that descriptions are made from."""
    held: NDArray[np.int64]
    """Places of the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Standout:
    """Features that fire more often in a cluster, in the half descriptions are made from."""

    features: NDArray[np.int64]
    """The largest difference first."""
    inside: NDArray[np.float64]
    outside: NDArray[np.float64]
    """Rates in that half."""


def split_halves(texts: Sequence[str], assignment: NDArray[np.int64], *, seed: int) -> Halves:
    """Return the clustered documents in two halves, drawn at random."""
    places = np.flatnonzero(assignment >= 0)
    number: dict[str, int] = {}
    of_text = np.array([number.setdefault(texts[i], len(number)) for i in places.tolist()])
    held = np.zeros(len(number), np.bool_)
    held[np.random.default_rng([seed, 4]).permutation(len(number))[: len(number) // 2]] = True
    return Halves(places[~held[of_text]], places[held[of_text]])


def standout_features(
    fires: csr_matrix,
    assignment: NDArray[np.int64],
    making: NDArray[np.int64],
    candidates: NDArray[np.int64],
    *,
    k: int,
    most: int,
) -> list[Standout]:
    """Return for each cluster the features whose rate in it is highest above that of the others.

    Args:
        fires: 1 where a feature fires, shape (n_documents, n_features).
        assignment: Cluster of each document.
        making: Places of the documents to look at.
        candidates: Features to choose from; those that fire in fewer than 5 of these documents
            are left out.
        k: Number of clusters.
        most: Features of a cluster, at most.
    """
    counts, sizes = _counts(fires[making][:, candidates], assignment[making], k)
    total, n = counts.sum(axis=0), sizes.sum()
    inside = counts / np.maximum(sizes, 1)[:, None]
    outside = (total - counts) / np.maximum(n - sizes, 1)[:, None]
    gap = np.where(total >= min(_MIN_SUPPORT, n), inside - outside, 0.0)
    found = []
    for number in range(k):
        order = np.argsort(-gap[number], kind="stable")[:most]
        order = order[gap[number, order] > 0]
        found.append(Standout(candidates[order], inside[number, order], outside[number, order]))
    return found


def describe_clusters(
    documents: EncodedDocuments,
    fires: csr_matrix,
    assignment: NDArray[np.int64],
    halves: Halves,
    *,
    used: NDArray[np.int64],
    k: int,
) -> tuple[list[Standout], list[list[ClusterFeature]]]:
    """Return what stands out by the features clustered by, and all features to list.

    Args:
        documents: All documents.
        fires: 1 where a feature fires, shape (n_documents, n_features).
        assignment: Cluster of each document.
        halves: Which of them choose features, and which measure them.
        used: Features clustered by.
        k: Number of clusters.
    """
    others = np.setdiff1d(np.arange(documents.n_features), used)
    own = standout_features(fires, assignment, halves.making, used, k=k, most=_N_FEATURES)
    beside = standout_features(fires, assignment, halves.making, others, k=k, most=_N_BESIDE)
    listed = [np.concatenate([a.features, b.features]) for a, b in zip(own, beside, strict=True)]
    return own, _measure(documents, fires, assignment, halves.held, listed, set(used.tolist()))


def central_documents(
    rows: csr_matrix,
    weights: NDArray[np.float64],
    texts: Sequence[str],
    assignment: NDArray[np.int64],
    making: NDArray[np.int64],
    *,
    k: int,
) -> list[list[int]]:
    """Return for each cluster the documents nearest to its mean, with different texts.

    Args:
        rows: 1 where a feature fires, of the features clustered by, shape (n_documents, n_used).
        weights: Of the features, shape (n_used,).
        texts: n_documents.
        assignment: Cluster of each document.
        making: Places to choose from.
        k: Number of clusters.
    """
    points = unit_rows(rows[making].astype(np.float64), weights)
    own = assignment[making]
    sums, sizes = _counts(points, own, k)
    centres = sums / np.maximum(sizes, 1)[:, None]
    nearness = np.asarray(points.multiply(centres[own]).sum(axis=1)).ravel()
    found = []
    for number in range(k):
        members = np.flatnonzero(own == number)
        order = members[np.argsort(-nearness[members], kind="stable")]
        by_text: dict[str, int] = {}
        for place in making[order].tolist():
            by_text.setdefault(texts[place], place)
            if len(by_text) == _N_CENTRAL:
                break
        found.append(list(by_text.values()))
    return found


def _measure(
    documents: EncodedDocuments,
    fires: csr_matrix,
    assignment: NDArray[np.int64],
    held: NDArray[np.int64],
    listed: Sequence[NDArray[np.int64]],
    used: set[int],
) -> list[list[ClusterFeature]]:
    k = len(listed)
    columns, place = np.unique(np.concatenate(listed), return_inverse=True)
    counts, sizes = _counts(fires[held][:, columns], assignment[held], k)
    of = np.repeat(np.arange(k), [len(features) for features in listed])
    first = counts[of, place].astype(np.int64)
    second = counts.sum(axis=0)[place].astype(np.int64) - first
    n_first, n_second = sizes[of], sizes.sum() - sizes[of]
    tested = rate_differences(first, second, n_first=n_first, n_second=n_second)
    # Clusters were made to differ in the features they were made by: of these there is no test.
    by_it = np.isin(columns[place], list(used))
    p, q = np.where(by_it, np.nan, tested.p), np.full(len(of), np.nan)
    if not by_it.all():
        q[~by_it] = adjust_benjamini_hochberg(tested.p[~by_it])
    found: list[list[ClusterFeature]] = [[] for _ in range(k)]
    for row, feature in enumerate(columns[place].tolist()):
        if not by_it[row] and not q[row] <= _LEVEL:
            continue
        inside, outside = _rate(first[row], n_first[row]), _rate(second[row], n_second[row])
        found[of[row]].append(
            ClusterFeature(
                feature=feature,
                label=documents.label(feature),
                inside=inside,
                outside=outside,
                difference=float(tested.value[row]),
                low=float(tested.low[row]),
                high=float(tested.high[row]),
                p=float(p[row]),
                q=float(q[row]),
                n_inside=int(n_first[row]),
                n_outside=int(n_second[row]),
                clustered_by=bool(by_it[row]),
            )
        )
    return found


def _counts(
    rows: csr_matrix, cluster: NDArray[np.int64], k: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return sums of rows by cluster, shape (k, n_columns), and documents of each, shape (k,)."""
    n = len(cluster)
    member = csr_matrix((np.ones(n), (cluster, np.arange(n))), (k, n))
    return (member @ rows).toarray(), np.bincount(cluster, minlength=k).astype(np.int64)


def _rate(hits: int, n: int) -> float:
    return float(hits / n) if n else float("nan")
