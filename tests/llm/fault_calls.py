"""Requests to a model as read, and the bodies of its answers, in OpenAI's two forms."""

import hashlib
import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fault_replies import Reply, Said, error_reply
from fault_truth import turns

_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Supports:
    """Which parameters a server takes; others are answered with 400."""

    temperature: bool = True
    max_tokens: bool = True
    max_completion_tokens: bool = True
    response_format: Literal["json_schema", "json_object", "none"] = "json_schema"
    """The best form; those after it in this list are taken as well."""
    json_object: bool = True
    """Whether ``json_object`` is taken (LM Studio takes ``json_schema`` only)."""
    logprobs: bool = True
    reasoning_effort: bool = True
    system: bool = True
    """Whether there may be a system message."""


def count_tokens(text: str) -> int:
    """Return what is billed: one token a word or symbol."""
    return len(_TOKEN.findall(text))


class Call:
    """A request to a model, read."""

    def __init__(
        self, responses: bool, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> None:
        self.responses = responses
        self.body = body
        self.headers = headers
        self.model = str(body.get("model"))
        messages = turns(body)
        self.prompt = hashlib.sha256(json.dumps([self.model, messages]).encode()).hexdigest()[:16]
        names = ("max_completion_tokens", "max_tokens", "max_output_tokens")
        given = [body[name] for name in names if body.get(name) is not None]
        self.ceiling: int | None = given[0] if given else None
        schema = json.dumps(self.schema) if self.schema else ""
        texts = [schema, *(text for _, text in messages)]
        self.prompt_tokens = sum(map(count_tokens, texts)) + 4 * len(messages)
        self.estimated_tokens = sum(math.ceil(len(text) / 4) for text in texts)

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The JSON schema asked for."""
        form = self.body.get("response_format") or {}
        schema: Mapping[str, Any] | None = form.get("json_schema", {}).get("schema")
        return schema


def cut(said: Said, ceiling: int | None) -> Said:
    """Return what fits below the ceiling, hidden tokens first."""
    if ceiling is None:
        return said
    room = ceiling - said.reasoning_tokens
    if room <= 0:
        return Said("", "length", reasoning_tokens=ceiling)
    tokens = list(_TOKEN.finditer(said.content or ""))
    if len(tokens) <= room:
        return said
    content = (said.content or "")[: tokens[room].start()]
    return Said(content, "length", reasoning_tokens=said.reasoning_tokens)


def unsupported(body: Mapping[str, Any], supports: Supports) -> Reply | None:
    """Return the 400 for the first parameter that is not taken."""
    form = (body.get("response_format") or {}).get("type", "text")
    best = supports.response_format
    if body.get("temperature") is not None and not supports.temperature:
        message = (
            f"Unsupported value: 'temperature' does not support {body['temperature']} with this "
            "model. Only the default (1) value is supported."
        )
        return error_reply(400, message, param="temperature", code="unsupported_value")
    for name, other in (("max_tokens", "max_completion_tokens"),
                        ("max_completion_tokens", "max_tokens")):  # fmt: skip
        if body.get(name) is not None and not getattr(supports, name):
            message = (
                f"Unsupported parameter: '{name}' is not supported with this model. "
                f"Use '{other}' instead."
            )
            return error_reply(400, message, param=name, code="unsupported_parameter")
    if form == "json_object" and best == "json_schema" and not supports.json_object:
        # LM Studio's form: the error is a string
        return Reply(400, b"{\"error\":\"'response_format.type' must be 'json_schema' or 'text'\"}")
    if form == "json_object" and best == "none":
        message = "Unrecognized request argument supplied: response_format"
        return error_reply(400, message, param="response_format")
    if form == "json_schema" and best != "json_schema":
        message = (
            "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this "
            "model."
        )
        return error_reply(400, message, param="response_format")
    if body.get("logprobs") and not supports.logprobs:
        return error_reply(400, "You are not allowed to request logprobs from this model")
    if body.get("reasoning_effort") is not None and not supports.reasoning_effort:
        return error_reply(400, "Unrecognized request argument supplied: reasoning_effort")
    if not supports.system and any(role == "system" for role, _ in turns(body)):
        message = "Unsupported value: 'messages[0].role' does not support 'system' with this model."
        return error_reply(400, message, param="messages[0].role", code="unsupported_value")
    return None


def completion_body(
    call: Call, said: Said, usage: tuple[int, int], created: float
) -> dict[str, Any]:
    message = {"role": "assistant", "content": said.content, "refusal": said.refusal}
    choice = {
        "index": 0, "message": message, "logprobs": None, "finish_reason": said.finish_reason
    }  # fmt: skip
    return {
        "id": f"chatcmpl-{call.prompt}",
        "object": "chat.completion",
        "created": int(created),
        "model": call.model,
        "choices": [choice],
        "usage": {
            "prompt_tokens": usage[0],
            "completion_tokens": usage[1],
            "total_tokens": sum(usage),
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": said.reasoning_tokens},
        },
    }


def response_body(call: Call, said: Said, usage: tuple[int, int], created: float) -> dict[str, Any]:
    """Return an answer of the Responses API."""
    part: dict[str, Any] = {"type": "output_text", "text": said.content or "", "annotations": []}
    if said.refusal:
        part = {"type": "refusal", "refusal": said.refusal}
    why = {"length": "max_output_tokens", "content_filter": "content_filter"}
    reason = why.get(said.finish_reason)
    status = "incomplete" if reason else "completed"
    message = {
        "id": f"msg_{call.prompt}", "type": "message", "role": "assistant", "status": status,
        "content": [part],
    }  # fmt: skip
    return {
        "id": f"resp_{call.prompt}",
        "object": "response",
        "created_at": int(created),
        "status": status,
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "instructions": None,
        "model": call.model,
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": usage[0],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage[1],
            "output_tokens_details": {"reasoning_tokens": said.reasoning_tokens},
            "total_tokens": sum(usage),
        },
    }


def embedding_of(text: str, size: int) -> list[float]:
    """Return a unit vector that follows from the text."""
    whole = hashlib.shake_256(text.encode("utf-8", "surrogatepass")).digest(4 * size)
    vector = [value / 2**31 for value in struct.unpack(f"<{size}i", whole)]
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]
