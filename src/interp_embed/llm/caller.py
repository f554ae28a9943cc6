"""One question, from the store or from the server, asked until there is an answer or a reason."""

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from interp_embed.errors import StoredFileError
from interp_embed.llm.answered import as_stored, is_eaten
from interp_embed.llm.answers import AnswerStore, StoredCall
from interp_embed.llm.batch_sender import BatchSender
from interp_embed.llm.keys import request_key
from interp_embed.llm.quirks import Quirks
from interp_embed.llm.records import Answer, Failure, Request
from interp_embed.llm.replies import (
    Fatal,
    Good,
    Limited,
    Meaning,
    Passing,
    Refused,
    Rejected,
    TooLong,
    Unsupported,
)
from interp_embed.llm.run_state import RunState
from interp_embed.llm.sender import Sender, Sent
from interp_embed.records import Json

logger = logging.getLogger(__name__)

_MAX_BACKOFF_S = 30.0
_MAX_ENLARGED = 2
_FIRST_ROOM = 1024
"""Tokens given at first to a model that thinks: hosted ones were seen to use 400 for a word."""
_MAX_REJECTED = 20
"""Questions in a row that a server does not understand, after which it is not asked any more."""
_POLL_S = 1.0
_FAILED: Mapping[str, Literal["refused", "too_long"]] = {
    "refused": "refused",
    "too_long": "too_long",
}


class Caller:
    """Asks questions of one model; everything it learns and receives goes to the store."""

    def __init__(
        self,
        sender: Sender | BatchSender,
        store: AnswerStore,
        state: RunState,
        *,
        retry_failures: bool = False,
        seed: int = 0,
    ) -> None:
        self.state = state
        self._sender, self._store = sender, store
        self._server = sender.server
        self._retry_failures = retry_failures
        self._jitter = random.Random(seed)  # noqa: S311 - spreads calls, decides nothing
        provider = self._server.address.provider
        self._learned: dict[str, Json] = dict(store.quirks(provider, self._server.model))
        self._quirks = Quirks.read(self._learned, provider=provider)
        self._pending: dict[str, asyncio.Future[Answer | Failure]] = {}
        self._known: dict[str, StoredCall] = {}
        self._claimed: set[str] = set()
        self._rejected = 0

    @property
    def headroom(self) -> int:
        """Hidden tokens added to every ceiling, as learned so far."""
        return self._quirks.headroom

    def remember(self, calls: Mapping[str, StoredCall]) -> None:
        """Take over calls that were looked up together, so that none is looked up alone."""
        self._known = dict(calls)

    def stop(
        self, reason: str, *, fatal: bool = False, error: StoredFileError | None = None
    ) -> None:
        """Ask nothing more; calls under way are waited for."""
        self._sender.stop(reason, fatal=fatal, error=error)

    def abort(self) -> None:
        """Wait for nothing more; calls under way are cut off, and may have been paid for."""
        self.stop("cut off")
        self._sender.abort()

    def go_on(self) -> None:
        """Ask again, for another run."""
        self.state.go_on()
        self._sender.go_on()

    async def ask(self, request: Request) -> Answer | Failure:
        """Return the answer to a question, or why there is none; raises nothing of the server's."""
        key = request_key(request, self._server.identity)
        usage = self.state.usage
        found = self._find(key)
        if found is not None:
            self.state.usage = replace(usage, cached=usage.cached + 1)
            return found
        if key in self._pending:
            return await asyncio.shield(self._pending[key])
        pending: asyncio.Future[Answer | Failure] = asyncio.get_running_loop().create_future()
        self._pending[key] = pending
        result: Answer | Failure = Failure("stopped", "the run was cancelled")
        try:
            result = await self._ask_server(key, request)
        except StoredFileError as error:
            self.stop(f"answers can no longer be kept: {error}", error=error)
            result = self.state.stopped()
        finally:
            self._release(key)
            del self._pending[key]
            if not pending.done():
                pending.set_result(result)
        if isinstance(result, Failure):
            self.state.usage = replace(self.state.usage, failed=self.state.usage.failed + 1)
        return result

    def _release(self, key: str) -> None:
        """Give up the claim on a question, once its answer is stored."""
        if key not in self._claimed:
            return
        self._claimed.discard(key)
        try:
            self._store.release(key)
        except StoredFileError as error:
            logger.warning("a claim stays until it runs out: %s", error)

    def _find(self, key: str) -> Answer | Failure | None:
        call = self._known.pop(key, None) or self._store.find([key]).get(key)
        if call is None or (self._retry_failures and call.finish_reason in _FAILED):
            return None
        return _result(call, cached=True)

    async def _ask_server(self, key: str, request: Request) -> Answer | Failure:
        attempts, enlarged = 0, 0
        if self._retry_failures:
            self._store.forget([key])  # what was refused before would stay
        while True:
            sent = await self._claim_and_send(key, request)
            if not isinstance(sent, Sent):
                return sent
            meaning = sent.meaning
            if is_eaten(meaning) and enlarged < _MAX_ENLARGED:
                enlarged += 1
                self._make_room(request, sent.quirks)
            elif isinstance(meaning, Good | TooLong | Refused):
                return self._keep(key, request, sent, attempts=attempts + 1)
            elif isinstance(meaning, Passing):
                attempts += 1
                if attempts >= self._sender.max_attempts:
                    reason = f"{attempts} attempts failed, the last: {meaning.reason}"
                    return Failure("unusable", reason)
                await self._back_off(attempts)
            else:
                failure = await self._decide(meaning, sent.quirks)
                if failure is not None:
                    return failure

    async def _claim_and_send(self, key: str, request: Request) -> Sent | Answer | Failure:
        """Send a question that no other process is asking; else wait for that one's answer."""
        lease = 2 * self._server.timeout_s

        def may_send() -> bool:
            if not self._store.claim(key, lease):
                return False
            self._claimed.add(key)
            # Another process may have asked and answered it since we looked.
            return self._retry_failures or not self._store.find([key])

        while True:
            sent = await self._sender.send(request, quirks=lambda: self._quirks, may_send=may_send)
            if sent is not None:
                return sent
            if (found := self._find(key)) is not None:
                return found
            await self.state.rest(_POLL_S)

    async def _back_off(self, attempts: int) -> None:
        longest = min(_MAX_BACKOFF_S, 0.5 * 2.0**attempts)
        await self.state.rest(self._jitter.uniform(0.1, longest))

    async def _decide(self, meaning: Meaning, quirks: Quirks) -> Failure | None:
        """Return why a question has no answer; None to ask again."""
        if isinstance(meaning, Limited):
            if not meaning.too_large:
                return None
            if "Limit 0" in meaning.reason or "Limit: 0" in meaning.reason:
                self.stop(f"the account may not use this model: {meaning.reason}", fatal=True)
                return self.state.stopped()
            return Failure("too_long", f"more than the account's limit allows: {meaning.reason}")
        if isinstance(meaning, Rejected):
            return self._reject(meaning)
        if isinstance(meaning, Unsupported):
            return self._relearn(meaning, quirks)
        if isinstance(meaning, Fatal):
            self.stop(await self._explain(meaning), fatal=True)
            return self.state.stopped()
        raise TypeError(f"unexpected {type(meaning).__name__}")  # pragma: no cover

    def _reject(self, meaning: Rejected) -> Failure:
        """Give one question up; all of them if no other one is understood either."""
        self._rejected += 1
        if self.state.usage.calls == 0 or self._rejected >= _MAX_REJECTED:
            self.stop(meaning.reason, fatal=True)
            return self.state.stopped()
        return Failure("unusable", self._server.address.redact(meaning.reason))

    def _relearn(self, meaning: Unsupported, quirks: Quirks) -> Failure | None:
        if self._quirks != quirks:  # another call has found out meanwhile
            return None
        other = quirks.without(meaning.parameter)
        if other is None:
            self.stop(f"the server does not understand the request ({meaning.reason})", fatal=True)
            return self.state.stopped()
        logger.info("%s does not take %s", self._server.model, meaning.parameter)
        self._learn(other)
        return None

    def _learn(self, quirks: Quirks) -> None:
        self._quirks = quirks
        self._learned |= quirks.to_json()
        self._store.learn(self._server.address.provider, self._server.model, self._learned)

    def learn_limits(self) -> None:
        """Keep the limits the server stated, for the next estimate."""
        limits = self._sender.limiter.known_limits()
        if limits and self._learned.get("limits") != limits:
            self._learned["limits"] = limits
            self._store.learn(self._server.address.provider, self._server.model, self._learned)

    def _make_room(self, request: Request, quirks: Quirks) -> None:
        if self._quirks.headroom == quirks.headroom:
            headroom = max(_FIRST_ROOM, 4 * (request.max_tokens + quirks.headroom))
            self._learn(replace(self._quirks, headroom=headroom))

    async def _explain(self, meaning: Fatal) -> str:
        address = self._server.address
        if not meaning.no_model:
            return f"{address.base_url}: {meaning.reason}"
        names: tuple[str, ...] = ()
        try:
            async with self.state.clock.timeout(10.0):
                names = await self._sender.transport.models()
        except TimeoutError:
            logger.info("%s does not list its models", address.base_url)
        offered = ", ".join(sorted(names)[:30]) + (" …" if len(names) > 30 else "")
        told = f"; it offers: {offered}" if names else "; check the name and the address"
        return f"{address.base_url} has no model {self._server.model!r} ({meaning.reason}){told}"

    def _keep(self, key: str, request: Request, sent: Sent, *, attempts: int) -> Answer | Failure:
        """Commit what came before anybody reads it."""
        if isinstance(sent.meaning, Good):
            self._rejected = 0
            if self._quirks.headroom < (seen := 2 * (sent.meaning.use.reasoning_tokens or 0)):
                self._learn(replace(self._quirks, headroom=seen))
        call = as_stored(self._server, key, request, sent, attempts=attempts)
        if call is None:  # pragma: no cover - the caller has seen to it
            raise TypeError(f"{type(sent.meaning).__name__} is nothing to keep")
        self._store.add(call)
        return _result(call, cached=False)


def _result(call: StoredCall, *, cached: bool) -> Answer | Failure:
    if call.finish_reason in _FAILED:
        return _failure(_FAILED[call.finish_reason], call.refusal)
    return Answer(call.text, call.finish_reason, call.key, cached=cached)


def _failure(kind: Literal["refused", "too_long"], reason: str) -> Failure:
    told = "refused: " if kind == "refused" else ""
    return Failure(kind, f"{told}{reason[:300]}")
