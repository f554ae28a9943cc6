"""A provider's rate limits: leaky buckets, and the headers and words that tell of them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate

from interp_embed.llm.clock import Clock

MINUTE, DAY = 60.0, 86_400.0
NAMES = {
    "rpm": ("requests per min (RPM)", "requests"),
    "tpm": ("tokens per min (TPM)", "tokens"),
    "rpd": ("requests per day (RPD)", "requests"),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a model allows; None for no such limit."""

    rpm: float | None = None
    tpm: float | None = None
    rpd: float | None = None
    count_refused: bool = False
    """Whether a request refused for its tokens still counts as a request."""


class Bucket:
    """A leaky bucket: ``used`` runs out at ``limit`` a period; full, it refuses.

    Limit 30,000 a minute, used 27,728, asked 4,825: 2,553 too many, so try again in 5.106 s.
    """

    def __init__(self, limit: float, period_s: float, clock: Clock) -> None:
        self.limit = limit
        self.period_s = period_s
        self._clock = clock
        self._used = 0.0
        self._at = clock.now()

    @property
    def used(self) -> float:
        """What has not run out yet."""
        now = self._clock.now()
        self._used = max(0.0, self._used - (now - self._at) * self.limit / self.period_s)
        self._at = now
        return self._used

    def wait_s(self, amount: float) -> float:
        """Return seconds until this much has room; 0 if it has now."""
        return max(0.0, (self.used + amount - self.limit) * self.period_s / self.limit)

    def take(self, amount: float) -> None:
        """Fill in this much, asked or not."""
        self._used = self.used + amount

    def set_limit(self, limit: float) -> None:
        """Change the limit; what is used stays used."""
        self._used = self.used
        self.limit = limit

    @property
    def remaining(self) -> int:
        """How much has room now."""
        return max(0, math.floor(self.limit - self.used))

    @property
    def reset_s(self) -> float:
        """Seconds until the bucket is as new."""
        return self.used * self.period_s / self.limit


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request does not get in."""

    bucket: str
    """``rpm``, ``tpm`` or ``rpd``."""
    limit: float
    used: float
    requested: float
    wait_s: float

    @property
    def never(self) -> bool:
        """Whether it would not get in by waiting."""
        return self.requested > self.limit

    def message(self, model: str) -> str:
        """Return the words OpenAI uses."""
        name, _ = NAMES[self.bucket]
        limit, used, asked = (round(n) for n in (self.limit, self.used, self.requested))
        if self.never:
            return (
                f"Request too large for {model} in organization org-XXXX on {name}: Limit {limit}, "
                f"Requested {asked}. The input or output tokens must be reduced in order to run "
                "successfully. Visit https://platform.openai.com/account/rate-limits to learn more."
            )
        return (
            f"Rate limit reached for {model} in organization org-XXXX on {name}: Limit {limit}, "
            f"Used {used}, Requested {asked}. Please try again in {in_words(self.wait_s)}. Visit "
            "https://platform.openai.com/account/rate-limits to learn more."
        )

    @property
    def kind(self) -> str:
        """Return ``requests`` or ``tokens``, OpenAI's error type."""
        return NAMES[self.bucket][1]


class ModelLimits:
    """The buckets of one model."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._clock = clock
        self.limits = limits
        self.buckets: dict[str, Bucket] = {}
        self.set(limits)

    def set(self, limits: Limits) -> None:
        """Change the limits; what is used stays used."""
        self.limits = limits
        for name, period_s in (("rpm", MINUTE), ("tpm", MINUTE), ("rpd", DAY)):
            limit = getattr(limits, name)
            if limit is None:
                self.buckets.pop(name, None)
            elif name in self.buckets:
                self.buckets[name].set_limit(limit)
            else:
                self.buckets[name] = Bucket(limit, period_s, self._clock)

    def admit(self, tokens: float) -> Refused | None:
        """Charge one request of so many tokens, or say why not."""
        asked = {name: tokens if name == "tpm" else 1 for name in self.buckets}
        for name, bucket in self.buckets.items():
            wait_s = bucket.wait_s(asked[name])
            if wait_s > 0:
                if self.limits.count_refused and "rpm" in self.buckets:
                    self.buckets["rpm"].take(1)
                return Refused(name, bucket.limit, bucket.used, asked[name], wait_s)
        for name, bucket in self.buckets.items():
            bucket.take(asked[name])
        return None

    def headers(self) -> Iterator[tuple[str, str]]:
        """Yield OpenAI's six headers: requests a minute (a day, without), and tokens."""
        shown = {"requests": self.buckets.get("rpm") or self.buckets.get("rpd")}
        shown["tokens"] = self.buckets.get("tpm")
        for name, bucket in shown.items():
            if bucket is not None:
                yield f"x-ratelimit-limit-{name}", str(round(bucket.limit))
                yield f"x-ratelimit-remaining-{name}", str(bucket.remaining)
                yield f"x-ratelimit-reset-{name}", in_words(bucket.reset_s)


def in_words(seconds: float) -> str:
    """Return a duration as OpenAI writes it: ``92ms``, ``8.64s``, ``1m26.4s``, ``6m0s``."""
    if seconds < 1:
        return f"{math.floor(round(seconds * 1000, 6))}ms"  # 92.1 ms is said as 92ms
    hours, rest = divmod(round(seconds, 3), 3600)
    minutes, rest = divmod(rest, 60)
    left = f"{rest:.3f}".rstrip("0").rstrip(".") + "s"
    return (
        (f"{hours:.0f}h" if hours else "") + (f"{minutes:.0f}m" if hours or minutes else "") + left
    )


def retry_headers(style: str | None, wait_s: float, clock: Clock) -> Iterator[tuple[str, str]]:
    """Yield ``retry-after`` in a style: ``seconds``, ``ms``, ``both``, ``date`` or None."""
    if style in ("ms", "both"):
        yield "retry-after-ms", str(math.ceil(wait_s * 1000))
    if style in ("seconds", "both"):
        yield "retry-after", str(math.ceil(wait_s))
    if style == "date":
        yield "retry-after", formatdate(math.ceil(clock.wall() + wait_s), usegmt=True)
