"""One question for a label: asked again where there is none, with fewer examples if too long."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from interp_embed.interpret.parsing import read_label
from interp_embed.interpret.prompts import Prompt
from interp_embed.interpret.shown_text import numbered, one_line
from interp_embed.llm.protocol import Ask
from interp_embed.llm.records import Failure, Request
from interp_embed.records import Json

_TRIES = 3
_MAX_DOUBLINGS = 2
_MAX_HALVINGS = 3
_MAX_TOKENS = 100
"""A label of 15 words is about 25 tokens; other scripts take up to four times as many."""
_SAMPLES_A_CANDIDATE = 10
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class LabelForm:
    """What a model is shown for one feature."""

    prompt: Prompt
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    present: str = ""
    """The label to improve; empty where there is none."""
    instructions: str = ""
    temperature: float | None = None
    parameters: Mapping[str, Json] = field(default_factory=dict)

    def n_examples(self, halvings: int = 0) -> int:
        """Return how many examples are shown."""
        return len(_first(self.positive, halvings)) + len(_first(self.negative, halvings))

    def request(self, *, sample: int, factor: int = 1, halvings: int = 0) -> Request:
        """Return the request.

        Args:
            sample: Number of the draw.
            factor: Of the ceiling of the answer.
            halvings: How often the number of examples is halved.
        """
        negative = numbered(_first(self.negative, halvings))
        return Request(
            kind=self.prompt.kind,
            messages=self.prompt.fill(
                positive=numbered(_first(self.positive, halvings)),
                negative=negative or "(there are none: it fires on every text)",
                label=one_line(self.present),
                instructions=self.instructions,
            ),
            max_tokens=factor * _MAX_TOKENS,
            schema={
                "type": "object",
                "properties": {"label": {"type": "string"}},
                "required": ["label"],
                "additionalProperties": False,
            },
            temperature=self.temperature,
            sample=sample,
            parameters=self.parameters,
        )


@dataclass(frozen=True, slots=True)
class ProposedLabel:
    """What the model answered."""

    text: str
    n_examples: int
    """Documents it was shown."""


@dataclass(frozen=True, slots=True)
class LabelInquiry:
    """A job: asks for one label until there is one, with at most 8 calls."""

    feature: int
    form: LabelForm
    candidate: int = 0
    """Number of the candidate."""

    def first_request(self) -> Request:
        """Return what is asked first."""
        return self.form.request(sample=self.candidate * _SAMPLES_A_CANDIDATE)

    async def __call__(self, ask: Ask) -> ProposedLabel | str:
        """Ask, and return the label, or why there is none."""
        reason, tries, doublings, halvings = "", 0, 0, 0
        while tries < _TRIES:
            request = self.form.request(
                sample=self.candidate * _SAMPLES_A_CANDIDATE + tries,
                factor=2**doublings,
                halvings=halvings,
            )
            answer = await ask(request)
            if isinstance(answer, Failure):
                reason = _reason(answer)
                if answer.kind == "too_long" and halvings < _MAX_HALVINGS:
                    halvings += 1
                    continue
                if answer.kind != "refused" or tries:
                    break
            elif (label := read_label(answer.text)) is not None and not (
                answer.finish_reason == "length" and "{" not in answer.text
            ):
                return ProposedLabel(label, self.form.n_examples(halvings))
            else:
                start = one_line(answer.text)[:_SHOWN]
                reason = f"the answer gives no label: {start!r}" if start else "it was empty"
                if answer.finish_reason == "length" and doublings < _MAX_DOUBLINGS:
                    doublings += 1
                    continue
            tries += 1
        return reason


def _first(examples: tuple[str, ...], halvings: int) -> tuple[str, ...]:
    return examples[: max(1, len(examples) >> halvings)]


def _reason(failure: Failure) -> str:
    opening = {
        "refused": "refused: ",
        "too_long": "too long for the model's context: ",
        "unusable": "there is no usable answer: ",
        "stopped": "",
    }
    return opening[failure.kind] + failure.reason
