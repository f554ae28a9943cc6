"""A clock on which a day passes in seconds; client and server share one."""

import asyncio
import contextlib
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

TICK_S = 0.002
"""How often, in real seconds, the clock looks who is to be woken."""

STEP_S = 0.01
"""The most real seconds that count between two looks, where the clock waits for loops."""

STUCK_S = 5.0
"""A loop that has not come round for so many real seconds is no longer waited for."""


@dataclass(frozen=True, slots=True)
class _Wait:
    due: float
    """On the fast clock."""
    wake: Callable[[], None]
    """Callable from any thread."""


class FastClock:
    """Time that runs ``factor`` times as fast as the machine's, and can be moved on by hand.

    Time stands still while an event loop that has waited on this clock does not come round: on a
    machine that is busy with something else, a fast minute would otherwise be over before a
    server had a turn, and a client would give up on it. Safe to share between threads. ``wall``
    starts at the real time of day.

    Args:
        factor: Fast seconds per real second.
        waits: Whether loops are waited for. Without it, what a program computes takes ``factor``
            times as long on this clock.
    """

    def __init__(self, factor: float = 1.0, *, waits: bool = True) -> None:
        if not factor > 0:
            raise ValueError(f"a clock's factor must be above 0, but got {factor}")
        self.factor = factor
        self._step = STEP_S if waits else float("inf")
        self._wall = time.time()
        self._lock = threading.Lock()
        self._passed = 0.0
        self._seen = time.monotonic()
        self._waits: set[_Wait] = set()
        self._loops: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
        threading.Thread(target=_tick, args=(weakref.ref(self),), daemon=True).start()

    def now(self) -> float:
        """Return fast seconds since the clock was made, jumps included."""
        with self._lock:
            return self._now()

    def _now(self) -> float:
        return self._passed + min(time.monotonic() - self._seen, self._step) * self.factor

    def wall(self) -> float:
        """Return seconds since 1970 on this clock."""
        return self._wall + self.now()

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let time stand still while this loop is busy, before it has waited on the clock."""
        with self._lock:
            self._loops.add(loop)

    async def sleep(self, seconds: float) -> None:
        """Wait; a jump of the clock past the end wakes the sleeper."""
        loop = asyncio.get_running_loop()
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.Event()
        wait = self._add(seconds, lambda: _call(loop, woken.set), loop)
        try:
            await woken.wait()
        finally:
            self._remove(wait)

    def wait(self, seconds: float) -> None:
        """Wait in a thread that runs no loop."""
        woken = threading.Event()
        self._add(seconds, woken.set)
        woken.wait()

    @contextlib.asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[asyncio.Timeout]:
        """Raise TimeoutError in the block after fast seconds; jumps count."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as timeout:

            def end() -> None:
                with contextlib.suppress(RuntimeError):  # left already
                    timeout.reschedule(loop.time())

            wait = self._add(seconds, lambda: _call(loop, end), loop)
            try:
                yield timeout
            finally:
                self._remove(wait)

    def advance(self, seconds: float) -> None:
        """Move the clock on; whoever sleeps or has a timeout notices, in any thread's loop."""
        if seconds < 0:
            raise ValueError(f"a monotonic clock does not go back, but got {seconds}")
        with self._lock:
            self._passed += seconds
        self._wake_due()

    def _add(
        self,
        seconds: float,
        wake: Callable[[], None],
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> _Wait:
        with self._lock:
            wait = _Wait(self._now() + seconds, wake)
            self._waits.add(wait)
            if loop is not None:
                self._loops.add(loop)
        return wait

    def _remove(self, wait: _Wait) -> None:
        with self._lock:
            self._waits.discard(wait)

    def _wake_due(self) -> None:
        with self._lock:
            now = self._now()
            due = [wait for wait in self._waits if wait.due <= now]
            self._waits.difference_update(due)
        for wait in sorted(due, key=lambda wait: wait.due):
            wait.wake()

    def _look(self) -> None:
        """Let what has passed count, once every loop has come round."""
        with self._lock:
            self._passed, self._seen = self._now(), time.monotonic()
            loops = [loop for loop in self._loops if loop.is_running()]
        self._wake_due()
        if self._step < float("inf"):
            for came in [event for loop in loops if (event := _ask_round(loop))]:
                came.wait(STUCK_S)


def _tick(reference: "weakref.ref[FastClock]") -> None:
    while (clock := reference()) is not None:
        clock._look()
        del clock
        time.sleep(TICK_S)


def _ask_round(loop: asyncio.AbstractEventLoop) -> threading.Event | None:
    came = threading.Event()
    return came if _call(loop, came.set) else None


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> bool:
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:  # its loop is closed: nobody waits there
        return False
    return True
