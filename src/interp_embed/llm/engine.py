"""An event loop of its own, in a thread of its own: works in scripts, notebooks and servers."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from interp_embed.llm.caller import Caller
from interp_embed.llm.protocol import Job

T = TypeVar("T")


class LoopThread:
    """An event loop that runs in a daemon thread until the process ends."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self.loop.run_forever, name="interp-embed-llm", daemon=True
        )
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether it has not been stopped."""
        return self._thread.is_alive()

    @property
    def is_current(self) -> bool:
        """Whether it is this very thread."""
        return threading.current_thread() is self._thread

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run a coroutine there."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def stop(self) -> None:
        """End the loop and the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=5.0)
        if not self._thread.is_alive():
            self.loop.close()

    def call(self, function: Callable[[], object]) -> None:
        """Call a function there, soon."""
        self.loop.call_soon_threadsafe(function)


class JobRun(Generic[T]):
    """Jobs being run: as many open at once as make sense, each to its end."""

    def __init__(self, jobs: Sequence[Job[T]], caller: Caller, *, most_open: int) -> None:
        self.n_done = 0
        self.n_jobs = len(jobs)
        self._calls_before = caller.state.usage.calls
        self._jobs = jobs
        self._caller = caller
        self._results: dict[int, T] = {}
        self._next = 0
        self._most_open = most_open

    @property
    def n_answered(self) -> int:
        """Answers the server has given since this run began."""
        return self._caller.state.usage.calls - self._calls_before

    async def run(self) -> list[T]:
        """Return what the jobs came to, in their order.

        A job that raises ends the run: nothing more is asked, and its error is raised when the
        calls under way are stored.
        """
        workers = min(self._most_open, len(self._jobs))
        ended = await asyncio.gather(
            *(self._work() for _ in range(workers)), return_exceptions=True
        )
        for end in ended:
            if isinstance(end, BaseException):
                raise end
        return [self._results[position] for position in range(len(self._jobs))]

    async def _work(self) -> None:
        while self._next < len(self._jobs):
            position, self._next = self._next, self._next + 1
            try:
                self._results[position] = await self._jobs[position](self._caller.ask)
            except BaseException:
                self._next = len(self._jobs)
                self._caller.stop("an error in the program")
                raise
            self.n_done += 1
            self._caller.state.left = len(self._jobs) - self.n_done
