"""How many calls may be under way at once."""

import math
from collections import deque
from dataclasses import dataclass, field

FIRST_WAVE = 4
_LITTLE = 1.5
"""Calls under way per (rate x latency): as many as keep the limit busy, and half as many more."""
_BURST = 8.0
"""The same while the buckets are full, to use what has gathered in them."""
_CUT = 0.7
_ABOVE_FAILED = 1.1
_CLEAN_S = 300.0
_TIMEOUTS_OF = 60
_TIMEOUT_SHARE = 0.1
_SLOWER = 2.0
"""Latency, against the best seen, above which more calls at once only wait for one another."""


@dataclass(slots=True)
class Concurrency:
    """Little's law where the rate is known; careful growth where it is not (AIMD).

    After a cut the limit stays within 1.1 of what failed for five clean minutes; one burst of
    refusals cuts once; timeouts cut only where more than a tenth of the last sixty calls had one.
    """

    most: int
    limit: float = FIRST_WAVE
    failed_at: float = math.inf
    """The limit at which a cut was last due."""
    cut_at: float = -math.inf
    growing: bool = True
    """Whether no cut was due so far: growth by half a round instead of by one."""
    bursts: bool = True
    """Whether full buckets may be emptied quickly; not after a refusal that headers did not
    announce."""
    latency: float = 0.0
    best: float = math.inf
    """The lowest average latency seen, slowly forgotten."""
    answered: int = 0
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=_TIMEOUTS_OF))
    """Whether the last calls timed out."""

    def answer(self, latency: float, under_way: int, now: float) -> None:
        """Count an answer."""
        self.recent.append(False)
        self.answered += 1
        self.latency = latency if self.latency == 0 else 0.9 * self.latency + 0.1 * latency
        self.best = min(self.best * 1.002, self.latency)
        if now - self.cut_at > _CLEAN_S:
            self.failed_at = math.inf
        saturated = under_way >= 0.8 * self.limit
        if saturated and self.latency < _SLOWER * self.best:
            step = 0.5 if self.growing else 1 / max(self.limit, 1)
            most = min(self.most, self.failed_at * _ABOVE_FAILED)
            self.limit = max(self.limit, min(most, self.limit + step))

    def refuse(self, now: float) -> None:
        """Count a refusal (429, overload)."""
        self._cut(now)

    def time_out(self, now: float) -> None:
        """Count a timeout."""
        self.recent.append(True)
        if sum(self.recent) > _TIMEOUT_SHARE * _TIMEOUTS_OF:
            self._cut(now)

    def _cut(self, now: float) -> None:
        if now - self.cut_at < max(5.0, 2 * self.latency):  # the same burst
            return
        self.cut_at, self.growing = now, False
        self.failed_at = self.limit
        self.limit = max(2.0, self.limit * _CUT)

    def cap(self, per_second: float, fullness: float) -> int:
        """Return how many calls may be under way.

        Args:
            per_second: Calls a second that the known limits allow; infinite where none is known.
            fullness: Of the emptiest bucket, in [0, 1].
        """
        if self.answered == 0:
            return 1
        if math.isinf(per_second):
            return max(2, min(self.most, int(self.limit)))
        calm = self.bursts and self.latency < _SLOWER * self.best
        factor = _LITTLE + (_BURST * fullness if calm else 0.0)
        wanted = math.ceil(factor * per_second * self.latency)
        return max(2, min(self.most, max(wanted, FIRST_WAVE)))
