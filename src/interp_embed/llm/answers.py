"""Every answer that was paid for, on disk as it arrives: SQLite, readable without this library."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

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
    """Seconds since 1970."""


class AnswerStore:
    """Calls, verdicts and what was learned of servers; safe for threads and for processes."""

    @classmethod
    def open(cls, path: Path | None = None) -> Self:
        """Open a store, making it if it is not there; None for the user's own."""
        raise NotImplementedError

    @classmethod
    def in_memory(cls) -> Self:
        """Return a store that is gone with the process."""
        raise NotImplementedError

    @property
    def path(self) -> str:
        """Where it is, or ``:memory:``."""
        raise NotImplementedError

    def find(self, keys: Sequence[str]) -> dict[str, StoredCall]:
        """Return the calls that are stored, by key."""
        raise NotImplementedError

    def add(self, call: StoredCall) -> bool:
        """Commit a call; False if one with this key is there, which then stays."""
        raise NotImplementedError

    def claim(self, key: str, lease_s: float) -> bool:
        """Say that this process is asking; False while another one's claim has not run out."""
        raise NotImplementedError

    def release(self, key: str) -> None:
        """Give a claim up."""
        raise NotImplementedError

    def verdicts(
        self, judge: str, documents: Sequence[str], concepts: Sequence[str]
    ) -> dict[tuple[int, int], bool]:
        """Return what a judge has said, by (document, concept)."""
        raise NotImplementedError

    def add_verdicts(
        self, judge: str, document: str, verdicts: Mapping[str, bool], *, call: str
    ) -> None:
        """Commit verdicts on one document by concept; earlier ones stay."""
        raise NotImplementedError

    def quirks(self, provider: str, model: str) -> dict[str, Json]:
        """Return what was learned of a server."""
        raise NotImplementedError

    def learn(self, provider: str, model: str, quirks: Mapping[str, Json]) -> None:
        """Commit what was learned of a server."""
        raise NotImplementedError

    def token_ratio(self, model: str, kind: str) -> tuple[int, float, float]:
        """Return calls seen, prompt tokens per estimated one, completion tokens a call."""
        raise NotImplementedError

    def forget(self, keys: Iterable[str]) -> int:
        """Delete calls, so that they are asked again."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file."""
        raise NotImplementedError
