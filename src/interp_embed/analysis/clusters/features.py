"""What documents are clustered by: features, their weights, and the distinct rows they make."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.analysis.clusters.rows import FiringRows, find_rows
from interp_embed.analysis.documents import EncodedDocuments
from interp_embed.analysis.retrieval.feature_query import FeatureQuery
from interp_embed.errors import InputError

Weighting = Literal["idf", "none", "query"]
"""``idf``: log(documents / documents in which it fires); ``none``: all 1; ``query``: the query's
weights times ``idf``."""

_LEAST_DENSITY, _MOST_DENSITY = 0.005, 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Clusterable:
    """Documents as they are clustered."""

    features: NDArray[np.int64]
    """Those that fire in some, but not all documents, shape (n_used,)."""
    weights: NDArray[np.float64]
    """Above 0, shape (n_used,)."""
    fires: csr_matrix
    """1 where one of these features fires, shape (n_documents, n_used)."""
    rows: FiringRows
    query: str
    """What the features were found by; empty where they were given."""
    n_dropped: int
    """Features given that fire in no document, or in all."""


def prepare_documents(
    documents: EncodedDocuments,
    features: "NDArray[np.int64] | FeatureQuery | None",
    *,
    weighting: Weighting,
) -> Clusterable:
    """Return documents as they are clustered by features.

    Args:
        documents: What to cluster.
        features: Indices, a query, or None for all that fire in .5 % to 50 % of the documents.
        weighting: How much each feature counts.

    Raises:
        InputError: There are fewer than two documents, a feature is out of range or given twice,
            none fires, or all documents have the same features.
    """
    if weighting not in ("idf", "none", "query"):
        raise InputError(f'weighting must be "idf", "none" or "query", but got {weighting!r}')
    if len(documents) < 2:
        raise InputError(f"clusters need at least 2 documents, but got {len(documents)}")
    fires = documents.fires()
    n, count = len(documents), np.bincount(fires.indices, minlength=documents.n_features)
    chosen = _choose(documents, features, count)
    if not count[chosen].any():
        raise InputError(
            f"none of the {len(chosen)} features fires in any of the {n:,} documents; choose "
            "other features, or lower the cuts above which they count as firing"
        )
    telling = (count[chosen] > 0) & (count[chosen] < n)
    used = chosen[telling]
    if not used.size:
        raise InputError(_all_the_same(n, len(chosen)))
    weights = np.ones(len(used)) if weighting == "none" else np.log(n / count[used])
    if weighting == "query":
        weights = weights * _query_weights(features, used)
    own = fires[:, used]
    own.sort_indices()
    rows = find_rows(own)
    if len(rows.counts) < 2:
        raise InputError(_all_the_same(rows.n_clusterable, len(chosen)))
    query = features.text if isinstance(features, FeatureQuery) else ""
    return Clusterable(used, weights, own, rows, query, int((~telling).sum()))


def _choose(
    documents: EncodedDocuments,
    features: "NDArray[np.int64] | FeatureQuery | None",
    count: NDArray[Any],
) -> NDArray[np.int64]:
    if features is None:
        density = count / len(documents)
        sensible = np.flatnonzero((density >= _LEAST_DENSITY) & (density <= _MOST_DENSITY))
        sensible = sensible[count[sensible] > 1]
        return sensible if sensible.size >= 2 else np.arange(documents.n_features)
    if isinstance(features, FeatureQuery):
        features.check_features(documents.n_features)
        return np.array(features.features, np.int64)
    given = np.asarray(features)
    if given.ndim != 1 or not given.size or given.dtype.kind not in "iu":
        raise InputError(
            f"features must be a list of feature numbers, got an array of {given.dtype} with "
            f"shape {given.shape}"
        )
    wrong = given[(given < 0) | (given >= documents.n_features)]
    if wrong.size:
        raise InputError(
            f"feature {wrong[0]} is out of range: the data set has {documents.n_features} "
            f"features; use an index from 0 to {documents.n_features - 1}"
        )
    if np.unique(given).size < given.size:
        names, times = np.unique(given, return_counts=True)
        raise InputError(f"feature {names[times > 1][0]} is given twice; give each once")
    return given.astype(np.int64)


def _query_weights(
    features: "NDArray[np.int64] | FeatureQuery | None", used: NDArray[np.int64]
) -> NDArray[np.float64]:
    if not isinstance(features, FeatureQuery):
        raise InputError('weighting="query" needs features=FeatureQuery(...), which has weights')
    by_feature = dict(zip(features.features, features.weights, strict=True))
    weights = np.array([by_feature[feature] for feature in used.tolist()])
    return np.asarray(np.maximum(weights / weights.max(), 1e-6))


def _all_the_same(n: int, n_features: int) -> str:
    return (
        f"by the {n_features} features, the {n:,} documents in which any fires are all the same: "
        "there is nothing to divide; choose more or other features"
    )
