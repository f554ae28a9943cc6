"""A clock on which a day passes in seconds; client and server share one."""

import asyncio
import threading
import time
import weakref
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Wait:
    loop: asyncio.AbstractEventLoop
    due: float
    """On the fast clock."""


class FastClock:
    """Time that runs ``factor`` times as fast as the machine's, and can be moved on by hand.

    Safe to share between threads. ``wall`` starts at the real time of day.
    """

    def __init__(self, factor: float = 1.0) -> None:
        if not factor > 0:
            raise ValueError(f"a clock's factor must be above 0, but got {factor}")
        self.factor = factor
        self._begun = time.monotonic()
        self._wall = time.time()
        self._jumped = 0.0
        self._lock = threading.Lock()
        self._sleeps: dict[asyncio.Future[None], _Wait] = {}
        self._timeouts: weakref.WeakKeyDictionary[asyncio.Timeout, _Wait] = (
            weakref.WeakKeyDictionary()
        )

    def now(self) -> float:
        """Return fast seconds since the clock was made, jumps included."""
        return (time.monotonic() - self._begun) * self.factor + self._jumped

    def wall(self) -> float:
        """Return seconds since 1970 on this clock."""
        return self._wall + self.now()

    async def sleep(self, seconds: float) -> None:
        """Wait; a jump of the clock past the end wakes the sleeper."""
        loop = asyncio.get_running_loop()
        due = self.now() + seconds
        if seconds <= 0:
            await asyncio.sleep(0)
        while (left := due - self.now()) > 0:
            woken = loop.create_future()
            with self._lock:
                self._sleeps[woken] = _Wait(loop, due)
            timer = loop.call_later(left / self.factor, _wake, woken)
            try:
                await woken
            finally:
                timer.cancel()
                with self._lock:
                    self._sleeps.pop(woken, None)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        """Return a context that raises TimeoutError after fast seconds; jumps count."""
        timeout = asyncio.timeout(max(0.0, seconds) / self.factor)
        with self._lock:
            self._timeouts[timeout] = _Wait(asyncio.get_running_loop(), self.now() + seconds)
        return timeout

    def advance(self, seconds: float) -> None:
        """Move the clock on; whoever sleeps or has a timeout notices, in any thread's loop."""
        if seconds < 0:
            raise ValueError(f"a monotonic clock does not go back, but got {seconds}")
        with self._lock:
            self._jumped += seconds
            sleeps = list(self._sleeps.items())
            timeouts = list(self._timeouts.items())
        for woken, wait in sleeps:
            _call(wait.loop, _wake, woken)
        for timeout, wait in timeouts:
            _call(wait.loop, self._reschedule, timeout, wait)

    def _reschedule(self, timeout: asyncio.Timeout, wait: _Wait) -> None:
        left = max(0.0, wait.due - self.now()) / self.factor
        try:
            timeout.reschedule(wait.loop.time() + left)
        except RuntimeError:  # not entered yet, or left already
            return


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


def _call(loop: asyncio.AbstractEventLoop, function: object, *arguments: object) -> None:
    try:
        loop.call_soon_threadsafe(function, *arguments)  # type: ignore[arg-type]
    except RuntimeError:  # its loop is closed: nobody waits there
        return
