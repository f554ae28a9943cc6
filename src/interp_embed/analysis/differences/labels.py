"""Words for features that differ: the ones they have, or better ones from documents searched."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.hypotheses.generate import CalibratedAnnotator, LabellingAnnotator
from interp_embed.hypotheses.same_concept import normal_words
from interp_embed.interpret import (
    Annotator,
    KeywordLabeller,
    Labeller,
    LLMRoles,
    Prompt,
    RuleAnnotator,
    score_labels,
)
from interp_embed.interpret.llm_labeller import LabelProposals
from interp_embed.interpret.proposal_inquiry import ProposalInquiry, ProposedConcepts
from interp_embed.interpret.summary_inquiry import SummaryForm
from interp_embed.llm import Plan
from interp_embed.records import NO_FEATURE, Label

GIVEN = "given"
N_SCORED = 100
"""Documents on which the labels of a feature are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class LabellingDocuments:
    """Documents searched: some to make labels from, others to choose between labels."""

    documents: tuple[str, ...]
    activations: csr_matrix
    """Those that count as firing, shape (n_documents, n_features)."""
    making: NDArray[np.int64]
    """Places of the documents that labels are made from."""
    choosing: NDArray[np.int64]
    """Places of the documents that choose between labels."""


@dataclass(frozen=True, slots=True)
class ChosenLabel:
    """The words a feature is tested by."""

    label: Label
    f1: float
    """How well they tell where it fires, on documents they were not made from; NaN if unknown."""


@dataclass(frozen=True, slots=True)
class ChosenLabels:
    """Words for features, and who reads them."""

    labels: tuple[ChosenLabel, ...]
    """In the order of the features; no two the same."""
    reader: Annotator
    n_without: int
    """Features that no words were found for."""
    why_without: str
    """Why the first of these has none; empty where it is not known."""
    n_same: int
    """Features whose words another one has."""


def choose_diff_labels(
    features: Sequence[int],
    given: Mapping[int, str],
    searched: LabellingDocuments,
    *,
    annotator: Annotator | CalibratedAnnotator | None,
    roles: LLMRoles | None,
    relabel: bool,
    seed: int,
) -> ChosenLabels:
    """Return of each feature the label that tells best where it fires.

    Args:
        features: To be named, strongest difference first.
        given: Labels there are.
        searched: Documents to make labels from, and to choose between them.
        annotator: Reads labels; None: the language model, or the rule of words.
        roles: Language models; None: labels of contrasting words.
        relabel: Whether features that have a label are given another to choose from.
        seed: Of the documents that labels are compared on.
    """
    part = [searched.documents[row] for row in searched.making]
    active = searched.activations[searched.making]
    old = {f: [Label(f, given[f], GIVEN, 0)] for f in features if given.get(f)}
    wanted = [f for f in features if relabel or f not in old]
    new = _make_labels(part, active, wanted, roles, annotator)
    candidates = {f: [*old.get(f, []), *new.candidates.get(f, [])] for f in features}
    candidates = {f: labels for f, labels in candidates.items() if labels}
    every = [label for labels in candidates.values() for label in labels]
    reader = _reader(annotator, roles, part, every, active)
    scores = score_labels(
        reader,
        [searched.documents[row] for row in searched.choosing],
        searched.activations[searched.choosing],
        candidates,
        n=N_SCORED,
        seed=seed,
    )
    chosen: dict[tuple[str, ...], ChosenLabel] = {}
    for feature, labels in candidates.items():
        f1 = [scores[feature, place].f1 for place in range(len(labels))]
        best = int(np.argmax(np.nan_to_num(f1, nan=-1.0)))
        one = ChosenLabel(labels[best], float(f1[best]))
        chosen.setdefault(normal_words(one.label.text), one)
    return ChosenLabels(
        labels=tuple(chosen.values()),
        reader=reader,
        n_without=len(features) - len(candidates),
        why_without=next((new.failures[f] for f in wanted if f in new.failures), ""),
        n_same=len(candidates) - len(chosen),
    )


def summarise_labels(
    labels: Sequence[str],
    first: Sequence[float],
    second: Sequence[float],
    *,
    k: int,
    roles: LLMRoles,
) -> tuple[Label, ...]:
    """Return at most k concepts that sum up what is more frequent in the first group.

    Args:
        labels: In words, the largest difference first.
        first: Share of each in the first group.
        second: Share of each in the second.
        k: The most concepts, >= 1.
        roles: The labelling model is asked.

    Returns:
        None of them where the answer could not be had or read; a warning says why.

    Raises:
        LLMError: The server cannot be used.
        Interrupted: Ctrl-C.
    """
    model = roles.labeller.llm
    inquiry = summary_inquiry(labels, first, second, k=k)
    outcome = model.run([inquiry], Plan("Summing up", (inquiry.first_request(),)))[0]
    if not isinstance(outcome, ProposedConcepts):
        warnings.warn(
            f"{model.model} did not sum the differences up ({outcome}): the largest stand for them",
            UserWarning,
            stacklevel=2,
        )
        return ()
    source = f"summary:{model.model}"
    return tuple(Label(NO_FEATURE, text, source, len(labels)) for text in outcome.concepts[:k])


def summary_inquiry(
    labels: Sequence[str], first: Sequence[float], second: Sequence[float], *, k: int
) -> ProposalInquiry:
    """Return the question for a summary; arguments as for :func:`summarise_labels`."""
    shown = tuple(
        f"{label} (A: {one:.0%}, B: {other:.0%})"
        for label, one, other in zip(labels, first, second, strict=True)
    )
    return ProposalInquiry(SummaryForm(Prompt.load("summarise"), shown, k))


def _make_labels(
    documents: list[str],
    activations: csr_matrix,
    features: list[int],
    roles: LLMRoles | None,
    annotator: object,
) -> LabelProposals:
    if not features:
        return LabelProposals({}, {})
    if roles is not None:
        return roles.labeller.label(documents, activations, features)
    labeller: Labeller
    try:
        labeller = (
            annotator.labeller(documents)
            if isinstance(annotator, LabellingAnnotator)
            else KeywordLabeller(documents)
        )
    except InputError:  # no word occurs often enough: given labels are all there is
        return LabelProposals({}, {})
    found = {feature: labeller.label(activations, feature) for feature in features}
    made = {feature: (label,) for feature, label in found.items() if label is not None}
    return LabelProposals(made, {})


def _reader(
    annotator: Annotator | CalibratedAnnotator | None,
    roles: LLMRoles | None,
    documents: list[str],
    labels: list[Label],
    activations: csr_matrix,
) -> Annotator:
    if isinstance(annotator, CalibratedAnnotator):
        return annotator.calibrate(documents, labels, activations)
    if annotator is not None:
        return annotator
    return roles.annotator if roles else RuleAnnotator()
