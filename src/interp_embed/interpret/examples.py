"""Documents to show for a feature: where it is strongest, and where it is silent."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.interpret.keywords import label_spans
from interp_embed.records import Example


@dataclass(frozen=True, slots=True)
class FeatureExamples:
    """Evidence for one feature."""

    top: tuple[Example, ...]
    """Strongest first, no text twice."""
    contrast: tuple[Example, ...]
    """Silent documents, in length near the top ones."""


def choose_examples(
    documents: Sequence[str],
    rows: NDArray[np.int64],
    activations: csr_matrix,
    feature: int,
    *,
    label: str = "",
    n: int = 4,
) -> FeatureExamples:
    """Return the n strongest documents and n silent ones of similar length.

    Args:
        documents: Texts, n_documents.
        rows: Their positions in the user's table, shape (n_documents,).
        activations: Shape (n_documents, n_features).
        feature: Its index.
        label: A keyword label, whose words are marked in the texts.
        n: Examples of each kind, fewer where there are fewer.
    """
    values = np.asarray(activations[:, [feature]].toarray()).ravel()  # (n_documents,)

    def example(position: int) -> Example:
        text = documents[position]
        spans = label_spans(text, label)
        return Example(int(rows[position]), text, float(values[position]), spans)

    strongest = np.argsort(-values, kind="stable")[: int((values > 0).sum())]
    top = [example(int(i)) for i in _distinct(strongest, documents, n)]
    silent = np.flatnonzero(values == 0)
    typical = np.median([len(shown.text) for shown in top]) if top else 0
    distance = np.array([abs(len(documents[i]) - typical) for i in silent.tolist()])
    nearest = silent[np.argsort(distance, kind="stable")]
    contrast = [example(int(i)) for i in _distinct(nearest, documents, n)]
    return FeatureExamples(tuple(top), tuple(contrast))


def _distinct(order: NDArray[np.int64], documents: Sequence[str], n: int) -> list[int]:
    chosen: dict[str, int] = {}
    for position in order.tolist():
        if len(chosen) >= n:
            break
        chosen.setdefault(documents[position], position)
    return list(chosen.values())
