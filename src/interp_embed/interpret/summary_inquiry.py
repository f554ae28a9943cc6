"""One question that sums up many properties of texts in a few."""

from dataclasses import dataclass

from interp_embed.interpret.prompts import Prompt
from interp_embed.interpret.proposal_inquiry import concepts_request
from interp_embed.interpret.shown_text import numbered
from interp_embed.llm.records import Request

_TOKENS = 40
_TOKENS_A_CONCEPT = 60
"""A property of 20 words is about 30 tokens; other scripts take more."""


@dataclass(frozen=True, slots=True)
class SummaryForm:
    """What a model is shown."""

    prompt: Prompt
    labels: tuple[str, ...]
    """Properties with their shares, the largest differences first."""
    n: int
    """The most that are asked for."""

    def request(self, *, sample: int = 0, factor: int = 1, halvings: int = 0) -> Request:
        """Return the request.

        Args:
            sample: Number of the draw.
            factor: Of the ceiling of the answer.
            halvings: How often the number of properties is halved.
        """
        return concepts_request(
            self.prompt,
            self.n,
            room=factor * (_TOKENS + _TOKENS_A_CONCEPT * self.n),
            sample=sample,
            labels=numbered(self.labels[: self.n_shown(halvings)]),
            instructions="",
        )

    def n_shown(self, halvings: int = 0) -> int:
        """Return how many properties are shown."""
        return max(1, len(self.labels) >> halvings)
