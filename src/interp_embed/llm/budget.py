"""What may be spent: the worst case is set aside before a call, and settled after it."""

import asyncio
import math
import threading
from dataclasses import dataclass, field

from interp_embed.errors import InputError


@dataclass(slots=True)
class Budget:
    """A hard limit in US dollars; infinite where there is none, 0 for no call at all.

    Several models may share one: ``OpenAILLM(..., max_cost=budget)``.
    """

    limit: float = math.inf
    spent: float = 0.0
    reserved: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _waiting: "list[asyncio.Future[None]]" = field(default_factory=list, repr=False)
    """Calls that wait for others to be settled, each in the loop of its model."""

    def __post_init__(self) -> None:
        """Check the limit.

        Raises:
            InputError: It is negative, or no number.
        """
        if not self.limit >= 0:
            raise InputError(f"max_cost must be dollars, at least 0, but got {self.limit!r}")

    async def reserve(self, amount: float) -> bool:
        """Set an amount aside; False where it does not fit even when all others are settled."""
        while True:
            with self._lock:
                if self.limit > 0 and self.spent + self.reserved + amount <= self.limit:
                    self.reserved += amount
                    return True
                if self.reserved <= 1e-12:
                    return False
                freed = asyncio.get_running_loop().create_future()
                self._waiting.append(freed)
            await freed

    def settle(self, reserved: float, spent: float) -> None:
        """Give back what was set aside, less what was spent."""
        with self._lock:
            self.reserved = max(0.0, self.reserved - reserved)
            self.spent += spent
            waiting, self._waiting = self._waiting, []
        for freed in waiting:
            loop = freed.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, freed)


def _wake(freed: "asyncio.Future[None]") -> None:
    if not freed.done():
        freed.set_result(None)
