"""Test hypotheses on confirm documents: every number the report shows comes from here."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.hypotheses.answers import Answers, answer_concepts
from interp_embed.hypotheses.concept_groups import judge_groups
from interp_embed.hypotheses.corpus import Corpus, check_separate
from interp_embed.hypotheses.generate import Candidate, Candidates
from interp_embed.hypotheses.marginal import controlled, separation
from interp_embed.hypotheses.multiplicity import (
    Family,
    correct,
    corrected_strata,
    detectable_separation,
)
from interp_embed.hypotheses.plan import EvaluationPlan
from interp_embed.hypotheses.prediction import score_predictions
from interp_embed.hypotheses.strata_effects import StrataFound, effects_in_strata
from interp_embed.hypotheses.units import Units, check_confirm, make_units, other_text
from interp_embed.interpret import Annotator, KeywordAnnotator, measure_fidelity
from interp_embed.records import (
    NO_FEATURE,
    ConceptGroup,
    Fidelity,
    Hypothesis,
    ModelSummary,
    Scores,
)

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Tested hypotheses and how well they predict, out of sample."""

    hypotheses: tuple[Hypothesis, ...]
    """Smallest p first, then largest separation; those that could not be tested last."""
    scores: Scores
    n_tested: int
    """Hypotheses that have a p-value."""
    n_incomplete: int
    """Confirm documents left out of the joint regression because a verdict is missing."""
    n_missing: int = 0
    """Verdicts on confirm documents that are missing."""
    why_missing: str = ""
    """The first reason."""
    model: ModelSummary | None = None
    """None where no concept could be tested."""
    groups: tuple[ConceptGroup, ...] = ()
    """Concepts that occur together, two or more each."""
    detectable: float = _NAN
    """Least |separation| that a concept of median prevalence shows with 80 % power."""
    n_tests: int = 0
    """The family the correction is over: hypotheses, and interactions with strata."""


@dataclass(frozen=True, slots=True, eq=False)
class _Results:
    """All that the hypotheses are written from, one entry or column for each."""

    units: Units
    answers: Answers
    verdicts: NDArray[np.float32]
    """As annotated, shape (n_documents, n_concepts)."""
    outcomes: tuple[NDArray[np.float64], ...]
    """The target, or the class each concept is about."""
    strata: tuple[StrataFound | None, ...]
    family: Family
    fidelity: tuple[Fidelity, ...]


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

    Separation: mean target with the concept minus without, Welch interval (of preferences: among
    pairs that differ in the concept). Coefficient: the joint model ``plan.family`` of all concepts,
    length and covariates, with a constant for each stratum; of several classes that of the class
    with the smallest p, while ``p`` is of "associated with no class". Where few documents have a
    concept, or a model cannot be fitted, notes say what took its place. The p-values of concepts
    and of their interactions with strata are corrected as one family.

    A concept with fewer than 5 documents (pairs that differ) on either side is not tested, and
    says so. Fidelity, too, is of these documents: neither label nor choice of labels has seen
    them; of preferences it tells where the text alone, of its pair, has the concept.

    Args:
        candidates: What was fixed before the confirm documents were opened.
        confirm: The confirm documents.
        activations: Of these documents, shape (n_documents, n_features).
        discover: The documents the candidates came from, to check that no one is on both sides.
        plan: What is tested, and how.
        annotator: Reads the labels; default the keyword annotator.
        seed: Of folds and permutations.

    Raises:
        SealedRowsError: A document or group is on both sides.
        InputError: The confirm documents do not hold what the plan needs.

    Source: Movva et al. 2025, arXiv 2502.04382, section 4. There the R2 is of the rows the
    regression was fitted on, intervals are not robust, and the t-test assumes equal variances.
    """
    check_separate(discover, confirm)
    check_confirm(confirm, plan)
    names = [candidate.label.text for candidate in candidates.candidates]
    annotations = (annotator or KeywordAnnotator()).annotate(confirm.documents, names)
    units = make_units(confirm, annotations.verdicts, plan)
    answers = answer_concepts(units, names, plan, seed=seed)
    outcomes = tuple(_outcome(units, answer.about) for answer in answers.concepts)
    strata = tuple(
        effects_in_strata(units, column, outcome, plan) if column in answers.testable else None
        for column, outcome in enumerate(outcomes)
    )
    family = correct(
        [answer.p for answer in answers.concepts],
        [_NAN if found is None else found.p_interaction for found in strata],
        correction=plan.correction,
        level=plan.level,
    )
    results = _Results(
        units=units,
        answers=answers,
        verdicts=annotations.verdicts,
        outcomes=outcomes,
        strata=strata,
        family=family,
        fidelity=_fidelity(confirm, activations, candidates, annotations.verdicts),
    )
    hypotheses = [
        _hypothesis(candidate, column, results, plan)
        for column, candidate in enumerate(candidates.candidates)
    ]
    features = [candidate.label.feature for candidate in candidates.candidates]
    return Evaluation(
        hypotheses=tuple(sorted(hypotheses, key=_certainty)),
        scores=score_predictions(
            confirm, activations, features, annotations.verdicts, kind=plan.kind, seed=seed
        ),
        n_tested=len(answers.tested),
        n_incomplete=int((~answers.rows).sum()) if answers.testable else 0,
        n_missing=int(np.isnan(annotations.verdicts).sum()),
        why_missing=next(iter(annotations.reasons.values()), ""),
        model=answers.summary,
        groups=judge_groups(units.verdicts, answers, names, level=plan.level),
        detectable=detectable_separation(
            units, answers.tested, answers.rows, plan, n_tests=family.n_tests
        ),
        n_tests=family.n_tests,
    )


def _outcome(units: Units, about: int | None) -> NDArray[np.float64]:
    """Return the target, or of several classes the one a concept is about."""
    return units.target if units.target.ndim == 1 else units.target[:, about or 0]


def _fidelity(
    confirm: Corpus,
    activations: csr_matrix,
    candidates: Candidates,
    verdicts: NDArray[np.float32],
) -> tuple[Fidelity, ...]:
    """Return how well each label tells where its feature fires.

    Of preferences a feature is of a text less the other of its pair: where the text alone has it.
    Unknown of a concept that comes from no feature.
    """
    told = verdicts
    if confirm.pairs is not None:
        other = verdicts[other_text(confirm.pairs)]
        alone = ((verdicts == 1) & (other == 0)).astype(np.float32)
        told = np.where(np.isfinite(verdicts) & np.isfinite(other), alone, np.float32(np.nan))
    return tuple(
        _faithful(told[:, column], activations, candidate.label.feature)
        for column, candidate in enumerate(candidates.candidates)
    )


def _faithful(told: NDArray[np.float32], activations: csr_matrix, feature: int) -> Fidelity:
    if feature == NO_FEATURE:
        n = int(np.isfinite(told).sum())
        return Fidelity(*(_NAN,) * 7, n, len(told) - n)
    return measure_fidelity(told, activations[:, [feature]].toarray().ravel() > 0)


def _hypothesis(
    candidate: Candidate, column: int, results: _Results, plan: EvaluationPlan
) -> Hypothesis:
    units, answer = results.units, results.answers.concepts[column]
    outcome, family = results.outcomes[column], results.family
    testable = results.answers.testable
    verdicts = results.verdicts[:, column]
    n = int(np.isfinite(verdicts).sum())
    return Hypothesis(
        hypothesis=candidate.label.text,
        feature=candidate.label.feature,
        separation=separation(units, column, outcome),
        coefficient=answer.coefficient,
        q=float(family.q[column]),
        significant=bool(family.significant[column]),
        prevalence=float((verdicts == 1).sum() / n) if n else _NAN,
        fidelity=results.fidelity[column],
        n=n,
        selection_score=candidate.selection_score,
        note=answer.note,
        top_examples=candidate.examples.top,
        contrast_examples=candidate.examples.contrast,
        p=answer.p,
        about="" if answer.about is None else plan.classes[answer.about],
        by_class=answer.by_class,
        controlled=controlled(units, column, outcome, plan) if column in testable else None,
        strata=corrected_strata(
            results.strata[column],
            q=float(family.q_interaction[column]),
            varies=bool(family.varies[column]),
            n_concepts=len(testable),
            level=plan.level,
        ),
        similar=candidate.similar,
        stability=candidate.stability,
        vif=answer.vif,
    )


def _certainty(hypothesis: Hypothesis) -> tuple[float, float]:
    p, effect = hypothesis.p, abs(hypothesis.separation.value)
    return (p if np.isfinite(p) else 2.0, -effect if np.isfinite(effect) else 0.0)
