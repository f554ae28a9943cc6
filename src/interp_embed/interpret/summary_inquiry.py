"""One question that sums up many properties of texts in a few."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from interp_embed.interpret.prompts import Prompt
from interp_embed.interpret.shown_text import numbered
from interp_embed.llm.records import Request
from interp_embed.records import Json

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
    instructions: str = ""
    temperature: float | None = None
    parameters: Mapping[str, Json] = field(default_factory=dict)

    def request(self, *, sample: int = 0, factor: int = 1, halvings: int = 0) -> Request:
        """Return the request.

        Args:
            sample: Number of the draw.
            factor: Of the ceiling of the answer.
            halvings: How often the number of properties is halved.
        """
        return Request(
            kind=self.prompt.kind,
            messages=self.prompt.fill(
                labels=numbered(self.labels[: self.n_shown(halvings)]),
                n=str(self.n),
                instructions=self.instructions,
            ),
            max_tokens=factor * (_TOKENS + _TOKENS_A_CONCEPT * self.n),
            schema={
                "type": "object",
                "properties": {"concepts": {"type": "array", "items": {"type": "string"}}},
                "required": ["concepts"],
                "additionalProperties": False,
            },
            temperature=self.temperature,
            sample=sample,
            parameters=self.parameters,
        )

    def n_shown(self, halvings: int = 0) -> int:
        """Return how many properties are shown."""
        return max(1, len(self.labels) >> halvings)
