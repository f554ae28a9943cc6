"""What a run has asked, and whether it still asks."""

import asyncio
from dataclasses import dataclass, field

from interp_embed._servers import ServerAddress
from interp_embed.errors import StoredFileError
from interp_embed.llm.clock import Clock
from interp_embed.llm.records import NOT_ASKED, Failure, Usage


@dataclass(slots=True)
class Halt:
    """Why nothing more is asked."""

    reason: str
    fatal: bool
    """Whether the server cannot be used at all."""
    again_s: float | None = None
    """Seconds until going on makes sense, where that is known."""
    error: StoredFileError | None = None
    """Why answers can no longer be kept."""


@dataclass(slots=True)
class RunState:
    """Shared by all that takes part in asking one model."""

    address: ServerAddress
    clock: Clock
    usage: Usage = field(default_factory=Usage)
    unasked: int = 0
    """Questions that were not asked any more after a stop."""
    left: int = 0
    """Calls still to be made in this run, as far as one knows."""
    halt: Halt | None = None
    _halted: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(
        self,
        reason: str,
        *,
        fatal: bool = False,
        again_s: float | None = None,
        error: StoredFileError | None = None,
    ) -> None:
        """Ask nothing more; the first reason counts."""
        if self.halt is None:
            self.halt = Halt(self.address.redact(reason), fatal, again_s, error)
        self._halted.set()

    def has_stopped(self) -> bool:
        """Return whether nothing more is asked."""
        return self.halt is not None

    def go_on(self) -> None:
        """Ask again, for another run."""
        self.halt = None
        self.unasked = 0
        self._halted.clear()

    def stopped(self) -> Failure:
        """Return what a question comes to that was not asked, and count it."""
        self.unasked += 1
        reason = self.halt.reason if self.halt is not None else "the run was stopped"
        return Failure("stopped", f"{NOT_ASKED}: {reason}")

    async def until_stopped(self) -> None:
        """Wait for a stop."""
        await self._halted.wait()

    async def rest(self, seconds: float) -> None:
        """Wait, unless the run is stopped."""
        try:
            async with self.clock.timeout(seconds):
                await self._halted.wait()
        except TimeoutError:
            return
