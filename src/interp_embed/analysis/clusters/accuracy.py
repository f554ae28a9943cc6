"""Whether the description of a cluster is enough to find its documents."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.analysis.clusters.describe import Standout
from interp_embed.analysis.clusters.records import GivenBack
from interp_embed.interpret import Annotator
from interp_embed.stats import wilson_interval


@dataclass(frozen=True, slots=True, eq=False)
class Statements:
    """What descriptions of clusters say, one entry a statement."""

    cluster: NDArray[np.int64]
    """Cluster it describes, shape (n_statements,)."""
    weight: NDArray[np.float64]
    """How much it counts, > 0, shape (n_statements,)."""
    concepts: tuple[str, ...] = ()
    """In words, n_statements; empty where verdicts do not come from words."""
    features: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """Features they are about, shape (n_statements,); empty of names."""


def feature_statements(standout: Sequence[Standout]) -> Statements:
    """Return the features of each cluster as statements, counted by how much they differ."""
    sizes = [len(own.features) for own in standout]
    return Statements(
        cluster=np.repeat(np.arange(len(standout)), sizes),
        weight=np.concatenate([own.inside - own.outside for own in standout]),
        features=np.concatenate([own.features for own in standout]),
    )


def name_statements(names: Sequence[str]) -> Statements:
    """Return the names of clusters as statements."""
    k = len(names)
    return Statements(np.arange(k), np.ones(k), concepts=tuple(names))


def draw_judged(
    assignment: NDArray[np.int64], held: NDArray[np.int64], *, a_cluster: int, seed: int
) -> NDArray[np.int64]:
    """Return at most so many held-out documents of each cluster, drawn at random, in order."""
    random = np.random.default_rng([seed, 5])
    order = random.permutation(held)
    chosen = [order[assignment[order] == number][:a_cluster] for number in np.unique(assignment)]
    return np.sort(np.concatenate(chosen)) if chosen else held


def firing_verdicts(
    fires: csr_matrix, judged: NDArray[np.int64], statements: Statements
) -> NDArray[np.float32]:
    """Return 1 where the feature of a statement fires, shape (n_judged, n_statements)."""
    return np.asarray(fires[judged][:, statements.features].toarray(), np.float32)


def annotated_verdicts(
    annotator: Annotator,
    texts: Sequence[str],
    judged: NDArray[np.int64],
    statements: Statements,
) -> tuple[NDArray[np.float32], str]:
    """Return an annotator's verdicts, and the first reason why one is missing.

    Verdicts are 1, 0 or NaN, shape (n_judged, n_statements).
    """
    concepts = tuple(dict.fromkeys(statements.concepts))
    if not concepts or not len(judged):
        return np.full((len(judged), len(statements.concepts)), np.nan, np.float32), ""
    found = annotator.annotate([texts[place] for place in judged.tolist()], concepts)
    columns = [concepts.index(concept) for concept in statements.concepts]
    return found.verdicts[:, columns], next(iter(found.reasons.values()), "")


def give_back(
    verdicts: NDArray[np.float32], own: NDArray[np.int64], statements: Statements, *, k: int
) -> list[GivenBack]:
    """Return for each cluster how many of its documents its description finds again.

    A document goes to the cluster of whose statements, by weight, the largest share holds; of
    several to the largest cluster; where none holds, to none.

    Args:
        verdicts: 1, 0 or NaN, shape (n_judged, n_statements).
        own: Cluster of each document judged, numbered from the largest, shape (n_judged,).
        statements: Of all clusters.
        k: Number of clusters.
    """
    known = np.isfinite(verdicts)
    member = np.zeros((len(statements.cluster), k))
    member[np.arange(len(statements.cluster)), statements.cluster] = statements.weight
    holds = np.where(known, verdicts, 0.0) @ member  # (n_judged, k)
    asked = known @ member
    share = np.divide(holds, asked, out=np.zeros_like(holds), where=asked > 0)
    goes_to = np.where(share.max(axis=1) > 0, share.argmax(axis=1), -1)
    answered = known.any(axis=1)
    found = []
    for number in range(k):
        members = own == number
        n = int((members & answered).sum())
        n_back = int((members & answered & (goes_to == number)).sum())
        interval = wilson_interval(n_back, n)
        found.append(
            GivenBack(
                share=n_back / n if n else float("nan"),
                low=interval.low,
                high=interval.high,
                n=n,
                n_missing=int((members & ~answered).sum()),
            )
        )
    return found
