"""What an answer store keeps of a call, and its form as a row."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from interp_embed.llm.records import TokenUse
from interp_embed.records import Json


@dataclass(frozen=True, slots=True)
class StoredCall:
    """One answered call."""

    key: str
    provider: str
    model: str
    kind: str
    request: str
    """What was sent, canonical JSON; no key, no address."""
    text: str
    finish_reason: str
    refusal: str = ""
    """Why the model or its filter refused; empty if it answered."""
    use: TokenUse = field(default_factory=TokenUse)
    estimated_tokens: int = 0
    """Prompt tokens as estimated before the call, without any learned ratio."""
    cost_usd: float | None = None
    attempts: int = 1
    latency_s: float = 0.0
    created_at: float = 0.0
    """Seconds since 1970; 0 for the moment it is stored."""


class TokenRatio(NamedTuple):
    """What stored calls of one model and kind of request tell of the next ones."""

    calls: int
    """Calls seen; where there are none, the ratio is 1 and the completion 0."""
    prompt_ratio: float
    """Prompt tokens billed per estimated one, over all these calls together."""
    completion_tokens: float
    """Mean of a call."""


def as_sql(text: str) -> str | bytes:
    """Return what SQLite can hold: a text with lone surrogates is no UTF-8 and is kept as bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def as_text(stored: str | bytes) -> str:
    """Return the text that :func:`as_sql` made this of."""
    return stored.decode("utf-8", "surrogatepass") if isinstance(stored, bytes) else stored


def as_row(call: StoredCall) -> tuple[str | bytes | float | None, ...]:
    """Return a call as a row of the table ``calls``."""
    use = call.use
    texts = (call.request, call.text, call.finish_reason, call.refusal)
    counts = (use.prompt_tokens, use.completion_tokens, use.cached_tokens, use.reasoning_tokens)
    return (
        *(call.key, call.provider, call.model, call.kind),
        *(as_sql(text) for text in texts),
        *counts,
        *(use.cost_usd, call.estimated_tokens, call.cost_usd, call.attempts, call.latency_s),
        call.created_at or time.time(),
    )


def as_call(row: Sequence[Json]) -> StoredCall:
    """Return the call that a row of the table ``calls`` holds."""
    key, provider, model, kind, *rest = row
    request, text, finish_reason, refusal = (as_text(value) for value in rest[:4])
    use = TokenUse(*rest[4:9])
    return StoredCall(
        key, provider, model, kind, request, text, finish_reason, refusal, use, *rest[9:]
    )
