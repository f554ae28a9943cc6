"""All that is said of clusters: names, features, central documents, and whether that is enough."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.analysis.clusters.accuracy import (
    Statements,
    annotated_verdicts,
    draw_judged,
    feature_statements,
    firing_verdicts,
    give_back,
    name_statements,
)
from interp_embed.analysis.clusters.describe import (
    Standout,
    central_documents,
    describe_clusters,
    split_halves,
)
from interp_embed.analysis.clusters.features import Clusterable
from interp_embed.analysis.clusters.naming import ClusterPortrait, Names, name_clusters
from interp_embed.analysis.clusters.records import (
    CentralDocument,
    Cluster,
    ClusterFeature,
    GivenBack,
)
from interp_embed.analysis.documents import EncodedDocuments
from interp_embed.interpret import Annotator, LLMRoles

JUDGED_A_CLUSTER = 50
"""Documents of a cluster that an annotator is asked about, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """What is said of clusters, each by its number."""

    names: Names
    standout: list[Standout]
    listed: list[list[ClusterFeature]]
    central: list[list[int]]
    back: list[GivenBack]
    judged_by: str
    notes: tuple[str, ...]

    def clusters(
        self,
        documents: EncodedDocuments,
        assignment: NDArray[np.int64],
        stability: NDArray[np.float64],
    ) -> tuple[Cluster, ...]:
        """Return the clusters with all that is said of them."""
        k = len(self.listed)
        sizes = np.bincount(assignment[assignment >= 0], minlength=k)
        return tuple(
            Cluster(
                number=number,
                name=self.names.names[number],
                n=int(sizes[number]),
                share=float(sizes[number] / sizes.sum()),
                stability=float(stability[number]),
                features=tuple(f for f in self.listed[number] if f.clustered_by),
                beside=tuple(f for f in self.listed[number] if not f.clustered_by),
                given_back=self.back[number],
                central=tuple(
                    CentralDocument(int(documents.positions[place]), documents.texts[place])
                    for place in self.central[number]
                ),
            )
            for number in range(k)
        )


def describe(
    documents: EncodedDocuments,
    found: Clusterable,
    assignment: NDArray[np.int64],
    annotator: Annotator | None,
    roles: LLMRoles | None,
    seed: int,
) -> Described:
    """Return names, features, central documents and how far descriptions find documents again.

    Args:
        documents: All documents.
        found: As they were clustered.
        assignment: Cluster of each, -1 for none.
        annotator: Who judges; None for the model of ``roles``, or whether features fire.
        roles: Who names.
        seed: Of the halves and of the documents judged.
    """
    k = int(assignment.max()) + 1
    fires = documents.fires()
    halves = split_halves(documents.texts, assignment, seed=seed)
    standout, listed = describe_clusters(
        documents, fires, assignment, halves, used=found.features, k=k
    )
    central = central_documents(
        found.fires, found.weights, documents.texts, assignment, halves.making, k=k
    )
    portraits = [
        ClusterPortrait(
            tuple(documents.label(feature) for feature in own.features.tolist()),
            tuple(own.inside.tolist()),
            tuple(own.outside.tolist()),
            tuple(documents.texts[place] for place in places),
        )
        for own, places in zip(standout, central, strict=True)
    ]
    names = name_clusters(portraits, query=found.query, roles=roles)
    judge = roles.annotator if annotator is None and roles is not None else annotator
    back, judged_by, notes = _give_back(
        documents, fires, assignment, halves.held, standout, names, judge, seed
    )
    if judge is not None and annotator is None and roles is not None:
        judged_by = f"llm:{roles.annotator.llm.model}"
    if names.why_not:
        notes = (*notes, f"the model gave no names ({names.why_not}): labels stand for them")
    return Described(names, standout, listed, central, back, judged_by, notes)


def _give_back(
    documents: EncodedDocuments,
    fires: csr_matrix,
    assignment: NDArray[np.int64],
    held: NDArray[np.int64],
    standout: Sequence[Standout],
    names: Names,
    judge: Annotator | None,
    seed: int,
) -> tuple[list[GivenBack], str, tuple[str, ...]]:
    k = len(standout)
    statements = feature_statements(standout)
    if judge is None:
        verdicts = firing_verdicts(fires, held, statements)
        return give_back(verdicts, assignment[held], statements, k=k), "features", ()
    judged = draw_judged(assignment, held, a_cluster=JUDGED_A_CLUSTER, seed=seed)
    notes: tuple[str, ...] = ()
    if names.by == "features":
        statements, n_bare = _in_words(statements, documents)
        if n_bare:
            notes = (f"{n_bare} features of descriptions have no label and cannot be asked for",)
    else:
        statements = name_statements(names.names)
    verdicts, why_missing = annotated_verdicts(judge, documents.texts, judged, statements)
    n_missing = int(np.isnan(verdicts).sum())
    if n_missing and why_missing:
        notes += (f"{n_missing:,} of {verdicts.size:,} verdicts are missing ({why_missing})",)
    return give_back(verdicts, assignment[judged], statements, k=k), "annotator", notes


def _in_words(statements: Statements, documents: EncodedDocuments) -> tuple[Statements, int]:
    """Return the statements whose features have labels, and how many have none."""
    features = statements.features
    labels = [documents.labels.get(feature) for feature in features.tolist()]
    kept = np.array([bool(label) for label in labels], np.bool_)
    concepts = tuple(label for label in labels if label)
    found = Statements(statements.cluster[kept], statements.weight[kept], concepts, features[kept])
    return found, int((~kept).sum())
