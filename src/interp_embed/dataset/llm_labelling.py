"""Labels for the features of a data set, asked of a language model, measured on other documents."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.dataset.labelling import LabelOutcome
from interp_embed.errors import InputError
from interp_embed.interpret import (
    Annotator,
    LabelProposals,
    LLMAnnotator,
    LLMRoles,
    RuleAnnotator,
    estimate_scores,
    score_labels,
    states_rule,
)
from interp_embed.llm import CostEstimate, add_estimates
from interp_embed.records import Fidelity, Label

_TYPICAL_LABEL = "mentions how something was done or described by the one who wrote it"
Marks = Callable[[Sequence[int], int], Sequence[str]]
"""Texts, by position, with ``<< >>`` where a feature fires in them."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelDocuments:
    """Documents on one side of the split, with where features fire strongly enough to count."""

    texts: Sequence[str]
    activations: csr_matrix
    """Shape (n_documents, n_features); what does not count is 0."""


def keep_strong(activations: csr_matrix, cuts: NDArray[np.float32]) -> csr_matrix:
    """Return activations with those at or below their feature's cut left out.

    Args:
        activations: Shape (n_documents, n_features).
        cuts: Shape (n_features,).
    """
    kept = csr_matrix(activations, copy=True)
    kept.data[kept.data <= cuts[kept.indices]] = 0
    kept.eliminate_zeros()
    return kept


def label_by_llm(
    roles: LLMRoles,
    making: LabelDocuments,
    measuring: LabelDocuments,
    features: Sequence[int],
    *,
    marks: Marks | None = None,
    n_scoring: int = 100,
    seed: int = 0,
) -> LabelOutcome:
    """Return each feature's best label by F1 on documents its labeller has not seen.

    Args:
        roles: The models.
        making: Documents to make labels from.
        measuring: Documents to measure them on, no copies of the former.
        features: Those to label.
        marks: Marks tokens in documents of ``making``, for features of tokens.
        n_scoring: Documents each label is measured on, about half of them with the feature.
        seed: Of the samples.
    """
    proposals = roles.labeller.label(making.texts, making.activations, features, marks=marks)
    measured = score_labels(
        roles.annotator,
        measuring.texts,
        measuring.activations,
        proposals.candidates,
        n=n_scoring,
        seed=seed,
    )
    labels, fidelity = _best(proposals, measured)
    n_documents, n_features = measuring.activations.shape
    counts = np.bincount(measuring.activations.indices, minlength=n_features)
    return LabelOutcome(
        labels=labels,
        fidelity=fidelity,
        density={feature: float(counts[feature] / n_documents) for feature in labels},
        unlabelled=tuple(feature for feature in features if feature not in labels),
        contexts={},
        n_label_documents=len(making.texts),
        n_measure_documents=n_documents,
        reasons=dict(proposals.failures),
    )


def estimate_labels(
    roles: LLMRoles,
    making: LabelDocuments,
    measuring: LabelDocuments,
    features: Sequence[int],
    *,
    n_scoring: int = 100,
) -> CostEstimate:
    """Return what :func:`label_by_llm` would take, with labels of typical length."""
    labels = {
        feature: (Label(feature, f"{_TYPICAL_LABEL} ({feature})", "estimate", 0),)
        * roles.labeller.n_candidates
        for feature in features
    }
    return add_estimates(
        [
            roles.labeller.estimate(making.texts, making.activations, features),
            estimate_scores(
                roles.annotator, measuring.texts, measuring.activations, labels, n=n_scoring
            ),
        ]
    )


def _best(
    proposals: LabelProposals, measured: Mapping[tuple[int, int], Fidelity]
) -> tuple[dict[int, Label], dict[int, Fidelity]]:
    labels: dict[int, Label] = {}
    fidelity: dict[int, Fidelity] = {}
    for feature, candidates in proposals.candidates.items():
        if not candidates:
            continue
        f1 = [measured[feature, i].f1 for i in range(len(candidates))]
        best = int(np.argmax(np.nan_to_num(f1, nan=-1.0)))
        labels[feature], fidelity[feature] = candidates[best], measured[feature, best]
    return labels, fidelity


def annotator_for_label(label: str, annotator: LLMAnnotator | None) -> Annotator:
    """Return who can read a label: the model given, or the rule of words it states.

    Raises:
        InputError: The label states no rule, and no model is given.
    """
    if annotator is not None:
        return annotator
    if states_rule(label):
        return RuleAnnotator()
    raise InputError(
        f"the label {label!r} is in free words, which a rule cannot read; give llm= to score it"
    )
