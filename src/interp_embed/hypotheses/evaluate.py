"""Test hypotheses on confirm documents: every number the report shows comes from here."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.hypotheses.corpus import Corpus, check_separate
from interp_embed.hypotheses.generate import Candidate, Candidates
from interp_embed.hypotheses.plan import EvaluationPlan
from interp_embed.interpret import Annotator, KeywordAnnotator, measure_fidelity
from interp_embed.records import (
    ConceptGroup,
    Estimate,
    Hypothesis,
    ModelSummary,
    Scores,
    TargetKind,
)
from interp_embed.stats import (
    adjust_benjamini_hochberg,
    adjust_bonferroni,
    crossfit_score,
    joint_regression,
    welch_difference,
)

_MIN_PRESENT = 5
"""Confirm documents on either side of a concept below which it is not tested."""
_MAX_MISSING = 0.5
"""Share of its verdicts above which a concept is not tested: the regression takes only documents
that lack none, and one concept must not cost the others theirs."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Tested hypotheses and how well they predict, out of sample."""

    hypotheses: tuple[Hypothesis, ...]
    """Smallest p first, then largest separation; those that could not be tested last."""
    scores: Scores
    n_tested: int
    """The family the correction is over."""
    n_incomplete: int
    """Confirm documents left out of the joint regression because a verdict is missing."""
    n_missing: int = 0
    """Verdicts on confirm documents that are missing."""
    why_missing: str = ""
    """The first reason."""
    model: ModelSummary | None = None
    groups: tuple[ConceptGroup, ...] = ()
    detectable: float = float("nan")


def evaluate_candidates(
    candidates: Candidates,
    confirm: Corpus,
    activations: csr_matrix,
    *,
    discover: Corpus,
    plan: EvaluationPlan,
    annotator: Annotator | None = None,
    seed: int = 0,
) -> Evaluation:
    """Return each hypothesis tested on documents that nothing else has read.

    Separation: mean target with the concept minus without, Welch interval. Coefficient: joint
    linear regression on all concepts, HC3 interval (for a binary target a difference in
    probability). The p-values of the coefficients are corrected over all that were tested.
    A concept with fewer than 5 documents on either side is not tested, and says so. Fidelity, too,
    is of these documents: neither label nor choice of labels has seen them.

    Args:
        candidates: What was fixed before the confirm documents were opened.
        confirm: The confirm documents.
        activations: Of these documents, shape (n_documents, n_features).
        discover: The documents the candidates came from, to check that no one is on both sides.
        plan: How they are tested.
        annotator: Reads the labels; default the keyword annotator.
        seed: Of the folds of the scores.

    Raises:
        SealedRowsError: A document or group is on both sides.
        InputError: A setting is out of range, or there are too few documents.

    Source: Movva et al. 2025, arXiv 2502.04382, section 4. There the R2 is of the rows the
    regression was fitted on, intervals are not robust, and the t-test assumes equal variances.
    """
    check_separate(discover, confirm)
    concepts = [candidate.label.text for candidate in candidates.candidates]
    annotations = (annotator or KeywordAnnotator()).annotate(confirm.documents, concepts)
    verdicts = annotations.verdicts
    notes = [_why_untestable(verdicts[:, column]) for column in range(len(concepts))]
    testable = [column for column, note in enumerate(notes) if not note]
    complete = np.asarray(np.isfinite(verdicts[:, testable]).all(axis=1))
    coefficients = _joint(verdicts, testable, confirm, complete, clustered=plan.clustered)
    why = (
        "other concepts already say the same, or its effect rests on one document"
        if coefficients
        else f"only {complete.sum()} confirm documents have a verdict on every concept, too few"
    )
    p = np.array([coefficients[c].p if c in coefficients else np.nan for c in range(len(concepts))])
    n_tested = int(np.isfinite(p).sum())
    adjust = adjust_benjamini_hochberg if plan.correction == "bh" else adjust_bonferroni
    corrected, q = adjust(p), adjust_benjamini_hochberg(p)
    hypotheses = [
        _hypothesis(
            candidate,
            verdicts[:, column],
            confirm.target,
            activations[:, [candidate.label.feature]].toarray().ravel() > 0,
            coefficients.get(column),
            q=float(q[column]),
            significant=bool(corrected[column] <= plan.level),
            note=notes[column] or why,
        )
        for column, candidate in enumerate(candidates.candidates)
    ]
    features = [candidate.label.feature for candidate in candidates.candidates]
    return Evaluation(
        hypotheses=tuple(sorted(hypotheses, key=_certainty)),
        scores=score_predictions(
            confirm, activations, features, verdicts, kind=plan.kind, seed=seed
        ),
        n_tested=n_tested,
        n_incomplete=int((~complete).sum()) if testable else 0,
        n_missing=int(np.isnan(verdicts).sum()),
        why_missing=next(iter(annotations.reasons.values()), ""),
    )


def score_predictions(
    confirm: Corpus,
    activations: csr_matrix,
    features: list[int],
    verdicts: NDArray[np.float32],
    *,
    kind: TargetKind,
    seed: int = 0,
) -> Scores:
    """Return how well hypotheses, their features, the embedding and mere length predict.

    All four by the same cross-fitted ridge on the same confirm documents and folds; a missing
    verdict counts as the concept's mean.
    """
    metric: Literal["r2", "auc"] = "r2" if kind == "numeric" else "auc"
    filled = np.where(np.isfinite(verdicts), verdicts, _column_means(verdicts))
    length = np.log1p([[len(document)] for document in confirm.documents])

    def score(design: NDArray[np.floating]) -> float:
        return crossfit_score(
            design, confirm.target, metric=metric, groups=confirm.groups, seed=seed
        )

    return Scores(
        metric=metric,
        ceiling=score(confirm.embeddings),
        features=score(activations[:, features].toarray()),
        hypotheses=score(filled),
        floor=score(length),
        n=len(confirm),
    )


def _column_means(verdicts: NDArray[np.float32]) -> NDArray[np.float64]:
    known = np.isfinite(verdicts)
    counts = np.maximum(known.sum(axis=0), 1)
    return np.asarray(np.where(known, verdicts, 0.0).sum(axis=0) / counts)


def _why_untestable(verdicts: NDArray[np.float32]) -> str:
    known = verdicts[np.isfinite(verdicts)]
    present, absent = int((known == 1).sum()), int((known == 0).sum())
    missing = len(verdicts) - len(known)
    if missing > _MAX_MISSING * len(verdicts):
        return f"{missing} of {len(verdicts)} verdicts are missing; too many to test"
    if present < _MIN_PRESENT:
        return f"in {present} confirm documents; fewer than {_MIN_PRESENT} cannot be tested"
    if absent < _MIN_PRESENT:
        return f"absent from {absent} confirm documents; fewer than {_MIN_PRESENT} cannot be tested"
    return ""


def _joint(
    verdicts: NDArray[np.float32],
    columns: list[int],
    confirm: Corpus,
    complete: NDArray[np.bool_],
    *,
    clustered: bool,
) -> dict[int, Estimate]:
    n_groups = len(np.unique(confirm.groups[complete])) if clustered else 2
    if not columns or int(complete.sum()) <= len(columns) + 2 or n_groups < 2:
        return {}
    estimates = joint_regression(
        verdicts[complete][:, columns],
        confirm.target[complete],
        groups=confirm.groups[complete] if clustered else None,
    )
    return dict(zip(columns, estimates, strict=True))


def _hypothesis(
    candidate: Candidate,
    verdicts: NDArray[np.float32],
    target: NDArray[np.float64],
    fires: NDArray[np.bool_],
    coefficient: Estimate | None,
    *,
    q: float,
    significant: bool,
    note: str,
) -> Hypothesis:
    known = np.isfinite(verdicts)
    present = known & (verdicts == 1)
    n = int(known.sum())
    untested = Estimate(np.nan, np.nan, np.nan, np.nan, n)
    tested = coefficient is not None and bool(np.isfinite(coefficient.p))
    return Hypothesis(
        hypothesis=candidate.label.text,
        feature=candidate.label.feature,
        separation=welch_difference(target[present], target[known & ~present]),
        coefficient=coefficient or untested,
        q=q,
        significant=significant,
        prevalence=float(present.sum() / n) if n else np.nan,
        fidelity=measure_fidelity(verdicts, fires),
        n=n,
        selection_score=candidate.selection_score,
        note="" if tested else note,
        top_examples=candidate.examples.top,
        contrast_examples=candidate.examples.contrast,
        similar=candidate.similar,
    )


def _certainty(hypothesis: Hypothesis) -> tuple[float, float]:
    p, effect = hypothesis.coefficient.p, abs(hypothesis.separation.value)
    return (p if np.isfinite(p) else 2.0, -effect if np.isfinite(effect) else 0.0)
