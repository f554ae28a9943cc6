"""What every LLM offers: jobs that ask questions, run together, none of whose answers is lost."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from interp_embed.llm.records import Answer, CostEstimate, Failure, Plan, Request
from interp_embed.records import Json

if TYPE_CHECKING:
    from interp_embed.llm.answers import AnswerStore

T = TypeVar("T")
Ask = Callable[[Request], Awaitable[Answer | Failure]]
"""Asks one question: waits for its turn, tries again where that helps, stores what comes. It
raises nothing; after a stop it fails at once, so that a job can return what it has."""
Job = Callable[[Ask], Awaitable[T]]
"""Asks what it needs, one question after the other, and returns what came of it. It must be a
function of the answers alone: a second run is fed the stored ones and asks only the rest."""


class LLM(Protocol):
    """A language model that can be asked many questions."""

    @property
    def model(self) -> str:
        """Its name."""
        ...

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything of the model that changes an answer: provider, name, parameters."""
        ...

    @property
    def store(self) -> "AnswerStore":
        """Where answers and verdicts are kept."""
        ...

    def estimate(self, plan: Plan) -> CostEstimate:
        """Return what a plan will take; nothing is sent."""
        ...

    def run(self, jobs: Sequence[Job[T]], plan: Plan) -> list[T]:
        """Run jobs, many at a time, and return what each came to, in their order.

        Raises:
            LLMError: The server cannot be used at all: no key, no such model, not reached.
            Interrupted: Ctrl-C; ``partial`` holds the results, which lack what was not asked.
        """
        ...

    async def run_async(self, jobs: Sequence[Job[T]], plan: Plan) -> list[T]:
        """Do the same from a running event loop, without blocking it."""
        ...
