"""generate_hypotheses: neurons that predict a target, in words, each with its fidelity."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.hypotheses import Selection, select_features
from interp_embed.hypotheses.select import SelectionMethod
from interp_embed.interpret import Annotator
from interp_embed.llm import LLM, CostEstimate, add_estimates
from interp_embed.quickstart.autoencoder import AnySAE, Neurons
from interp_embed.quickstart.inputs import UsableTexts, collect_rows
from interp_embed.quickstart.labelling import (
    AnnotationOptions,
    Halves,
    Interpretations,
    Labeller,
    LabelOptions,
    Metric,
    check_count,
    check_metric,
    estimate_scoring,
    score_interpretations,
    split_halves,
)
from interp_embed.quickstart.models import Cache, Models
from interp_embed.records import Fidelity, Json
from interp_embed.stats import column_density

METHODS: Mapping[str, SelectionMethod] = {
    "separation_score": "separation",
    "correlation": "correlation",
    "lasso": "lasso",
}
"""HypotheSAEs' names of the ways to select neurons."""


def generate_hypotheses(  # noqa: PLR0913 - HypotheSAEs' arguments
    texts: Sequence[object],
    labels: Sequence[object],
    embeddings: ArrayLike,
    sae: AnySAE | Sequence[AnySAE],
    *,
    cache_name: str | None = None,
    classification: bool | None = None,
    selection_method: str = "separation_score",
    n_selected_neurons: int = 20,
    interpreter_model: str = "gpt-5.2",
    annotator_model: str = "gpt-5-mini",
    n_examples_for_interpretation: int = 20,
    max_words_per_example: int = 256,
    interpret_temperature: float = 0.7,
    max_interpretation_tokens: int | None = None,
    interpret_llm_kwargs: Mapping[str, Json] | None = None,
    annotation_llm_kwargs: Mapping[str, Json] | None = None,
    n_candidate_interpretations: int = 1,
    n_scoring_examples: int = 100,
    scoring_metric: str = "f1",
    n_workers_interpretation: int = 10,
    n_workers_annotation: int = 30,
    task_specific_instructions: str | None = None,
    cache_dir: str | Path | None = None,
    llm: LLM | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    max_cost: float | None = None,
    dry_run: bool = False,
    seed: int = 0,
) -> pd.DataFrame | CostEstimate:
    """Return the neurons that tell most about the labels, in words, most telling first.

    Half of the texts are shown to the interpreter; fidelity is measured on the other half, with
    equal and nearly equal texts on one side. A neuron whose interpretation fails has None in its
    row and the reason in ``note``; one missing verdict is left out of one fidelity.

    Args:
        texts: One a row; empty and missing ones are left out and counted.
        labels: One a row: numbers, or two classes in any spelling, such as ``"-1"`` and ``"1"``;
            rows without one are left out and counted.
        embeddings: One vector a row.
        sae: One SAE or a list of them; ``neuron_idx`` counts through all.
        cache_name: Name of the file that keeps the answers; None for the user's own.
        classification: Whether the labels are two classes; None: told from all of them.
        selection_method: ``separation_score``, ``correlation`` or ``lasso``.
        n_selected_neurons: Rows of the result; fewer where fewer neurons fire.
        interpreter_model: Name of the model; ``keywords`` needs none and labels by words.
        annotator_model: Name of the model that scores; ``keywords`` reads labels by words.
        n_examples_for_interpretation: Texts shown to the interpreter, half of them firing.
        max_words_per_example: Words of a text shown to either model.
        interpret_temperature: Of the interpreter.
        max_interpretation_tokens: Not needed, ignored.
        interpret_llm_kwargs: More parameters, such as ``{"reasoning_effort": "low"}``.
        annotation_llm_kwargs: The same for the annotator.
        n_candidate_interpretations: Interpretations a neuron, of which the best is kept.
        n_scoring_examples: Texts each interpretation is scored on, half of them firing; the
            scores are weighted back to the corpus. 0 for no scores.
        scoring_metric: What ranks candidates: ``f1``, ``precision`` or ``recall``.
        n_workers_interpretation: Most requests at once to the interpreter.
        n_workers_annotation: Most requests at once to the annotator.
        task_specific_instructions: Put into the interpreter's prompt.
        cache_dir: Folder of the files of answers; None for ``$INTERP_EMBED_CACHE`` or the user's.
        llm: A language model of one's own for both; names, server, cost and cache are then its.
        base_url: Server; None for ``OPENAI_BASE_URL`` or OpenAI.
        api_key: None for ``OPENAI_API_KEY`` or ``OPENAI_KEY_SAE``.
        max_cost: Dollars at most for the whole call; what is not asked any more is missing.
        dry_run: Print and return what it would take at most, and ask nothing.
        seed: Of the halves and of the examples.

    Returns:
        Columns ``neuron_idx``, ``source_sae``, ``source_neuron_idx``,
        ``target_{selection_method}``, ``interpretation``; where scored also
        ``interp_fidelity_score`` and ``{scoring_metric}_fidelity_score`` (the same) with 95 %
        interval, ``fidelity_precision``, ``fidelity_recall``, ``fidelity_n``,
        ``fidelity_missing``; and ``note``. Or the estimate of a dry run.

    Raises:
        InputError: Something cannot be used as given; the message says what.
        LLMError: The server cannot be used at all.
    """
    metric = check_metric(scoring_metric)
    check_count(n_scoring_examples, "n_scoring_examples", least=2, none=0)
    check_count(n_candidate_interpretations, "n_candidate_interpretations")
    given = collect_rows(texts, labels=labels, embeddings=embeddings, classification=classification)
    click.echo(f"Embeddings shape: {given.embeddings.shape}")
    neurons = Neurons.of(sae, given.embeddings)
    click.echo(f"Activations shape: {neurons.activations.shape}")
    _tell(given)
    selection = _select(given, neurons, selection_method, n_selected_neurons)
    halves = split_halves(given.texts, n_scoring=n_scoring_examples, seed=seed)
    work = _Work(given.texts, neurons.activations, selection.features.tolist(), halves)
    labelling = LabelOptions(
        model=interpreter_model,
        n_examples=n_examples_for_interpretation,
        max_words=max_words_per_example,
        temperature=interpret_temperature,
        max_tokens=max_interpretation_tokens,
        llm_kwargs=interpret_llm_kwargs,
        n_candidates=n_candidate_interpretations,
        instructions=task_specific_instructions,
        n_workers=n_workers_interpretation,
        seed=seed,
    )
    scoring = AnnotationOptions(
        model=annotator_model,
        max_words=max_words_per_example,
        n_workers=n_workers_annotation,
        llm_kwargs=annotation_llm_kwargs,
        seed=seed,
    )
    place = Cache(cache_name, cache_dir)
    with closing(Models(llm, base_url, api_key, max_cost, place, dry_run=dry_run)) as models:
        if dry_run:
            return _estimate(work, labelling, scoring, models, n_scoring_examples)
        found = _interpret(work, labelling, models)
        fidelities = _score(work, found, scoring, models, n_scoring_examples)
    best = {neuron: _best(neuron, found, fidelities, metric) for neuron in work.chosen}
    rows = []
    for neuron, score in zip(work.chosen, selection.scores.tolist(), strict=True):
        row = neurons.describe(neuron) | {f"target_{selection_method}": score}
        row["interpretation"] = best[neuron].text
        if n_scoring_examples:
            row |= _fidelity_columns(best[neuron].fidelity, metric)
        row["note"] = found.why_none(neuron) or halves.note or _why_unscored(row)
        rows.append(row)
    _tell_missing(rows)
    return pd.DataFrame(rows)


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """Texts, activations, the neurons that were selected, and who sees which text."""

    texts: tuple[str, ...]
    activations: csr_matrix
    chosen: list[int]
    halves: Halves

    @property
    def to_label(self) -> list[str]:
        return [self.texts[i] for i in self.halves.label]

    @property
    def to_score(self) -> list[str]:
        return [self.texts[i] for i in self.halves.score]


@dataclass(frozen=True, slots=True)
class _Best:
    """The interpretation of a neuron that was kept."""

    text: str | None
    fidelity: Fidelity | None


def _tell(given: UsableTexts) -> None:
    if told := given.told():
        click.echo(told)
    if given.understood is not None:
        click.echo(f"Labels understood as {given.understood.note}")


def _select(given: UsableTexts, neurons: Neurons, method: str, n: int) -> Selection:
    if method not in METHODS:
        raise InputError(
            f"selection_method must be one of {', '.join(METHODS)}, but got {method!r}"
        )
    n = check_count(n, "n_selected_neurons", most=neurons.n)
    density = column_density(neurons.activations)
    n_live = int(((density > 0) & (density < 1)).sum())
    click.echo(f"\nStep 1: Selecting top {min(n, n_live)} predictive neurons")
    if n_live < n:
        click.echo(f"{n} were asked for, but {n_live} fire on some of the texts and not on all")
    return select_features(
        neurons.activations,
        given.target,
        n=max(1, min(n, n_live)),
        method=METHODS[method],
    )


def _interpret(work: _Work, options: LabelOptions, models: Models) -> Interpretations:
    click.echo("\nStep 2: Interpreting selected neurons")
    labeller = Labeller(options, models)
    return labeller.label(work.to_label, work.activations[work.halves.label], work.chosen)


def _score(
    work: _Work, found: Interpretations, options: AnnotationOptions, models: Models, n: int
) -> Mapping[tuple[int, int], Fidelity]:
    if n == 0:
        return {}
    click.echo("\nStep 3: Scoring interpretations on texts the interpreter did not see")
    annotator = options.open(models, check=0)
    activations = work.activations[work.halves.score]
    return score_interpretations(
        annotator, work.to_score, activations, found, n=n, seed=options.seed
    )


def _estimate(
    work: _Work, labelling: LabelOptions, scoring: AnnotationOptions, models: Models, n: int
) -> CostEstimate:
    labeller = Labeller(labelling, models)
    activations = work.activations[work.halves.label]
    first = labeller.estimate(work.to_label, activations, work.chosen)
    click.echo(f"Dry run, interpreting: {first.summary()}")
    if n == 0:
        return first
    annotator: Annotator = scoring.open(models, check=0)
    second = estimate_scoring(
        annotator,
        work.to_score,
        work.activations[work.halves.score],
        work.chosen,
        n=n,
        n_candidates=labelling.n_candidates,
        seed=scoring.seed,
    )
    click.echo(f"Dry run, scoring, at most: {second.summary()}")
    total = add_estimates([first, second])
    click.echo(f"Dry run, together, at most: {total.summary()}")
    return total


def _best(
    neuron: int,
    found: Interpretations,
    fidelities: Mapping[tuple[int, int], Fidelity],
    metric: Metric,
) -> _Best:
    """Return the candidate with the highest score; the first, where none has one."""
    texts = found.texts(neuron)
    if not texts:
        return _Best(None, None)
    scored = [fidelities.get((neuron, place)) for place in range(len(texts))]
    values = [-np.inf if one is None else getattr(one, metric) for one in scored]
    place = int(np.argmax(np.nan_to_num(values, nan=-np.inf)))
    return _Best(texts[place], scored[place])


def _fidelity_columns(fidelity: Fidelity | None, metric: Metric) -> dict[str, object]:
    score = np.nan if fidelity is None else getattr(fidelity, metric)
    return {
        "interp_fidelity_score": score,
        f"{metric}_fidelity_score": score,
        "fidelity_ci_low": getattr(fidelity, f"{metric}_low", np.nan),
        "fidelity_ci_high": getattr(fidelity, f"{metric}_high", np.nan),
        "fidelity_precision": np.nan if fidelity is None else fidelity.precision,
        "fidelity_recall": np.nan if fidelity is None else fidelity.recall,
        "fidelity_n": 0 if fidelity is None else fidelity.n,
        "fidelity_missing": 0 if fidelity is None else fidelity.n_missing,
    }


def _why_unscored(row: Mapping[str, object]) -> str:
    """Return why an interpretation has no fidelity; empty if it has one, or none was wanted."""
    score = row.get("interp_fidelity_score", 0.0)
    if not (isinstance(score, float) and np.isnan(score)):
        return ""
    if row["fidelity_missing"]:
        return f"no fidelity: {row['fidelity_missing']} verdicts are missing"
    return "no fidelity: too few of the texts kept for it fire"


def _tell_missing(rows: Sequence[Mapping[str, object]]) -> None:
    reasons = Counter(row["note"] for row in rows if row["interpretation"] is None)
    for reason, count in reasons.most_common():
        click.echo(f"{count} of {len(rows)} neurons have no interpretation: {reason}")
