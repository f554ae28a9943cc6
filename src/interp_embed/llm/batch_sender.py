"""Many questions in one file, answered within a day at half the price, in place of single calls."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from interp_embed.errors import StoredFileError
from interp_embed.llm.answered import is_eaten
from interp_embed.llm.answers import AnswerStore
from interp_embed.llm.batch_calls import BatchCalls
from interp_embed.llm.batch_desk import BatchDesk
from interp_embed.llm.batch_flow import BatchFlow, Finished
from interp_embed.llm.batch_packing import Question, TokenRoom, pack
from interp_embed.llm.batch_records import BatchRecord, BatchRecords
from interp_embed.llm.batch_transport import BatchTransport
from interp_embed.llm.batch_wire import TokenLimit
from interp_embed.llm.keys import request_key
from interp_embed.llm.quirks import Quirks
from interp_embed.llm.records import Failure, Request
from interp_embed.llm.replies import Good
from interp_embed.llm.run_state import RunState
from interp_embed.llm.sender import Sender, Sent

logger = logging.getLogger(__name__)

_GATHER_S = 2.0
"""Seconds without a new question after which those that came make a batch."""
_GRACE_S = 30.0
_CALL_S = 900.0
"""For a call about batches in all, as long as a large file may take."""


class BatchSender:
    """Stands where a ``Sender`` does, and answers from batches.

    Questions are gathered until no more come, noted in the store, uploaded and waited for. The
    store knows of a batch before the provider does, so that whoever comes after a kill finds it
    there, or by its mark at the provider, and sends nothing twice. The first question of every
    kind is asked alone, at the full price: a parameter the model does not take would otherwise
    fail a whole batch, hours later.
    """

    max_attempts = 2
    """At one question: what a batch leaves open is put into one more."""

    def __init__(
        self,
        live: Sender,
        transport: BatchTransport,
        store: AnswerStore,
        state: RunState,
        *,
        seed: int = 0,
        tell: Callable[[str], None] = logger.info,
    ) -> None:
        """Prepare to gather.

        Args:
            live: Asks single calls.
            transport: How to reach the provider's batches.
            store: Where batches are noted.
            state: Of the run.
            seed: Of the jitter between attempts.
            tell: Told which batches go out and come back.
        """
        self.live = live
        self.server, self.transport = live.server, live.transport
        self.limiter, self.expectations = live.limiter, live.expectations
        self._state, self._tell = state, tell
        self._records = BatchRecords(store)
        self._calls = BatchCalls(transport, state, stop=self.stop, timeout_s=_CALL_S, seed=seed)
        self._room = TokenRoom()
        self._room_changed = asyncio.Event()
        self._not_before = 0.0
        self._flow = BatchFlow(self._calls, self._records, state, accepted=self._room.accept)
        self._desk = BatchDesk(live, store, self._records, state)
        self._offered = asyncio.Lock()
        self._is_offered = False
        self._probing: dict[str, asyncio.Lock] = {}
        self._probed: set[str] = set()
        self._queue: deque[Question] = deque()
        self._n_queued = 0
        self._collector: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._followers: dict[str, asyncio.Task[None]] = {}
        """By the digest of the batch they see through."""

    # As a sender

    def go_on(self) -> None:
        """Forget the troubles of the last run."""
        self.live.go_on()
        self._desk.look_again()

    def stop(
        self,
        reason: str,
        *,
        fatal: bool = False,
        again_s: float | None = None,
        error: StoredFileError | None = None,
    ) -> None:
        """Send nothing more; batches go on at the provider and are collected by the next run."""
        self.live.stop(reason, fatal=fatal, again_s=again_s, error=error)

    def abort(self) -> None:
        """Cut off the call under way, if it is a single one."""
        self.live.abort()

    @property
    def under_way(self) -> int:
        """Questions sent and not yet answered."""
        return len(self._desk.sent) + self.live.under_way

    def left_behind(self) -> str:
        """Return what goes on at the provider after a run, in words; empty for nothing."""
        return self._desk.left_behind()

    async def close(self) -> None:
        """Stop waiting for batches and close the connections; what is sent goes on."""
        tasks = [self._watcher, self._collector, *self._followers.values()]
        going_on = [task for task in tasks if task is not None and not task.done()]
        for task in going_on:
            task.cancel()
        await asyncio.gather(*going_on, return_exceptions=True)
        await self.live.close()

    async def send(
        self,
        request: Request,
        *,
        quirks: Callable[[], Quirks],
        may_send: Callable[[], bool],
    ) -> Sent | Failure | None:
        """Wait for money and for a batch, and return what came of the question.

        Args:
            request: The question.
            quirks: Tells how the server wants to be asked; others may learn more while this waits.
            may_send: Asked before a single call; if not, nothing is sent and None returned.
        """
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._let_all_go_when_stopped())
        if not await self._has_batches() or self._state.has_stopped():
            return self._state.stopped()
        key = request_key(request, self.server.identity)
        if key in self._desk.batch_of:
            return await self._join(self._question(key, request, quirks))
        if not self._is_proved(request):
            async with self._probing.setdefault(request.kind, asyncio.Lock()):
                if not self._is_proved(request):
                    return await self._probe(request, quirks, may_send)
        question = self._question(key, request, quirks)
        question.headroom = quirks().headroom
        worst = self._desk.worst_cost(request, quirks())
        if self._state.has_stopped() or not await self.live.reserve(worst):
            return self._state.stopped()
        question.reserved = worst
        if self._state.has_stopped():
            self._let_go([question])
        else:
            self._queue.append(question)
            self._n_queued += 1
            self._collect_soon()
        return await question.answer

    async def _has_batches(self) -> bool:
        async with self._offered:
            if not self._is_offered and not self._state.has_stopped():
                self.transport.prepare()
                self._is_offered = await self._calls.check()
        return self._is_offered

    def _is_proved(self, request: Request) -> bool:
        if request.kind not in self._probed and self.expectations.has_seen(request.kind):
            self._probed.add(request.kind)
        return request.kind in self._probed

    async def _probe(
        self, request: Request, quirks: Callable[[], Quirks], may_send: Callable[[], bool]
    ) -> Sent | Failure | None:
        """Ask one question alone, to see that questions of its kind are understood."""
        sent = await self.live.send(request, quirks=quirks, may_send=may_send)
        if isinstance(sent, Sent) and isinstance(sent.meaning, Good) and not is_eaten(sent.meaning):
            self._probed.add(request.kind)
        return sent

    def _question(self, key: str, request: Request, quirks: Callable[[], Quirks]) -> Question:
        tokens = self.expectations.prompt_tokens(request)
        return Question(key, request, quirks, tokens, asyncio.get_running_loop().create_future())

    async def _join(self, question: Question) -> Sent | Failure | None:
        """Wait for a batch that was sent before, by this process or another one."""
        digest = question.batch = self._desk.batch_of[question.key]
        self._desk.sent[question.key] = question
        if digest not in self._followers:
            self._follow(digest, self._take_up(digest))
        return await question.answer

    # Sending

    def _collect_soon(self) -> None:
        if self._collector is None or self._collector.done():
            self._collector = asyncio.create_task(self._collect())
            self._collector.add_done_callback(self._hand_on_errors)

    async def _collect(self) -> None:
        """Make batches of what is queued, as far as there is room for them."""
        while self._queue and not self._state.has_stopped():
            await self._until_no_more_come()
            await self._until_room(self._not_before - self._state.clock.now())
            if self._state.has_stopped() or not self._queue:
                continue
            quirks = self._queue[0].quirks()
            self._send_dearer_back(quirks)
            packed = pack(self._queue, self._room, model=self.server.model, quirks=quirks)
            if packed is None:
                if self._queue:  # batches on their way take all there is
                    await self._until_room(None)
                continue
            noted = self._desk.note(packed, quirks)
            if noted is not None:
                self._room.waiting[noted.record.digest] = noted.record.tokens
                self._follow(noted.record.digest, self._place(noted.record, noted.content))

    def _send_dearer_back(self, quirks: Quirks) -> None:
        """Have money set aside anew for questions that have been found to need more room."""
        dearer = [question for question in self._queue if question.headroom < quirks.headroom]
        if dearer:
            self._queue = deque(q for q in self._queue if q.headroom >= quirks.headroom)
        for question in dearer:
            self.live.settle(question.reserved, 0.0)
            question.give(None)

    async def _until_no_more_come(self) -> None:
        seen = -1
        while seen != self._n_queued and not self._state.has_stopped():
            seen = self._n_queued
            await self._state.rest(_GATHER_S)

    async def _until_room(self, seconds: float | None) -> None:
        """Wait until a batch is over, or the time is."""
        self._room_changed.clear()
        if seconds is None:
            await self._room_changed.wait()
        elif seconds > 0:
            try:
                async with self._state.clock.timeout(seconds):
                    await self._room_changed.wait()
            except TimeoutError:
                return

    async def _place(self, record: BatchRecord, content: bytes) -> None:
        placed = await self._flow.place(record, content)
        if isinstance(placed, TokenLimit):
            self._shrink(record, placed)
        elif placed is not None:
            self._tell(
                f"Sent {record.n_requests:,} questions to {record.model} in {placed.batch_id}, at "
                "half the price, answered within a day. It is noted in the answer store: this "
                "program may be ended, and run again later"
            )
            await self._finish(placed)

    async def _take_up(self, digest: str) -> None:
        record = await self._flow.find_out(digest)
        if record is not None:
            self._room.waiting[digest] = record.tokens
            self._tell(f"Waiting for {record.batch_id}, sent earlier")
            await self._finish(record)

    async def _finish(self, record: BatchRecord) -> None:
        finished = await self._flow.finish(record)
        if isinstance(finished, TokenLimit):
            self._shrink(record, finished)
        elif isinstance(finished, Finished):
            count = self._desk.hand_out(record, finished)
            self._tell(f"{finished.batch_id} is {finished.status}: {count}")

    def _shrink(self, record: BatchRecord, refused: TokenLimit) -> None:
        """Queue the questions of a batch that was too large, for smaller ones."""
        pause = self._room.refuse(record.digest, refused.limit)
        self._not_before = self._state.clock.now() + pause
        back = self._desk.take_back(record)
        logger.info("%s (%d questions)", refused.reason, len(back))
        if self._room.gives_up:
            self.stop(f"no batch was taken for a day: {refused.reason}")
        if len(back) == 1 and refused.limit is not None and back[0].tokens > refused.limit:
            self._desk.call_too_large(back.pop(), refused.reason)
        if self._state.has_stopped():
            self._let_go(back)
            return
        self._queue.extendleft(reversed(back))
        self._n_queued += len(back)
        if back:
            self._collect_soon()

    def _follow(self, digest: str, work: Coroutine[Any, Any, None]) -> None:
        task = self._followers[digest] = asyncio.create_task(work)

        def end(task: "asyncio.Task[None]") -> None:
            del self._followers[digest]
            if self._room.waiting.pop(digest, None) is not None:
                self._not_before = 0.0
            self._room_changed.set()
            self._hand_on_errors(task)
            if not self._state.has_stopped() and not task.cancelled():
                self._desk.send_away(digest)

        task.add_done_callback(end)

    # Stopping

    async def _let_all_go_when_stopped(self) -> None:
        """After a stop, tell all who wait; first see that batches being sent get their names."""
        await self._state.until_stopped()
        self._room_changed.set()
        placing = [
            task for digest, task in self._followers.items() if self._desk.is_nameless(digest)
        ]
        if placing:
            await asyncio.wait(placing, timeout=_GRACE_S)
            if not self._state.has_stopped():  # another run has begun
                await self._let_all_go_when_stopped()
                return
        queued = list(self._queue)
        self._queue.clear()
        self._let_go(queued)
        self._desk.leave_all()

    def _let_go(self, questions: Iterable[Question]) -> None:
        """Give back the money of questions that are not sent, and say that the run was stopped."""
        for question in questions:
            self.live.settle(question.reserved, 0.0)
            question.give(self._state.stopped())

    def _hand_on_errors(self, task: "asyncio.Task[None]") -> None:
        """Hand an error of a task of ours to all who wait: nothing more will come of it."""
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        kept = error if isinstance(error, StoredFileError) else None
        self.stop(f"answers can no longer be kept: {error}" if kept else repr(error), error=kept)
        for question in (*self._queue, *self._desk.sent.values()):
            question.fail(error)
