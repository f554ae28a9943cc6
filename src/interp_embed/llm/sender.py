"""One call to a server: paid from the budget, let out by the limiter, sent once, counted."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from interp_embed._servers import ServerAddress
from interp_embed.errors import StoredFileError
from interp_embed.llm.breaker import Breaker
from interp_embed.llm.buckets import Cost
from interp_embed.llm.budget import Budget
from interp_embed.llm.charge import Pass
from interp_embed.llm.expectations import Expectations
from interp_embed.llm.limiter import Limiter, Spent
from interp_embed.llm.limits import read_limits
from interp_embed.llm.prices import Price, call_cost
from interp_embed.llm.quirks import Quirks, build_body
from interp_embed.llm.records import Failure, Request, TokenUse
from interp_embed.llm.replies import Good, Limited, Meaning, Passing, read_reply
from interp_embed.llm.run_state import RunState
from interp_embed.llm.transport import Reply, Transport
from interp_embed.records import Json

logger = logging.getLogger(__name__)

_GIVE_UP_LIMITED_S = 900.0
"""Seconds of nothing but 429 after which a run ends."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where and as whom to ask."""

    address: ServerAddress
    model: str
    identity: Mapping[str, Json]
    price: Price | None
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Sent:
    """A call that was sent, and what came of it."""

    meaning: Meaning
    latency_s: float
    quirks: Quirks
    """How the server was asked."""
    cost_usd: float | None = None
    """None where it is not known, or nothing was billed."""
    maybe_paid: bool = False
    """Whether it was sent, and what came of it is not known."""


class Sender:
    """Sends calls one server's way; tells limiter, breaker and budget what came."""

    max_attempts = 12
    """At one question, where what came may pass."""

    def __init__(
        self,
        server: Server,
        transport: Transport,
        *,
        limiter: Limiter,
        budget: Budget,
        expectations: Expectations,
        state: RunState,
    ) -> None:
        self.server = server
        self.transport = transport
        self.limiter = limiter
        self.expectations = expectations
        self._budget, self._state, self._clock = budget, state, state.clock
        self._breaker = Breaker()
        self._limited_since: float | None = None
        self._sends: set[asyncio.Task[Reply]] = set()

    def go_on(self) -> None:
        """Forget the troubles of the last run."""
        self._breaker.go_on()
        self._limited_since = None
        self.limiter.go_on()

    def stop(
        self,
        reason: str,
        *,
        fatal: bool = False,
        again_s: float | None = None,
        error: StoredFileError | None = None,
    ) -> None:
        """Let nobody out any more; calls under way are waited for."""
        self._state.stop(reason, fatal=fatal, again_s=again_s, error=error)
        self.limiter.stop()

    @property
    def under_way(self) -> int:
        """Calls sent and not yet answered."""
        return self.limiter.under_way

    def left_behind(self) -> str:
        """Return what goes on at the provider after a run, in words; empty for nothing."""
        return ""

    def abort(self) -> None:
        """Cut off the calls under way; they may have been paid for."""
        for send in list(self._sends):
            send.cancel()

    async def close(self) -> None:
        """Close the connections."""
        await self.transport.close()

    async def send(
        self,
        request: Request,
        *,
        quirks: Callable[[], Quirks],
        may_send: Callable[[], bool],
    ) -> Sent | Failure | None:
        """Wait for money and for leave, send once, and count what came.

        Args:
            request: The question.
            quirks: Tells how the server wants to be asked; others may learn more while this waits.
            may_send: Asked when there is leave; if not, nothing is sent and None returned.
        """
        if self._state.halt is not None:
            return self._state.stopped()
        worst = self.worst_cost(request, quirks(), self.server.price)
        if not await self.reserve(worst):
            return self._state.stopped()
        spent = 0.0
        try:
            self.transport.prepare()
            leave = await self.limiter.admit(
                self._weight(request, quirks()), left=max(1, self._state.left)
            )
            if isinstance(leave, Spent):
                self.stop(leave.reason, again_s=leave.again_s)
            if not isinstance(leave, Pass):
                return self._state.stopped()
            if not may_send():
                self.limiter.give_back(leave)
                return None
            sent = await self._exchange(request, quirks(), leave)
            sent = self.count(request, sent, self.server.price)
            # A call that broke off after it was sent may be on the bill: the limit counts it.
            spent = worst if sent.maybe_paid else sent.cost_usd or 0.0
        finally:
            self._budget.settle(worst, spent)
        return sent

    async def reserve(self, worst: float) -> bool:
        """Set money aside for a call; False, and the run is ended, where there is too little."""
        if await self._budget.reserve(worst):
            return True
        self.stop(
            "max_cost is $0, so that only what is stored is used"
            if self._budget.limit == 0
            else f"max_cost is ${self._budget.limit:g}, of which ${self._budget.spent:.4f} are "
            f"spent, and the next call may cost ${worst:.4f}"
        )
        return False

    def settle(self, reserved: float, spent: float) -> None:
        """Give money back that was set aside, less what was spent."""
        self._budget.settle(reserved, spent)

    def _weight(self, request: Request, quirks: Quirks) -> Cost:
        prompt = self.expectations.prompt_tokens(request)
        return {"requests": 1.0, "tokens": prompt + request.max_tokens + quirks.headroom}

    def worst_cost(self, request: Request, quirks: Quirks, price: Price | None) -> float:
        """Return the most a call may cost, dollars; 0 where no price is known."""
        if price is None:
            return 0.0
        prompt = self.expectations.most_prompt_tokens(request)
        use = TokenUse(prompt, request.max_tokens + quirks.headroom)
        cost = price.cost(use)
        if cost is not None:
            return cost
        # Longer than the price is for: servers then ask up to twice as much.
        return 2 * (replace(price, max_prompt_tokens=None).cost(use) or 0.0)

    async def _exchange(self, request: Request, quirks: Quirks, leave: Pass) -> Sent:
        timeout = self._timeout_s()
        begin = self._clock.now()
        try:
            reply = await self._send_within(timeout, build_body(request, self.server.model, quirks))
            meaning = read_reply(reply, wall=self._clock.wall())
            self.limiter.learn(read_limits(reply.headers), leave)
            self._steer(meaning, leave, reply)
        finally:
            self.limiter.leave(leave)
        broke_off = isinstance(meaning, Passing) and reply.status is None
        maybe_paid = broke_off and not reply.unreachable
        return Sent(meaning, self._clock.now() - begin, quirks, maybe_paid=maybe_paid)

    async def _send_within(self, timeout: float, body: Mapping[str, Json]) -> Reply:
        """Send, and wait for the whole reply no longer than this, whatever trickles in."""
        send = asyncio.get_running_loop().create_task(self.transport.send(body))
        self._sends.add(send)
        try:
            async with self._clock.timeout(timeout):
                return await send
        except TimeoutError:
            return Reply(None, trouble=f"no answer within {timeout:g} s")
        except asyncio.CancelledError:
            if self._state.halt is None or not send.cancelled():
                raise
            return Reply(None, trouble="cut off")
        finally:
            self._sends.discard(send)

    def _timeout_s(self) -> float:
        """Return the seconds a call may take in all; long enough not to pay for one twice."""
        latency = self.limiter.concurrency.latency
        usual = max(60.0, 12 * latency) if latency else self.server.timeout_s
        return min(self.server.timeout_s, usual)

    def _steer(self, meaning: Meaning, leave: Pass, reply: Reply) -> None:
        """Tell limiter and breaker what came."""
        self._state.usage = replace(
            self._state.usage,
            requests=self._state.usage.requests + 1,
            limited=self._state.usage.limited + isinstance(meaning, Limited),
        )
        now = self._clock.now()
        if isinstance(meaning, Limited):
            self._steer_limited(meaning, leave, now)
            return
        self._limited_since = None
        if isinstance(meaning, Good):
            self.limiter.answer(leave)
        if not isinstance(meaning, Passing):
            self._breaker.answer()
            return
        if meaning.timed_out:
            self.limiter.time_out()
        if reply.status in (503, 529):
            self.limiter.concurrency.refuse(now)
        logger.info("%s: %s", self.server.model, meaning.reason)
        advice = self._breaker.fail(now, unreachable=meaning.unreachable)
        where = self.server.address.base_url
        if advice == "not there":
            self.stop(f"{where} cannot be reached ({meaning.reason})", fatal=True)
        elif advice == "give up":
            self.stop(f"{where} gave nothing but trouble for five minutes ({meaning.reason})")
        elif advice == "pause":
            self.limiter.pause(self._breaker.pause_s, probe=True)

    def _steer_limited(self, meaning: Limited, leave: Pass, now: float) -> None:
        self._breaker.in_a_row = 0
        if meaning.too_large:
            return
        self.limiter.refuse(meaning, leave)
        self._limited_since = now if self._limited_since is None else self._limited_since
        if now - self._limited_since > _GIVE_UP_LIMITED_S:
            self.stop(
                f"the server has refused every call for a quarter of an hour: {meaning.reason}"
            )

    def count(self, request: Request, sent: Sent, price: Price | None) -> Sent:
        """Count an answer's tokens and money; return it with its dollars."""
        if not isinstance(sent.meaning, Good):
            return sent
        use = sent.meaning.use
        self.expectations.see(request, use)
        dollars = call_cost(use, price)
        wasted = not sent.meaning.text.strip() or bool(sent.meaning.refusal)
        self._state.usage = replace(
            self._state.usage,
            calls=self._state.usage.calls + 1,
            prompt_tokens=self._state.usage.prompt_tokens + (use.prompt_tokens or 0),
            completion_tokens=self._state.usage.completion_tokens + (use.completion_tokens or 0),
            cost_usd=self._state.usage.cost_usd + (dollars or 0.0),
            wasted_usd=self._state.usage.wasted_usd + (dollars or 0.0) * wasted,
            unpriced=self._state.usage.unpriced + (dollars is None),
        )
        return replace(sent, cost_usd=dollars)
