"""An OpenAI-compatible server over real sockets that limits, fails and lies on purpose.

    with FaultServer(truth_answer(0), limits=Limits(rpm=600), faults={"http_500": 0.05}) as server:
        client = openai.OpenAI(base_url=server.base_url, api_key="any")

It runs in a thread of its own. Which fault a request meets follows from the seed, the digest of
its messages and how often these came past the limits: neither order nor timing matter.
"""

import asyncio
import base64
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from fast_clock import FastClock
from fault_batches import Batches
from fault_calls import (
    Call,
    Supports,
    completion_body,
    count_tokens,
    cut,
    embedding_of,
    response_body,
    unsupported,
)
from fault_http import HttpRequest, gone, read_request, reset, response_bytes
from fault_limits import Limits, ModelLimits, retry_headers
from fault_replies import (
    ENVELOPES,
    ERRORS,
    FAULTS,
    ODD_HEADERS,
    PAUSE_S,
    PAUSES,
    SPOILS,
    Headers,
    Reply,
    Said,
    error_reply,
    pause_reply,
)
from fault_stats import Ledger, Seen, Stats
from fault_truth import TruthAnswer, prompt_of, truth_answer, truth_matrix

from interp_embed.llm.clock import Clock, RealClock

__all__ = [
    "FAULTS",
    "Arrival",
    "Batches",
    "FaultServer",
    "Limits",
    "Stats",
    "Supports",
    "TruthAnswer",
    "truth_answer",
    "truth_matrix",
]

_NO_KEY = "You didn't provide an API key."


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request about which a fault plan is asked."""

    index: int
    """How many came before it."""
    sight: int
    """How often its messages were seen before."""
    prompt: str
    body: Mapping[str, Any]


Plan = Sequence[str | None] | Callable[[Arrival], str | None]


class FaultServer:
    """A server of chat completions, Responses, embeddings and a list of models.

    Args:
        answer: Returns the content of the answer to a request's JSON.
        clock: Shared with the client, so that both see the same time.
        limits: For all models, or by model.
        headers: Whether to send ``x-ratelimit-*``.
        retry_after: On a 429: ``seconds``, ``ms``, ``both``, ``date``, or None.
        faults: Share of requests by fault.
        fault_plan: Faults of the first requests in the order they come, or a function; asked
            before ``faults``.
        latency_s: Seconds an answer takes, varied by up to half either way.
        keys: Those let in; None for all.
        supports: Which parameters are taken.
        reasoning_tokens: Hidden tokens before each answer; they eat from the ceiling.
        context_tokens: Longest prompt by ``count_tokens``.
        prices: USD per million prompt and completion tokens, reported as ``usage.cost``.
        late_s: How long the fault ``late`` takes.
        no_charge: Leave the ceiling out of what the token limit is charged.
        batches: ``/files`` and ``/batches``; None for a server that has none.
    """

    def __init__(
        self,
        answer: Callable[[Mapping[str, Any]], str] | None = None,
        *,
        clock: Clock | None = None,
        seed: int = 0,
        limits: Limits | Mapping[str, Limits] | None = None,
        headers: bool = True,
        retry_after: str | None = "both",
        faults: Mapping[str, float] | None = None,
        fault_plan: Plan = (),
        latency_s: float = 0.0,
        keys: set[str] | None = None,
        models: Sequence[str] = ("gpt-4o-mini", "gpt-4o", "gpt-5-mini", "text-embedding-3-small"),
        supports: Supports | None = None,
        reasoning_tokens: int = 0,
        context_tokens: int | None = None,
        prices: tuple[float, float] | None = None,
        late_s: float = 150.0,
        embedding_size: int = 8,
        no_charge: bool = False,
        batches: Batches | None = None,
    ) -> None:
        _check(faults or {})
        self._answer = answer or truth_answer(seed)
        self.clock = clock or RealClock()
        self._seed = seed
        self._limits = limits
        self._buckets: dict[str, ModelLimits] = {}
        self._headers = headers
        self._retry_after = retry_after
        self._faults = dict(faults or {})
        self._plan = fault_plan
        self._latency_s = latency_s
        self._keys = keys
        self._models = tuple(models)
        self._supports = supports or Supports()
        self._reasoning_tokens = reasoning_tokens
        self._context_tokens = context_tokens
        self._prices = prices
        self._late_s = late_s
        self._embedding_size = embedding_size
        self._no_charge = no_charge
        self.batches = batches
        self._ledger = Ledger()
        self._outage = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0

    # From the test's thread

    def __enter__(self) -> Self:
        self._thread.start()
        if isinstance(self.clock, FastClock):
            self.clock.watch(self._loop)
        self._call(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call(self._hang_up())
        if self.batches is not None:
            self._call(self.batches.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    @property
    def base_url(self) -> str:
        """Where clients ask."""
        return f"http://127.0.0.1:{self._port}/v1"

    def stats(self) -> Stats:
        """Return what has been counted so far."""
        return self._ledger.stats()

    @property
    def bodies(self) -> list[Mapping[str, Any]]:
        """The last 1,000 requests, as JSON."""
        return list(self._ledger.bodies)

    @property
    def in_flight(self) -> int:
        """Model calls being answered just now."""
        return self._ledger.in_flight

    def reset_stats(self) -> None:
        """Count anew; prompts count as never seen."""
        self._ledger.reset()

    def set_limits(self, limits: Limits, model: str | None = None) -> None:
        """Change the limits of a model, or of all; what is used stays used."""

        async def change() -> None:
            if model is None:
                self._limits = limits
            for name, buckets in self._buckets.items():
                if model in (None, name):
                    buckets.set(limits)

        self._call(change())

    def set_faults(self, faults: Mapping[str, float]) -> None:
        """Change the shares of faults."""
        _check(faults)
        self._faults = dict(faults)

    def use_up(self, *, requests: int = 0, tokens: int = 0, model: str = "gpt-4o-mini") -> None:
        """Charge the limits as somebody else with the same key would."""

        async def charge() -> None:
            for name, bucket in self._limits_of(model).buckets.items():
                bucket.take(tokens if name == "tpm" else requests)

        self._call(charge())

    def down(self, how: str = "refuse") -> None:
        """Fail from now on: ``refuse`` connections, or answer with a fault such as ``http_503``."""
        if how == "refuse":
            self._call(self._hang_up())
        elif how in FAULTS:
            self._outage = how
        else:
            raise ValueError(f"there is no fault {how!r}; give 'refuse' or one of FAULTS")

    def up(self) -> None:
        """Serve again, at the same address."""
        self._outage = ""
        if self._server is None:
            self._call(self._listen())

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    # Connections

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self._port, limit=2**26, backlog=1024, family=socket.AF_INET
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (request := await read_request(reader)) is not None:
                going_on = await self._respond(request, reader, writer)
                if not going_on or request.headers.get("connection") == "close":
                    break
        except (ConnectionError, asyncio.CancelledError):
            reset(writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _respond(
        self, request: HttpRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; False if the connection is over."""
        path = request.path.rstrip("/")
        if self.batches is not None and path.startswith(("/v1/files", "/v1/batches")):
            denied = self._denied(request.headers)
            answer = denied or await self.batches.serve(request, self.clock, self._answer_row)
            if answer is None:
                reset(writer)
            return answer is not None and await _send(writer, answer)
        try:
            body = json.loads(request.body) if request.body else {}
        except ValueError:
            return await _send(writer, error_reply(400, "The body is no JSON."))
        if path in ("/v1/chat/completions", "/v1/responses"):
            call = Call(path.endswith("responses"), body, request.headers)
            self._ledger.in_flight += 1
            try:
                return await self._complete(call, reader, writer)
            finally:
                self._ledger.in_flight -= 1
        denied = self._denied(request.headers)
        if denied is not None:
            return await _send(writer, denied)
        if path == "/v1/models":
            return await _send(writer, self._list_models())
        if path == "/v1/embeddings":
            return await _send(writer, self._embed(body))
        return await _send(writer, error_reply(404, f"Invalid URL ({request.method} {path})"))

    # Model calls

    async def _complete(
        self, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        at = self.clock.now()
        sight = self._ledger.arrive(at, call.prompt, call.body)
        fault = self._outage or self._choose_fault(call, sight)
        reply = self._denied(call.headers) or self._wrong(call)
        if reply is not None:
            fault = ""
        elif fault in ERRORS:
            reply = ERRORS[fault]
        elif fault in PAUSES:
            reply = pause_reply(tuple(retry_headers(PAUSES[fault], PAUSE_S, self.clock)))
        elif fault not in ("reset_before", "hang", "trickle"):
            reply = self._charge(call)
            if reply is not None:
                fault = ""

        def done(status: int) -> None:
            self._ledger.done(Seen(at, call.prompt, sight, fault, status))

        if reply is None and fault in ("reset_before", "hang", "trickle"):
            done(0)
            await self._break(fault, reader, writer)
            return False
        if reply is None:
            await self.clock.sleep(self._latency(call.prompt, sight, fault))
            reply = self._reply(call, fault)
        if fault == "reset_mid_body":
            done(0)
            writer.write(response_bytes(reply)[: -len(reply.body) // 2])
            await writer.drain()
            reset(writer)
            return False
        done(reply.status)
        return await _send(writer, reply)

    def _answer_row(self, call: Call) -> Reply:
        """Answer a question of a batch: no limit counts, and no connection can break."""
        at = self.clock.now()
        sight = self._ledger.arrive(at, call.prompt, call.body)
        fault = self._outage or self._choose_fault(call, sight)
        reply = self._wrong(call) or ERRORS.get(fault) or self._reply(call, fault)
        self._ledger.done(Seen(at, call.prompt, sight, fault, reply.status))
        return reply

    async def _break(
        self, fault: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Do not answer."""
        if fault == "reset_before":
            reset(writer)
            return
        left = asyncio.ensure_future(gone(reader))
        if fault == "trickle":
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                b"transfer-encoding: chunked\r\n\r\n"
            )
        try:
            while not left.done():
                if fault == "trickle":
                    writer.write(b"1\r\n \r\n")
                    await writer.drain()
                pause = asyncio.ensure_future(self.clock.sleep(1))
                await asyncio.wait((left, pause), return_when=asyncio.FIRST_COMPLETED)
                pause.cancel()
        finally:
            left.cancel()

    def _choose_fault(self, call: Call, sight: int) -> str:
        index = self._ledger.n_requests - 1
        if callable(self._plan):
            planned = self._plan(Arrival(index, sight, prompt_of(call.body), call.body))
        else:
            planned = self._plan[index] if index < len(self._plan) else None
        if planned is not None:
            _check({planned: 0.0} if planned else {})
            return planned
        draw = self._draw("fault", call.prompt, sight)
        for fault, share in self._faults.items():
            draw -= share
            if draw < 0:
                return fault
        return ""

    def _draw(self, *parts: object) -> float:
        whole = json.dumps([self._seed, *map(str, parts)]).encode()
        return int.from_bytes(hashlib.sha256(whole).digest()[:8]) / 2**64

    def _latency(self, prompt: str, sight: int, fault: str) -> float:
        if fault == "late":
            return self._late_s
        return self._latency_s * (0.5 + self._draw("latency", prompt, sight))

    def _denied(self, headers: Mapping[str, str]) -> Reply | None:
        """Return why a key is not let in."""
        given = headers.get("authorization", "").removeprefix("Bearer ").strip()
        if self._keys is None or given in self._keys:
            return None
        if not given:
            return error_reply(401, _NO_KEY)
        message = f"Incorrect API key provided: {given}. You can find your API key at https://..."
        return error_reply(401, message, code="invalid_api_key")

    def _wrong(self, call: Call) -> Reply | None:
        """Return what is wrong with a request: its model, a parameter, its length."""
        if call.model not in self._models:
            return error_reply(
                404,
                f"The model `{call.model}` does not exist or you do not have access to it.",
                code="model_not_found",
            )
        rejected = unsupported(call.body, self._supports)
        if rejected is not None:
            return rejected
        limit, n = self._context_tokens, call.prompt_tokens
        if limit is not None and n > limit:
            message = (
                f"This model's maximum context length is {limit} tokens. However, your messages "
                f"resulted in {n} tokens. Please reduce the length of the messages."
            )
            return error_reply(400, message, param="messages", code="context_length_exceeded")
        return None

    def _limits_of(self, model: str) -> ModelLimits:
        if model not in self._buckets:
            limits = self._limits
            if isinstance(limits, Mapping):
                limits = limits.get(model)
            self._buckets[model] = ModelLimits(limits or Limits(), self.clock)
        return self._buckets[model]

    def _charge(self, call: Call) -> Reply | None:
        """Charge the limits, or return the 429."""
        limits = self._limits_of(call.model)
        tokens = call.estimated_tokens + (0 if self._no_charge else call.ceiling or 0)
        refused = limits.admit(tokens)
        if refused is None:
            self._ledger.admit(tokens)
            return None
        self._ledger.refuse(refused.bucket, call.prompt)
        style = None if refused.never else self._retry_after
        headers = (*retry_headers(style, refused.wait_s, self.clock), *self._limit_headers(call))
        return error_reply(
            429,
            refused.message(call.model),
            kind=refused.kind,
            code="rate_limit_exceeded",
            headers=headers,
        )

    def _limit_headers(self, call: Call, fault: str = "") -> Headers:
        if not self._headers or fault == "headers_missing":
            return ()
        headers = dict(self._limits_of(call.model).headers())
        odd = ODD_HEADERS.get(fault) or {}
        return tuple((headers | {f"x-ratelimit-{k}": v for k, v in odd.items()}).items())

    def _reply(self, call: Call, fault: str) -> Reply:
        """Ask the model and write the answer; it is billed."""
        said = Said(self._answer(call.body), reasoning_tokens=self._reasoning_tokens)
        said = cut(said, call.ceiling)
        if fault in SPOILS:  # after the cut: the claim is about what is spoiled, not about room
            said = SPOILS[fault](said, call.schema)
        tokens = count_tokens(said.content or "") + said.reasoning_tokens
        cost = 0.0
        if self._prices is not None:
            cost = (call.prompt_tokens * self._prices[0] + tokens * self._prices[1]) / 1e6
        usage = (call.prompt_tokens, tokens)
        self._ledger.bill(self.clock.now(), call.prompt, fault, usage, cost)
        write = response_body if call.responses else completion_body
        body = write(call, said, usage, self.clock.wall())
        if self._prices is not None:
            body["usage"]["cost"] = cost
        if fault in ENVELOPES:
            changed = ENVELOPES[fault]
            body |= {"output": changed["choices"]} if call.responses else changed
        text = json.dumps(body).encode()
        return Reply(200, text, self._limit_headers(call, fault), billed=True)

    # Other endpoints

    def _list_models(self) -> Reply:
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "test"}
                  for name in self._models]  # fmt: skip
        return Reply(200, json.dumps({"object": "list", "data": models}).encode())

    def _embed(self, body: Mapping[str, Any]) -> Reply:
        if body.get("model") not in self._models:
            message = f"The model `{body.get('model')}` does not exist."
            return error_reply(404, message, code="model_not_found")
        given = body.get("input", [])
        texts = [given] if isinstance(given, str) else [str(text) for text in given]
        if not all(texts):
            return error_reply(400, "'$.input' is invalid.", param="input")
        self._ledger.embed(len(texts))
        size = int(body.get("dimensions", self._embedding_size))
        data = []
        for i, text in enumerate(texts):
            vector: list[float] | str = embedding_of(text, size)
            if body.get("encoding_format") == "base64":
                vector = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
            data.append({"object": "embedding", "index": i, "embedding": vector})
        n = sum(map(count_tokens, texts))
        usage = {"prompt_tokens": n, "total_tokens": n}
        listed = {"object": "list", "data": data, "model": body["model"], "usage": usage}
        return Reply(200, json.dumps(listed).encode())


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> bool:
    writer.write(response_bytes(reply))
    await writer.drain()
    return True


def _check(faults: Mapping[str, float]) -> None:
    unknown = sorted(set(faults) - set(FAULTS))
    if unknown:
        raise ValueError(f"there is no fault {unknown[0]!r}; there are {', '.join(FAULTS)}")
