"""Time as the LLM layer sees it, so that tests can let a day pass in a second."""

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Clock(Protocol):
    """Seconds, and ways to wait for them."""

    def now(self) -> float:
        """Return seconds that never go back, from any origin."""
        ...

    def wall(self) -> float:
        """Return seconds since 1970."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[asyncio.Timeout]:
        """Return a context that raises TimeoutError if it takes longer."""
        ...


class RealClock:
    """The machine's own clocks."""

    def now(self) -> float:
        """Return the monotonic clock: it does not jump when the time of day is set."""
        return time.monotonic()

    def wall(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(max(0.0, seconds))

    def timeout(self, seconds: float) -> asyncio.Timeout:
        """Return a context that raises TimeoutError if it takes longer."""
        return asyncio.timeout(seconds)
