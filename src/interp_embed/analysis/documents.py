"""What every analysis reads: documents, where their features fire, and what the features mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.records import Json

_SHOWN = 3


@dataclass(frozen=True, slots=True, eq=False)
class EncodedDocuments:
    """Documents with the activations of their features; those without activations are left out."""

    texts: Sequence[str]
    """The documents, n_documents."""
    activations: csr_matrix
    """Pooled activations, >= 0, canonical, shape (n_documents, n_features)."""
    n_tokens: NDArray[np.int64]
    """Counted tokens of each document (words, where the SAE reads whole documents), shape
    (n_documents,)."""
    labels: Mapping[int, str] = field(default_factory=dict)
    """What features respond to, in words, by feature; some may have none."""
    metadata: pd.DataFrame | None = None
    """The user's table of these documents, n_documents rows; None where there is none."""
    source: Mapping[str, Json] = field(default_factory=dict)
    """What made the activations, pooling included: the same for documents that can be compared."""
    rows: NDArray[np.int64] | None = None
    """Position of each document in the user's data set, shape (n_documents,); None: in order."""
    missing: Mapping[int, str] = field(default_factory=dict)
    """Why other documents of the data set have no activations, by position there."""
    cuts: NDArray[np.float32] | None = None
    """Activation above which each feature counts as firing, >= 0, shape (n_features,); None: 0."""

    def __post_init__(self) -> None:
        """Check that the parts are of the same documents and features.

        Raises:
            InputError: They are not.
        """
        n_documents, n_features = self.activations.shape
        lengths = {"texts": len(self.texts), "n_tokens": len(self.n_tokens)}
        if self.metadata is not None:
            lengths["metadata"] = len(self.metadata)
        if self.rows is not None:
            lengths["rows"] = len(self.rows)
        for name, length in lengths.items():
            if length != n_documents:
                raise InputError(
                    f"{name} has {length} entries, but there are activations of {n_documents} "
                    "documents: give both of the same documents"
                )
        if self.cuts is not None and len(self.cuts) != n_features:
            raise InputError(f"cuts has {len(self.cuts)} entries for {n_features} features")

    def __len__(self) -> int:
        return self.activations.shape[0]

    @property
    def n_features(self) -> int:
        """Number of features."""
        return int(self.activations.shape[1])

    @property
    def positions(self) -> NDArray[np.int64]:
        """Position of each document in the user's data set, shape (n_documents,)."""
        return np.arange(len(self)) if self.rows is None else self.rows

    def fires(self) -> csr_matrix:
        """Return 1 where a feature fires, float32, canonical, shape (n_documents, n_features)."""
        found = self.activations
        above = found.data > (0.0 if self.cuts is None else self.cuts[found.indices])
        if above.all():
            ones = np.ones(found.nnz, np.float32)
            return csr_matrix((ones, found.indices, found.indptr), found.shape)
        starts = np.concatenate([[0], np.cumsum(above)])[found.indptr]
        ones = np.ones(int(starts[-1]), np.float32)
        return csr_matrix((ones, found.indices[above], starts), found.shape)

    def take(self, positions: NDArray[np.int64]) -> Self:
        """Return some of these documents, by place here, in the order given."""
        chosen = np.asarray(positions, np.int64)
        metadata = self.metadata
        return replace(
            self,
            texts=[self.texts[place] for place in chosen],
            activations=self.activations[chosen],
            n_tokens=self.n_tokens[chosen],
            metadata=None if metadata is None else metadata.iloc[chosen].reset_index(drop=True),
            rows=self.positions[chosen],
        )

    def label(self, feature: int) -> str:
        """Return a feature's label, or ``feature 12`` where it has none."""
        return self.labels.get(feature) or f"feature {feature}"


def check_comparable(first: EncodedDocuments, second: EncodedDocuments) -> None:
    """Raise unless a feature means the same in both.

    Raises:
        InputError: Reader, SAE, embedder or pooling differ; the message says which.
    """
    if first.n_features != second.n_features:
        raise InputError(
            f"the data sets were made with different SAEs, of {first.n_features} and "
            f"{second.n_features} features: their features are not the same; encode both with one"
        )
    check_sources(first.source, second.source)


def check_sources(first: Mapping[str, Json], second: Mapping[str, Json]) -> None:
    """Raise unless two data sets were made in the same way.

    Args:
        first: What made the activations of one, pooling included.
        second: What made those of the other.

    Raises:
        InputError: Reader, SAE, embedder or pooling differ; the message says which.
    """
    keys = sorted(set(first) | set(second))
    differing = [key for key in keys if first.get(key) != second.get(key)]
    if differing:
        shown = "; ".join(
            f"{key}: {_short(first.get(key))} and {_short(second.get(key))}"
            for key in differing[:_SHOWN]
        )
        raise InputError(
            f"the data sets were not made in the same way ({shown}), so that their features are "
            "not the same; encode both with the same SAE, reader and pooling"
        )


def _short(value: Json) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
