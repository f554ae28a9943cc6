"""The steps of a study, in the order that keeps it honest.

Look for a signal -> learn features on discover -> screen, label, choose -> fix what is tested ->
open confirm -> write to the ledger -> test.
"""

import warnings
from dataclasses import dataclass

from interp_embed.errors import InputError, NoSignalWarning
from interp_embed.hypotheses.account import (
    count_rows,
    describe_opening,
    list_attempts,
    record_provenance,
    record_settings,
    tell_no_signal,
    tell_warnings,
)
from interp_embed.hypotheses.corpus import Corpus, SealedSplit
from interp_embed.hypotheses.evaluate import evaluate_candidates
from interp_embed.hypotheses.features import FeatureSettings, learn_features
from interp_embed.hypotheses.generate import (
    CalibratedAnnotator,
    generate_candidates,
)
from interp_embed.hypotheses.ledger import Ledger, Recorded
from interp_embed.hypotheses.plan import EvaluationPlan
from interp_embed.hypotheses.prepare import Prepared
from interp_embed.hypotheses.screening import screening_columns
from interp_embed.hypotheses.settings import StudySettings
from interp_embed.hypotheses.sides import StudyRows
from interp_embed.hypotheses.signal import measure_signal
from interp_embed.interpret import Annotator, LLMRoles
from interp_embed.records import HypothesisStudy, Json, Signal
from interp_embed.sae import Origin, TrainedSAE


@dataclass(frozen=True, slots=True, eq=False)
class StudyRun:
    """A finished study together with the SAE it was made with."""

    study: HypothesisStudy
    sae: TrainedSAE
    origin: Origin
    """What the SAE was trained on, to be saved with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What the study is to do, all defaults filled in."""

    settings: StudySettings
    plan: EvaluationPlan
    target_name: str
    positive: str | None
    learning: FeatureSettings
    embedder: dict[str, Json]
    """Identity of the embedder."""
    roles: LLMRoles | None
    annotator: Annotator | CalibratedAnnotator | None
    ledger: Ledger | None


def run_study(
    prepared: Prepared, corpus: Corpus, sides: StudyRows, asked: Asked, *, progress: bool
) -> StudyRun:
    """Return the finished study: discover, fix, write to the ledger, confirm.

    Raises:
        InputError: Nothing is to be found, or to be tested.
    """
    settings = asked.settings
    sealed = SealedSplit(corpus, sides.split, sides.tune)
    discover, tune = sealed.discover, sealed.tune
    signal = _look_for_signal(discover, asked)
    columns = screening_columns(
        discover, kind=asked.plan.kind, control_length=settings.control_length
    )
    learned = learn_features(
        discover.embeddings,
        columns,
        settings=asked.learning,
        groups=discover.groups,
        seed=settings.seed,
        progress=progress,
    )
    candidates = generate_candidates(
        discover,
        learned.activations,
        n=settings.n,
        select=settings.select,
        kind=asked.plan.kind,
        control_length=settings.control_length,
        roles=asked.roles,
        annotator=asked.annotator,
        tune=tune,
        tune_activations=(
            None if tune is None else learned.encode(tune.embeddings, threads=settings.threads)
        ),
        stability=learned.stability,
        seed=settings.seed,
    )
    record = record_settings(
        settings,
        asked.learning,
        prepared,
        embedder=asked.embedder,
        positive=asked.positive,
        roles=asked.roles,
        annotator=asked.annotator,
        n_tune=0 if tune is None else len(tune),
    )
    sealed.fix(candidates.plan)
    confirm = sealed.open(candidates.plan)
    recorded = Recorded(0)
    if asked.ledger is not None:
        recorded = asked.ledger.record(describe_opening(confirm, candidates.plan, record))
    evaluation = evaluate_candidates(
        candidates,
        confirm,
        learned.encode(confirm.embeddings, threads=settings.threads),
        discover=discover,
        plan=asked.plan,
        annotator=candidates.annotator or (asked.roles.annotator if asked.roles else None),
        seed=settings.seed,
    )
    study = HypothesisStudy(
        hypotheses=evaluation.hypotheses,
        scores=evaluation.scores,
        rows=count_rows(prepared, len(discover), len(confirm)),
        target_name=asked.target_name,
        target_kind=asked.plan.kind,
        target_note=prepared.target.note,
        target_mean=float(confirm.target.mean()) if confirm.target.ndim == 1 else float("nan"),
        training=learned.report,
        settings=record,
        provenance=record_provenance(prepared, corpus.embeddings, candidates),
        tried=candidates.n_screened,
        tested=evaluation.n_tested,
        shown=len(evaluation.hypotheses),
        level=settings.level,
        correction=settings.correction,
        warnings=tell_warnings(
            prepared,
            settings,
            sae=learned.sae,
            candidates=candidates,
            evaluation=evaluation,
            signal=signal,
            recorded=recorded,
        ),
        classes=prepared.classes,
        model=evaluation.model,
        groups=evaluation.groups,
        ledger=list_attempts(learned, candidates, evaluation),
        n_earlier=recorded.n_earlier,
        signal=signal,
        detectable=evaluation.detectable,
        strata_name=prepared.strata_name,
    )
    origin = Origin.of(discover.embeddings, asked.learning.training, asked.embedder)
    return StudyRun(study, learned.sae, origin)


def _look_for_signal(discover: Corpus, asked: Asked) -> Signal:
    """Return whether the target is predicted at all; say so, or stop, where it is not."""
    signal = measure_signal(discover, kind=asked.plan.kind, seed=asked.settings.seed)
    if not signal.found:
        told = tell_no_signal(signal)
        if asked.settings.without_signal == "stop":
            raise InputError(f"{told} The study was to stop then (without_signal='stop').")
        warnings.warn(told, NoSignalWarning, stacklevel=4)
    return signal
