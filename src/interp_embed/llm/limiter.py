"""One waiting room for all calls to a model: nobody is sent who would be turned away."""

import asyncio
import math
import random
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from interp_embed.llm.buckets import Buckets, Cost
from interp_embed.llm.charge import MARGIN, ChargeScale, Pass
from interp_embed.llm.clock import Clock
from interp_embed.llm.concurrency import Concurrency
from interp_embed.llm.limits import LimitReading
from interp_embed.llm.replies import Limited

MAX_WAIT_S = 600.0
"""Waits longer than this end the run instead; it can be taken up again."""
_BACKOFF_S = 1.5
_MAX_BACKOFF_S = 60.0
_LEARNED_SHARE = 0.9
_REGROWTH = 0.05
_CALM_S = 30.0


@dataclass(frozen=True, slots=True)
class Spent:
    """Why no call can be sent for a long while."""

    reason: str
    again_s: float


class Limiter:
    """Buckets, a cap on calls under way, and a pause for everybody."""

    def __init__(
        self, clock: Clock, *, most: int, wait_for_day: bool = False, seed: int = 0
    ) -> None:
        """Know nothing yet.

        Args:
            clock: Whose time counts.
            most: Calls under way at once, at most.
            wait_for_day: Whether to wait for a limit by the day, one call every few seconds,
                instead of ending the run.
            seed: Of the jitter.
        """
        self.buckets = Buckets()
        self.concurrency = Concurrency(most)
        self.paused_until = -math.inf
        self._clock = clock
        self._wait_for_day = wait_for_day
        self._jitter = random.Random(seed)  # noqa: S311 - spreads calls, decides nothing
        self._gate = asyncio.Lock()
        self._changed = asyncio.Event()
        self._under_way: dict[int, Cost] = {}
        self._n_sent = 0
        self._refusals = 0
        self._probing = False
        self._stopped = False
        self._answers: deque[float] = deque(maxlen=4096)
        self._estimated = 0.0
        self._charge = ChargeScale()

    @property
    def under_way(self) -> int:
        """Calls sent and not yet answered."""
        return len(self._under_way)

    def stop(self) -> None:
        """Send nobody any more; those who wait are told."""
        self._stopped = True
        self._changed.set()

    def go_on(self) -> None:
        """Admit calls again, for another run."""
        self._stopped = False

    async def admit(self, cost: Cost, *, left: int) -> Pass | Spent | None:
        """Wait for leave to send a call; first come, first served.

        Args:
            cost: Of the call.
            left: Calls that are still to be made, this one included.

        Returns:
            The leave, why there is none for long, or None after a stop.
        """
        async with self._gate:
            while not self._stopped:
                now = self._clock.now()
                spent = self._spent(cost, left, now)
                if spent is not None:
                    return spent
                charged: Cost = {**cost, "tokens": cost["tokens"] * self._charge.scale * MARGIN}
                wait = self._wait_s(charged, now)
                if wait <= 0:
                    self._estimated += cost["tokens"]
                    return self._send(charged, now)
                await self._until_changed(wait)
            return None

    def _spent(self, cost: Cost, left: int, now: float) -> Spent | None:
        pause = self.paused_until - now
        if pause > MAX_WAIT_S:
            return Spent(f"the server asks to wait {say_duration(pause)}", pause)
        day = self.buckets.day()
        if day is None or self._wait_for_day:
            return None
        day.fill(now)
        if day.level >= 1:
            return None
        needed = (left - day.level) / day.rate
        if needed <= MAX_WAIT_S:
            return None
        return Spent(f"the {day.name} are used up", (day.limit - day.level) / day.rate)

    def _wait_s(self, cost: Cost, now: float) -> float:
        if now < self.paused_until:
            return self.paused_until - now
        probing = self._probing and self.under_way > 0
        allowed = self.concurrency.cap(self.buckets.per_second(cost), self.buckets.fullness())
        if probing or self.under_way >= allowed:
            return MAX_WAIT_S  # an answer will wake
        return self.buckets.wait_s(cost, now)

    async def _until_changed(self, seconds: float) -> None:
        self._changed.clear()
        try:
            async with self._clock.timeout(min(seconds, MAX_WAIT_S)):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _send(self, cost: Cost, now: float) -> Pass:
        self.buckets.take(cost)
        leave = Pass(self._n_sent, cost, now, self._estimated)
        self._n_sent += 1
        self._under_way[leave.number] = cost
        return leave

    def give_back(self, leave: Pass) -> None:
        """Take back the leave for a call that was not sent."""
        self.buckets.take({name: -amount for name, amount in leave.cost.items()})
        self.leave(leave)

    def leave(self, leave: Pass) -> None:
        """Count a call as no longer under way."""
        self._under_way.pop(leave.number, None)
        self._changed.set()

    def learn(self, readings: Iterable[LimitReading], leave: Pass) -> None:
        """Take over the limits that the reply to a call states."""
        now = self._clock.now()
        for reading in readings:
            if reading.counted == "tokens" and reading.window == "minute":
                self._charge.read(reading, leave)
            self.buckets.read(reading, now, call=leave.number, unseen=self._under_way)

    def answer(self, leave: Pass) -> None:
        """Count an answer."""
        now = self._clock.now()
        self._refusals, self._probing = 0, False
        self._answers.append(now)
        self.concurrency.answer(now - leave.sent_at, self.under_way, now)
        guessed = self.buckets.known.get(("requests", "minute"))
        if guessed and guessed.read_from < 0 and now - self.concurrency.cut_at > _CALM_S:
            guessed.limit += _REGROWTH  # 5 in a hundred answers

    def refuse(self, refusal: Limited, leave: Pass) -> None:
        """Let everybody wait after a 429: as long as the server says, or longer each time."""
        now = self._clock.now()
        if refusal.requested_tokens is not None:
            self._charge.raise_to(refusal.requested_tokens / leave.cost["tokens"])
        if refusal.reading is not None:
            self.learn([refusal.reading], leave)
        elif refusal.wait_s is None and not self.buckets.known:
            self._guess(now)
        same_burst = leave.sent_at < self.concurrency.cut_at
        self.concurrency.bursts = False
        self.concurrency.refuse(now)
        wait = refusal.wait_s
        if wait is None:
            if not same_burst:
                self._refusals += 1
            backoff = min(_MAX_BACKOFF_S, _BACKOFF_S * 2.0 ** max(0, self._refusals - 1))
            wait = backoff * self._jitter.uniform(0.75, 1.25)
            self._slow_down(now, same_burst=same_burst)
            self._probing = True
        self.paused_until = max(self.paused_until, now + wait + 0.05)
        self._changed.set()

    def _guess(self, now: float) -> None:
        """Guess the limit of a server that says nothing: what went through in the last minute."""
        passed = sum(1 for at in self._answers if now - at <= 60.0)
        if passed >= 2:
            bucket = self.buckets.set("requests", "minute", max(2.0, _LEARNED_SHARE * passed), now)
            bucket.level = 0.0

    def _slow_down(self, now: float, *, same_burst: bool) -> None:
        bucket = self.buckets.known.get(("requests", "minute"))
        if bucket is None or same_burst or bucket.read_from >= 0:
            return
        bucket.fill(now)
        bucket.limit = max(1.0, bucket.limit * 0.8)
        bucket.level = min(bucket.level, 0.0)

    def time_out(self) -> None:
        """Count a timeout."""
        self.concurrency.time_out(self._clock.now())

    def pause(self, seconds: float, *, probe: bool) -> None:
        """Let everybody wait; then, if asked, send one alone until an answer comes."""
        self.paused_until = max(self.paused_until, self._clock.now() + seconds)
        self._probing = self._probing or probe
        self._changed.set()

    def seconds_for(self, n_calls: int, mean: Cost) -> tuple[float, str]:
        """Return the seconds so many calls take, and the limit that binds; empty if none is known.

        Args:
            n_calls: Calls.
            mean: Cost of one, on average.
        """
        return self.buckets.seconds_for(n_calls, mean, self._clock.now())

    def known_limits(self) -> list[Mapping[str, float | str]]:
        """Return the limits the server stated, for the store."""
        return [
            {"counted": bucket.counted, "window": bucket.window, "limit": bucket.limit}
            for bucket in self.buckets.known.values()
            if bucket.read_from >= 0
        ]


def say_duration(seconds: float) -> str:
    """Return hours or minutes, in words."""
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.0f} minutes"
