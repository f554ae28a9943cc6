"""A language model whose answers are written beforehand: for tests, and for trying things out."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from interp_embed.errors import InputError, Interrupted
from interp_embed.llm.answers import AnswerStore, StoredCall
from interp_embed.llm.keys import request_json, request_key
from interp_embed.llm.protocol import Job
from interp_embed.llm.records import (
    Answer,
    CostEstimate,
    Failure,
    Plan,
    Request,
    TokenUse,
    Usage,
)
from interp_embed.llm.tokens import estimate_request, estimate_tokens
from interp_embed.records import Json

T = TypeVar("T")
Script = Sequence[str | Failure] | Callable[[Request], str | Failure]
"""Answers in the order of the questions, or a function from question to answer."""

_PROVIDER = "scripted"


class ScriptedLLM:
    """An LLM that answers from a script, with the keys and the store of a real one.

    Jobs run one after the other. Refusals are stored like answers; other failures are not.

    Args:
        answers: A sequence, taken from the front by every question that is not in the store, or a
            function. A :class:`Failure` is handed on as it is.
        model: Its name, which is part of the keys.
        store: Where answers are kept; None for memory.
        interrupt_after: Behave as if Ctrl-C came after so many answers: later questions are
            stopped, and the run raises ``Interrupted``. It happens once.

    Raises:
        InputError: The answers are a single string.
    """

    def __init__(
        self,
        answers: Script,
        *,
        model: str = "scripted",
        store: AnswerStore | None = None,
        interrupt_after: int | None = None,
    ) -> None:
        if isinstance(answers, str):
            raise InputError(f"the script is one string, {answers!r}; put it into a list")
        self.requests: list[Request] = []
        """The questions that were sent; those answered from the store are not."""
        self._answers = answers
        self._model = model
        self._store = AnswerStore.in_memory() if store is None else store
        self._usage = Usage()
        self._interrupt_after = interrupt_after
        self._n_stopped = 0
        self._ran_out: InputError | None = None

    @property
    def model(self) -> str:
        """Its name."""
        return self._model

    @property
    def identity(self) -> Mapping[str, Json]:
        """What is in the keys: the provider ``scripted`` and the name."""
        return {"provider": _PROVIDER, "model": self._model}

    @property
    def store(self) -> AnswerStore:
        """Where answers are kept."""
        return self._store

    @property
    def usage(self) -> Usage:
        """What has been asked so far; tokens are estimates, dollars are none."""
        return self._usage

    def estimate(self, plan: Plan) -> CostEstimate:
        """Return what a plan will take; nothing is sent, nothing costs."""
        keys = [request_key(request, self.identity) for request in plan.requests]
        stored = self._store.find(keys)
        asked = {
            key: request
            for key, request in zip(keys, plan.requests, strict=True)
            if key not in stored
        }
        return CostEstimate(
            calls=len(asked),
            cached=len(keys) - len(asked),
            prompt_tokens=sum(estimate_request(request) for request in asked.values()),
            completion_tokens=sum(request.max_tokens for request in asked.values()),
            cost_usd=0.0,
            price_note="a script costs nothing",
            minutes=None,
            limit="",
        )

    def run(self, jobs: Sequence[Job[T]], plan: Plan) -> list[T]:
        """Run jobs one after the other and return what each came to.

        Raises:
            InputError: The script has no answer left for a question.
            Interrupted: As ``interrupt_after`` said; ``partial`` holds the results.
        """
        with ThreadPoolExecutor(max_workers=1) as pool:  # notebooks have a loop running here
            results = pool.submit(asyncio.run, self._run_all(jobs)).result()
        return self._finish(results, plan)

    async def run_async(self, jobs: Sequence[Job[T]], plan: Plan) -> list[T]:
        """Do the same from a running event loop."""
        return self._finish(await self._run_all(jobs), plan)

    def _run_all(self, jobs: Sequence[Job[T]]) -> Coroutine[Any, Any, list[T]]:
        async def run_all() -> list[T]:
            return [await job(self._ask) for job in jobs]

        self._n_stopped = 0
        self._ran_out = None
        return run_all()

    def _finish(self, results: list[T], plan: Plan) -> list[T]:
        if self._ran_out is not None:  # the job took the error for an answer
            raise self._ran_out
        if self._n_stopped:
            self._interrupt_after = None
            raise Interrupted(
                f"{plan.title} was interrupted: {len(self.requests):,} answers are stored in "
                f"{self._store.path}, {self._n_stopped:,} questions were not asked; run it again "
                "to continue",
                results,
            )
        return results

    async def _ask(self, request: Request) -> Answer | Failure:
        key = request_key(request, self.identity)
        stored = self._store.find([key]).get(key)
        if stored is not None:
            self._usage = replace(self._usage, cached=self._usage.cached + 1)
            return _reply(stored, cached=True)
        if self._interrupt_after is not None and len(self.requests) >= self._interrupt_after:
            self._n_stopped += 1
            return Failure("stopped", f"interrupted after {self._interrupt_after} answers")
        answer = self._next_answer(request)
        self.requests.append(request)
        if isinstance(answer, Failure) and answer.kind != "refused":
            self._count(TokenUse(), failed=1)
            return answer
        call = self._as_call(key, request, answer)
        self._store.add(call)
        self._count(call.use, failed=int(isinstance(answer, Failure)))
        return _reply(call, cached=False)

    def _next_answer(self, request: Request) -> str | Failure:
        if not isinstance(self._answers, Sequence):
            return self._answers(request)
        if len(self.requests) >= len(self._answers):
            asked = request.messages[-1].content if request.messages else ""
            self._ran_out = InputError(
                f"the script has {len(self._answers)} answers, but a further question was asked, "
                f"of kind {request.kind!r}: {asked[-300:]!r}; give it more answers or a function"
            )
            raise self._ran_out
        return self._answers[len(self.requests)]

    def _as_call(self, key: str, request: Request, answer: str | Failure) -> StoredCall:
        estimated = estimate_request(request)
        text, refusal = ("", answer.reason) if isinstance(answer, Failure) else (answer, "")
        return StoredCall(
            key=key,
            provider=_PROVIDER,
            model=self._model,
            kind=request.kind,
            request=request_json(request, self.identity),
            text=text,
            finish_reason="stop",
            refusal=refusal,
            use=TokenUse(estimated, estimate_tokens(text)),
            estimated_tokens=estimated,
            cost_usd=0.0,
        )

    def _count(self, use: TokenUse, *, failed: int) -> None:
        self._usage = replace(
            self._usage,
            calls=self._usage.calls + 1,
            requests=self._usage.requests + 1,
            failed=self._usage.failed + failed,
            prompt_tokens=self._usage.prompt_tokens + (use.prompt_tokens or 0),
            completion_tokens=self._usage.completion_tokens + (use.completion_tokens or 0),
        )


def _reply(call: StoredCall, *, cached: bool) -> Answer | Failure:
    if call.refusal:
        return Failure("refused", call.refusal)
    return Answer(call.text, call.finish_reason, call.key, cached)
