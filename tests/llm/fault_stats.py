"""What a fault server counted: who asked what, what was refused, what was billed twice."""

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fault_replies import HARMLESS


@dataclass(frozen=True, slots=True)
class Seen:
    """One request."""

    at: float
    """When it had been read, seconds on the server's clock."""
    prompt: str
    """Digest of its messages."""
    sight: int
    """How often the prompt had come past the limits before."""
    fault: str
    """Name of the fault; empty for none."""
    status: int
    """0 where no response was sent."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Totals of a fault server; tokens are those of model calls, embeddings are counted apart."""

    requests: int
    """Model calls that arrived, refused ones included."""
    billed: int
    """Answers paid for; the client may not have received all of them."""
    limited: int
    """Refused with 429."""
    refused: Mapping[str, int]
    """Refused by a real limit, by its name: ``rpm``, ``tpm``, ``rpd``."""
    faults: Mapping[str, int]
    """Injected, by name."""
    prompt_tokens: int
    completion_tokens: int
    """As billed."""
    charged_tokens: int
    """As charged to the token limit: characters / 4 and the ceiling."""
    admitted: int
    """Requests charged to the limits."""
    cost_usd: float
    first_at: float
    """When the first request came; NaN before."""
    last_at: float
    """When the last answer was billed; NaN before."""
    answered_at: float
    """When the first answer was billed; NaN before."""
    max_in_flight: int
    billed_by_prompt: Mapping[str, int]
    whole_by_prompt: Mapping[str, int]
    """Of these, answers with nothing wrong in them."""
    embedded: int
    """Texts embedded."""
    log: tuple[Seen, ...]

    @property
    def duplicates(self) -> int:
        """Answers billed beyond the first of a prompt."""
        return sum(n - 1 for n in self.billed_by_prompt.values())

    @property
    def avoidable(self) -> int:
        """Of these, those that were billed though a whole answer had been given before."""
        return sum(n - 1 for n in self.whole_by_prompt.values())

    @property
    def limited_share(self) -> float:
        """Share of requests refused with 429."""
        return self.limited / self.requests if self.requests else 0.0


class Ledger:
    """Counts, from the server's thread; read from any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.bodies: deque[Mapping[str, Any]] = deque(maxlen=1000)
        """The last requests as they came."""
        self.in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Begin anew; how often a prompt was seen is forgotten as well."""
        with self._lock:
            self._n: Counter[str] = Counter()
            self._refused: Counter[str] = Counter()
            self._faults: Counter[str] = Counter()
            self._sights: Counter[str] = Counter()
            self._billed: Counter[str] = Counter()
            self._whole: Counter[str] = Counter()
            self._cost = 0.0
            self._charged = 0.0
            self._times: list[float] = []
            self._billed_at: list[float] = []
            self._log: list[Seen] = []
            self._peak = 0

    def arrive(self, at: float, prompt: str, body: Mapping[str, Any]) -> int:
        """Note a request; return how often its prompt was seen before."""
        with self._lock:
            self._n["requests"] += 1
            self._times = [*self._times[:1], at]
            self.bodies.append(body)
            self._peak = max(self._peak, self.in_flight)
            self._sights[prompt] += 1
            return self._sights[prompt] - 1

    def admit(self, tokens: float) -> None:
        """Note that a request was charged to the limits."""
        with self._lock:
            self._n["admitted"] += 1
            self._charged += tokens

    def bill(self, at: float, prompt: str, fault: str, usage: tuple[int, int], cost: float) -> None:
        """Note an answer that is paid for."""
        with self._lock:
            self._n["billed"] += 1
            self._billed[prompt] += 1
            if not fault or fault in HARMLESS:
                self._whole[prompt] += 1
            self._n["prompt_tokens"] += usage[0]
            self._n["completion_tokens"] += usage[1]
            self._cost += cost
            self._billed_at = [*self._billed_at[:1], at]

    def refuse(self, bucket: str, prompt: str) -> None:
        """Note a refusal by a limit; it does not count as a sight, which would hang on timing."""
        with self._lock:
            self._refused[bucket] += 1
            self._sights[prompt] -= 1

    def embed(self, n: int) -> None:
        """Note embedded texts."""
        with self._lock:
            self._n["embedded"] += n

    def done(self, seen: Seen) -> None:
        """Note how a request ended."""
        with self._lock:
            self._log.append(seen)
            self._n["limited"] += seen.status == 429
            if seen.fault:
                self._faults[seen.fault] += 1

    @property
    def n_requests(self) -> int:
        """Requests that have arrived."""
        return self._n["requests"]

    def stats(self) -> Stats:
        """Return the totals so far."""
        nan = float("nan")
        with self._lock:
            return Stats(
                requests=self._n["requests"],
                billed=self._n["billed"],
                limited=self._n["limited"],
                refused=dict(self._refused),
                faults=dict(self._faults),
                prompt_tokens=self._n["prompt_tokens"],
                completion_tokens=self._n["completion_tokens"],
                charged_tokens=round(self._charged),
                admitted=self._n["admitted"],
                cost_usd=self._cost,
                first_at=self._times[0] if self._times else nan,
                last_at=self._billed_at[-1] if self._billed_at else nan,
                answered_at=self._billed_at[0] if self._billed_at else nan,
                max_in_flight=self._peak,
                billed_by_prompt=dict(self._billed),
                whole_by_prompt=dict(self._whole),
                embedded=self._n["embedded"],
                log=tuple(self._log),
            )
