"""Verdicts of a language model on documents and concepts: many concepts a call, none guessed."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from interp_embed._fingerprint import digest_settings
from interp_embed.errors import InputError, Interrupted
from interp_embed.interpret.agreement import (
    Pair,
    agreement_warning,
    choose_check_pairs,
    measure_agreement,
)
from interp_embed.interpret.annotation_task import AnnotationTask, make_task
from interp_embed.interpret.grouping import group_concepts
from interp_embed.interpret.inquiry import Inquiry, QuestionForm
from interp_embed.interpret.prompts import Prompt
from interp_embed.interpret.steps import Step, Steps, run_steps, run_steps_async
from interp_embed.llm.protocol import LLM
from interp_embed.llm.records import NOT_ASKED, CostEstimate, Plan
from interp_embed.records import Agreement, Annotations, Json

Mode = Literal["grouped", "single"]

_MAX_RETESTS = 50
_RETEST_SAMPLE = 100
"""Number of the first sample of a retest: far from those of questions asked again."""


class LLMAnnotator:
    """Asks a language model whether documents have concepts.

    A text and several concepts go into one call; each concept has its own answer. What is known
    from earlier calls with the same model, prompt and settings is not asked again, whatever the
    documents and concepts it was asked with. What cannot be read as yes or no is asked again, in
    smaller groups, and if that does not help is missing with a reason: it never becomes a no.
    """

    def __init__(
        self,
        llm: LLM,
        *,
        prompt: str | Path = "annotate",
        concepts_per_call: int = 10,
        max_words: int | None = None,
        check: int = 200,
        mode: Mode = "grouped",
        seed: int = 0,
        parameters: Mapping[str, Json] | None = None,
    ) -> None:
        """Choose how to ask.

        Args:
            llm: The model.
            prompt: ``annotate``, or a file like it.
            concepts_per_call: How many concepts at most are asked at once; fewer where they are
                long. Similar ones are asked apart.
            max_words: Longer texts are cut, with a mark that says so; None to send all.
            check: Pairs of document and concept that are asked again, alone, to see whether
                asking many at once changes the answers; 0 for none. A quarter of them, at most
                50, is asked alone twice. Kept and not asked again later.
            mode: ``single`` asks every concept alone: ten times the calls, for numbers that must
                not depend on what else was asked.
            seed: Of the pairs checked.
            parameters: More of the server's parameters, such as ``{"reasoning_effort": "low"}``.

        Raises:
            InputError: A number is out of range, or the prompt cannot be used.
        """
        for name, value, least in (
            ("concepts_per_call", concepts_per_call, 1),
            ("max_words", 1 if max_words is None else max_words, 1),
            ("check", check, 0),
            ("seed", seed, 0),
        ):
            if value < least:
                raise InputError(f"{name} must be at least {least}, but is {value}")
        if mode not in ("grouped", "single"):
            raise InputError(f'mode must be "grouped" or "single", but is {mode!r}')
        self.llm = llm
        self.concepts_per_call = 1 if mode == "single" else concepts_per_call
        self._form = QuestionForm(
            Prompt.load(prompt, purpose="annotate"), max_words, dict(parameters or {})
        )
        self._check = check
        self._seed = seed

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything that changes a verdict."""
        return {
            "model": dict(self.llm.identity),
            "prompt": self._form.prompt.kind,
            "concepts_per_call": self.concepts_per_call,
            "max_words": self._form.max_words,
            "parameters": dict(self._form.parameters),
        }

    def annotate(
        self,
        documents: Sequence[str | None],
        concepts: Sequence[str],
        *,
        only: NDArray[np.bool_] | None = None,
    ) -> Annotations:
        """Return a verdict for each document and concept; missing ones with a reason.

        Args:
            documents: Texts, n_documents; empty ones are not sent, and their verdicts missing.
            concepts: In words, n_concepts.
            only: The pairs wanted, shape (n_documents, n_concepts); None for all.

        Raises:
            InputError: A concept is empty or too long, or ``only`` does not fit.
            LLMError: The server cannot be used; what was answered before is stored.
            Interrupted: Ctrl-C; ``partial`` holds the annotations so far.

        Warns:
            UserWarning: Asked alone, the model often answers otherwise.
        """
        return _warn(run_steps(self.llm, self._steps(documents, concepts, only)), self)

    async def annotate_async(
        self,
        documents: Sequence[str | None],
        concepts: Sequence[str],
        *,
        only: NDArray[np.bool_] | None = None,
    ) -> Annotations:
        """Do the same from a running event loop, such as a notebook's."""
        steps = self._steps(documents, concepts, only)
        return _warn(await run_steps_async(self.llm, steps), self)

    def estimate(
        self,
        documents: Sequence[str | None],
        concepts: Sequence[str],
        *,
        only: NDArray[np.bool_] | None = None,
    ) -> CostEstimate:
        """Return what annotating will take, the check included; nothing is sent."""
        task = make_task(documents, concepts, only)
        inquiries = self._inquiries(task)
        requests = [inquiry.first_request() for inquiry in inquiries]
        if inquiries and self._is_checked(task):
            # Which pairs will be checked hangs on the verdicts; these cost about the same.
            guess = np.where(task.wanted, np.float32(1), np.float32(np.nan))
            pairs = choose_check_pairs(guess, n=self._check, seed=self._seed)
            requests += [i.first_request() for i in self._check_inquiries(task, pairs)]
        return self.llm.estimate(Plan("Annotating", tuple(requests)))

    def _steps(
        self,
        documents: Sequence[str | None],
        concepts: Sequence[str],
        only: NDArray[np.bool_] | None,
    ) -> Steps[Annotations]:
        task = make_task(documents, concepts, only)
        inquiries = self._inquiries(task)
        outcomes: list[Any] = []
        if inquiries:
            try:
                outcomes = yield _step("Annotating", inquiries)
            except Interrupted as error:
                found = self._assemble(task, _reasons(task, inquiries, error.partial))
                raise Interrupted(str(error), partial=found) from error
        found = self._assemble(task, _reasons(task, inquiries, outcomes))
        was_stopped = any(reason.startswith(NOT_ASKED) for reason in found.reasons.values())
        if was_stopped or not self._is_checked(task):
            return found
        try:
            agreement = yield from self._check_steps(task)
        except Interrupted as error:
            raise Interrupted(str(error), partial=found) from error
        return replace(found, agreement=agreement)

    def _check_steps(self, task: AnnotationTask) -> Steps[Agreement | None]:
        known = self._known(task, self._judge())
        verdicts = task.matrix(known)
        before = self._known(task, self._judge(alone=True))
        pairs = choose_check_pairs(verdicts, n=self._check, seed=self._seed, known=before)
        if not pairs:
            return None
        inquiries = self._check_inquiries(task, pairs)
        if inquiries:
            yield _step("Checking", inquiries)
        again = self._known(task, self._judge(alone=True))
        retest = self._known(task, self._judge(alone=True, retest=True))
        return measure_agreement(
            task.concepts,
            {pair: known[pair] for pair in pairs},
            {pair: again[pair] for pair in pairs if pair in again},
            {pair: retest[pair] for pair in self._retested(pairs) if pair in retest},
        )

    def _is_checked(self, task: AnnotationTask) -> bool:
        return self._check > 0 and self.concepts_per_call > 1 and len(task.concepts) > 1

    def _inquiries(self, task: AnnotationTask) -> list[Inquiry]:
        """Return what is not known yet: all texts of one group of concepts, then the next group."""
        judge = self._judge()
        pending = task.wanted.copy()
        for pair in self._known(task, judge):
            pending[pair] = False
        return [
            self._inquiry(
                judge, task.texts[row], [task.concepts[c] for c in group if pending[row, c]]
            )
            for group in group_concepts(task.concepts, self.concepts_per_call)
            for row in np.flatnonzero(pending[:, group].any(axis=1)).tolist()
        ]

    def _check_inquiries(self, task: AnnotationTask, pairs: Sequence[Pair]) -> list[Inquiry]:
        """Return the pairs one by one, then those asked a second time; without what is known."""
        return [
            *self._singles(task, pairs),
            *self._singles(task, self._retested(pairs), again=True),
        ]

    def _singles(
        self, task: AnnotationTask, pairs: Sequence[Pair], *, again: bool = False
    ) -> Iterator[Inquiry]:
        judge = self._judge(alone=True, retest=again)
        known = self._known(task, judge)
        sample = _RETEST_SAMPLE if again else 0
        for row, column in pairs:
            if (row, column) not in known:
                yield self._inquiry(judge, task.texts[row], [task.concepts[column]], sample)

    def _retested(self, pairs: Sequence[Pair]) -> list[Pair]:
        n = min(_MAX_RETESTS, -(-len(pairs) // 4))
        chosen = np.random.default_rng([self._seed, 1]).permutation(len(pairs))[:n]
        return [pairs[i] for i in sorted(chosen.tolist())]

    def _inquiry(self, judge: str, text: str, concepts: Sequence[str], sample: int = 0) -> Inquiry:
        keep = partial(_keep, self.llm, judge, text)
        return Inquiry(self._form, text, tuple(concepts), keep, sample)

    def _judge(self, *, alone: bool = False, retest: bool = False) -> str:
        """Return the key under which verdicts are kept: all that may change one."""
        asked = {"concepts_per_call": 1} if alone else {}
        return digest_settings({**self.identity, **asked, "retest": retest})

    def _known(self, task: AnnotationTask, judge: str) -> dict[Pair, bool]:
        """Return the stored verdicts of the pairs wanted."""
        if not task.wanted.any():
            return {}
        found = self.llm.store.verdicts(judge, task.texts, task.concepts)
        return {pair: verdict for pair, verdict in found.items() if task.wanted[pair]}

    def _assemble(self, task: AnnotationTask, reasons: Mapping[Pair, str]) -> Annotations:
        # From the store, so that it holds all that was answered, also by jobs that did not end.
        return task.assemble(self._known(task, self._judge()), reasons)


def _keep(llm: LLM, judge: str, text: str, verdicts: Mapping[str, bool], call: str) -> None:
    llm.store.add_verdicts(judge, text, verdicts, call=call)


def _step(title: str, inquiries: Sequence[Inquiry]) -> Step:
    requests = tuple(inquiry.first_request() for inquiry in inquiries)
    return Step(tuple(inquiries), Plan(title, requests))


def _reasons(
    task: AnnotationTask, inquiries: Sequence[Inquiry], outcomes: object
) -> dict[Pair, str]:
    """Return why verdicts are missing; an interrupted run may lack outcomes."""
    if not isinstance(outcomes, Sequence):
        return {}
    row_of = {text: row for row, text in enumerate(task.texts)}
    column_of = {concept: column for column, concept in enumerate(task.concepts)}
    return {
        (row_of[inquiry.text], column_of[concept]): reason
        for inquiry, outcome in zip(inquiries, outcomes, strict=False)
        if isinstance(outcome, Mapping)
        for concept, reason in outcome.items()
    }


def _warn(annotations: Annotations, annotator: LLMAnnotator) -> Annotations:
    if annotations.agreement is not None:
        warning = agreement_warning(annotations.agreement, annotator.concepts_per_call)
        if warning:
            warnings.warn(warning, UserWarning, stacklevel=3)
    return annotations
