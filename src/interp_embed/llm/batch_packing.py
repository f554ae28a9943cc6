"""How many questions go into one batch: what a file may hold, and what may wait to be answered."""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from interp_embed.llm.batch_wire import write_line
from interp_embed.llm.quirks import Quirks, build_body
from interp_embed.llm.records import Failure, Request
from interp_embed.llm.sender import Sent

MAX_QUESTIONS = 50_000
MAX_BYTES = 200_000_000
"""Of one file, by OpenAI's Batch API."""
_SHARE = 0.95
"""Of a stated limit that is used: our count of tokens is an estimate."""
_FIRST_PAUSE_S = 60.0
_MAX_PAUSE_S = 900.0
_MAX_STRIKES = 100
"""Refusals in a row, about a day's, after which a run ends."""


@dataclass(slots=True, eq=False)
class Question:
    """A question that waits for its place in a batch, or for the batch."""

    key: str
    request: Request
    quirks: Callable[[], Quirks]
    """Tells how the server wants to be asked; others may learn more while this waits."""
    tokens: float
    """Prompt tokens, estimated."""
    answer: "asyncio.Future[Sent | Failure | None]"
    reserved: float = 0.0
    """Dollars set aside for it."""
    headroom: int = 0
    """Hidden tokens this allows for."""
    batch: str = ""
    """Digest of the batch it is in."""

    def give(self, sent: Sent | Failure | None) -> None:
        """Tell whoever asked what came; None to look and ask again."""
        if not self.answer.done():
            self.answer.set_result(sent)

    def fail(self, error: BaseException) -> None:
        """Raise an error where it was asked."""
        if not self.answer.done():
            self.answer.set_exception(error)


@dataclass(slots=True)
class TokenRoom:
    """How many prompt tokens of a model may wait in batches; learned from refusals."""

    known: float = math.inf
    """As the server states it."""
    allowed: float = math.inf
    """As tried just now: other programs may use the same account."""
    strikes: int = 0
    """Refusals in a row."""
    waiting: dict[str, float] = field(default_factory=dict)
    """Tokens of the batches on their way, by digest."""

    @property
    def gives_up(self) -> bool:
        """Whether it has been refused for about a day."""
        return self.strikes >= _MAX_STRIKES

    @property
    def left(self) -> float:
        """Tokens that may be sent now."""
        return self.allowed - sum(self.waiting.values())

    def refuse(self, digest: str, limit: float | None) -> float:
        """Learn from a batch that was turned away; return the seconds to wait."""
        tokens = self.waiting.pop(digest, 0.0)
        others = sum(self.waiting.values())
        self.strikes += 1
        if limit is not None:
            self.known = limit
        if limit is not None and tokens + others > _SHARE * limit:
            self.allowed = _SHARE * limit  # more was asked than we had known to be too much
            return 0.0
        self.allowed = others + tokens / 2
        return min(_MAX_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (self.strikes - 1))

    def accept(self) -> None:
        """Learn from a batch that was taken."""
        self.strikes = 0
        self.allowed = min(_SHARE * self.known, 2 * self.allowed)


@dataclass(frozen=True, slots=True)
class Packed:
    """Questions of one batch, and its file."""

    questions: tuple[Question, ...]
    lines: tuple[bytes, ...]
    tokens: float


def pack(
    queue: deque[Question],
    room: TokenRoom,
    *,
    model: str,
    quirks: Quirks,
    most_bytes: int = MAX_BYTES,
) -> Packed | None:
    """Take from the front of a queue what fits into one batch; None where nothing fits now.

    Args:
        queue: Questions; those taken are removed.
        room: For their tokens. A question too large for all of it is taken alone where no other
            batch is on its way: the server decides.
        model: Whom to ask.
        quirks: How.
        most_bytes: Of the file.
    """
    questions: list[Question] = []
    lines: list[bytes] = []
    n_bytes, tokens, left = 0, 0.0, room.left
    while queue and len(questions) < MAX_QUESTIONS:
        question = queue[0]
        alone = not questions and not room.waiting
        if tokens + question.tokens > left and not alone:
            break
        line = write_line(question.key, build_body(question.request, model, quirks))
        if questions and n_bytes + len(line) > most_bytes:
            break
        questions.append(queue.popleft())
        lines.append(line)
        n_bytes, tokens = n_bytes + len(line), tokens + question.tokens
    return Packed(tuple(questions), tuple(lines), tokens) if questions else None
