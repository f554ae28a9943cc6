"""How well labels hold on documents they were not made from: few are asked, all are stood for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import Interrupted
from interp_embed.interpret.annotator import Annotator
from interp_embed.interpret.fidelity import measure_fidelity
from interp_embed.interpret.llm_annotator import LLMAnnotator
from interp_embed.interpret.sampling import (
    ScoringSample,
    choose_scoring_documents,
    take_columns,
)
from interp_embed.interpret.shown_text import as_texts
from interp_embed.llm import CostEstimate
from interp_embed.records import Annotations, Fidelity, Label

LabelScores = Mapping[tuple[int, int], Fidelity]
"""By feature and number of the candidate."""


def score_labels(
    annotator: Annotator,
    documents: Sequence[str],
    activations: csr_matrix,
    labels: Mapping[int, Sequence[Label]],
    *,
    n: int = 100,
    seed: int = 0,
) -> LabelScores:
    """Return how well each label tells where its feature fires, in the corpus held out.

    For each feature some documents in which it fires and some in which it is silent are judged by
    the labels alone, all in one call of the annotator; weights bring both back to their share.

    Args:
        annotator: Judges documents by the words of a label.
        documents: Texts HELD OUT: none the labels were made from, nor copies of these, or the
            result flatters. Who calls sees to that. Empty ones are left out.
        activations: Of these documents, shape (n_documents, n_features).
        labels: Candidates by feature.
        n: Documents judged for a feature: half of them fire, fewer where there are fewer.
        seed: Of the draw.

    Raises:
        InputError: The shapes do not fit, or a feature is out of range.
        Interrupted: Ctrl-C; ``partial`` holds the scores so far, with missing verdicts counted.
    """
    plan = _plan(documents, activations, labels, n, seed)
    try:
        annotations = annotator.annotate(plan.documents, plan.concepts, only=plan.only)
    except Interrupted as error:
        raise Interrupted(str(error), partial=_measure_partial(plan, error.partial)) from error
    return _measure(plan, annotations)


def estimate_scores(
    annotator: LLMAnnotator,
    documents: Sequence[str],
    activations: csr_matrix,
    labels: Mapping[int, Sequence[Label]],
    *,
    n: int = 100,
    seed: int = 0,
) -> CostEstimate:
    """Return what :func:`score_labels` will take; nothing is sent.

    Raises:
        InputError: The shapes do not fit, or a feature is out of range.
    """
    plan = _plan(documents, activations, labels, n, seed)
    return annotator.estimate(plan.documents, plan.concepts, only=plan.only)


async def score_labels_async(
    annotator: LLMAnnotator,
    documents: Sequence[str],
    activations: csr_matrix,
    labels: Mapping[int, Sequence[Label]],
    *,
    n: int = 100,
    seed: int = 0,
) -> LabelScores:
    """Do the same from a running event loop, such as a notebook's."""
    plan = _plan(documents, activations, labels, n, seed)
    try:
        annotations = await annotator.annotate_async(plan.documents, plan.concepts, only=plan.only)
    except Interrupted as error:
        raise Interrupted(str(error), partial=_measure_partial(plan, error.partial)) from error
    return _measure(plan, annotations)


@dataclass(frozen=True, slots=True)
class _FeatureSample:
    """The documents of one feature among those of the plan."""

    rows: NDArray[np.int64]
    fires: NDArray[np.bool_]
    weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _ScoringPlan:
    """All documents and labels that are judged, and which of them together."""

    documents: tuple[str, ...]
    concepts: tuple[str, ...]
    only: NDArray[np.bool_]
    samples: Mapping[int, _FeatureSample]
    columns: Mapping[tuple[int, int], int]
    """Position of each label among the concepts."""


def _plan(
    documents: Sequence[str],
    activations: csr_matrix,
    labels: Mapping[int, Sequence[Label]],
    n: int,
    seed: int,
) -> _ScoringPlan:
    texts = as_texts(documents)
    taken = take_columns(activations, list(labels), len(texts))
    filled = np.array([i for i, text in enumerate(texts) if text.strip()], np.int64)
    values = {f: np.asarray(taken[:, [i]].toarray()).ravel()[filled] for i, f in enumerate(labels)}
    drawn: dict[int, ScoringSample] = {
        feature: choose_scoring_documents(column, n=n, seed=seed)
        for feature, column in values.items()
    }
    used = np.unique(
        np.concatenate([np.empty(0, np.int64), *(s.positions for s in drawn.values())])
    )
    concept_of: dict[str, int] = {}
    columns = {
        (feature, i): concept_of.setdefault(label.text, len(concept_of))
        for feature, candidates in labels.items()
        for i, label in enumerate(candidates)
    }
    samples = {
        feature: _FeatureSample(
            rows=np.searchsorted(used, sample.positions),
            fires=values[feature][sample.positions] > 0,
            weights=sample.weights,
        )
        for feature, sample in drawn.items()
    }
    only = np.zeros((len(used), len(concept_of)), np.bool_)
    for (feature, _), column in columns.items():
        only[samples[feature].rows, column] = True
    shown = tuple(texts[filled[position]] for position in used.tolist())
    return _ScoringPlan(shown, tuple(concept_of), only, samples, columns)


def _measure(plan: _ScoringPlan, annotations: Annotations) -> LabelScores:
    return {
        (feature, i): measure_fidelity(
            annotations.verdicts[plan.samples[feature].rows, column],
            plan.samples[feature].fires,
            plan.samples[feature].weights,
        )
        for (feature, i), column in plan.columns.items()
    }


def _measure_partial(plan: _ScoringPlan, partial: object) -> LabelScores:
    return _measure(plan, partial) if isinstance(partial, Annotations) else {}
