"""What may be spent: the worst case is set aside before a call, and settled after it."""

import asyncio
import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class Budget:
    """A hard limit in US dollars; infinite where there is none."""

    limit: float = math.inf
    spent: float = 0.0
    reserved: float = 0.0
    _freed: asyncio.Event = field(default_factory=asyncio.Event)

    async def reserve(self, amount: float) -> bool:
        """Set an amount aside; False where it does not fit even when all others are settled."""
        while self.spent + self.reserved + amount > self.limit:
            if self.reserved <= 1e-12:
                return False
            self._freed.clear()
            await self._freed.wait()
        self.reserved += amount
        return True

    def settle(self, reserved: float, spent: float) -> None:
        """Give back what was set aside, less what was spent."""
        self.reserved = max(0.0, self.reserved - reserved)
        self.spent += spent
        self._freed.set()
