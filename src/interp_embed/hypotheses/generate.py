"""From discover documents to hypotheses: encode, screen, label, keep what the words carry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed._fingerprint import digest_texts
from interp_embed.errors import InputError
from interp_embed.hypotheses.choose import ChoosingRows, LabelChoice, choose_labels
from interp_embed.hypotheses.corpus import Corpus
from interp_embed.hypotheses.screening import screening_columns
from interp_embed.hypotheses.select import ScoreFunction, SelectionMethod, select_features
from interp_embed.interpret import (
    Annotator,
    FeatureExamples,
    KeywordAnnotator,
    KeywordLabeller,
    Labeller,
    LLMRoles,
    choose_examples,
)
from interp_embed.records import Attempt, Label, TargetKind

CANDIDATES_PER_HYPOTHESIS = 12
"""Features labelled for each hypothesis wanted: words carry some features well and others not,
so there has to be a choice."""
LLM_CANDIDATES_PER_HYPOTHESIS = 2
"""The same with a labeller that is paid for each: it finds words for nearly every feature."""


@runtime_checkable
class CalibratedAnnotator(Protocol):
    """Learns on discover documents how to read labels, and reads them then everywhere."""

    def calibrate(
        self, documents: Sequence[str], labels: Sequence[Label], activations: csr_matrix
    ) -> Annotator:
        """Return the annotator that reads these labels.

        Args:
            documents: Discover documents.
            labels: All that were found.
            activations: Of these documents, shape (n_documents, n_features).
        """
        ...


@runtime_checkable
class LabellingAnnotator(Protocol):
    """Makes the labels itself that it reads best."""

    def labeller(self, documents: Sequence[str]) -> Labeller:
        """Return what labels features of these documents."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A labelled feature that is worth testing."""

    label: Label
    selection_score: float
    """What the screening ranked the feature by."""
    examples: FeatureExamples
    similar: tuple[str, ...] = ()
    """Labels that say the same, on discover documents, and are not tested beside this one."""
    stability: float = float("nan")
    """How well SAEs of other seeds and sizes find the feature again, in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Hypotheses ready to be tested, and what was tried to get them."""

    candidates: tuple[Candidate, ...]
    """Most predictive first."""
    n_screened: int
    """Live features compared with the target."""
    n_labelled: int
    """Features that a label was sought for."""
    n_without_label: int
    """Of these, how many have none."""
    n_same_concept: int
    """Labels left out because another one says the same."""
    why_without_label: str = ""
    """Why the first feature without a label has none; empty where no word tells it apart."""
    n_missing: int = 0
    """Verdicts on the documents read to choose that are missing."""
    why_missing: str = ""
    """The first reason."""
    attempts: tuple[Attempt, ...] = ()
    """What was tried, in order."""
    annotator: Annotator | None = None
    """Who read the labels, calibrated if need be; None: the keyword rule, or the model."""

    @property
    def plan(self) -> str:
        """A digest of the concepts and their features, in order: what will be tested."""
        return digest_texts(f"{c.label.feature} {c.label.text}" for c in self.candidates)


def generate_candidates(
    discover: Corpus,
    activations: csr_matrix,
    *,
    n: int,
    select: SelectionMethod | ScoreFunction = "correlation",
    kind: TargetKind = "numeric",
    control_length: bool = True,
    roles: LLMRoles | None = None,
    annotator: Annotator | CalibratedAnnotator | None = None,
    tune: Corpus | None = None,
    tune_activations: csr_matrix | None = None,
    stability: NDArray[np.float64] | None = None,
    seed: int = 0,
) -> Candidates:
    """Return up to n hypotheses about the target, from discover documents alone.

    The features most associated with the target, covariates and length held fixed, are labelled;
    of the labels, the n whose annotations together predict the target best (lasso) are kept, no
    two of them saying nearly the same. Where fewer features are live or can be labelled, fewer are
    returned. How faithful a label is to its feature is measured later, on confirm documents.

    Args:
        discover: The documents; no other but ``tune`` may be used.
        activations: Of these documents, shape (n_documents, n_features).
        n: Hypotheses wanted.
        select: How features are screened (``select_features``).
        kind: Of the target.
        control_length: Whether the length of documents is held fixed.
        roles: Language models, which label and then read the labels on a sample of the
            documents; None for labels of contrasting words and the rule that reads them.
        annotator: Reads the labels instead, calibrated on the discover documents if it can be.
        tune: Documents on which labels are chosen, which neither SAE nor labeller have seen;
            None: the discover documents.
        tune_activations: Of these.
        stability: Of each feature over seeds, shape (n_features,), to be told with it.
        seed: Of the sample that a language model reads.

    Raises:
        InputError: No feature is live, or none can be labelled.
    """
    n_live = _count_live(activations)
    if n_live == 0:
        raise InputError(
            f"none of {activations.shape[1]} features fires on some of the {len(discover)} "
            "discover documents and not on all, so none can tell documents apart; train the SAE "
            "again with other settings, or check the embeddings"
        )
    per_hypothesis = LLM_CANDIDATES_PER_HYPOTHESIS if roles else CANDIDATES_PER_HYPOTHESIS
    columns = screening_columns(discover, kind=kind, control_length=control_length)
    selection = select_features(
        activations, columns, n=min(n * per_hypothesis, n_live), method=select
    )
    found = _label(discover, activations, selection.features.tolist(), roles, annotator)
    reader = _reader(annotator, roles, discover, list(found.labels), activations)
    choosing = ChoosingRows(
        corpus=discover if tune is None else tune,
        activations=activations if tune is None or tune_activations is None else tune_activations,
        side="discover" if tune is None else "tune",
        sampled=roles is not None and annotator is None,
        kind=kind,
        control_length=control_length,
    )
    choice = choose_labels(list(found.labels), reader, choosing, n=n, seed=seed)
    scores = dict(zip(selection.features.tolist(), selection.scores.tolist(), strict=True))
    return Candidates(
        candidates=tuple(
            _candidate(found.labels, choice, i, scores, discover, activations, stability)
            for i in choice.kept
        ),
        n_screened=selection.n_live,
        n_labelled=len(selection.features),
        n_without_label=len(selection.features) - len(found.labels),
        n_same_concept=choice.distinct.n_merged,
        why_without_label=found.why_not,
        n_missing=choice.n_missing,
        why_missing=choice.why_missing,
        attempts=(
            Attempt("screen features", "discover", selection.n_live, len(selection.features)),
            Attempt("label features", "discover", len(selection.features), len(found.labels)),
            *choice.attempts,
        ),
        annotator=None if annotator is None else reader,
    )


def _reader(
    annotator: Annotator | CalibratedAnnotator | None,
    roles: LLMRoles | None,
    discover: Corpus,
    labels: list[Label],
    activations: csr_matrix,
) -> Annotator:
    if isinstance(annotator, CalibratedAnnotator):
        return annotator.calibrate(discover.documents, labels, activations)
    if annotator is not None:
        return annotator
    return roles.annotator if roles else KeywordAnnotator()


def _candidate(
    labels: Sequence[Label],
    choice: LabelChoice,
    column: int,
    scores: dict[int, float],
    discover: Corpus,
    activations: csr_matrix,
    stability: NDArray[np.float64] | None,
) -> Candidate:
    label = labels[column]
    same = choice.distinct.merged[choice.distinct.columns.index(column)]
    others = dict.fromkeys(labels[i].text for i in same)
    return Candidate(
        label=label,
        selection_score=scores[label.feature],
        examples=choose_examples(
            discover.documents, discover.rows, activations, label.feature, label=label.text
        ),
        similar=tuple(text for text in others if text != label.text),
        stability=float("nan") if stability is None else float(stability[label.feature]),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    labels: tuple[Label, ...]
    """In the order of the features."""
    why_not: str
    """Why the first feature without one has none, where that is known."""


def _label(
    discover: Corpus,
    activations: csr_matrix,
    features: list[int],
    roles: LLMRoles | None,
    annotator: object,
) -> _Found:
    why_not = ""
    if roles is None:
        labeller: Labeller = (
            annotator.labeller(discover.documents)
            if isinstance(annotator, LabellingAnnotator)
            else KeywordLabeller(discover.documents)
        )
        found = [labeller.label(activations, feature) for feature in features]
        labels = [label for label in found if label is not None]
        why = "by words; give more or longer documents"
    else:
        proposals = roles.labeller.label(discover.documents, activations, features)
        labels = [
            proposals.candidates[feature][0]
            for feature in features
            if proposals.candidates.get(feature)
        ]
        why_not = next(iter(proposals.failures.values()), "")
        why = f"by {roles.labeller.llm.model}: {why_not}"
    if not labels:
        raise InputError(
            f"none of {len(features)} features could be labelled from {len(discover)} documents "
            + why
        )
    return _Found(tuple(labels), why_not)


def _count_live(activations: csr_matrix) -> int:
    fired = np.bincount(activations.indices, minlength=activations.shape[1])
    return int(((fired > 0) & (fired < activations.shape[0])).sum())
