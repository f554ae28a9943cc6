"""The calls that batches need, each insisted on while its trouble may pass."""

import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from interp_embed.llm.batch_transport import BatchTransport
from interp_embed.llm.batch_wire import (
    MARK,
    BatchStatus,
    TokenLimit,
    read_object,
    read_page,
    read_status,
    read_token_limit,
)
from interp_embed.llm.replies import Limited, Passing, read_reply
from interp_embed.llm.run_state import RunState
from interp_embed.llm.transport import Reply

logger = logging.getLogger(__name__)

T = TypeVar("T")
Stop = Callable[..., None]
"""Ends the run: a reason, and whether it is ``fatal``."""

_GIVE_UP_S = 3600.0
"""Seconds of nothing but trouble after which a run ends."""
_AT_START = 4
"""Failures to reach a server that has not answered yet, after which it is taken to be down."""
_MAX_BACKOFF_S = 60.0
_PAGE = 100
_MAX_PAGES = 50
_SKEW_S = 3600.0
"""By how much the provider's clock may differ from ours."""
_WITHOUT = (404, 405, 501)


class BatchCalls:
    """Uploads, creates, finds and fetches; a call that comes to nothing has ended the run."""

    def __init__(
        self, transport: BatchTransport, state: RunState, *, stop: Stop, timeout_s: float, seed: int
    ) -> None:
        self._transport, self._state, self._stop = transport, state, stop
        self._timeout_s = timeout_s
        self._jitter = random.Random(seed)  # noqa: S311 - spreads calls, decides nothing
        self._has_answered = False

    async def check(self) -> bool:
        """Return whether the server has batches at all; if not, the run is ended."""

        def read(reply: Reply) -> bool | None:
            if reply.status in _WITHOUT or (reply.status == 200 and read_object(reply) is None):
                self._stop(self._without(reply), fatal=True)
                return False
            return True if read_object(reply) is not None else None

        return (
            await self._insist(lambda: self._transport.listed(after=None, limit=1), read) or False
        )

    async def upload(self, content: bytes, *, name: str) -> str | None:
        """Return the id of an uploaded file; None after a stop."""

        def read(reply: Reply) -> str | None:
            made = read_object(reply)
            return str(made["id"]) if made is not None and made.get("id") else None

        return await self._insist(lambda: self._transport.upload(content, name=name), read)

    async def create(
        self, file_id: str, *, digest: str, since: float
    ) -> BatchStatus | TokenLimit | None:
        """Return the batch made of a file, or why it is too large; None after a stop.

        Where a reply is lost, the batch is looked for before another one is made.

        Args:
            file_id: Of the questions.
            digest: Its mark.
            since: When the first attempt was made, seconds since 1970.
        """

        def read(reply: Reply) -> BatchStatus | TokenLimit | None:
            if reply.status is not None and reply.status >= 400:
                return read_token_limit([reply.text])
            return read_status(read_object(reply))

        async def look() -> BatchStatus | None:
            return await self.find(digest, since=since)

        def send() -> Awaitable[Reply]:
            return self._transport.create(file_id, metadata={MARK: digest})

        return await self._insist(send, read, before_another=look)

    async def find(self, digest: str, *, since: float) -> BatchStatus | None:
        """Return the batch with a mark; None where there is none, or after a stop."""
        after: str | None = None
        for _ in range(_MAX_PAGES):
            page = await self._page(after)
            if not page:
                return None
            for status in page:
                if status.metadata.get(MARK) == digest:
                    return status
            if 0 < page[-1].created_at < since - _SKEW_S or len(page) < _PAGE:
                return None
            after = page[-1].batch_id
        return None

    async def _page(self, after: str | None) -> list[BatchStatus] | None:
        def read(reply: Reply) -> list[BatchStatus] | None:
            content = read_object(reply)
            return None if content is None else read_page(content)

        return await self._insist(lambda: self._transport.listed(after=after, limit=_PAGE), read)

    async def retrieve(self, batch_id: str) -> BatchStatus | None:
        """Return how a batch stands; None after a stop."""

        def read(reply: Reply) -> BatchStatus | None:
            if reply.status == 404:
                self._stop(
                    f"{batch_id}, which holds some of these questions, is not known to this "
                    "account: use the key it was sent with, or have them asked and paid for anew "
                    f'after interp_embed.llm.BatchRecords(store).forget("{batch_id}")',
                    fatal=True,
                )
            return read_status(read_object(reply))

        return await self._insist(lambda: self._transport.retrieve(batch_id), read)

    async def fetch(self, file_id: str) -> str | None:
        """Return the content of a file, empty where it is gone; None after a stop."""

        def read(reply: Reply) -> str | None:
            if reply.status in (404, 410):
                logger.warning("the file %s of a batch is gone: %s", file_id, reply.text[:200])
                return ""
            return reply.text if reply.status is not None and reply.status < 300 else None

        return await self._insist(lambda: self._transport.content(file_id), read)

    async def _insist(
        self,
        send: Callable[[], Awaitable[Reply]],
        read: Callable[[Reply], T | None],
        *,
        before_another: Callable[[], Awaitable[T | None]] | None = None,
    ) -> T | None:
        """Return what was read from a reply, of as many as it takes; None after a stop."""
        begun, attempts = self._state.clock.now(), 0
        while not self._state.has_stopped():
            reply = await self._once(send)
            got = read(reply)
            if got is not None or self._state.has_stopped():
                return got
            attempts += 1
            pause = self._judge(reply, attempts, self._state.clock.now() - begun)
            await self._state.rest(pause)
            if (
                before_another is not None
                and not _is_refused(reply)
                and not self._state.has_stopped()
            ):
                found = await before_another()
                if found is not None:
                    return found
        return None

    async def _once(self, send: Callable[[], Awaitable[Reply]]) -> Reply:
        usage = self._state.usage
        self._state.usage = replace(usage, requests=usage.requests + 1)
        try:
            async with self._state.clock.timeout(self._timeout_s):
                reply = await send()
        except TimeoutError:
            reply = Reply(None, trouble=f"no answer within {self._timeout_s:g} s")
        if reply.status is not None:
            self._has_answered = True
        if reply.status == 429:
            usage = self._state.usage
            self._state.usage = replace(usage, limited=usage.limited + 1)
        return reply

    def _judge(self, reply: Reply, attempts: int, lasted_s: float) -> float:
        """Return how long to wait before another attempt; end the run where there is none."""
        where, meaning = (
            self._state.address.base_url,
            read_reply(reply, wall=self._state.clock.wall()),
        )
        if reply.status in _WITHOUT:
            self._stop(self._without(reply), fatal=True)
            return 0.0
        if not isinstance(meaning, Passing | Limited) and not _is_answer(reply):
            self._stop(f"{where}: {getattr(meaning, 'reason', reply.text[:200])}", fatal=True)
            return 0.0
        reason = getattr(meaning, "reason", "what came is no batch")
        logger.info("batches at %s: %s", where, reason)
        if reply.unreachable and not self._has_answered and attempts >= _AT_START:
            self._stop(f"{where} cannot be reached ({reason})", fatal=True)
        elif lasted_s > _GIVE_UP_S:
            self._stop(f"{where} gave nothing but trouble for an hour ({reason})")
        if isinstance(meaning, Limited) and meaning.wait_s is not None:
            return meaning.wait_s + 0.05
        return self._jitter.uniform(0.5, 1.0) * min(_MAX_BACKOFF_S, 2.0**attempts)

    def _without(self, reply: Reply) -> str:
        return (
            f"{self._state.address.base_url} has no batches (HTTP {reply.status}): leave "
            'mode="batch" (on the command line --llm-batch) out, and it is asked call by call'
        )


def _is_refused(reply: Reply) -> bool:
    """Return whether a request surely came to nothing."""
    status = reply.status or 0
    return reply.unreachable or (400 <= status < 500 and status not in (408, 409))


def _is_answer(reply: Reply) -> bool:
    return reply.status is not None and reply.status < 300
