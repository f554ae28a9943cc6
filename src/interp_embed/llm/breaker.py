"""When a whole server is in trouble: pause, probe, and give up in the end."""

from dataclasses import dataclass
from typing import Literal

_IN_A_ROW = 10
_PAUSE_S = 30.0
_GIVE_UP_S = 300.0
_AT_START = 4
"""Failures to reach a server that has not answered yet, before it is taken to be down."""

Advice = Literal["go on", "pause", "give up", "not there"]


@dataclass(slots=True)
class Breaker:
    """Counts troubles in a row over all calls; an answer ends them."""

    in_a_row: int = 0
    since: float | None = None
    """When the row began."""
    has_answered: bool = False
    missed: int = 0
    """Failures to reach a server that has not answered yet."""

    def answer(self) -> None:
        """Count an answer, or any other sensible word of the server."""
        self.in_a_row, self.since, self.missed, self.has_answered = 0, None, 0, True

    def go_on(self) -> None:
        """Begin another run: earlier troubles are over, an earlier answer still counts."""
        self.in_a_row, self.since, self.missed = 0, None, 0

    def fail(self, now: float, *, unreachable: bool) -> Advice:
        """Count a trouble and say what to do."""
        self.in_a_row += 1
        self.since = now if self.since is None else self.since
        if unreachable and not self.has_answered:
            self.missed += 1
            return "not there" if self.missed >= _AT_START else "pause"
        if now - self.since > _GIVE_UP_S:
            return "give up"
        return "pause" if self.in_a_row >= _IN_A_ROW else "go on"

    @property
    def pause_s(self) -> float:
        """Seconds everybody should wait."""
        return 1.2 * self.missed if self.missed else _PAUSE_S
