"""Labels for the features of a data set, from where they fire in it; no LLM."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix
from tqdm.auto import tqdm

from interp_embed.errors import InputError
from interp_embed.interpret import (
    FeatureTokens,
    KeywordLabeller,
    RuleAnnotator,
    TokenContext,
    WordIndex,
    label_from_tokens,
    measure_fidelity,
)
from interp_embed.records import Fidelity, Label
from interp_embed.store import TokenShard

STRONG = 0.3
"""Share of a feature's largest activation that a token must exceed for a label: weak activations
are many and say little, so that a label made from all of them would name what they happen on."""
MIN_DOCUMENTS = 10
"""Documents a feature must fire in to be labelled: in fewer, words are chance."""
_BLOCK = 256
"""Concepts annotated at once."""


@dataclass(frozen=True, slots=True)
class LabelOutcome:
    """What came of labelling some features."""

    labels: Mapping[int, Label]
    """By feature; those that no word tells apart are left out."""
    fidelity: Mapping[int, Fidelity]
    """How well each label's words alone tell where its feature fires, on other documents; for
    features of tokens, where it fires strongly (``STRONG``)."""
    density: Mapping[int, float]
    """Share of these other documents in which each labelled feature fires so."""
    unlabelled: tuple[int, ...]
    """Features asked for that have no label."""
    contexts: Mapping[int, tuple[TokenContext, ...]]
    """Where each feature is strongest; empty for embedding SAEs."""
    n_label_documents: int
    """Documents the labels were made from."""
    n_measure_documents: int
    """Documents the fidelity was measured on."""
    reasons: Mapping[int, str] = field(default_factory=dict)
    """Why a feature has no label, where that is known: its answer was missing, or it is silent."""

    def to_frame(self) -> pd.DataFrame:
        """Return a row a label, those first that tell most.

        ``over_chance`` is F1 between that of a label that is always true, 0, and 1: a label of a
        feature that fires nearly everywhere has a high F1 and tells nothing.
        """
        rows = [
            {
                "feature": feature,
                "label": label.text,
                "density": self.density[feature],
                "over_chance": _over_chance(self.fidelity[feature].f1, self.density[feature]),
                "f1": self.fidelity[feature].f1,
                "precision": self.fidelity[feature].precision,
                "recall": self.fidelity[feature].recall,
                "n": self.fidelity[feature].n,
            }
            for feature, label in sorted(self.labels.items())
        ]
        columns = [
            "feature", "label", "density", "over_chance", "f1", "precision", "recall", "n",
        ]  # fmt: skip
        frame = pd.DataFrame(rows, columns=columns)
        order = ["over_chance", "feature"]
        return frame.sort_values(order, ascending=[False, True], ignore_index=True)

    def summary(self) -> str:
        """Return one sentence."""
        scores = [fidelity.f1 for fidelity in self.fidelity.values()]
        median = f", median F1 {np.median(scores):.2f}" if scores else ""
        return (
            f"{len(self.labels)} features labelled from {self.n_label_documents} documents{median} "
            f"on {self.n_measure_documents} others; {len(self.unlabelled)} have no label"
        )


def _over_chance(f1: float, density: float) -> float:
    """Return how far F1 is from that of "always true" (0) to 1; NaN where that is 1 already."""
    always = 2 * density / (1 + density)
    return (f1 - always) / (1 - always) if always < 1 else float("nan")


def label_by_tokens(
    texts: Sequence[str],
    tokens: TokenShard,
    cuts: NDArray[np.float32],
    features: Sequence[int],
    *,
    progress: bool = False,
) -> tuple[dict[int, Label], dict[int, tuple[TokenContext, ...]]]:
    """Return labels and strongest contexts of features of tokens.

    Args:
        texts: The documents, n_documents.
        tokens: Their tokens with every activation.
        cuts: By feature, the activation up to which a token is left out, shape (n_features,).
        features: Those to label.
        progress: Show a bar.
    """
    if tokens.start is None or tokens.feature is None or tokens.value is None:
        raise InputError("labels by tokens need the activations of every token")
    index = WordIndex(texts)
    owner = np.repeat(np.arange(len(texts)), np.diff(tokens.token_start))  # (n_tokens,)
    shape = (len(owner), len(cuts))
    columns = csc_matrix(csr_matrix((tokens.value, tokens.feature, tokens.start), shape))
    labels: dict[int, Label] = {}
    contexts: dict[int, tuple[TokenContext, ...]] = {}
    for feature in tqdm(features, desc="Labelling", unit="feature", disable=not progress):
        entries = slice(columns.indptr[feature], columns.indptr[feature + 1])
        strong = columns.data[entries] > cuts[feature]
        at, values = columns.indices[entries][strong], columns.data[entries][strong]
        found = label_from_tokens(index, FeatureTokens(owner[at], tokens.span[at], values), feature)
        contexts[feature] = found.contexts
        if found.label is not None:
            labels[feature] = found.label
    return labels, contexts


def label_by_documents(
    texts: Sequence[str], activations: csr_matrix, features: Sequence[int]
) -> dict[int, Label]:
    """Return labels of features of documents: the words of those in which they fire."""
    labeller = KeywordLabeller(texts)
    found = {feature: labeller.label(activations, feature) for feature in features}
    return {feature: label for feature, label in found.items() if label is not None}


def measure_labels(
    texts: Sequence[str],
    activations: csr_matrix,
    labels: Mapping[int, Label],
    cuts: NDArray[np.float32],
    *,
    progress: bool = False,
) -> dict[int, Fidelity]:
    """Return how well labels tell where their features fire.

    Args:
        texts: Documents that the labels were not made from.
        activations: Their pooled activations, shape (n_documents, n_features).
        labels: By feature.
        cuts: By feature, the activation above which a document counts as having it.
        progress: Show a bar.
    """
    columns = csc_matrix(activations)
    features = list(labels)
    measured: dict[int, Fidelity] = {}
    bar = tqdm(total=len(features), desc="Measuring", unit="label", disable=not progress)
    for begin in range(0, len(features), _BLOCK):
        block = features[begin : begin + _BLOCK]
        annotations = RuleAnnotator().annotate(texts, [labels[f].text for f in block])
        for column, feature in enumerate(block):
            fires: NDArray[np.bool_] = np.zeros(len(texts), bool)
            rows = slice(columns.indptr[feature], columns.indptr[feature + 1])
            fires[columns.indices[rows]] = columns.data[rows] > cuts[feature]
            measured[feature] = measure_fidelity(annotations.verdicts[:, column], fires)
        bar.update(len(block))
    bar.close()
    return measured
