"""What is in a data set, and what to mind: missing documents, dead and dense features."""

from dataclasses import dataclass

import numpy as np

from interp_embed.dataset.labels import LABELS
from interp_embed.store import Store

DENSE = 0.5
"""Share of documents from which a feature is called dense: it tells little apart."""


@dataclass(frozen=True, slots=True)
class DatasetHealth:
    """Counts that tell whether a data set is whole and its features are of use."""

    n_documents: int
    n_encoded: int
    """Documents of shards that are committed."""
    n_failed: int
    """Documents of those that have no activations."""
    reasons: tuple[tuple[str, int], ...]
    """Why, with counts, most frequent first."""
    n_features: int
    n_dead: int
    """Features that fire on no document."""
    n_dense: int
    """Features that fire on more than half of the documents."""
    densest: tuple[tuple[int, float], ...]
    """The five densest features with their density over documents."""
    mean_active: float
    """Features that fire on a document, on average over encoded ones."""
    n_counted: int
    """Tokens that count in pooling."""
    n_bytes: int
    """Size on disk."""
    n_labels: int
    """Features with a label kept in the data set."""


def measure_health(store: Store) -> DatasetHealth:
    """Return what a store's own statistics tell; activations are not read."""
    status, stats, errors = store.status(), store.stats(), store.errors()
    encoded = sum(len(store.header.rows_of(shard)) for shard in range(store.header.n_shards))
    encoded -= sum(len(store.header.rows_of(shard)) for shard in store.missing())
    usable = max(1, encoded - len(errors))
    density = stats.count / usable  # (n_features,)
    reasons: dict[str, int] = {}
    for reason in errors.values():
        reasons[reason] = reasons.get(reason, 0) + 1
    densest = np.argsort(-density, kind="stable")[:5]
    return DatasetHealth(
        n_documents=store.header.n_documents,
        n_encoded=encoded,
        n_failed=len(errors),
        reasons=tuple(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        n_features=store.header.n_features,
        n_dead=int((stats.count == 0).sum()),
        n_dense=int((density > DENSE).sum()),
        densest=tuple((int(f), float(density[f])) for f in densest if density[f] > 0),
        mean_active=float(stats.count.sum() / usable),
        n_counted=int(store.load_counted().sum()),
        n_bytes=status.n_bytes,
        n_labels=len(store.labels(LABELS)),
    )
