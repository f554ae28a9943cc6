"""Batches as they are written and read: lines of questions, how a batch stands, lines of answers.

Source: OpenAI's Batch API. An answer's line has a ``response`` with status and body, or an
``error``; the lines come in any order, in a file of answers and one of errors.
"""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from interp_embed.llm.transport import Reply
from interp_embed.records import Json

logger = logging.getLogger(__name__)

MARK = "interp_embed"
"""Name of the metadata that holds a batch's digest."""
_OVER = ("failed", "completed", "expired", "cancelled")
_TOKEN_LIMIT = re.compile(r"enqueued.token.limit|token_limit_exceeded", re.IGNORECASE)
_LIMIT = re.compile(r"limit:?\s*([\d,]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LineError:
    """Why a provider did not take a file, or one of its lines."""

    code: str
    message: str
    line: int | None
    """From 1; None where it is about the whole file."""


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """How a batch stands at the provider."""

    batch_id: str
    status: str
    input_file_id: str
    output_file_id: str | None
    error_file_id: str | None
    errors: tuple[LineError, ...]
    n_done: int
    n_requests: int
    created_at: int
    """Seconds since 1970; 0 where it is not told."""
    metadata: Mapping[str, Json] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in _OVER


@dataclass(frozen=True, slots=True)
class TokenLimit:
    """A batch was turned away: too many prompt tokens wait to be answered."""

    reason: str
    limit: float | None
    """Tokens of the model's batches at once; None where the server does not say."""


def write_line(key: str, body: Mapping[str, Json]) -> bytes:
    """Return one question as a line of a batch's file."""
    plain = {name: value for name, value in body.items() if name != "extra_body"}
    asked = {
        "custom_id": key,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": plain | dict(body.get("extra_body") or {}),
    }
    return json.dumps(asked, default=dict).encode() + b"\n"


def read_object(reply: Reply) -> Mapping[str, Json] | None:
    """Return the content of a reply that is what was asked for; None for an error or nonsense."""
    if reply.status is None or reply.status >= 300:
        return None
    try:
        content = json.loads(reply.text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and not content.get("error") else None


def read_status(content: Mapping[str, Json] | None) -> BatchStatus | None:
    """Return how a batch stands; None where that is not what came."""
    if content is None or not content.get("id") or not isinstance(content.get("status"), str):
        return None
    counts, errors = _dict(content.get("request_counts")), _dict(content.get("errors")).get("data")
    return BatchStatus(
        batch_id=str(content["id"]),
        status=content["status"],
        input_file_id=str(content.get("input_file_id") or ""),
        output_file_id=content.get("output_file_id") or None,
        error_file_id=content.get("error_file_id") or None,
        errors=tuple(map(_read_error, errors)) if isinstance(errors, list) else (),
        n_done=_number(counts.get("completed")) + _number(counts.get("failed")),
        n_requests=_number(counts.get("total")),
        created_at=_number(content.get("created_at")),
        metadata=_dict(content.get("metadata")),
    )


def _dict(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _number(value: Json) -> int:
    return int(value) if isinstance(value, int | float) and abs(value) < 1e15 else 0


def _read_error(given: Json) -> LineError:
    error = _dict(given)
    line = error.get("line")
    return LineError(
        str(error.get("code") or ""),
        str(error.get("message") or ""),
        line if isinstance(line, int) else None,
    )


def read_page(content: Mapping[str, Json]) -> list[BatchStatus]:
    """Return the batches of a page of a list."""
    listed = content.get("data")
    found = [read_status(_dict(entry)) for entry in listed] if isinstance(listed, list) else []
    return [status for status in found if status is not None]


def read_token_limit(texts: Sequence[str]) -> TokenLimit | None:
    """Return the limit that a refusal is about, from its codes and messages; None if it is not."""
    said = " ".join(texts)
    if not _TOKEN_LIMIT.search(said):
        return None
    stated = _LIMIT.search(said)
    limit = float(stated[1].replace(",", "")) if stated else 0.0
    return TokenLimit(said[:500], limit or None)


def read_lines(text: str) -> dict[str, Reply]:
    """Return the replies in a file of answers or errors, by key; the first of a key counts."""
    replies: dict[str, Reply] = {}
    for line in text.split("\n"):  # not splitlines: a text may hold other ends of lines
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("custom_id"), str):
            logger.warning("a line of a batch's file cannot be read: %.100s", line)
            continue
        replies.setdefault(row["custom_id"], _read_row(row))
    return replies


def _read_row(row: Mapping[str, Json]) -> Reply:
    response, error = _dict(row.get("response")), _dict(row.get("error"))
    if status := _number(response.get("status_code")):
        body = response.get("body")
        return Reply(status, body if isinstance(body, str) else json.dumps(body))
    said = [str(error[name]) for name in ("code", "message") if error.get(name)]
    told = ": ".join(said) or "there is neither an answer nor an error in it"
    return Reply(None, trouble=f"the batch gave no answer ({told})")


def refusal(error: LineError) -> Reply:
    """Return a line that was not taken as the reply to its question alone."""
    return Reply(400, json.dumps({"error": {"code": error.code, "message": error.message}}))
