"""From documents and a target to tested hypotheses, in the order that keeps it honest.

prepare (drop unusable rows, understand the target) -> split (authors and duplicates kept whole) ->
embed -> look for a signal -> learn features on discover -> screen, label, choose -> fix -> write to
the ledger -> open confirm -> test.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from interp_embed.embedders import Embedder
from interp_embed.embedders.documents import Cache
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
from interp_embed.hypotheses.class_targets import TargetValues
from interp_embed.hypotheses.corpus import Corpus, SealedSplit
from interp_embed.hypotheses.covariates import Covariates
from interp_embed.hypotheses.evaluate import evaluate_candidates
from interp_embed.hypotheses.features import FeatureSettings, learn_features
from interp_embed.hypotheses.generate import CalibratedAnnotator, generate_candidates
from interp_embed.hypotheses.ledger import Ledger, LedgerLike, Recorded
from interp_embed.hypotheses.plan import EvaluationPlan
from interp_embed.hypotheses.prepare import Given, Prepared, prepare_rows
from interp_embed.hypotheses.screening import screening_columns
from interp_embed.hypotheses.settings import StudySettings
from interp_embed.hypotheses.sides import StudyRows, split_study
from interp_embed.hypotheses.signal import measure_signal
from interp_embed.hypotheses.targets import AskedKind
from interp_embed.hypotheses.vectors import embed_rows, take_rows
from interp_embed.interpret import Annotator, LLMLike, LLMRoles, as_roles
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
class _Asked:
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


def find_hypotheses(  # noqa: PLR0913 - all that can be known of the rows, by keyword
    documents: Sequence[object],
    target: TargetValues,
    *,
    groups: Sequence[object] | None = None,
    second: Sequence[object] | None = None,
    covariates: Covariates | None = None,
    strata: Sequence[object] | None = None,
    strata_name: str = "stratum",
    embedder: Embedder | str = "all-MiniLM-L6-v2",
    embeddings: ArrayLike | None = None,
    settings: StudySettings | None = None,
    target_name: str = "target",
    target_kind: AskedKind = "auto",
    positive: str | None = None,
    order: Sequence[object] | None = None,
    llm: LLMLike | None = None,
    annotator: Annotator | CalibratedAnnotator | None = None,
    ledger: LedgerLike = "default",
    cache: Cache = "default",
    progress: bool = True,
) -> StudyRun:
    """Return named concepts associated with the target, tested on documents nothing else has read.

    Rows whose text, target, group, covariate or stratum is unusable are left out, counted and
    listed with the reason.

    Args:
        documents: One text a row; None, NaN, other types and blank texts are left out.
        target: One value a row: numbers, classes in any spelling, or lists of labels
            (``understand_target``); of pairs, which text is preferred.
        groups: One label a row, such as the author: a group is never on two sides.
        second: The other text of each row's pair: what tells the preferred text from the other is
            looked for.
        covariates: Columns to hold fixed beside the concepts, by name; words become 0/1 columns.
            Of pairs, numbers: the first text's less the second's.
        strata: One label a row, such as the site: effects inside strata and between them are
            looked for and tested too.
        strata_name: What the strata are called in the report.
        embedder: An embedder or its name; it is not used where ``embeddings`` are given.
        embeddings: One vector a row, shape (n_rows, d_in), made elsewhere; of pairs two,
            (n_rows, 2, d_in).
        settings: Size, sparsity, split, model, level and seed.
        target_name: What the target is called in the report.
        target_kind: Of the target, if it should not be told from the values.
        positive: The class to explain against all others; of pairs the value that means the first.
        order: The values of an ordinal target in words, the lowest first.
        llm: A language model or its name, or two for labelling and annotating; None: labels are
            contrasting words, and a rule reads them.
        annotator: Reads the labels in place of that model or rule.
        ledger: File that counts what was tested on which documents, ``default`` or None.
        cache: Folder of the embedding cache, ``default`` or None (``embed_documents``).
        progress: Show progress bars on the standard error stream.

    Raises:
        InputError: The input cannot bear a study; the message says why and what to do.
    """
    settings = settings or StudySettings()
    roles = as_roles(llm)
    prepared = prepare_rows(
        Given(
            documents=documents,
            target=target,
            second=second,
            groups=groups,
            covariates=covariates,
            strata=strata,
            strata_name=strata_name,
            target_name=target_name,
            target_kind=target_kind,
            positive=positive,
            order=order,
        )
    )
    plan = _plan(prepared, settings)
    sides = split_study(prepared, settings)
    discover = sides.split.discover
    learning = settings.learning(n_documents=len(discover))
    learning.training.schedule(n_documents=len(discover))  # refuses more features than documents
    if embeddings is None:
        made = embed_rows(prepared, embedder, discover=discover, cache=cache, progress=progress)
    else:
        made = take_rows(embeddings, prepared)
    asked = _Asked(
        settings=settings,
        plan=plan,
        target_name=target_name,
        positive=positive,
        learning=learning,
        embedder=made.identity,
        roles=roles,
        annotator=annotator,
        ledger=Ledger.open(ledger),
    )
    # One BLAS thread more than asked, and a busy machine spends its time waiting for it.
    with threadpool_limits(settings.threads):
        return _run(prepared, prepared.corpus(made.values), sides, asked, progress=progress)


def _run(
    prepared: Prepared, corpus: Corpus, sides: StudyRows, asked: _Asked, *, progress: bool
) -> StudyRun:
    """Discover, fix, confirm."""
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


def _plan(prepared: Prepared, settings: StudySettings) -> EvaluationPlan:
    return EvaluationPlan(
        kind=prepared.target.kind,
        classes=prepared.classes,
        level=settings.level,
        correction=settings.correction,
        clustered=prepared.grouped,
        model=settings.model,
        covariates=prepared.covariates.names,
        strata=prepared.strata_names,
        control_length=settings.control_length,
    )


def _look_for_signal(discover: Corpus, asked: _Asked) -> Signal:
    """Return whether the target is predicted at all; say so, or stop, where it is not."""
    signal = measure_signal(discover, kind=asked.plan.kind, seed=asked.settings.seed)
    if not signal.found:
        told = tell_no_signal(signal)
        if asked.settings.without_signal == "stop":
            raise InputError(f"{told} The study was to stop then (without_signal='stop').")
        warnings.warn(told, NoSignalWarning, stacklevel=4)
    return signal
