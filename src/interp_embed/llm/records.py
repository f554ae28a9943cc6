"""What passes between those who ask a language model and those who carry the question to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from interp_embed.records import Json

Role = Literal["system", "user", "assistant"]
NOT_ASKED = "not asked"
"""How the reason of a failure of the kind ``stopped`` begins."""
FailureKind = Literal["refused", "too_long", "unusable", "stopped"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model; everything in it is part of the answer's key."""

    kind: str
    """Name and version of the prompt, such as ``annotate-5f2c``: token counts are learned by it."""
    messages: tuple[Message, ...]
    max_tokens: int
    """Ceiling of the visible answer, tokens. Servers charge it in advance: keep it tight. Room for
    a reasoning model's hidden tokens is added when they are seen."""
    schema: Mapping[str, Json] | None = None
    """JSON schema of the answer; None for plain text. Weaker servers may not enforce it."""
    temperature: float | None = 0.0
    """None: the server's own."""
    sample: int = 0
    """Counts up where the same question is asked once more."""
    parameters: Mapping[str, Json] = field(default_factory=dict)
    """More of the server's parameters, such as ``{"reasoning_effort": "low"}``."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered, from the server or from the store."""

    text: str
    """As it came; nothing is taken away."""
    finish_reason: str
    """``stop``; ``length`` if it was cut off at the ceiling; or the server's own word."""
    key: str
    """Under which the store keeps the call."""
    cached: bool
    """Whether it was in the store before."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer."""

    kind: FailureKind
    """``refused`` by the model or its filter, ``too_long`` for its context, ``unusable`` after all
    attempts, or not asked because the run ``stopped``."""
    reason: str
    """In words."""


@dataclass(frozen=True, slots=True)
class TokenUse:
    """What the server counted for one call; None where it did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    """Hidden reasoning tokens are part of it."""
    cached_tokens: int | None = None
    """Of the prompt tokens, those billed at the cached price."""
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    """As the provider reports it (OpenRouter does)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is going to ask, as far as one can know beforehand."""

    title: str
    """For the progress bar, such as ``Annotating``."""
    requests: tuple[Request, ...]
    """The first request of every job."""


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What a run will take, before its first call."""

    calls: int
    """Calls to make."""
    cached: int
    """Calls whose answer is in the store already; they cost nothing."""
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    """None where no price is known."""
    price_note: str
    """Where the price is from, such as ``prices of 2026-11-02``; or why there is none."""
    minutes: float | None
    """At the limits known so far; None where none is known yet."""
    limit: str
    """The limit that binds, such as ``200,000 tokens a minute``; empty if none is known."""

    def summary(self) -> str:
        """Return one sentence."""
        asked = f"{self.calls:,} calls" + (
            f" ({self.cached:,} more are stored)" * (self.cached > 0)
        )
        tokens = f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens"
        money = self.price_note if self.cost_usd is None else f"${self.cost_usd:,.2f}"
        noted = "" if self.cost_usd is None or not self.price_note else f" ({self.price_note})"
        time = (
            "" if self.minutes is None else f", about {self.minutes:,.1f} minutes at {self.limit}"
        )
        return f"{asked}, about {tokens}, {money}{noted}{time}"


@dataclass(frozen=True, slots=True)
class Usage:
    """What has been asked and paid so far."""

    calls: int = 0
    """Answers received from the server."""
    cached: int = 0
    """Answers taken from the store."""
    requests: int = 0
    """HTTP requests sent, refused and failed ones included."""
    limited: int = 0
    """Of these, those refused with 429."""
    failed: int = 0
    """Questions that have no answer in the end."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    wasted_usd: float = 0.0
    """Of it, for answers that could not be used."""
    unpriced: int = 0
    """Calls whose price is not known; they are not part of ``cost_usd``."""


def add_estimates(estimates: Sequence[CostEstimate]) -> CostEstimate:
    """Return what several runs will take one after the other; None where one is not known."""
    costs = [estimate.cost_usd for estimate in estimates if estimate.calls]
    minutes = [estimate.minutes for estimate in estimates if estimate.minutes is not None]
    notes = [estimate.price_note for estimate in estimates if estimate.price_note]
    longest = max(estimates, key=lambda estimate: estimate.minutes or 0.0, default=None)
    known = [cost for cost in costs if cost is not None]
    return CostEstimate(
        calls=sum(estimate.calls for estimate in estimates),
        cached=sum(estimate.cached for estimate in estimates),
        prompt_tokens=sum(estimate.prompt_tokens for estimate in estimates),
        completion_tokens=sum(estimate.completion_tokens for estimate in estimates),
        cost_usd=sum(known) if len(known) == len(costs) else None,
        price_note="; ".join(dict.fromkeys(notes)),
        minutes=sum(minutes) if minutes else None,
        limit=longest.limit if longest is not None else "",
    )
