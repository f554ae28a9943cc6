"""Leaky buckets: how much may be asked now, and when there is room for more."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from interp_embed.llm.limits import SECONDS, Counted, LimitReading, Window

Cost = Mapping[Counted, float]
"""What one call counts as: 1 request, and its tokens with the whole ceiling of the answer."""


@dataclass(slots=True)
class Bucket:
    """One limit: it fills at an even rate and every call takes from it."""

    counted: Counted
    window: Window
    limit: float
    level: float
    """What may be taken; below 0 where more was taken than there was."""
    filled_at: float
    read_from: int = -1
    """Number of the call whose reply this level is from."""

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.limit / SECONDS[self.window]

    @property
    def name(self) -> str:
        """Such as ``200,000 tokens a minute``."""
        return f"{self.limit:,.0f} {self.counted} a {self.window}"

    def fill(self, now: float) -> None:
        """Let time pass."""
        self.level = min(self.limit, self.level + self.rate * max(0.0, now - self.filled_at))
        self.filled_at = now

    def wait_s(self, amount: float) -> float:
        """Return the seconds until an amount can be taken, after :meth:`fill`."""
        short = min(amount, self.limit) - self.level
        return max(0.0, short / self.rate)


@dataclass(slots=True)
class Buckets:
    """All limits known of one server, key and model."""

    known: dict[tuple[Counted, Window], Bucket] = field(default_factory=dict)

    def set(self, counted: Counted, window: Window, limit: float, now: float) -> Bucket:
        """Know a limit, from a full bucket if it is new."""
        bucket = self.known.get((counted, window))
        if bucket is None:
            bucket = Bucket(counted, window, limit, limit, now)
            self.known[counted, window] = bucket
        elif bucket.limit != limit:
            bucket.fill(now)
            bucket.level += min(0.0, limit - bucket.limit)
            bucket.limit = limit
        return bucket

    def read(
        self, reading: LimitReading, now: float, *, call: int, unseen: Mapping[int, Cost]
    ) -> None:
        """Take over what a reply says.

        Args:
            reading: From the reply to a call.
            now: Of the clock.
            call: Its number; replies to earlier calls than the last one read are old news.
            unseen: Costs of the calls under way by number: those sent later than this one are
                not in what it says.
        """
        bucket = self.set(reading.counted, reading.window, reading.limit, now)
        if call < bucket.read_from:
            return
        later = sum(cost[reading.counted] for number, cost in unseen.items() if number > call)
        bucket.read_from = call
        bucket.level = reading.remaining - later
        bucket.filled_at = now

    def wait_s(self, cost: Cost, now: float) -> float:
        """Return the seconds until a call of this cost is within every limit."""
        waits = [0.0]
        for bucket in self.known.values():
            bucket.fill(now)
            waits.append(bucket.wait_s(cost[bucket.counted]))
        return max(waits)

    def take(self, cost: Cost) -> None:
        """Count a call that is being sent."""
        for bucket in self.known.values():
            bucket.level -= cost[bucket.counted]

    def per_second(self, cost: Cost) -> float:
        """Return how many calls of this cost a second the limits by the minute allow."""
        rates = [
            bucket.rate / max(cost[bucket.counted], 1e-9)
            for bucket in self.known.values()
            if bucket.window == "minute"
        ]
        return min(rates, default=float("inf"))

    def fullness(self) -> float:
        """Return the level of the emptiest bucket by the minute, in [0, 1]."""
        return max(
            0.0,
            min(
                (b.level / b.limit for b in self.known.values() if b.window == "minute"),
                default=0.0,
            ),
        )

    def day(self) -> Bucket | None:
        """Return the limit of requests a day, if it is known."""
        return self.known.get(("requests", "day"))

    def seconds_for(self, calls: int, cost: Cost, now: float) -> tuple[float, str]:
        """Return how long some calls take at the known limits, and the name of the one that binds.

        Args:
            calls: Their number.
            cost: Of one of them, on average.
            now: Of the clock.
        """
        worst, name = 0.0, ""
        for bucket in self.known.values():
            bucket.fill(now)
            short = calls * cost[bucket.counted] - bucket.level
            if short / bucket.rate >= worst:
                worst, name = short / bucket.rate, bucket.name
        return worst, name
