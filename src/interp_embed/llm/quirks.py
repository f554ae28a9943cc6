"""What a server does not take, learned from its refusals, and requests written accordingly."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Self, get_args

from interp_embed.llm.records import Message, Request
from interp_embed.records import Json

Format = Literal["json_schema", "json_object", "plain"]
_LADDER: tuple[Format, ...] = get_args(Format)


@dataclass(frozen=True, slots=True)
class Quirks:
    """How one server wants to be asked for one model."""

    ceiling: Literal["max_completion_tokens", "max_tokens", "none"]
    """Name of the parameter that bounds the answer."""
    format: Format = "json_schema"
    """The strongest form of structured output it takes."""
    system: bool = True
    """Whether there is a role for instructions."""
    dropped: tuple[str, ...] = ()
    """Parameters it does not take."""
    headroom: int = 0
    """Hidden tokens a reasoning model needs beside its answer."""

    @classmethod
    def read(cls, stored: Mapping[str, Json], *, provider: str) -> Self:
        """Return what was learned before; what a file should not hold is ignored."""
        known = cls(ceiling="max_completion_tokens" if provider == "openai" else "max_tokens")
        if stored.get("ceiling") in ("max_completion_tokens", "max_tokens", "none"):
            known = replace(known, ceiling=stored["ceiling"])
        if stored.get("format") in _LADDER:
            known = replace(known, format=stored["format"])
        if isinstance(stored.get("system"), bool):
            known = replace(known, system=stored["system"])
        if isinstance(stored.get("dropped"), list):
            known = replace(known, dropped=tuple(map(str, stored["dropped"])))
        if isinstance(stored.get("headroom"), int):
            known = replace(known, headroom=min(max(0, stored["headroom"]), 65_536))
        return known

    def to_json(self) -> dict[str, Json]:
        """Return what the store keeps."""
        return {
            "ceiling": self.ceiling,
            "format": self.format,
            "system": self.system,
            "dropped": list(self.dropped),
            "headroom": self.headroom,
        }

    def without(self, parameter: str) -> "Quirks | None":
        """Return how to ask after a parameter was refused; None if that was known before."""
        if parameter in ("max_completion_tokens", "max_tokens"):
            return self._other_ceiling(parameter)
        if parameter == "response_format":
            step = _LADDER.index(self.format) + 1
            return replace(self, format=_LADDER[step]) if step < len(_LADDER) else None
        if parameter == "system":
            return replace(self, system=False) if self.system else None
        if parameter in self.dropped:
            return None
        return replace(self, dropped=(*self.dropped, parameter))

    def _other_ceiling(self, refused: str) -> "Quirks | None":
        if self.ceiling != refused:
            return None
        if f"not {self.ceiling}" in self.dropped:
            return None
        other: Literal["max_completion_tokens", "max_tokens", "none"] = (
            "max_tokens" if refused == "max_completion_tokens" else "max_completion_tokens"
        )
        if f"not {other}" in self.dropped:
            other = "none"
        return replace(self, ceiling=other, dropped=(*self.dropped, f"not {refused}"))


def build_body(request: Request, model: str, quirks: Quirks) -> dict[str, Json]:
    """Return the body of a chat completion as one server takes it."""
    body: dict[str, Json] = {
        "model": model,
        "messages": [
            {"role": message.role, "content": message.content}
            for message in _turns(request.messages, system=quirks.system)
        ],
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if quirks.ceiling != "none":
        body[quirks.ceiling] = request.max_tokens + quirks.headroom
    if request.schema is not None and quirks.format == "json_schema":
        schema = {"name": "answer", "strict": True, "schema": request.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif request.schema is not None and quirks.format == "json_object":
        body["response_format"] = {"type": "json_object"}
    extra = {name: value for name, value in request.parameters.items() if name not in body}
    known = {name: extra.pop(name) for name in _NAMED if name in extra}
    body = {name: v for name, v in (body | known).items() if name not in quirks.dropped}
    extra = {name: value for name, value in extra.items() if name not in quirks.dropped}
    return body | {"extra_body": extra} if extra else body


_NAMED = ("reasoning_effort", "seed", "top_p", "stop", "logprobs", "top_logprobs", "verbosity")
"""Parameters the client knows by name; all others travel beside them."""


def _turns(messages: tuple[Message, ...], *, system: bool) -> tuple[Message, ...]:
    if system or not messages or messages[0].role != "system":
        return messages
    first, *rest = messages
    if rest and rest[0].role == "user":
        return (Message("user", f"{first.content}\n\n{rest[0].content}"), *rest[1:])
    return (Message("user", first.content), *rest)
