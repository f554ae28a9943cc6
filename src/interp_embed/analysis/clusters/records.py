"""Clusters of documents: the result, and how it is read."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interp_embed.analysis.clusters.count import CandidateCount
from interp_embed.analysis.clusters.null import ShuffledNull
from interp_embed.analysis.clusters.partition import Method
from interp_embed.analysis.plain_values import as_html, plain, quoted, rows_of, short_text
from interp_embed.records import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STABLE = 0.75
"""Mean Jaccard from which a cluster counts as stable (Hennig 2007)."""
_WIDTH = 80
_NAMED = 3
_TELLING = 19
"""Shuffles from which p can be .05."""


@dataclass(frozen=True, slots=True)
class ClusterFeature:
    """A feature that fires more often in a cluster, chosen on one half of the documents.

    The rates are of the other half. Where the feature is one of those clustered by, they describe
    the cluster and test nothing.
    """

    feature: int
    label: str
    inside: float
    """Rate in the cluster, in [0, 1]; NaN where the half has no document of it."""
    outside: float
    """Rate in the other clusters."""
    difference: float
    low: float
    high: float
    """Newcombe's 95 % interval of ``difference``."""
    p: float
    """Of ``difference``; NaN where the clusters were made by the feature, which is no test."""
    q: float
    """``p`` corrected over the features tested of all clusters (Benjamini-Hochberg); NaN as p."""
    n_inside: int
    n_outside: int
    clustered_by: bool
    """Whether it is one of the features that made the clusters."""


@dataclass(frozen=True, slots=True)
class GivenBack:
    """How often documents come back to their cluster when only its description is known."""

    share: float
    """In [0, 1]; NaN where none was judged. Documents that fit no description count as lost."""
    low: float
    high: float
    """Wilson's 95 % interval."""
    n: int
    """Documents judged, none of which made the description."""
    n_missing: int
    """Documents without an answer; left out."""


@dataclass(frozen=True, slots=True)
class CentralDocument:
    """A document near the middle of its cluster."""

    position: int
    """In the user's data set."""
    text: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """Documents that are alike in the features they were clustered by."""

    number: int
    """From 0, the largest first."""
    name: str
    n: int
    share: float
    """Of the documents in any cluster."""
    stability: float
    """Jaccard with the most similar cluster of a sample, mean over samples, in [0, 1]."""
    features: tuple[ClusterFeature, ...]
    """Of those clustered by, the ones that differ most, at most 5."""
    beside: tuple[ClusterFeature, ...]
    """Of the others, at most 3 whose difference stands on the other half (q at most .05)."""
    given_back: GivenBack
    central: tuple[CentralDocument, ...]
    """At most 5, with different texts."""


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Documents divided by which features fire, and how far the division can be trusted."""

    clusters: tuple[Cluster, ...]
    assignment: NDArray[np.int64]
    """Cluster of each document, -1 where no feature fires, shape (n_documents,)."""
    coordinates: NDArray[np.float64]
    """Places on a map, NaN where no feature fires, shape (n_documents, 2)."""
    positions: NDArray[np.int64]
    """Of the documents in the user's data set, shape (n_documents,)."""
    texts: Sequence[str]
    query: str
    """What the features were found by; empty where they were given or all are used."""
    features: NDArray[np.int64]
    """What was clustered by."""
    weights: NDArray[np.float64]
    """Of these features, shape (n_used,)."""
    method: Method
    weighting: str
    candidates: tuple[CandidateCount, ...]
    """Numbers of clusters tried; empty where the number was given."""
    agreement: NDArray[np.float64]
    """Adjusted Rand index of the clusters of each sample with these, shape (n_resamples,)."""
    explained: float
    """Share of the spread of documents between clusters, in [0, 1]."""
    null: ShuffledNull
    named_by: str
    """``features``, or the model."""
    judged_by: str
    """Who gave documents back to clusters: ``features``, ``annotator`` or the model."""
    seed: int
    notes: tuple[str, ...] = ()
    """What a reader must know."""

    @property
    def k(self) -> int:
        """Number of clusters."""
        return len(self.clusters)

    @property
    def n_outside(self) -> int:
        """Documents in no cluster: none of the features fires in them."""
        return int((self.assignment < 0).sum())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the clusters, by number."""
        return tuple(cluster.name for cluster in self.clusters)

    def to_frame(self) -> pd.DataFrame:
        """Return a row a cluster, the largest first."""
        return pd.DataFrame(
            {
                "cluster": [c.number for c in self.clusters],
                "name": list(self.names),
                "n": [c.n for c in self.clusters],
                "share": [c.share for c in self.clusters],
                "features": ["; ".join(f.label for f in c.features) for c in self.clusters],
                "beside": ["; ".join(f.label for f in c.beside) for c in self.clusters],
                "stability": [c.stability for c in self.clusters],
                "accuracy": [c.given_back.share for c in self.clusters],
                "accuracy_low": [c.given_back.low for c in self.clusters],
                "accuracy_high": [c.given_back.high for c in self.clusters],
                "n_judged": [c.given_back.n for c in self.clusters],
                "central": [c.central[0].text if c.central else "" for c in self.clusters],
            }
        )

    def features_frame(self) -> pd.DataFrame:
        """Return a row for each feature listed for a cluster, with its rates."""
        rows = [
            {"cluster": c.number, "name": c.name, **asdict(feature)}
            for c in self.clusters
            for feature in (*c.features, *c.beside)
        ]
        return pd.DataFrame(rows)

    def documents_frame(self) -> pd.DataFrame:
        """Return a row a document: document, cluster, name, x, y, text."""
        names = (*self.names, "")  # -1 is the last
        return pd.DataFrame(
            {
                "document": self.positions,
                "cluster": self.assignment,
                "name": [names[number] for number in self.assignment.tolist()],
                "x": self.coordinates[:, 0],
                "y": self.coordinates[:, 1],
                "text": list(self.texts),
            }
        )

    def candidates_frame(self) -> pd.DataFrame:
        """Return a row for each number of clusters tried; none where it was given."""
        columns = ("k", "stability", "explained", "explained_shuffled", "score", "chosen")
        return pd.DataFrame([asdict(tried) for tried in self.candidates], columns=list(columns))

    def summary(self) -> str:
        """Return the result in a few sentences."""
        return " ".join(self._sentences())

    def _sentences(self) -> list[str]:
        n = len(self.assignment)
        by = f"{len(self.features):,} features"
        by += f" found for {quoted(self.query)}" if self.query else ""
        chosen = " (a number chosen from the data)" if self.candidates else ""
        said = [
            f"{n - self.n_outside:,} of {n:,} documents fall into {self.k} clusters{chosen} by "
            f"{by}; method: {self.method}."
        ]
        if self.n_outside:
            said.append(
                f"Outside of clusters (-1): {self.n_outside:,}, in which none of the features "
                "fires."
            )
        if self.agreement.size and np.isfinite(self.agreement).any():
            n_stable = sum(cluster.stability >= STABLE for cluster in self.clusters)
            said.append(
                f"Clusters of samples agree with them at an adjusted Rand index of "
                f"{np.nanmean(self.agreement):.2f} ({np.nanmin(self.agreement):.2f} to "
                f"{np.nanmax(self.agreement):.2f} over {self.agreement.size}); {n_stable} of "
                f"{self.k} clusters come back (Jaccard of at least {STABLE})."
            )
        said += self._null_sentences()
        largest = ", ".join(
            f"{quoted(cluster.name)} ({cluster.n:,})" for cluster in self.clusters[:_NAMED]
        )
        said.append(f"The largest are {largest}.")
        return said + [f"{note[:1].upper()}{note[1:]}." for note in self.notes]

    def _null_sentences(self) -> list[str]:
        null = self.null
        if null.n == 0:
            return []
        if null.n < _TELLING:
            found, why = "which is beside", f"{null.n} shuffles are too few for a verdict"
        else:
            found = "more than" if null.p_explained <= 0.05 else "no more than"
            why = f"p = {null.p_explained:.2g}, {null.n} shuffles"
        return [
            f"The clusters explain {null.explained:.1%} of the spread of documents, {found} "
            f"{null.explained_shuffled:.1%} of clusters of shuffled features ({why})."
        ]

    def to_json(self) -> dict[str, Json]:
        """Return everything a report needs as plain values; texts cut, documents by number only."""
        return {
            "kind": "clusters",
            "query": self.query,
            "k": self.k,
            "n_documents": len(self.assignment),
            "n_outside": self.n_outside,
            "method": self.method,
            "weighting": self.weighting,
            "features": plain(self.features),
            "weights": plain(self.weights),
            "clusters": [_cluster_json(cluster) for cluster in self.clusters],
            "candidates": rows_of(self.candidates_frame()),
            "agreement": plain(self.agreement),
            "explained": plain(self.explained),
            "null": plain(asdict(self.null)),
            "named_by": self.named_by,
            "judged_by": self.judged_by,
            "seed": self.seed,
            "documents": plain(self.positions),
            "assignment": plain(self.assignment),
            "coordinates": plain(np.round(self.coordinates, 4)),
            "notes": list(self.notes),
            "summary": self.summary(),
        }

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the documents on a map; only nearness means anything."""
        from interp_embed.plots import cluster_map

        known = np.isfinite(self.coordinates).all(axis=1)
        axes: Axes = cluster_map(
            self.coordinates[known], self.assignment[known], names=self.names, ax=ax
        )
        return axes

    def _repr_html_(self) -> str:
        frame = self.to_frame()[["cluster", "name", "n", "stability", "accuracy", "features"]]
        frame = frame.assign(
            **{name: frame[name].map(_short) for name in ("name", "features")},
        )
        return as_html("Clusters", self._sentences(), frame)


def _cluster_json(cluster: Cluster) -> Json:
    found = plain(asdict(cluster))
    found["central"] = [
        {"position": document.position, "text": short_text(document.text)}
        for document in cluster.central
    ]
    return found


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
