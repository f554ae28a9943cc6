"""How many tokens calls take: estimated from their text, corrected by what servers counted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from interp_embed.llm.answers import AnswerStore
from interp_embed.llm.records import Request, TokenUse
from interp_embed.llm.tokens import estimate_request, estimate_tokens
from interp_embed.records import Json

_LABEL_WORDS = "mentions the way in which something is described by whoever wrote the text"
_SEEN_BEFORE_TRUST = 3
_STORED_TOKENS = 100.0
"""Tokens an earlier call counts for beside those of this run: fewer than it had, so that the run at
hand soon speaks for itself."""


@dataclass(slots=True)
class _Seen:
    calls: int = 0
    ratio: float = 1.0
    """Prompt tokens counted per token estimated."""
    completion: float = 0.0
    """Tokens of an answer, on average."""
    estimated: float = 0.0
    counted: float = 0.0
    answered: float = 0.0


@dataclass(slots=True)
class Expectations:
    """By kind of prompt, what the store has seen and what this run adds."""

    store: AnswerStore
    model: str
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def prompt_tokens(self, request: Request) -> float:
        """Return the tokens a server will count for the question."""
        return estimate_request(request) * self._of(request.kind).ratio

    def most_prompt_tokens(self, request: Request) -> int:
        """Return more tokens than the question will be counted as."""
        seen = self._of(request.kind)
        doubt = 1.15 if seen.calls >= _SEEN_BEFORE_TRUST else 2.0
        return math.ceil(doubt * self.prompt_tokens(request)) + 16

    def completion_tokens(self, request: Request) -> float:
        """Return the tokens it will count for the answer, on average."""
        seen = self._of(request.kind)
        if seen.calls >= _SEEN_BEFORE_TRUST:
            return seen.completion
        return min(request.max_tokens, _shortest(request.schema))

    def has_seen(self, kind: str) -> bool:
        """Return whether any call of a kind has been answered by this model, as far as is known."""
        return self._of(kind).calls > 0 or self.store.token_ratio(self.model, kind).calls > 0

    def see(self, request: Request, use: TokenUse) -> None:
        """Learn from what a server counted."""
        if use.prompt_tokens is None or use.prompt_tokens == 0:
            return
        seen = self._of(request.kind)
        seen.calls += 1
        seen.estimated += estimate_request(request)
        seen.counted += use.prompt_tokens
        seen.answered += use.completion_tokens or 0
        seen.ratio = seen.counted / seen.estimated
        seen.completion = seen.answered / seen.calls

    def _of(self, kind: str) -> _Seen:
        if kind not in self._seen:
            calls, ratio, completion = self.store.token_ratio(self.model, kind)
            if calls < _SEEN_BEFORE_TRUST:
                self._seen[kind] = _Seen()
            else:
                estimated = calls * _STORED_TOKENS
                self._seen[kind] = _Seen(
                    calls, ratio, completion, estimated, estimated * ratio, calls * completion
                )
        return self._seen[kind]


def _shortest(schema: Mapping[str, Json] | None) -> float:
    """Return the tokens of an answer of a schema with nothing to spare."""
    if schema is None:
        return float(estimate_tokens(_LABEL_WORDS))
    properties = schema.get("properties") or {}
    tokens = 3.0
    for name, kind in properties.items():
        is_text = isinstance(kind, dict) and kind.get("type") == "string"
        tokens += estimate_tokens(f'"{name}": ') + (
            estimate_tokens(_LABEL_WORDS) if is_text else 2.0
        )
    return tokens
