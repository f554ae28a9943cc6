"""From discover documents to hypotheses: encode, screen, label, keep what the words carry."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed._fingerprint import digest_texts
from interp_embed.errors import InputError
from interp_embed.hypotheses.corpus import Corpus
from interp_embed.hypotheses.select import ScoreFunction, SelectionMethod, select_features
from interp_embed.interpret import (
    Annotator,
    FeatureExamples,
    KeywordAnnotator,
    KeywordLabeller,
    LLMRoles,
    choose_examples,
)
from interp_embed.records import Label

CANDIDATES_PER_HYPOTHESIS = 12
"""Features labelled for each hypothesis wanted: words carry some features well and others not,
so there has to be a choice."""
LLM_CANDIDATES_PER_HYPOTHESIS = 2
"""The same with a labeller that is paid for each: it finds words for nearly every feature."""
DISCOVER_SAMPLE = 300
"""Discover documents that an annotator who is paid for each reads, to choose among labels."""
_SAME_CONCEPT = 0.8
"""Correlation of verdicts above which two labels count as one concept."""
_MIN_AGREEMENT = 0.15
"""Correlation of a label's verdicts with its feature (on discover documents) below which the
label says too little about the feature to stand for it."""
_MIN_PRESENT = 5
"""Discover documents on either side of a concept below which it is not pursued."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A labelled feature that is worth testing."""

    label: Label
    selection_score: float
    """What the screening ranked the feature by."""
    examples: FeatureExamples
    similar: tuple[str, ...] = ()
    """Labels that say the same, on discover documents, and are not tested beside this one."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Hypotheses ready to be tested, and what was tried to get them."""

    candidates: tuple[Candidate, ...]
    """Most predictive first (on discover documents)."""
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
    """Verdicts on discover documents that are missing."""
    why_missing: str = ""
    """The first reason."""

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
    roles: LLMRoles | None = None,
    seed: int = 0,
) -> Candidates:
    """Return up to n hypotheses about the target, from discover documents alone.

    The features most associated with the target are labelled; of the labels, the n whose
    annotations together predict the target best (lasso) are kept, no two of them saying nearly
    the same. Where fewer features are live or can be labelled, fewer are returned. How faithful a
    label is to its feature is measured later, on confirm documents.

    Args:
        discover: The documents; no other may be used.
        activations: Of these documents, shape (n_documents, n_features).
        n: Hypotheses wanted.
        select: How features are screened (``select_features``).
        roles: Language models, which label and then read the labels on a sample of the
            documents; None for labels of contrasting words and the rule that reads them.
        seed: Of that sample.

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
    n_wanted = min(n * per_hypothesis, n_live)
    selection = select_features(activations, discover.target, n=n_wanted, method=select)
    found = _label(discover, activations, selection.features.tolist(), roles)
    labels = list(found.labels)
    annotator: Annotator = roles.annotator if roles else KeywordAnnotator()
    read = choosing_rows(len(discover), sampled=roles is not None, seed=seed)
    annotations = annotator.annotate(
        [discover.documents[row] for row in read], [label.text for label in labels]
    )
    n_missing = int(np.isnan(annotations.verdicts).sum())
    why_missing = next(iter(annotations.reasons.values()), "")
    if n_missing == annotations.verdicts.size:
        raise InputError(
            f"the annotator gave no verdict on any of {len(read)} discover documents, so that no "
            f"label can be chosen: {why_missing}"
        )
    verdicts = _fill(annotations.verdicts)
    faithful = _faithful(labels, verdicts, activations[read], n)
    distinct = _distinct_concepts(verdicts, faithful)
    kept = _most_predictive(verdicts, distinct, discover.target[read], n)
    scores = dict(zip(selection.features.tolist(), selection.scores.tolist(), strict=True))
    candidates = tuple(
        Candidate(
            label=labels[i],
            selection_score=scores[labels[i].feature],
            examples=choose_examples(
                discover.documents,
                discover.rows,
                activations,
                labels[i].feature,
                label=labels[i].text,
            ),
        )
        for i in kept
    )
    return Candidates(
        candidates=candidates,
        n_screened=selection.n_live,
        n_labelled=len(selection.features),
        n_without_label=len(selection.features) - len(labels),
        n_same_concept=len(faithful) - len(distinct),
        why_without_label=found.why_not,
        n_missing=n_missing,
        why_missing=why_missing,
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
) -> _Found:
    why_not = ""
    if roles is None:
        keywords = KeywordLabeller(discover.documents)
        found = [keywords.label(activations, feature) for feature in features]
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


def choosing_rows(n_documents: int, *, sampled: bool, seed: int) -> NDArray[np.int64]:
    """Return the discover documents on which labels are compared: all, or a sample."""
    if not sampled or n_documents <= DISCOVER_SAMPLE:
        return np.arange(n_documents)
    chosen = np.random.default_rng(seed).choice(n_documents, DISCOVER_SAMPLE, replace=False)
    return np.sort(chosen)


def _fill(verdicts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return verdicts with the concept's mean where one is missing: it then tells nothing."""
    known = np.isfinite(verdicts)
    if known.all():
        return verdicts
    means = np.where(known, verdicts, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, verdicts, means).astype(np.float32)


def _count_live(activations: csr_matrix) -> int:
    fired = np.bincount(activations.indices, minlength=activations.shape[1])
    return int(((fired > 0) & (fired < activations.shape[0])).sum())


def _faithful(
    labels: list[Label], verdicts: NDArray[np.float32], activations: csr_matrix, n: int
) -> list[int]:
    """Return the columns whose label agrees well enough with its feature, at least 2 n of them."""
    features = [label.feature for label in labels]
    fires = activations[:, features].toarray() > 0  # (n_documents, n_labels)
    agreement = np.array(
        [float(_unit(verdicts[:, i]) @ _unit(fires[:, i])) for i in range(len(labels))]
    )
    best = np.sort(agreement)[::-1][: 2 * n]
    enough = min(_MIN_AGREEMENT, float(best[-1]))
    return np.flatnonzero(agreement >= enough).tolist()


def _unit(column: NDArray[Any]) -> NDArray[np.float64]:
    """Return a column centred and of length 1; zeros where it is constant."""
    centred: NDArray[np.float64] = column.astype(np.float64) - column.mean()
    return centred / (float(np.linalg.norm(centred)) or 1.0)


def _distinct_concepts(verdicts: NDArray[np.float32], columns: list[int]) -> list[int]:
    """Return the columns that occur often enough and say nothing an earlier one says."""
    kept: list[int] = []
    standardised: list[NDArray[np.float64]] = []
    for column in columns:
        answers = verdicts[:, column]
        if not _MIN_PRESENT <= answers.sum() <= len(answers) - _MIN_PRESENT:
            continue
        z = _unit(answers)
        if all(abs(float(z @ other)) < _SAME_CONCEPT for other in standardised):
            kept.append(column)
            standardised.append(z)
    return kept


def _most_predictive(
    verdicts: NDArray[np.float32], columns: list[int], target: NDArray[np.float64], n: int
) -> list[int]:
    if not columns:
        raise InputError(
            f"every label found occurs in fewer than {_MIN_PRESENT} discover documents or is "
            "absent from fewer; give more documents"
        )
    answers = csr_matrix(verdicts[:, columns])
    chosen = select_features(answers, target, n=min(n, len(columns)), method="lasso")
    return [columns[i] for i in chosen.features]
