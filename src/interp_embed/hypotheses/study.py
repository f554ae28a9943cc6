"""A study, from what the user has to tested hypotheses.

prepare (drop unusable rows, understand the target) -> split (authors and duplicates kept whole) ->
embed -> the steps that keep it honest (``steps.py``).
"""

from collections.abc import Sequence

from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from interp_embed.embedders import Embedder
from interp_embed.embedders.documents import Cache
from interp_embed.hypotheses.class_targets import TargetValues
from interp_embed.hypotheses.covariates import Covariates
from interp_embed.hypotheses.generate import CalibratedAnnotator
from interp_embed.hypotheses.ledger import Ledger, LedgerLike
from interp_embed.hypotheses.plan import EvaluationPlan
from interp_embed.hypotheses.prepare import Given, Prepared, prepare_rows
from interp_embed.hypotheses.settings import StudySettings
from interp_embed.hypotheses.sides import split_study
from interp_embed.hypotheses.steps import Asked, StudyRun, run_study
from interp_embed.hypotheses.targets import AskedKind
from interp_embed.hypotheses.vectors import embed_rows, take_rows
from interp_embed.interpret import Annotator, LLMLike, as_roles


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
    plan = _plan_evaluation(prepared, settings)
    sides = split_study(prepared, settings)
    discover = sides.split.discover
    learning = settings.learning(n_documents=len(discover))
    learning.training.schedule(n_documents=len(discover))  # refuses more features than documents
    if embeddings is None:
        made = embed_rows(prepared, embedder, discover=discover, cache=cache, progress=progress)
    else:
        made = take_rows(embeddings, prepared)
    asked = Asked(
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
        return run_study(prepared, prepared.corpus(made.values), sides, asked, progress=progress)


def _plan_evaluation(prepared: Prepared, settings: StudySettings) -> EvaluationPlan:
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
