"""Files and batches of a fault server: taken, checked, answered after a while, or not."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from fault_calls import Call
from fault_http import HttpRequest
from fault_replies import Reply, error_reply

from interp_embed.llm.clock import Clock

FATES = (
    "expire", "expire_half", "cancel", "fail", "bad_line", "no_credit", "lose_rows", "garbled",
    "repeated", "lost_reply", "silent",
)  # fmt: skip
"""What may become of a batch. ``lost_reply`` and ``silent`` make it, but the one who made it is
cut off, or waits for ever."""
_PART = re.compile(rb'name="(\w+)"(?:; filename="[^"]*")?')
_ENDED = {"expire": "expired", "expire_half": "expired", "cancel": "cancelled"}


@dataclass
class _Batch:
    number: int
    body: Mapping[str, Any]
    rows: list[dict[str, Any]]
    tokens: int
    created_at: float
    status: str = "validating"
    output: str | None = None
    errors_file: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    n_done: int = 0

    @property
    def name(self) -> str:
        return f"batch_{self.number}"

    def to_json(self) -> dict[str, Any]:
        counts = {"total": len(self.rows), "completed": self.n_done, "failed": 0}
        return {
            "id": self.name,
            "object": "batch",
            "endpoint": self.body["endpoint"],
            "completion_window": self.body["completion_window"],
            "status": self.status,
            "input_file_id": self.body["input_file_id"],
            "output_file_id": self.output,
            "error_file_id": self.errors_file,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "created_at": int(self.created_at),
            "request_counts": counts,
            "metadata": self.body.get("metadata"),
        }


class Batches:
    """``/files`` and ``/batches`` of a fault server.

    Args:
        answer_s: Seconds from the check of a batch to its end.
        check_s: Seconds until its file is checked.
        fates: By the number of the batch; all others are answered.
        enqueued_limit: Prompt tokens of all batches that are not over; more make a batch fail.
        says_limit: Whether the failure tells the limit.
        at_once: Whether too many tokens are refused where a batch is made, with a 429.
    """

    def __init__(
        self,
        *,
        answer_s: float = 60.0,
        check_s: float = 5.0,
        fates: Mapping[int, str] | Callable[[int], str] | None = None,
        enqueued_limit: int | None = None,
        says_limit: bool = True,
        at_once: bool = False,
    ) -> None:
        self._answer_s, self._check_s = answer_s, check_s
        self._fates = fates or {}
        self._limit, self._says_limit, self._at_once = enqueued_limit, says_limit, at_once
        self._files: dict[str, str] = {}
        self._made: list[_Batch] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.uploads = 0
        self.polls = 0
        self.most_enqueued = 0

    # From the test's thread

    @property
    def made(self) -> int:
        """Batches made."""
        return len(self._made)

    @property
    def statuses(self) -> list[str]:
        """How they stand."""
        return [batch.status for batch in self._made]

    @property
    def sizes(self) -> list[int]:
        """Questions in each."""
        return [len(batch.rows) for batch in self._made]

    # From the server

    async def serve(
        self, request: HttpRequest, clock: Clock, answer: Callable[[Call], Reply]
    ) -> Reply | None:
        """Answer a request; None to cut it off."""
        path = request.path.rstrip("/").removeprefix("/v1/")
        if path == "files":
            return self._upload(request)
        if path.startswith("files/"):
            return self._content(path.split("/")[1])
        if path == "batches" and request.method == "POST":
            return await self._create(json.loads(request.body), request.headers, clock, answer)
        if path == "batches":
            return self._list(parse_qs(request.query))
        found = [batch for batch in self._made if batch.name == path.split("/")[1]]
        if not found:
            return error_reply(404, f"No batch found with id '{path.split('/')[1]}'.")
        self.polls += 1
        return _json(found[0].to_json())

    async def close(self) -> None:
        """Answer nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _upload(self, request: HttpRequest) -> Reply:
        parts = _parts(request)
        if parts.get("purpose") != b"batch" or "file" not in parts:
            return error_reply(400, "'purpose' and 'file' are required.", param="purpose")
        self.uploads += 1
        return _json(self._keep(parts["file"].decode()))

    def _keep(self, text: str) -> dict[str, Any]:
        name = f"file-{len(self._files)}"
        self._files[name] = text
        return {"id": name, "object": "file", "bytes": len(text), "purpose": "batch"}

    def _content(self, name: str) -> Reply:
        if name not in self._files:
            return error_reply(404, f"No such File object: {name}")
        return Reply(200, self._files[name].encode(), content_type="application/octet-stream")

    def _list(self, query: Mapping[str, list[str]]) -> Reply:
        newest = [batch.to_json() for batch in reversed(self._made)]
        names = [batch["id"] for batch in newest]
        start = names.index(query["after"][0]) + 1 if "after" in query else 0
        page = newest[start : start + int(query.get("limit", ["20"])[0])]
        more = start + len(page) < len(newest)
        return _json({"object": "list", "data": page, "has_more": more})

    async def _create(
        self,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        clock: Clock,
        answer: Callable[[Call], Reply],
    ) -> Reply | None:
        text = self._files.get(body["input_file_id"], "")
        rows = [json.loads(line) for line in text.split("\n") if line]
        calls = [Call(False, row["body"], headers) for row in rows]
        tokens = sum(call.prompt_tokens for call in calls)
        if self._at_once and self._is_too_much(tokens):
            return error_reply(429, self._refusal(), code="token_limit_exceeded")
        batch = _Batch(len(self._made), body, rows, tokens, clock.wall())
        self._made.append(batch)
        fate = self._fate(batch.number)
        task = asyncio.ensure_future(self._run(batch, calls, fate, clock, answer))
        self._tasks.add(task)
        if fate == "silent":
            await asyncio.Event().wait()
        return None if fate == "lost_reply" else _json(batch.to_json())

    def _fate(self, number: int) -> str:
        fate = self._fates(number) if callable(self._fates) else self._fates.get(number, "")
        if fate and fate not in FATES:
            raise ValueError(f"there is no fate {fate!r}; there are {', '.join(FATES)}")
        return fate

    def _enqueued(self) -> int:
        return sum(batch.tokens for batch in self._made if batch.status == "in_progress")

    def _is_too_much(self, tokens: int) -> bool:
        return self._limit is not None and self._enqueued() + tokens > self._limit

    def _refusal(self) -> str:
        told = f" Limit: {self._limit:,} enqueued tokens." if self._says_limit else ""
        return (
            f"Enqueued token limit reached for gpt-4o-mini in organization org-x.{told} Please try "
            "again once some in_progress batches have been completed."
        )

    async def _run(
        self,
        batch: _Batch,
        calls: list[Call],
        fate: str,
        clock: Clock,
        answer: Callable[[Call], Reply],
    ) -> None:
        await clock.sleep(self._check_s)
        error = self._check(batch, fate)
        if error is not None:
            batch.status, batch.errors = "failed", [error]
            return
        batch.status = "in_progress"
        self.most_enqueued = max(self.most_enqueued, self._enqueued())
        await clock.sleep(self._answer_s)
        self._end(batch, calls, fate, answer)

    def _check(self, batch: _Batch, fate: str) -> dict[str, Any] | None:
        if self._is_too_much(batch.tokens):
            return _error("token_limit_exceeded", self._refusal())
        if fate == "fail":
            return _error("server_error", "The file could not be processed.")
        if fate == "no_credit":
            return _error("billing_hard_limit_reached", "Billing hard limit has been reached.")
        if fate == "bad_line":
            return _error("invalid_request", "This line is not understood.", line=1)
        return None

    def _end(
        self, batch: _Batch, calls: list[Call], fate: str, answer: Callable[[Call], Reply]
    ) -> None:
        """Answer as many as its fate allows, and write the files."""
        n = len(calls)
        asked = 0 if fate == "expire" else n // 2 if fate in ("expire_half", "cancel") else n
        good, bad = [], []
        for i, (row, call) in enumerate(zip(batch.rows, calls, strict=True)):
            key = row["custom_id"]
            if i >= asked:
                code = f"batch_{_ENDED[fate]}"
                bad.append({"custom_id": key, "response": None, "error": _error(code, "Too late.")})
            elif fate != "lose_rows" or i % 2:
                reply = answer(call)
                body = _read(reply)
                response = {"status_code": reply.status, "request_id": f"r{i}", "body": body}
                line = {"id": f"q{i}", "custom_id": key, "response": response, "error": None}
                (good if reply.status == 200 else bad).append(line)
        batch.n_done = len(good)
        lines = [json.dumps(line, ensure_ascii=False) for line in reversed(good)]
        if fate == "garbled":
            lines = [lines[0][:20], *lines[1:], "[1]", '{"custom_id": 3}']
        if fate == "repeated":
            lines = [*lines, *lines, json.dumps({"custom_id": "nobody's", "response": None})]
        if lines:
            batch.output = self._keep("\n".join(lines) + "\n")["id"]
        if bad:
            batch.errors_file = self._keep("\n".join(map(json.dumps, bad)))["id"]
        batch.status = _ENDED.get(fate, "completed")


def _error(code: str, message: str, line: int | None = None) -> dict[str, Any]:
    return {"code": code, "message": message, "line": line, "param": None}


def _json(content: Mapping[str, Any]) -> Reply:
    return Reply(200, json.dumps(content).encode())


def _read(reply: Reply) -> Any:
    try:
        return json.loads(reply.body)
    except ValueError:
        return reply.body.decode()


def _parts(request: HttpRequest) -> dict[str, bytes]:
    """Return the parts of a form."""
    boundary = request.headers["content-type"].partition("boundary=")[2].strip('"').encode()
    parts = {}
    for part in request.body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = _PART.search(head)
        assert name is not None
        parts[name[1].decode()] = content[:-2]
    return parts
