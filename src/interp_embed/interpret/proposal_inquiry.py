"""One question for concepts that tell two groups of texts apart, asked again where none come."""

from dataclasses import dataclass
from typing import Protocol

from interp_embed.interpret.parsing import read_concepts
from interp_embed.interpret.prompts import Prompt
from interp_embed.interpret.shown_text import numbered, one_line
from interp_embed.llm.protocol import Ask
from interp_embed.llm.records import Answer, Failure, Request

_TRIES = 3
_MAX_DOUBLINGS = 2
_MAX_HALVINGS = 3
_TOKENS = 40
_TOKENS_A_CONCEPT = 40
"""A concept of 15 words is about 25 tokens; other scripts take up to four times as many."""
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class ProposalForm:
    """What a model is shown."""

    prompt: Prompt
    first: tuple[str, ...]
    """Texts that are to have the concepts more often."""
    second: tuple[str, ...]
    n: int
    """Concepts asked for."""
    instructions: str = ""
    temperature: float | None = None

    def request(self, *, sample: int = 0, factor: int = 1, halvings: int = 0) -> Request:
        """Return the request.

        Args:
            sample: Number of the draw.
            factor: Of the ceiling of the answer.
            halvings: How often the number of texts is halved.
        """
        return concepts_request(
            self.prompt,
            self.n,
            room=factor * (_TOKENS + _TOKENS_A_CONCEPT * self.n),
            sample=sample,
            temperature=self.temperature,
            first=numbered(_part(self.first, halvings)),
            second=numbered(_part(self.second, halvings)),
            instructions=self.instructions,
        )

    def n_shown(self, halvings: int = 0) -> int:
        """Return how many texts are shown."""
        return len(_part(self.first, halvings)) + len(_part(self.second, halvings))


def concepts_request(
    prompt: Prompt,
    n: int,
    *,
    room: int,
    sample: int,
    temperature: float | None = None,
    **shown: str,
) -> Request:
    """Return a request that is answered by a list of concepts.

    Args:
        prompt: The question.
        n: The most concepts that are asked for.
        room: Ceiling of the answer, tokens.
        sample: Number of the draw.
        temperature: None for the server's own.
        shown: What fills the prompt's other gaps.
    """
    return Request(
        kind=prompt.kind,
        messages=prompt.fill(n=str(n), **shown),
        max_tokens=room,
        schema={
            "type": "object",
            "properties": {"concepts": {"type": "array", "items": {"type": "string"}}},
            "required": ["concepts"],
            "additionalProperties": False,
        },
        temperature=temperature,
        sample=sample,
    )


class ConceptForm(Protocol):
    """A question that is answered by a list of concepts."""

    @property
    def n(self) -> int:
        """The most concepts that are asked for."""
        ...

    def request(self, *, sample: int = 0, factor: int = 1, halvings: int = 0) -> Request:
        """Return the request, with less shown after each halving."""
        ...

    def n_shown(self, halvings: int = 0) -> int:
        """Return how much is shown."""
        ...


@dataclass(frozen=True, slots=True)
class ProposedConcepts:
    """What the model answered."""

    concepts: tuple[str, ...]
    """At least one, at most as many as were asked for."""
    n_examples: int
    """Texts it was shown."""


@dataclass(frozen=True, slots=True)
class ProposalInquiry:
    """A job: asks for concepts until there are some, with at most 8 calls."""

    form: ConceptForm

    def first_request(self) -> Request:
        """Return what is asked first."""
        return self.form.request()

    async def __call__(self, ask: Ask) -> ProposedConcepts | str:
        """Ask, and return the concepts, or why there are none."""
        reason, tries, doublings, halvings = "", 0, 0, 0
        while tries < _TRIES:
            request = self.form.request(sample=tries, factor=2**doublings, halvings=halvings)
            answer = await ask(request)
            if isinstance(answer, Failure):
                reason = f"{answer.kind.replace('_', ' ')}: {answer.reason}"
                if answer.kind == "too_long" and halvings < _MAX_HALVINGS:
                    halvings += 1
                    continue
                if answer.kind != "refused":
                    break
            elif answer.finish_reason == "length" and doublings < _MAX_DOUBLINGS:
                doublings += 1
                continue
            elif concepts := read_concepts(answer.text):
                return ProposedConcepts(concepts[: self.form.n], self.form.n_shown(halvings))
            else:
                reason = _why_none(answer)
            tries += 1
        return reason


def _part(texts: tuple[str, ...], halvings: int) -> tuple[str, ...]:
    return texts[: max(1, len(texts) >> halvings)]


def _why_none(answer: Answer) -> str:
    start = one_line(answer.text)[:_SHOWN]
    if not start:
        return "the answer was empty"
    return f"the answer lists no concept that can be used: {start!r}"
