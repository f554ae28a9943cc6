"""Labels from a language model that is shown where a feature fires and where it is silent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError, Interrupted
from interp_embed.interpret.label_inquiry import LabelForm, LabelInquiry, ProposedLabel
from interp_embed.interpret.prompts import Prompt
from interp_embed.interpret.sampling import (
    LabelSample,
    Sampling,
    choose_label_documents,
    take_columns,
)
from interp_embed.interpret.shown_text import as_texts, cut_marked_text, cut_text
from interp_embed.interpret.steps import Step, Steps, run_steps, run_steps_async
from interp_embed.llm.protocol import LLM
from interp_embed.llm.records import CostEstimate, Plan
from interp_embed.records import Json, Label

Marks = Callable[[Sequence[int], int], Sequence[str]]
"""Takes positions of documents and a feature; returns their texts with ``<<`` and ``>>`` around the
tokens on which it fires."""

_NEVER = "the feature fires on none of the documents"
_NOT_ASKED = "it was not asked: the run was stopped before"


@dataclass(frozen=True, slots=True)
class LabelProposals:
    """Labels a model proposes."""

    candidates: Mapping[int, tuple[Label, ...]]
    """By feature, in the order of their draws, no text twice; at least one each."""
    failures: Mapping[int, str]
    """Why a feature has none."""


@dataclass(frozen=True, slots=True)
class _Request:
    """What is wanted for features."""

    features: tuple[int, ...]
    n_candidates: int
    prompt: Prompt
    marks: Marks | None = None
    present: Mapping[int, str] = field(default_factory=dict)
    """Labels to improve, by feature."""
    false_positives: Mapping[int, Sequence[int]] = field(default_factory=dict)
    false_negatives: Mapping[int, Sequence[int]] = field(default_factory=dict)


class LLMLabeller:
    """Asks a language model what the documents of a feature have that others lack."""

    def __init__(
        self,
        llm: LLM,
        *,
        prompt: str | Path = "label",
        n_examples: int = 20,
        sampling: Sampling = "top",
        n_candidates: int = 1,
        temperature: float | None = 0.7,
        instructions: str = "",
        max_words: int | None = 256,
        seed: int = 0,
        parameters: Mapping[str, Json] | None = None,
        refine_prompt: str | Path = "refine",
    ) -> None:
        """Choose how to ask.

        Args:
            llm: The model.
            prompt: ``label``, or a file like it.
            n_examples: Documents shown, half of them positive; fewer where there are fewer.
            sampling: Positive ones are the strongest (``top``), spread from the weakest to the
                strongest (``deciles``), or any (``random``).
            n_candidates: Labels proposed for a feature, each from documents drawn anew.
            temperature: None for the server's own.
            instructions: Added to the prompt, such as what the labels are for.
            max_words: Longer documents are cut, with a mark that says so; None to show all.
            seed: Of the draw of documents; candidate i takes seed + i.
            parameters: More of the server's parameters.
            refine_prompt: ``refine``, or a file like it.

        Raises:
            InputError: A number is out of range, or a prompt cannot be used.
        """
        for name, value, least in (
            ("n_examples", n_examples, 2),
            ("n_candidates", n_candidates, 1),
            ("max_words", 1 if max_words is None else max_words, 1),
            ("seed", seed, 0),
        ):
            if value < least:
                raise InputError(f"{name} must be at least {least}, but is {value}")
        if sampling not in get_args(Sampling):
            raise InputError(
                f"sampling must be one of {', '.join(get_args(Sampling))}, but is {sampling!r}"
            )
        self.llm = llm
        self._prompt = Prompt.load(prompt, purpose="label")
        self._refine_prompt = Prompt.load(refine_prompt, purpose="refine")
        for used in (self._prompt, self._refine_prompt):
            if instructions and not used.has("instructions"):
                raise InputError(
                    f"the prompt {used.source} has no placeholder {{instructions}}, so that the "
                    "instructions given would not reach the model; add it"
                )
        self._n_examples = n_examples
        self._sampling: Sampling = sampling
        self.n_candidates = n_candidates
        self._temperature = temperature
        self._instructions = instructions
        self._max_words = max_words
        self._seed = seed
        self._parameters = dict(parameters or {})

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything that changes a label, beside the documents."""
        return {
            "model": dict(self.llm.identity),
            "prompt": self._prompt.kind,
            "n_examples": self._n_examples,
            "sampling": self._sampling,
            "n_candidates": self.n_candidates,
            "temperature": self._temperature,
            "instructions": self._instructions,
            "max_words": self._max_words,
            "seed": self._seed,
            "parameters": self._parameters,
        }

    def label(
        self,
        documents: Sequence[str],
        activations: csr_matrix,
        features: Sequence[int],
        *,
        marks: Marks | None = None,
    ) -> LabelProposals:
        """Return labels proposed for features.

        Args:
            documents: Texts to label from, n_documents; labels must be tested on others.
            activations: Of the documents, shape (n_documents, n_features), values >= 0.
            features: Indices.
            marks: Gives texts with the tokens marked on which a feature fires.

        Raises:
            InputError: The shapes do not fit, or a feature is out of range.
            LLMError: The server cannot be used; what was answered before is stored.
            Interrupted: Ctrl-C; ``partial`` holds the labels so far.
        """
        wanted = self._wanted(features, marks)
        return run_steps(self.llm, self._steps(documents, activations, wanted))

    async def label_async(
        self,
        documents: Sequence[str],
        activations: csr_matrix,
        features: Sequence[int],
        *,
        marks: Marks | None = None,
    ) -> LabelProposals:
        """Do the same from a running event loop, such as a notebook's."""
        wanted = self._wanted(features, marks)
        return await run_steps_async(self.llm, self._steps(documents, activations, wanted))

    def estimate(
        self,
        documents: Sequence[str],
        activations: csr_matrix,
        features: Sequence[int],
        *,
        marks: Marks | None = None,
    ) -> CostEstimate:
        """Return what labelling will take; nothing is sent."""
        inquiries = self._inquiries(documents, activations, self._wanted(features, marks))
        requests = tuple(inquiry.first_request() for inquiry in inquiries)
        return self.llm.estimate(Plan("Labelling", requests))

    def refine(
        self,
        documents: Sequence[str],
        activations: csr_matrix,
        labels: Mapping[int, str],
        *,
        marks: Marks | None = None,
        false_positives: Mapping[int, Sequence[int]] | None = None,
        false_negatives: Mapping[int, Sequence[int]] | None = None,
    ) -> LabelProposals:
        """Return better labels, from other documents than the first ones were made from.

        With ``sampling="top"`` the documents that come next in strength are shown, if there are
        enough. A label that is right may come back as it is.

        Args:
            documents: As for ``label``.
            activations: As for ``label``.
            labels: The present ones, by feature.
            marks: As for ``label``.
            false_positives: By feature, positions of documents in which it is silent although its
                label holds; shown before all others.
            false_negatives: By feature, positions of documents in which it fires although its
                label does not hold.

        Raises:
            InputError: As for ``label``; or a position given is not of the kind it is given for.
            LLMError: The server cannot be used; what was answered before is stored.
            Interrupted: Ctrl-C; ``partial`` holds the labels so far.
        """
        wanted = self._to_refine(labels, marks, false_positives, false_negatives)
        return run_steps(self.llm, self._steps(documents, activations, wanted))

    async def refine_async(
        self,
        documents: Sequence[str],
        activations: csr_matrix,
        labels: Mapping[int, str],
        *,
        marks: Marks | None = None,
        false_positives: Mapping[int, Sequence[int]] | None = None,
        false_negatives: Mapping[int, Sequence[int]] | None = None,
    ) -> LabelProposals:
        """Do the same from a running event loop, such as a notebook's."""
        wanted = self._to_refine(labels, marks, false_positives, false_negatives)
        return await run_steps_async(self.llm, self._steps(documents, activations, wanted))

    def _wanted(self, features: Sequence[int], marks: Marks | None) -> _Request:
        chosen = tuple(dict.fromkeys(int(feature) for feature in features))
        return _Request(chosen, self.n_candidates, self._prompt, marks)

    def _to_refine(
        self,
        labels: Mapping[int, str],
        marks: Marks | None,
        false_positives: Mapping[int, Sequence[int]] | None,
        false_negatives: Mapping[int, Sequence[int]] | None,
    ) -> _Request:
        return _Request(
            tuple(int(feature) for feature in labels),
            self.n_candidates,
            self._refine_prompt,
            marks,
            present=dict(labels),
            false_positives=false_positives or {},
            false_negatives=false_negatives or {},
        )

    def _steps(
        self, documents: Sequence[str], activations: csr_matrix, wanted: _Request
    ) -> Steps[LabelProposals]:
        inquiries = self._inquiries(documents, activations, wanted)
        outcomes: list[Any] = []
        if inquiries:
            requests = tuple(inquiry.first_request() for inquiry in inquiries)
            try:
                outcomes = yield Step(tuple(inquiries), Plan("Labelling", requests))
            except Interrupted as error:
                left = error.partial if isinstance(error.partial, Sequence) else []
                found = self._proposals(wanted, inquiries, left)
                raise Interrupted(str(error), partial=found) from error
        return self._proposals(wanted, inquiries, outcomes)

    def _inquiries(
        self, documents: Sequence[str], activations: csr_matrix, wanted: _Request
    ) -> list[LabelInquiry]:
        """Return one inquiry a candidate; none for a feature that never fires."""
        texts = as_texts(documents)
        columns = take_columns(activations, wanted.features, len(texts))
        inquiries: list[LabelInquiry] = []
        for place, feature in enumerate(wanted.features):
            column = np.asarray(columns[:, [place]].toarray()).ravel()  # (n_documents,)
            for candidate in range(wanted.n_candidates):
                sample = self._choose(texts, column, feature, candidate, wanted)
                if sample.positive:
                    form = self._form(texts, sample, feature, wanted)
                    inquiries.append(LabelInquiry(feature, form, candidate))
        return inquiries

    def _choose(
        self,
        texts: Sequence[str],
        column: NDArray[np.floating],
        feature: int,
        candidate: int,
        wanted: _Request,
    ) -> LabelSample:
        misses = wanted.false_negatives.get(feature, ())
        alarms = wanted.false_positives.get(feature, ())
        _check_positions(misses, column > 0, "false_negatives", "the feature fires")
        _check_positions(alarms, column == 0, "false_positives", "the feature is silent")
        refining = feature in wanted.present
        return choose_label_documents(
            texts,
            column,
            n=self._n_examples,
            sampling=self._sampling,
            seed=(self._seed + candidate, feature, int(refining)),
            n_skip=self._n_examples // 2 if refining else 0,
            first_positive=misses,
            first_negative=alarms,
        )

    def _form(
        self, texts: Sequence[str], sample: LabelSample, feature: int, wanted: _Request
    ) -> LabelForm:
        positive = [texts[position] for position in sample.positive]
        if wanted.marks is not None:
            positive = as_texts(wanted.marks(sample.positive, feature))
            if len(positive) != len(sample.positive):
                raise InputError(
                    f"marks= returned {len(positive)} texts for {len(sample.positive)} positions; "
                    "it must return one for each"
                )
        cut = cut_text if wanted.marks is None else cut_marked_text
        return LabelForm(
            prompt=wanted.prompt,
            positive=tuple(cut(text, self._max_words) for text in positive),
            negative=tuple(cut_text(texts[i], self._max_words) for i in sample.negative),
            present=wanted.present.get(feature, ""),
            instructions=self._instructions,
            temperature=self._temperature,
            parameters=self._parameters,
        )

    def _proposals(
        self, wanted: _Request, inquiries: Sequence[LabelInquiry], outcomes: Sequence[Any]
    ) -> LabelProposals:
        candidates: dict[int, dict[str, Label]] = {}
        failures = dict.fromkeys(wanted.features, _NEVER)
        failures.update({inquiry.feature: _NOT_ASKED for inquiry in inquiries})
        for inquiry, outcome in zip(inquiries, outcomes, strict=False):
            feature = inquiry.feature
            if isinstance(outcome, ProposedLabel):
                label = Label(feature, outcome.text, f"llm:{self.llm.model}", outcome.n_examples)
                candidates.setdefault(feature, {}).setdefault(label.text.casefold(), label)
            elif isinstance(outcome, str):
                failures[feature] = outcome
        return LabelProposals(
            {feature: tuple(found.values()) for feature, found in candidates.items()},
            {f: reason for f, reason in failures.items() if f not in candidates},
        )


def _check_positions(
    positions: Sequence[int], allowed: NDArray[np.bool_], name: str, where: str
) -> None:
    for position in positions:
        if not (0 <= position < len(allowed) and allowed[position]):
            raise InputError(
                f"{name} must be positions of documents in which {where}, but {position} is none"
            )
