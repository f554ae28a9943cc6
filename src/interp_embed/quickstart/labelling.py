"""Interpretations of neurons, by a language model or by words, and how faithful they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.interpret import (
    Annotator,
    KeywordAnnotator,
    KeywordLabeller,
    LLMAnnotator,
    LLMLabeller,
    choose_scoring_documents,
    score_labels,
)
from interp_embed.llm import CostEstimate
from interp_embed.quickstart.models import KEYWORDS, CallOptions, Models
from interp_embed.records import Fidelity, Json, Label
from interp_embed.stats import near_duplicate_groups, split_rows

Metric = Literal["f1", "precision", "recall"]


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """How neurons are interpreted."""

    model: str
    n_examples: int
    max_words: int
    temperature: float
    max_tokens: int | None
    llm_kwargs: Mapping[str, Json] | None
    n_candidates: int
    instructions: str | None
    n_workers: int
    seed: int


@dataclass(frozen=True, slots=True)
class Interpretations:
    """Candidate interpretations of each neuron, and why some have none."""

    candidates: Mapping[int, tuple[Label, ...]]
    failures: Mapping[int, str]

    def texts(self, neuron: int) -> list[str]:
        """Return the candidates of a neuron in words."""
        return [label.text for label in self.candidates.get(neuron, ())]

    def why_none(self, neuron: int) -> str:
        """Return why a neuron has no interpretation; empty if it has one."""
        if self.candidates.get(neuron):
            return ""
        return self.failures.get(neuron, "no answer could be read as an interpretation")


class Labeller:
    """Interprets neurons from texts and activations."""

    def __init__(self, options: LabelOptions, models: Models) -> None:
        """Open the model.

        Raises:
            InputError: A setting is out of range, or the model cannot be opened.
        """
        self._options = options
        self._labeller = None if options.model == KEYWORDS else _open_labeller(options, models)

    def label(
        self, texts: Sequence[str], activations: csr_matrix, neurons: Sequence[int]
    ) -> Interpretations:
        """Return the interpretations of some neurons; one that fails is missing, with the reason.

        Args:
            texts: Shown as examples, n_texts.
            activations: Of these texts, shape (n_texts, n_neurons).
            neurons: Indices.
        """
        if self._labeller is None:
            return _label_by_words(texts, activations, neurons)
        live = _firing(activations, neurons)
        failures = dict.fromkeys(sorted(set(neurons) - set(live)), "fires on no text shown")
        if not live:
            return Interpretations({}, failures)
        proposals = self._labeller.label(texts, activations, live)
        return Interpretations(proposals.candidates, failures | dict(proposals.failures))

    def estimate(
        self, texts: Sequence[str], activations: csr_matrix, neurons: Sequence[int]
    ) -> CostEstimate:
        """Return what ``label`` will take; nothing is sent."""
        live = _firing(activations, neurons)
        if self._labeller is None or not live:
            return NOTHING
        return self._labeller.estimate(texts, activations, live)


NOTHING = CostEstimate(0, 0, 0, 0, 0.0, "", 0.0, "")
"""What no call takes."""


def _open_labeller(options: LabelOptions, models: Models) -> LLMLabeller:
    kwargs = dict(options.llm_kwargs or {})
    if options.max_tokens is not None:
        kwargs.setdefault("max_tokens", options.max_tokens)
    call = CallOptions.read(kwargs, name="interpret_llm_kwargs")
    llm = models.open(options.model, n_workers=options.n_workers, timeout_s=call.timeout_s)
    temperature = options.temperature if call.temperature is None else call.temperature
    return LLMLabeller(
        llm,
        n_examples=options.n_examples,
        n_candidates=options.n_candidates,
        temperature=temperature,
        instructions=options.instructions or "",
        max_words=options.max_words,
        seed=options.seed,
        parameters=call.parameters,
    )


def _firing(activations: csr_matrix, neurons: Sequence[int]) -> list[int]:
    counts = np.bincount(activations.indices, minlength=activations.shape[1])
    return [neuron for neuron in neurons if counts[neuron]]


def _label_by_words(
    texts: Sequence[str], activations: csr_matrix, neurons: Sequence[int]
) -> Interpretations:
    try:
        labeller = KeywordLabeller(texts)
    except InputError as error:
        return Interpretations({}, dict.fromkeys(neurons, str(error)))
    found = {neuron: labeller.label(activations, neuron) for neuron in neurons}
    return Interpretations(
        {neuron: (label,) for neuron, label in found.items() if label is not None},
        {n: "no word tells it apart" for n, label in found.items() if label is None},
    )


@dataclass(frozen=True, slots=True)
class AnnotationOptions:
    """How an annotator is asked."""

    model: str
    max_words: int
    n_workers: int
    llm_kwargs: Mapping[str, Json] | None
    seed: int

    def open(self, models: Models, *, check: int) -> Annotator:
        """Return the annotator.

        Args:
            models: Opens the language model.
            check: Verdicts that are asked once more, one at a time, to see whether asking many
                concepts at once changes them.

        Raises:
            InputError: A setting is out of range, or the model cannot be opened.
        """
        if self.model == KEYWORDS:
            return KeywordAnnotator()
        call = CallOptions.read(self.llm_kwargs, name="annotation_llm_kwargs")
        parameters = dict(call.parameters)
        if call.temperature is not None:
            parameters["temperature"] = call.temperature
        return LLMAnnotator(
            models.open(self.model, n_workers=self.n_workers, timeout_s=call.timeout_s),
            max_words=self.max_words,
            check=check,
            seed=self.seed,
            parameters=parameters,
        )


@dataclass(frozen=True, slots=True)
class Halves:
    """Texts that interpretations are made from, and others to score them on."""

    label: NDArray[np.int64]
    """Positions, ascending."""
    score: NDArray[np.int64]
    """Positions, ascending; empty where nothing is scored."""
    note: str = ""
    """Why nothing can be scored; empty if it can, or was not asked."""


def split_halves(texts: Sequence[str], *, n_scoring: int, seed: int) -> Halves:
    """Return texts to label from and texts to score on; equal and nearly equal ones stay together.

    Source: detection scoring. HypotheSAEs scores on texts the interpreter has seen.
    """
    everything, none = np.arange(len(texts)), np.arange(0)
    if n_scoring == 0:
        return Halves(everything, none)
    try:
        rows = split_rows(near_duplicate_groups(texts), confirm_share=0.5, seed=seed)
    except InputError as error:
        return Halves(everything, none, f"no fidelity: {error}")
    return Halves(rows.discover, rows.confirm)


def score_interpretations(
    annotator: Annotator,
    texts: Sequence[str],
    activations: csr_matrix,
    found: Interpretations,
    *,
    n: int,
    seed: int,
) -> Mapping[tuple[int, int], Fidelity]:
    """Return the fidelity of each candidate, by (neuron, place among its candidates)."""
    if not found.candidates or not texts:
        return {}
    return score_labels(annotator, texts, activations, found.candidates, n=n, seed=seed)


def estimate_scoring(
    annotator: Annotator,
    texts: Sequence[str],
    activations: csr_matrix,
    neurons: Sequence[int],
    *,
    n: int,
    n_candidates: int,
    seed: int,
) -> CostEstimate:
    """Return the most that scoring will take: every candidate is there and no two are the same."""
    if not isinstance(annotator, LLMAnnotator) or not texts:
        return NOTHING
    only = np.zeros((len(texts), len(neurons) * n_candidates), np.bool_)
    for place, neuron in enumerate(neurons):
        column = activations[:, [neuron]].toarray().ravel()
        drawn = choose_scoring_documents(column, n=n, seed=seed).positions
        only[drawn, place * n_candidates : (place + 1) * n_candidates] = True
    # What the labels will say is not known; about so many words they will have.
    concepts = [
        f"mentions a specific topic of this data set, number {i}" for i in range(only.shape[1])
    ]
    return annotator.estimate(texts, concepts, only=only)


def check_metric(metric: str) -> Metric:
    """Return the metric that ranks candidates.

    Raises:
        InputError: It is unknown.
    """
    if metric not in get_args(Metric):
        raise InputError(
            f"scoring_metric must be one of {', '.join(get_args(Metric))}, but got {metric!r}"
        )
    return cast("Metric", metric)


def check_count(
    n: object, name: str, *, least: int = 1, most: int | None = None, none: int | None = None
) -> int:
    """Return a number that is whole and within bounds; checked before anything is asked.

    Raises:
        InputError: It is not; ``none`` stands for none of it and is right.
    """
    whole = isinstance(n, int | np.integer) and not isinstance(n, bool)
    number = int(n) if isinstance(n, int | np.integer) else 0
    if whole and (number == none or least <= number <= (number if most is None else most)):
        return number
    bounds = f"at least {least}" if most is None else f"{least} to {most}"
    told = "" if none is None else f", or {none} for none"
    raise InputError(f"{name} must be a whole number, {bounds}{told}, but got {n!r}")
