"""The same documents divided by several methods, side by side."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from interp_embed.analysis.clusters.cluster import check_count
from interp_embed.analysis.clusters.features import Weighting, prepare_documents
from interp_embed.analysis.clusters.partition import METHODS, Method, make_space
from interp_embed.analysis.clusters.stability import explained_share, resample
from interp_embed.analysis.documents import EncodedDocuments
from interp_embed.analysis.plain_values import as_html, plain, rows_of
from interp_embed.analysis.retrieval.feature_query import FeatureQuery
from interp_embed.errors import InputError
from interp_embed.records import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class MethodResult:
    """Clusters of one method."""

    method: str
    stability: float
    """Mean adjusted Rand index of clusters of samples with those of the whole."""
    stability_low: float
    stability_high: float
    """Least and largest over the samples."""
    explained: float
    """Share of the spread of documents between clusters, in [0, 1]."""
    smallest: float
    """Share of the documents in the smallest cluster."""
    largest: float


@dataclass(frozen=True, slots=True, eq=False)
class MethodComparison:
    """What methods make of the same documents, features and number of clusters."""

    k: int
    results: tuple[MethodResult, ...]
    assignments: NDArray[np.int64]
    """Cluster of each document by each method, -1 for none, shape (n_methods, n_documents)."""
    agreement: NDArray[np.float64]
    """Adjusted Rand index of each pair of methods, shape (n_methods, n_methods)."""
    n: int
    """Documents in clusters."""
    left_out: tuple[str, ...]
    """Why a method was left out."""

    def to_frame(self) -> pd.DataFrame:
        """Return a row a method, with its agreement with each other one."""
        frame = pd.DataFrame([asdict(result) for result in self.results])
        for place, result in enumerate(self.results):
            frame[f"agreement_{result.method}"] = self.agreement[:, place]
        return frame.assign(n=self.n)

    def summary(self) -> str:
        """Return the comparison in a few sentences."""
        return " ".join(self._sentences())

    def _sentences(self) -> list[str]:
        best = max(self.results, key=lambda result: result.stability)
        apart = self.agreement[np.triu_indices(len(self.results), 1)]
        said = [
            f"{len(self.results)} methods divided {self.n:,} documents into {self.k} clusters; "
            f"the most stable is {best.method} (adjusted Rand index of samples with the whole "
            f"{best.stability:.2f})."
        ]
        if apart.size:
            said.append(
                f"The methods agree with each other at {apart.min():.2f} to {apart.max():.2f}."
            )
        return said + [f"{note[:1].upper()}{note[1:]}." for note in self.left_out]

    def to_json(self) -> dict[str, Json]:
        """Return plain values."""
        return {
            "kind": "cluster methods",
            "k": self.k,
            "n": self.n,
            "methods": rows_of(self.to_frame()),
            "agreement": plain(self.agreement),
            "left_out": list(self.left_out),
            "summary": self.summary(),
        }

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw how far the methods agree."""
        from interp_embed.plots import matrix

        names = [result.method for result in self.results]
        axes: Axes = matrix(
            self.agreement,
            row_labels=names,
            column_labels=names,
            title_of_values="adjusted Rand index",
            ax=ax,
        )
        return axes

    def _repr_html_(self) -> str:
        return as_html("Methods", self._sentences(), self.to_frame())


def compare_methods(
    documents: EncodedDocuments,
    *,
    k: int,
    features: "NDArray[np.int64] | FeatureQuery | None" = None,
    methods: Sequence[Method] = METHODS,
    weighting: Weighting = "idf",
    n_resamples: int = 10,
    seed: int = 0,
) -> MethodComparison:
    """Return what several methods make of the same documents.

    Args:
        documents: What to cluster.
        k: Number of clusters, >= 2.
        features: As for ``cluster_documents``.
        methods: Which; those that cannot take so many documents are left out, and told.
        weighting: As for ``cluster_documents``.
        n_resamples: Samples of 80 % that each method clusters anew, >= 1.
        seed: Of everything that is drawn.

    Raises:
        InputError: As for ``cluster_documents``; or no method can take so many documents.
    """
    unknown = [method for method in methods if method not in METHODS]
    if unknown or not methods:
        raise InputError(f"methods must be some of {', '.join(METHODS)}, got {tuple(methods)}")
    if k < 2 or n_resamples < 1:
        raise InputError(f"k must be at least 2 and n_resamples 1, got {k} and {n_resamples}")
    found = prepare_documents(documents, features, weighting=weighting)
    check_count(k, found)
    rows, weights = found.rows, found.weights
    results, clusters, left_out = [], [], []
    for method in dict.fromkeys(methods):
        try:
            space = make_space(rows, weights, method=method, most=k, seed=seed)
        except InputError as error:
            left_out.append(str(error))
            continue
        cluster = space.cut(k, seed=seed)
        drawn = resample(
            rows, weights, [cluster], method=method, n_resamples=n_resamples, seed=seed
        ).agreement[:, 0]
        shares = np.bincount(cluster, weights=rows.counts) / rows.n_clusterable
        results.append(
            MethodResult(
                method=method,
                stability=float(np.nanmean(drawn)),
                stability_low=float(np.nanmin(drawn)),
                stability_high=float(np.nanmax(drawn)),
                explained=explained_share(rows, weights, cluster),
                smallest=float(shares.min()),
                largest=float(shares.max()),
            )
        )
        clusters.append(rows.spread(cluster))
    if not results:
        raise InputError("; ".join(left_out))
    assignments = np.stack(clusters)
    known = assignments[:, rows.row_of >= 0]
    agreement = np.array([[adjusted_rand_score(a, b) for b in known] for a in known])
    return MethodComparison(
        k, tuple(results), assignments, agreement, rows.n_clusterable, tuple(left_out)
    )
