"""evaluate_hypotheses: do the words alone predict the target, on texts that were not searched."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pandas as pd

from interp_embed.errors import InputError
from interp_embed.interpret import LLMAnnotator
from interp_embed.llm import LLM, CostEstimate
from interp_embed.quickstart.inputs import collect_rows
from interp_embed.quickstart.labelling import NOTHING, AnnotationOptions
from interp_embed.quickstart.models import Cache, Models
from interp_embed.quickstart.scores import Scored, score_concepts, score_together
from interp_embed.records import Annotations, Json
from interp_embed.stats import near_duplicate_groups
from interp_embed.tables import is_missing

_MOST_CHECKED, _CHECKED_SHARE = 200, 0.1
"""Verdicts asked once more, one at a time, to see whether asking many at once changes them: so
many, and at most this share of the calls."""
_CONCEPTS_PER_CALL = 10
_CARRIED = ("neuron_idx", "source_sae")
"""Columns of the hypotheses that are handed on."""


def evaluate_hypotheses(  # noqa: PLR0913 - HypotheSAEs' arguments
    hypotheses_df: pd.DataFrame,
    texts: Sequence[object],
    labels: Sequence[object],
    *,
    cache_name: str | None = None,
    annotator_model: str = "gpt-5-mini",
    max_words_per_example: int = 256,
    classification: bool | None = None,
    n_workers_annotation: int = 30,
    corrected_pval_threshold: float = 0.1,
    annotation_llm_kwargs: Mapping[str, Json] | None = None,
    cache_dir: str | Path | None = None,
    llm: LLM | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    max_cost: float | None = None,
    dry_run: bool = False,
    seed: int = 0,
) -> tuple[dict[str, Json], pd.DataFrame] | CostEstimate:
    """Return how well hypotheses predict the labels of held-out texts, together and each.

    An annotator is asked for each text and hypothesis whether the text has it. Give texts that
    took no part in ``generate_hypotheses``: on others the numbers flatter.

    Args:
        hypotheses_df: From ``generate_hypotheses``, or any table with a column
            ``interpretation``. Missing ones are kept as rows with a ``note``; equal ones are
            asked and tested once.
        texts: One a row; empty and missing ones are left out and counted.
        labels: One a row; rows without one are left out and counted.
        cache_name: Name of the file that keeps the answers; None for the user's own.
        annotator_model: Name of the model; ``keywords`` reads labels made by words.
        max_words_per_example: Words of a text shown to it.
        classification: Whether the labels are two classes; None: told from all of them.
        n_workers_annotation: Most requests at once.
        corrected_pval_threshold: Level of the Bonferroni correction, in (0, 1).
        annotation_llm_kwargs: More parameters, such as ``{"reasoning_effort": "low"}``.
        cache_dir: Folder of the files of answers; None for ``$INTERP_EMBED_CACHE`` or the user's.
        llm: A language model of one's own; model name, server, cost and cache are then its.
        base_url: Server; None for ``OPENAI_BASE_URL`` or OpenAI.
        api_key: None for ``OPENAI_API_KEY`` or ``OPENAI_KEY_SAE``.
        max_cost: Dollars at most; what is not asked any more is missing.
        dry_run: Print and return what it would take, and ask nothing.
        seed: Of the folds.

    Returns:
        Metrics, and a table of the hypotheses by falling ``separation_score``; or the estimate of
        a dry run. Metrics: ``r2``, for two classes also ``auroc`` and ``auprc``, out of sample by
        five-fold cross-fitting, each beside its ``_in_sample`` value; ``Significant``: how many
        coefficients have p below the threshold, how many were tested, the threshold; ``n``,
        ``n_left_out``, ``n_missing_answers``, ``n_groups``; ``agreement``: whether the annotator
        says the same when asked one by one (None where that was not checked). Columns:
        ``hypothesis``, ``separation_score`` with ``separation_pvalue`` (also ``separation_pval``)
        and 95 % interval (Welch); ``regression_coef`` with ``regression_pval`` and interval; ``q``
        (Benjamini-Hochberg); ``significant``; ``feature_prevalence``; ``n``; ``missing``;
        ``note``. For two classes all effects are differences in probability.

    Raises:
        InputError: Something cannot be used as given; the message says what.
        LLMError: The server cannot be used at all.
    """
    concepts = _concepts(hypotheses_df)
    if not 0 < corrected_pval_threshold < 1:
        raise InputError(
            "corrected_pval_threshold must lie between 0 and 1, but got "
            f"{corrected_pval_threshold!r}"
        )
    given = collect_rows(texts, labels=labels, classification=classification)
    options = AnnotationOptions(
        model=annotator_model,
        max_words=max_words_per_example,
        n_workers=n_workers_annotation,
        llm_kwargs=annotation_llm_kwargs,
        seed=seed,
    )
    distinct = list(dict.fromkeys(text for text in concepts if text is not None))
    if told := given.told():
        click.echo(told)
    if given.understood is not None:
        click.echo(f"Labels understood as {given.understood.note}")
    place = Cache(cache_name, cache_dir)
    with closing(Models(llm, base_url, api_key, max_cost, place, dry_run=dry_run)) as models:
        if dry_run:
            return _estimate(given.texts, distinct, options, models)
        annotations = _annotate(given.texts, distinct, options, models)
    click.echo("Step 2: Computing predictiveness of hypothesis annotations")
    groups = near_duplicate_groups(given.texts)
    scored = score_concepts(
        annotations.verdicts, given.target, groups, threshold=corrected_pval_threshold
    )
    metrics = score_together(
        annotations.verdicts, given.target, groups, is_binary=given.is_binary, seed=seed
    )
    metrics["Significant"] = (scored.n_significant, scored.n_tested, scored.threshold)
    metrics |= {
        "n": len(given.texts),
        "n_left_out": len(given.dropped),
        "n_missing_answers": int(np.isnan(annotations.verdicts).sum()),
        "n_groups": int(groups.max()) + 1,
        "agreement": annotations.agreement,
    }
    return metrics, _frame(hypotheses_df, concepts, distinct, scored)


def _concepts(hypotheses: pd.DataFrame) -> list[str | None]:
    """Return the hypotheses in words, None where one is missing."""
    table: object = hypotheses  # a notebook may hand over anything
    if not isinstance(table, pd.DataFrame) or "interpretation" not in hypotheses.columns:
        raise InputError(
            "hypotheses_df must be a table with a column 'interpretation', such as "
            "generate_hypotheses returns; make one with "
            "pd.DataFrame({'interpretation': ['mentions the sea']})"
        )
    out: list[str | None] = []
    for value in hypotheses["interpretation"].tolist():
        text = value.strip() if isinstance(value, str) else ""
        out.append(text or None)
        if not isinstance(value, str) and not is_missing(value):
            raise InputError(
                f"a hypothesis must be a string, but got {value!r}; with several candidates a "
                "neuron choose one"
            )
    if not any(out):
        raise InputError(f"none of {len(out)} hypotheses has an interpretation to test")
    return out


def _annotate(
    texts: tuple[str, ...], concepts: list[str], options: AnnotationOptions, models: Models
) -> Annotations:
    click.echo(f"Step 1: Annotating texts with {len(concepts)} hypotheses")
    distinct = list(dict.fromkeys(texts))
    annotator = options.open(models, check=_n_checked(len(distinct), len(concepts)))
    found = annotator.annotate(distinct, concepts)
    place = {text: row for row, text in enumerate(distinct)}
    rows = [place[text] for text in texts]
    missing = int(np.isnan(found.verdicts[rows]).sum())
    if missing:
        click.echo(f"{missing} of {len(texts) * len(concepts)} verdicts are missing, not counted")
    return replace(found, verdicts=found.verdicts[rows], reasons={})


def _n_checked(n_texts: int, n_concepts: int) -> int:
    n_calls = n_texts * -(-n_concepts // _CONCEPTS_PER_CALL)
    return min(_MOST_CHECKED, int(_CHECKED_SHARE * n_calls))


def _estimate(
    texts: tuple[str, ...], concepts: list[str], options: AnnotationOptions, models: Models
) -> CostEstimate:
    distinct = list(dict.fromkeys(texts))
    annotator = options.open(models, check=_n_checked(len(distinct), len(concepts)))
    estimate = NOTHING
    if isinstance(annotator, LLMAnnotator):
        estimate = annotator.estimate(distinct, concepts)
    click.echo(f"Dry run: {estimate.summary()}")
    return estimate


def _frame(
    hypotheses: pd.DataFrame, concepts: list[str | None], distinct: list[str], scored: Scored
) -> pd.DataFrame:
    """Return one row for each hypothesis given, under the index it came with."""
    place = {text: column for column, text in enumerate(distinct)}
    seen: set[str] = set()
    rows = []
    for text in concepts:
        row: dict[str, object] = {"hypothesis": text}
        if text is None:
            row |= scored.empty_row("no interpretation to test")
        else:
            row |= scored.row(place[text])
            if text in seen:
                row["note"] = "the same words as an earlier row, tested once"
            seen.add(text)
        rows.append(row)
    frame = pd.DataFrame(rows, index=hypotheses.index)
    for name in _CARRIED:
        if name in hypotheses.columns:
            frame[name] = hypotheses[name]
    return frame.sort_values("separation_score", ascending=False, kind="stable")
