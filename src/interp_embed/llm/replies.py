"""What a reply means: an answer, a limit, a passing trouble, or the end."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from interp_embed.llm.limits import LimitReading, read_refusal, read_retry_after
from interp_embed.llm.records import TokenUse
from interp_embed.llm.transport import Reply
from interp_embed.records import Json

_PARAMETERS = (
    "max_completion_tokens", "max_tokens", "temperature", "response_format", "top_logprobs",
    "logprobs", "reasoning_effort", "verbosity", "seed", "top_p", "stop",
)  # fmt: skip
_REFUSED_PARAMETER = re.compile(
    r"unsupported|not support|unrecognized|unknown|unexpected|invalid|not permitted|extra_forbidden"
    r"|not allowed|does not exist|must be",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"context.{0,12}length|maximum context|context window|too many tokens|prompt is too long"
    r"|reduce the length|exceeds? the (?:available )?context",
    re.IGNORECASE,
)
_NO_SYSTEM = re.compile(
    r"\bsystem\b.{0,20}\b(role|message|prompt|instruction)|\brole\b.{0,30}\bsystem\b",
    re.IGNORECASE,
)
_POLICY = re.compile(
    r"content.?(?:policy|filter|management)|safety (?:system|policy)|usage polic", re.IGNORECASE
)
_NO_CREDIT = ("insufficient_quota", "billing_hard_limit_reached", "insufficient_credits")


@dataclass(frozen=True, slots=True)
class Good:
    """An answer, paid for."""

    text: str
    finish_reason: str
    refusal: str
    use: TokenUse


@dataclass(frozen=True, slots=True)
class Limited:
    """Too much at once: everyone waits."""

    reason: str
    wait_s: float | None
    """None where the server does not say."""
    reading: LimitReading | None
    too_large: bool
    """Whether this one call is more than the limit allows at all."""
    requested_tokens: float | None = None
    """What the server counted this call as, where it says."""


@dataclass(frozen=True, slots=True)
class Passing:
    """A trouble that may be gone the next time."""

    reason: str
    unreachable: bool = False
    """Whether the server was not even reached."""
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Fatal:
    """Nothing will be answered."""

    reason: str
    no_model: bool = False


@dataclass(frozen=True, slots=True)
class TooLong:
    """This one question is more than the model can read."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider declined this one question."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server does not understand this question; whether it would another is not known."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unsupported:
    """The server does not take a parameter."""

    parameter: str
    reason: str


Meaning = Good | Limited | Passing | Fatal | TooLong | Refused | Rejected | Unsupported


def read_reply(reply: Reply, *, wall: float) -> Meaning:
    """Return what a reply means; nothing in it can raise.

    Args:
        reply: As it came.
        wall: Seconds since 1970, for a retry-after that is a date.
    """
    if reply.status is None:
        timed_out = reply.trouble.startswith("no answer within")
        return Passing(reply.trouble, unreachable=reply.unreachable, timed_out=timed_out)
    content = _object(reply.text)
    error = _error(content)
    if reply.status < 300 and not error:
        return _read_answer(content, reply)
    status = _inner_status(error) or reply.status if reply.status < 300 else reply.status
    return _read_refusal(status, error, reply, wall=wall)


def _read_refusal(status: int, error: Mapping[str, Json], reply: Reply, *, wall: float) -> Meaning:
    message = str(error.get("message") or _plain(reply.text))[:500]
    code = f"{error.get('code') or ''} {error.get('type') or ''}"
    said = f"HTTP {status}: {message}" if message else f"HTTP {status}"
    if status == 402 or any(word in code for word in _NO_CREDIT):
        return Fatal(f"the account has no credit left ({said})")
    if status == 429 or (status == 503 and "retry-after" in reply.headers):
        return _limited(said, message, reply, wall=wall)
    if status in (401, 403):
        return Fatal(f"the server does not accept the key ({said})")
    if status == 404:
        return Fatal(said, no_model=True)
    if status == 413:
        return TooLong(f"the request is too large for the server ({said})")
    if status in (400, 422):
        return _read_bad_request(error, code, message, said)
    if status in (408, 409, 425) or status >= 500 or status < 300:
        return Passing(said)
    return Fatal(said)


def _read_bad_request(error: Mapping[str, Json], code: str, message: str, said: str) -> Meaning:
    if "context_length" in code or _TOO_LONG.search(message):
        return TooLong(f"longer than the model's context ({said})")
    if _POLICY.search(code) or _POLICY.search(message):
        return Refused(said)
    parameter = _named_parameter(error, message)
    if parameter is not None:
        return Unsupported(parameter, said)
    if "model" in code and "not_found" in code:
        return Fatal(said, no_model=True)
    return Rejected(f"the server does not understand the request ({said})")


def _named_parameter(error: Mapping[str, Json], message: str) -> str | None:
    named = str(error.get("param") or "")
    for parameter in _PARAMETERS:
        if named == parameter or named.startswith(parameter + "."):
            return parameter
    if not _REFUSED_PARAMETER.search(message):
        return None
    if "json_schema" in message or "guided" in message or "json_object" in message:
        return "response_format"
    if _NO_SYSTEM.search(message):
        return "system"
    return next((name for name in _PARAMETERS if re.search(rf"\b{name}\b", message)), None)


def _limited(said: str, message: str, reply: Reply, *, wall: float) -> Limited:
    refusal = read_refusal(message)
    reading, wait = refusal.reading, read_retry_after(reply.headers, wall=wall)
    too_large = (
        reading is not None and refusal.requested is not None and refusal.requested > reading.limit
    ) or "Limit 0," in message
    by_tokens = reading is not None and reading.counted == "tokens"
    return Limited(
        said,
        refusal.again_s if wait is None else wait,
        reading,
        too_large,
        refusal.requested if by_tokens else None,
    )


def _read_answer(content: Mapping[str, Json] | None, reply: Reply) -> Meaning:
    if content is None:
        return Passing(f"HTTP {reply.status} with something that is no JSON: {_plain(reply.text)}")
    choices = content.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return Passing(f"HTTP {reply.status} without an answer in it: {_plain(reply.text)}")
    text = message.get("content")
    finish = str(choice.get("finish_reason") or "stop")
    refusal = str(message.get("refusal") or "")
    if finish == "content_filter" and not refusal:
        refusal = "stopped by the provider's content filter"
    return Good(_joined(text), finish, refusal, _read_use(content.get("usage")))


def _joined(content: Json) -> str:
    """Return the text of a message, which may come in parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _read_use(usage: Json) -> TokenUse:
    if not isinstance(usage, dict):
        return TokenUse()
    prompt, completion = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    cost = usage.get("cost")
    return TokenUse(
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_count(prompt.get("cached_tokens")) if isinstance(prompt, dict) else None,
        reasoning_tokens=(
            _count(completion.get("reasoning_tokens")) if isinstance(completion, dict) else None
        ),
        cost_usd=float(cost) if isinstance(cost, int | float) and cost >= 0 else None,
    )


def _count(value: Json) -> int | None:
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e12 else None


def _object(text: str) -> Mapping[str, Json] | None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _error(content: Mapping[str, Json] | None) -> Mapping[str, Json]:
    error = (content or {}).get("error")
    if isinstance(error, str) and error:
        return {"message": error}
    return error if isinstance(error, dict) else {}


def _inner_status(error: Mapping[str, Json]) -> int | None:
    try:
        status = int(error.get("code") or error.get("status") or 0)
    except (TypeError, ValueError):
        return None
    return status if 400 <= status < 600 else None


def _plain(text: str) -> str:
    """Return the start of a text, without markup, on one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", text[:2000]).split())[:200]
