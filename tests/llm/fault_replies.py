"""What goes wrong with a reply: errors as providers word them, and answers models spoil."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Headers = tuple[tuple[str, str], ...]
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_PORTAL = b"<!DOCTYPE html><html><body>Please accept the terms of this network.</body></html>"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response."""

    status: int
    body: bytes
    headers: Headers = ()
    content_type: str = "application/json"
    billed: bool = False


def error_reply(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    headers: Headers = (),
) -> Reply:
    """Return an error in OpenAI's form."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return Reply(status, json.dumps({"error": error}).encode(), headers)


def _html(status: int) -> Reply:
    return Reply(status, _HTML, content_type="text/html")


_OVERLOADED = "The engine is currently overloaded, please try again later"
_QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more "
    "information on this error, read the docs: "
    "https://platform.openai.com/docs/guides/error-codes/api-errors."
)
_CREDITS = {"error": {"message": "Insufficient credits. Add more to go on.", "code": 402}}
_POLICY = (
    "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please "
    "try again with a different prompt."
)
_TOO_LONG = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 "
    "tokens. Please reduce the length of the messages."
)
_LIMITED = "Rate limit reached for requests"

ERRORS: Mapping[str, Reply] = {
    "http_408": error_reply(408, "Request timed out.", kind="timeout"),
    "http_500": error_reply(
        500, "The server had an error while processing your request. Sorry about that!",
        kind="server_error",
    ),
    "http_502": _html(502),
    "http_503": error_reply(503, _OVERLOADED, kind="server_error", code="engine_overloaded"),
    "http_503_retry_after": error_reply(
        503, _OVERLOADED, kind="server_error", headers=(("retry-after", "3"),)
    ),
    "http_504": Reply(504, b"upstream request timeout", content_type="text/plain"),
    "http_529": Reply(
        529, b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    ),
    "rate_limit_bare": error_reply(429, _LIMITED, kind="requests", code="rate_limit_exceeded"),
    "rate_limit_text": Reply(429, b"Too Many Requests", content_type="text/plain"),
    "insufficient_quota": error_reply(
        429, _QUOTA, kind="insufficient_quota", code="insufficient_quota"
    ),
    "http_402": Reply(402, json.dumps(_CREDITS).encode()),
    "http_401": error_reply(401, "Incorrect API key provided.", code="invalid_api_key"),
    "http_403": error_reply(
        403, "Country, region, or territory not supported", kind="request_forbidden",
        code="unsupported_country_region_territory",
    ),
    "http_404": error_reply(404, "The model does not exist.", code="model_not_found"),
    "context_length": error_reply(
        400, _TOO_LONG, param="messages", code="context_length_exceeded"
    ),
    "content_policy": error_reply(400, _POLICY, code="content_policy_violation"),
    "http_413": Reply(413, b"<html>413 Request Entity Too Large</html>", content_type="text/html"),
    "ok_error": Reply(200, b'{"error":{"message":"Provider returned error","code":502}}'),
    "ok_error_429": Reply(
        200, b'{"error":{"message":"Provider is rate limited upstream","code":429}}'
    ),
    "body_null": Reply(200, b"null"),
    "html_200": Reply(200, _PORTAL, content_type="text/html"),
    "empty_body": Reply(200, b""),
}  # fmt: skip
"""Sent before any model is asked: nothing is billed."""

PAUSES = {"rate_limit": "seconds", "rate_limit_ms": "ms", "rate_limit_date": "date"}
"""429s that say to wait ``PAUSE_S``, and how; not billed."""
PAUSE_S = 20.0


def pause_reply(headers: Headers) -> Reply:
    """Return a 429 that has nothing to do with the limits."""
    message = f"{_LIMITED}. Please try again in {PAUSE_S:.0f}s."
    return error_reply(429, message, kind="requests", code="rate_limit_exceeded", headers=headers)


BREAKS = ("reset_before", "reset_mid_body", "hang", "trickle", "late")
"""What happens to the connection; ``reset_mid_body`` and ``late`` are billed."""

ENVELOPES: Mapping[str, Mapping[str, Any]] = {
    "choices_empty": {"choices": []},
    "choices_null": {"choices": None},
    "choices_error": {"choices": [{"index": 0, "error": {"message": "cut", "code": 502}}]},
}
"""Keys that replace those of a completion."""

ODD_HEADERS: Mapping[str, Mapping[str, str] | None] = {
    "headers_missing": None,
    "headers_remaining_high": {"remaining-requests": "999999999", "remaining-tokens": "999999999"},
    "headers_garbage": {
        "limit-requests": "lots", "remaining-requests": "?", "reset-requests": "soon",
        "limit-tokens": "NaN", "remaining-tokens": "1e999", "reset-tokens": "-5 fortnights",
    },
    "headers_reset_zero": {"reset-requests": "0s", "reset-tokens": "0"},
    "headers_unlimited": {
        "limit-requests": "-1", "remaining-requests": "-1", "reset-requests": "0s",
        "limit-tokens": "-1", "remaining-tokens": "-1", "reset-tokens": "0s",
    },
    "headers_zero": {
        "limit-requests": "0", "remaining-requests": "0", "reset-requests": "0s",
        "limit-tokens": "0", "remaining-tokens": "0", "reset-tokens": "0s",
    },
}  # fmt: skip
"""Rate-limit headers on a good answer that say nothing true."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the model said."""

    content: str | None
    finish_reason: str = "stop"
    refusal: str | None = None
    reasoning_tokens: int = 0


Spoil = Callable[[Said, Mapping[str, Any] | None], Said]
"""Takes what was said and the schema asked for."""


def _pairs(said: Said) -> dict[str, Any] | None:
    """Return the answer's object; None if it is plain text."""
    try:
        read = json.loads(said.content or "")
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def _flipped(said: Said) -> str:
    """Return an answer that says the opposite: whoever takes it has a false answer."""
    pairs = _pairs(said)
    if pairs is None:
        return "no" if (said.content or "").lower().startswith("yes") else "yes"
    return json.dumps({k: (not v) if isinstance(v, bool) else "WRONG" for k, v in pairs.items()})


def _edit(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Spoil:
    def spoil(said: Said, schema: Mapping[str, Any] | None) -> Said:
        pairs = _pairs(said)
        return replace(said, content="%%%" if pairs is None else json.dumps(change(pairs)))

    return spoil


def _write(form: Callable[[Said], str]) -> Spoil:
    return lambda said, schema: replace(said, content=form(said))


def _wrong_enum(pairs: dict[str, Any]) -> dict[str, Any]:
    wrong = ("maybe", 2, None, 0.5, [True], "none of these")
    return {key: wrong[i % len(wrong)] for i, key in enumerate(pairs)}


def _half_wrong_enum(pairs: dict[str, Any]) -> dict[str, Any]:
    wrong = _wrong_enum(pairs)
    return {key: wrong[key] if i % 2 == 0 else pairs[key] for i, key in enumerate(pairs)}


def _missing_key(pairs: dict[str, Any]) -> dict[str, Any]:
    return dict(list(pairs.items())[:-1])


def _extra_key(pairs: dict[str, Any]) -> dict[str, Any]:
    return {"note": "as asked", **pairs, f"c{len(pairs) + 1}": True}


def _swapped_ids(pairs: dict[str, Any]) -> dict[str, Any]:
    """Return the first answer under an id nobody asked about."""
    return {(f"c{len(pairs) + 1}" if i == 0 else k): v for i, (k, v) in enumerate(pairs.items())}


def _other_ids(pairs: dict[str, Any]) -> dict[str, Any]:
    return {f"concept_{i}": value for i, value in enumerate(pairs.values())}


def _wrapped(pairs: dict[str, Any]) -> dict[str, Any]:
    return {"answer": pairs}


def _as_strings(pairs: dict[str, Any]) -> dict[str, Any]:
    return {k: ("Yes" if v else "no") if isinstance(v, bool) else v for k, v in pairs.items()}


def _duplicated(said: Said, *, agree: bool) -> str:
    pairs = _pairs(said)
    if not pairs:
        return "%%%"
    key, value = next(iter(pairs.items()))
    other = value if agree else (not value if isinstance(value, bool) else "WRONG")
    body = json.dumps(pairs)
    return f"{body[:-1]}, {json.dumps(key)}: {json.dumps(other)}}}"


def _malformed(said: Said) -> str:
    """Return the answer with its colons gone: no decoder reads a value from it."""
    return (said.content or "").replace(":", " =") if _pairs(said) is not None else "%%%"


def _truncated(said: Said, schema: Mapping[str, Any] | None) -> Said:
    """Cut in the middle of a value, as a ceiling does."""
    content = said.content or ""
    return replace(said, content=content[: max(1, len(content) * 3 // 5)], finish_reason="length")


def _schema_echo(said: Said, schema: Mapping[str, Any] | None) -> Said:
    return replace(said, content=json.dumps(schema or {"type": "object"}))


def _schema_then_answer(said: Said, schema: Mapping[str, Any] | None) -> Said:
    return replace(said, content=f"{json.dumps(schema or {})}\n{said.content}")


SPOILS: Mapping[str, Spoil] = {
    "malformed_json": _write(_malformed),
    "truncated": _truncated,
    "reasoning_ate": lambda said, _: Said("", "length", reasoning_tokens=400),
    "refusal_field": lambda said, _: Said(None, "stop", "I'm sorry, I can't assist with that."),
    "refusal_prose": lambda said, _: Said("I'm sorry, but I can't help with that request."),
    "content_filter": lambda said, _: Said("", "content_filter"),
    "empty_content": lambda said, _: Said(""),
    "null_content": lambda said, _: Said(None),
    "wrong_enum": _edit(_wrong_enum),
    "half_wrong_enum": _edit(_half_wrong_enum),
    "missing_key": _edit(_missing_key),
    "extra_key": _edit(_extra_key),
    "swapped_ids": _edit(_swapped_ids),
    "other_ids": _edit(_other_ids),
    "wrapped": _edit(_wrapped),
    "as_strings": _edit(_as_strings),
    "fenced": _write(
        lambda said: f"Sure! Here is the JSON:\n```json\n{said.content}\n```\nHope it helps {{:}}"
    ),
    "json_twice": _write(lambda said: f"{said.content}\n{said.content}"),
    "json_draft": _write(lambda said: f"Draft: {_flipped(said)}\nFinal: {said.content}"),
    "schema_echo": _schema_echo,
    "schema_then_answer": _schema_then_answer,
    "think_closed": _write(lambda said: f"<think>\n{_flipped(said)}?\n</think>\n{said.content}"),
    "think_unclosed": lambda said, _: Said(f"<think>\nSay {_flipped(said)}, but", "length"),
    "duplicate_agree": _write(lambda said: _duplicated(said, agree=True)),
    "duplicate_disagree": _write(lambda said: _duplicated(said, agree=False)),
}
"""Billed answers, most of which cannot be used."""

HARMLESS = frozenset(
    {"extra_key", "as_strings", "fenced", "json_twice", "json_draft", "schema_then_answer",
     "think_closed", "duplicate_agree", "late", *ODD_HEADERS}
)  # fmt: skip
"""Faults whose answer is whole: paying for it again is avoidable."""

FAULTS = (*ERRORS, *PAUSES, *BREAKS, *ENVELOPES, *ODD_HEADERS, *SPOILS)
"""Names of all faults."""
