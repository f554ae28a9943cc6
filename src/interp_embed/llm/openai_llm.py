"""A language model behind any OpenAI-compatible server."""

import asyncio
import concurrent.futures
import contextlib
import logging
import math
import os
import warnings
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from tqdm.auto import tqdm

from interp_embed._servers import ServerAddress, find_server
from interp_embed.errors import InputError, Interrupted, LLMError, StoppedWarning
from interp_embed.llm.answers import AnswerStore, StoredCall
from interp_embed.llm.batch_records import BatchRecords
from interp_embed.llm.batch_sender import BatchSender
from interp_embed.llm.batch_transport import BatchTransport, OpenAIBatches
from interp_embed.llm.budget import Budget
from interp_embed.llm.caller import Caller
from interp_embed.llm.clock import Clock, RealClock
from interp_embed.llm.engine import JobRun, LoopThread
from interp_embed.llm.estimates import estimate_questions
from interp_embed.llm.expectations import Expectations
from interp_embed.llm.keys import request_key
from interp_embed.llm.limiter import Limiter, say_duration
from interp_embed.llm.limits import Counted, Window
from interp_embed.llm.prices import find_price
from interp_embed.llm.protocol import LLM, Job
from interp_embed.llm.records import CostEstimate, Plan, Usage
from interp_embed.llm.run_state import RunState
from interp_embed.llm.sender import Sender, Server
from interp_embed.llm.transport import OpenAITransport, Transport
from interp_embed.llm.wording import describe_usage, say, say_money
from interp_embed.records import Json

logger = logging.getLogger(__name__)

T = TypeVar("T")
Mode = Literal["live", "batch"]
_MOST_JOBS: Mapping[Mode, int] = {"live": 512, "batch": 100_000}
"""Jobs open at once; how many calls are under way is the limiter's business. All those open make
up the next batches."""
_SLICE_S = 0.2
_GRACE_S = 30.0


@dataclass(slots=True)
class _Parts:
    """What lives in one process: connections, limits learned, calls under way."""

    pid: int
    thread: LoopThread
    sender: Sender | BatchSender
    caller: Caller
    active: int = 0
    """Runs going on."""


class OpenAILLM:
    """A model behind OpenAI, OpenRouter, vLLM, Ollama, llama.cpp or any server that speaks so.

    Limits are learned from what the server says; every answer is stored before anybody reads it;
    the same question is paid for once. Works in scripts, in notebooks and in running event loops.
    """

    def __init__(  # noqa: PLR0913 - each has a default that serves
        self,
        model: str,
        *,
        mode: Mode = "live",
        base_url: str | None = None,
        api_key: str | None = None,
        store: AnswerStore | None = None,
        max_cost: float | Budget | None = None,
        prices: Mapping[str, tuple[float, ...]] | None = None,
        max_in_flight: int = 256,
        timeout_s: float = 120.0,
        wait_for_day: bool = False,
        retry_failures: bool = False,
        progress: bool = True,
        seed: int = 0,
        clock: Clock | None = None,
        transport: Transport | None = None,
    ) -> None:
        """Prepare to ask; nothing is sent yet.

        Args:
            model: Name the server knows, such as ``gpt-5-mini``.
            mode: ``live`` asks call by call. ``batch`` puts many questions into one file, which
                the provider answers within a day, at half the price and beside the limits: for
                runs that nobody waits for. It may be ended and run again at any time. Answers of
                one are answers of the other.
            base_url: None for ``OPENAI_BASE_URL``, or else OpenAI (or OpenRouter, if only its key
                is set).
            api_key: None for the first of ``OPENAI_API_KEY``, ``OPENAI_KEY_SAE`` and
                ``OPENROUTER_API_KEY`` that is set. Never logged or stored.
            store: Where answers are kept; None for the user's own.
            max_cost: US dollars this object may spend, 0 for only what is stored; a ``Budget`` to
                spend together with others; None for no bound. The run ends before a call that
                might go beyond it.
            prices: Dollars per million tokens, by model: (in, out) or (in, out, cached in); before
                the shipped table.
            max_in_flight: Calls under way at once, at most.
            timeout_s: Seconds a call may take in all. A call given up may have been paid for: do
                not set it short.
            wait_for_day: Go on at the pace at which a spent limit by the day refills, instead of
                ending the run.
            retry_failures: Ask once more what was refused or too long before.
            progress: Show estimate and progress on the standard error stream.
            seed: Of the jitter between attempts.
            clock: Whose time counts; for tests.
            transport: How to reach the server; for tests and for clients of your own. With
                ``batch`` it must have the methods of a ``BatchTransport`` too.

        Raises:
            InputError: There is no key for a server that needs one, a number is out of range, or
                ``max_cost`` is given for a model without a price.
        """
        if not model.strip():
            raise InputError(f"model must be a name such as 'gpt-5-mini', but got {model!r}")
        _check_numbers(max_in_flight=max_in_flight, timeout_s=timeout_s)
        _check_mode(mode, transport)
        self._mode: Mode = mode
        self._address = find_server(
            base_url,
            api_key,
            without="without a key give the base_url of a server of your own (vLLM, Ollama, "
            "llama.cpp), or label by keywords, which needs no LLM",
        )
        self._model = model
        self._price = find_price(self._address.provider, model, prices)
        self._budget = _budget(max_cost)
        if 0 < self._budget.limit < math.inf and self._price is None:
            raise InputError(
                f"max_cost cannot be kept for {model!r}, whose price is not known; give "
                f'prices={{"{model}": (dollars in, dollars out)}} per million tokens, on the '
                "command line --price IN,OUT"
            )
        self._own_store = store
        self._opened: AnswerStore | None = store
        self._max_in_flight, self._timeout_s = max_in_flight, timeout_s
        self._wait_for_day, self._retry_failures = wait_for_day, retry_failures
        self._progress, self._seed = progress, seed
        self._clock = clock or RealClock()
        self._given_transport = transport
        self._parts: _Parts | None = None

    @property
    def model(self) -> str:
        """Its name."""
        return self._model

    @property
    def server(self) -> ServerAddress:
        """Where it is asked."""
        return self._address

    @property
    def identity(self) -> Mapping[str, Json]:
        """Provider and name: a model of one name on two servers may be two models."""
        return {"provider": self._address.provider, "model": self._model}

    @property
    def store(self) -> AnswerStore:
        """Where answers and verdicts are kept."""
        if self._opened is None:
            self._opened = AnswerStore.open()
        return self._opened

    @property
    def usage(self) -> Usage:
        """What this object has asked and paid so far."""
        return self._parts.caller.state.usage if self._parts is not None else Usage()

    def estimate(self, plan: Plan) -> CostEstimate:
        """Return what a plan will take, with what is known of prices and limits; sends nothing."""
        parts = self._open()
        stored = self._find(plan)
        return self._estimate(plan, stored, parts)

    def run(self, jobs: Sequence[Job[T]], plan: Plan) -> list[T]:
        """Run jobs, many at a time, and return what each came to, in their order.

        Where the run has to end early (the day's requests or the budget are spent, the server
        stays in trouble) a ``StoppedWarning`` says so and the jobs return what they have.

        Raises:
            LLMError: The server cannot be used at all: no such model, wrong key, not reached.
            StoredFileError: Answers can no longer be kept; nothing more was asked.
            Interrupted: Ctrl-C; ``partial`` holds the results, which lack what was not asked.
        """
        parts, run, future = self._start(jobs, plan)
        try:
            with self._bar(plan, len(jobs)) as bar:
                results = self._wait(future, run, parts, bar)
        finally:
            parts.active -= 1
        self._tell(parts, run)
        return results

    async def run_async(self, jobs: Sequence[Job[T]], plan: Plan) -> list[T]:
        """Do the same from a running event loop, without blocking it.

        If the awaiting task is cancelled, calls under way are waited for and stored first.
        """
        parts, run, future = self._start(jobs, plan)
        wrapped = asyncio.wrap_future(future)
        try:
            with self._bar(plan, len(jobs)) as bar:
                while not wrapped.done():
                    await asyncio.wait([wrapped], timeout=_SLICE_S)
                    self._show(bar, run, parts)
                self._show(bar, run, parts)
        except asyncio.CancelledError:
            parts.thread.call(lambda: parts.caller.stop("the task was cancelled"))
            await asyncio.wait([wrapped], timeout=self._grace_s())
            parts.thread.call(parts.caller.abort)
            raise
        finally:
            parts.active -= 1
        self._tell(parts, run)
        return wrapped.result()

    def _start(
        self, jobs: Sequence[Job[T]], plan: Plan
    ) -> "tuple[_Parts, JobRun[T], concurrent.futures.Future[list[T]]]":
        parts = self._open()
        stored = self._find(plan)
        if self._mode == "live":
            self._warn_of_batches(plan, stored)
        if self._progress and plan.requests:
            self._announce(plan, stored, parts)
        if parts.active == 0:
            parts.caller.go_on()
        parts.active += 1
        parts.caller.remember(stored)
        parts.caller.state.left = len(jobs)
        run = JobRun(jobs, parts.caller, most_open=_MOST_JOBS[self._mode])
        return parts, run, parts.thread.submit(run.run())

    def _open(self) -> _Parts:
        """Return the parts of this process, made when they are first needed."""
        if self._parts is None or self._parts.pid != os.getpid():
            limiter = Limiter(
                self._clock,
                most=self._max_in_flight,
                wait_for_day=self._wait_for_day,
                seed=self._seed,
            )
            transport = self._given_transport or OpenAITransport(
                self._address, timeout_s=self._timeout_s
            )
            state = RunState(self._address, self._clock)
            live = Sender(
                Server(self._address, self._model, self.identity, self._price, self._timeout_s),
                transport,
                limiter=limiter,
                budget=self._budget,
                expectations=Expectations(self.store, self._model),
                state=state,
            )
            sender = live if self._mode == "live" else self._in_batches(live, state)
            caller = Caller(
                sender, self.store, state, retry_failures=self._retry_failures, seed=self._seed
            )
            self._parts = _Parts(os.getpid(), LoopThread(), sender, caller)
            weakref.finalize(self, _end, self._parts)
            self._recall_limits(limiter)
        return self._parts

    def _in_batches(self, live: Sender, state: RunState) -> BatchSender:
        transport = live.transport
        batches = OpenAIBatches(transport) if isinstance(transport, OpenAITransport) else transport
        if not isinstance(batches, BatchTransport):  # pragma: no cover - checked at the start
            raise TypeError(f"{type(batches).__name__} has no batches")
        tell = say if self._progress else logger.info
        return BatchSender(live, batches, self.store, state, seed=self._seed, tell=tell)

    def _recall_limits(self, limiter: Limiter) -> None:
        known = self.store.quirks(self._address.provider, self._model).get("limits")
        for stated in known if isinstance(known, list) else []:
            counted, window, limit = (stated.get(name) for name in ("counted", "window", "limit"))
            is_number = isinstance(limit, int | float) and limit > 0
            if counted in ("requests", "tokens") and window in ("minute", "day") and is_number:
                one: tuple[Counted, Window] = (counted, window)
                limiter.buckets.set(*one, float(limit), self._clock.now())

    def _find(self, plan: Plan) -> Mapping[str, StoredCall]:
        return self.store.find([request_key(request, self.identity) for request in plan.requests])

    def _estimate(
        self, plan: Plan, stored: Mapping[str, StoredCall], parts: _Parts
    ) -> CostEstimate:
        asked = {request_key(request, self.identity): request for request in plan.requests}
        left = {key: request for key, request in asked.items() if key not in stored}
        sent = self._on_their_way(left) if self._mode == "batch" else frozenset()
        return estimate_questions(
            [request for key, request in left.items() if key not in sent],
            sender=parts.sender,
            headroom=parts.caller.headroom,
            cached=len(asked) - len(left),
            on_their_way=len(sent),
        )

    def _on_their_way(self, keys: Iterable[str]) -> frozenset[str]:
        """Return which questions are in batches sent before."""
        sent = BatchRecords(self.store).digests(self._address.provider, self._model)
        return frozenset(key for key in keys if key in sent)

    def _warn_of_batches(self, plan: Plan, stored: Mapping[str, StoredCall]) -> None:
        keys = {request_key(request, self.identity) for request in plan.requests} - set(stored)
        if sent := self._on_their_way(keys):
            warnings.warn(
                f"{len(sent):,} of these questions are in batches at the provider and are now "
                "asked and paid for a second time; stop this, and run the same with "
                'mode="batch" (--llm-batch) to collect them instead',
                UserWarning,
                stacklevel=4,
            )

    def _announce(self, plan: Plan, stored: Mapping[str, StoredCall], parts: _Parts) -> None:
        estimate = self._estimate(plan, stored, parts)
        if estimate.calls:
            say(f"{plan.title} with {self._model}: {estimate.summary()}")

    def _bar(self, plan: Plan, n_jobs: int) -> "tqdm[Any]":
        hidden = not self._progress or n_jobs == 0
        return tqdm(total=n_jobs, desc=plan.title, unit="call", disable=hidden)

    def _show(self, bar: "tqdm[Any]", run: JobRun[T], parts: _Parts) -> None:
        if not bar.disable:
            bar.set_postfix_str(describe_usage(self.usage, parts.sender.under_way), refresh=False)
            bar.update(run.n_done - bar.n)

    def _wait(
        self,
        future: "concurrent.futures.Future[list[T]]",
        run: JobRun[T],
        parts: _Parts,
        bar: "tqdm[Any]",
    ) -> list[T]:
        try:
            while not future.done():
                concurrent.futures.wait([future], timeout=_SLICE_S)
                self._show(bar, run, parts)
        except KeyboardInterrupt:
            partial = self._end_early(future, parts)
            self._show(bar, run, parts)
            raise Interrupted(self._how_to_go_on(parts, run), partial) from None
        return future.result()

    def _end_early(
        self, future: "concurrent.futures.Future[list[T]]", parts: _Parts
    ) -> list[T] | None:
        """Send nothing more, and wait for the calls under way: they are paid for."""
        parts.thread.call(lambda: parts.caller.stop("interrupted"))
        if under_way := parts.sender.limiter.under_way:
            say(
                f"Stopping: {under_way} calls under way are waited for and stored; "
                "Ctrl-C once more cuts them off."
            )
        try:
            concurrent.futures.wait([future], timeout=self._grace_s())
        except KeyboardInterrupt:
            say("Cut off.")
        parts.thread.call(parts.caller.abort)
        concurrent.futures.wait([future], timeout=5.0)
        return future.result() if future.done() else None

    def _grace_s(self) -> float:
        return min(self._timeout_s, _GRACE_S)

    def _how_to_go_on(self, parts: _Parts, run: JobRun[T]) -> str:
        stored = f"{run.n_answered:,} answers came and are stored in {self.store.path}"
        left = f"{parts.caller.state.unasked:,} questions are left"
        return (
            f"{stored}{say_money(self.usage)}; {left}{parts.sender.left_behind()}. Run the same "
            "again to go on: only what is missing is asked"
        )

    def _tell(self, parts: _Parts, run: JobRun[T]) -> None:
        """Say why a run ended early, if it did."""
        parts.caller.learn_limits()
        halt = parts.caller.state.halt
        if halt is None:
            return
        if halt.error is not None:
            raise halt.error
        if halt.fatal and run.n_answered == 0:
            raise LLMError(f"{halt.reason}; nothing was asked or paid")
        when = (
            "" if halt.again_s is None else f" There is room again in {say_duration(halt.again_s)}."
        )
        warnings.warn(
            f"{halt.reason}. {self._how_to_go_on(parts, run)}.{when}", StoppedWarning, stacklevel=4
        )

    def close(self) -> None:
        """Close connections and store; what is stored stays."""
        if self._parts is not None and self._parts.pid == os.getpid():
            parts, self._parts = self._parts, None
            _end(parts)
        if self._opened is not None and self._own_store is None:
            self._opened.close()
            self._opened = None


def _end(parts: _Parts) -> None:
    """Close the connections and end the thread, once."""
    if parts.pid != os.getpid() or not parts.thread.is_running:
        return
    if parts.thread.is_current:  # collected there, of all places
        parts.thread.loop.stop()
        return
    closing = parts.thread.submit(parts.sender.close())
    with contextlib.suppress(TimeoutError):  # whoever is gone at the other end
        closing.result(timeout=2.0)
    parts.thread.stop()


def load_llm(llm: LLM | str) -> LLM:
    """Return a model by its name, from OpenAI or the server that the environment names."""
    return OpenAILLM(llm) if isinstance(llm, str) else llm


def _budget(max_cost: float | Budget | None) -> Budget:
    if isinstance(max_cost, Budget):
        return max_cost
    return Budget() if max_cost is None else Budget(max_cost)


def _check_mode(mode: str, transport: Transport | None) -> None:
    if mode not in get_args(Mode):
        raise InputError(f"mode must be one of {', '.join(get_args(Mode))}, but got {mode!r}")
    own = transport is not None and not isinstance(transport, OpenAITransport)
    if mode == "batch" and own and not isinstance(transport, BatchTransport):
        raise InputError(
            f'mode="batch" needs a transport with the methods of BatchTransport, but got '
            f"{type(transport).__name__}; leave transport or mode out"
        )


def _check_numbers(*, max_in_flight: int, timeout_s: float) -> None:
    if max_in_flight < 1:
        raise InputError(f"max_in_flight must be at least 1, but got {max_in_flight!r}")
    if not timeout_s > 0:
        raise InputError(f"timeout_s must be seconds above 0, but got {timeout_s!r}")
