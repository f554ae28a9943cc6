"""What a language model is asked about a query: phrases for it, and numbers in order."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interp_embed.interpret import LLMLike, Prompt, as_roles
from interp_embed.interpret.parsing import read_concepts
from interp_embed.interpret.shown_text import cut_text, numbered, one_line, shield_markers
from interp_embed.llm import LLM, Plan
from interp_embed.llm.protocol import Ask
from interp_embed.llm.records import Failure, Request
from interp_embed.records import Json

MAX_PHRASES = 10
_TRIES = 3
_MAX_DOUBLINGS = 2
_TOKENS = 40
_TOKENS_A_PHRASE = 24
_TOKENS_A_NUMBER = 4
_SHOWN = 80
_MAX_WORDS = 120
_LISTS = re.compile(r"\[\s*(?:-?\d{1,6}\s*(?:,\s*-?\d{1,6}\s*)*)?\]")


@dataclass(frozen=True, slots=True)
class Told:
    """What a model answered, or why there is nothing."""

    phrases: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    """Positions, from 0, of what was shown."""
    why_not: str = ""
    """Why there is no answer; empty where there is one."""


@dataclass(frozen=True, slots=True)
class Question:
    """A job: one question, asked up to three times until the answer can be read."""

    prompt: Prompt
    gaps: Mapping[str, str]
    n_tokens: int
    schema: Mapping[str, Json]
    read: Callable[[str], Told | None]

    def request(self, *, sample: int = 0, factor: int = 1) -> Request:
        """Return the request; ``sample`` is the number of the draw, ``factor`` of the ceiling."""
        return Request(
            kind=self.prompt.kind,
            messages=self.prompt.fill(**self.gaps),
            max_tokens=factor * self.n_tokens,
            schema=self.schema,
            sample=sample,
        )

    async def __call__(self, ask: Ask) -> Told:
        """Ask, and return what was told, or why nothing was."""
        reason, tries, doublings = "", 0, 0
        while tries < _TRIES:
            answer = await ask(self.request(sample=tries, factor=2**doublings))
            if isinstance(answer, Failure):
                reason = f"{answer.kind.replace('_', ' ')}: {answer.reason}"
                if answer.kind != "refused":
                    break
            elif (told := self.read(answer.text)) is not None:
                return told
            elif answer.finish_reason == "length" and doublings < _MAX_DOUBLINGS:
                doublings += 1
                continue
            else:
                reason = f"the answer cannot be read: {one_line(answer.text)[:_SHOWN]!r}"
            tries += 1
        return Told(why_not=reason)


def keyphrases_question(query: str) -> Question:
    """Return the question for two to ten phrases for a query."""

    def read(text: str) -> Told | None:
        phrases = read_concepts(text)
        return Told(phrases=phrases[:MAX_PHRASES]) if phrases else None

    return Question(
        prompt=Prompt.load("keyphrases"),
        gaps={"query": _shown(query), "n": str(MAX_PHRASES)},
        n_tokens=_TOKENS + _TOKENS_A_PHRASE * MAX_PHRASES,
        schema=_list_schema("concepts", "string"),
        read=read,
    )


def ask_keyphrases(query: str, llm: LLM) -> Told:
    """Return two to ten phrases for a query, in a model's words."""
    return _run(keyphrases_question(query), llm, "Finding phrases")


def labels_question(query: str, labels: Sequence[str]) -> Question:
    """Return the question which labels are relevant to a query."""
    return Question(
        prompt=Prompt.load("rank_labels"),
        gaps={"query": _shown(query), "labels": numbered([one_line(label) for label in labels])},
        n_tokens=_TOKENS + _TOKENS_A_NUMBER * len(labels),
        schema=_list_schema("numbers", "integer"),
        read=lambda text: _read_numbers(text, len(labels)),
    )


def ask_labels(query: str, labels: Sequence[str], llm: LLM) -> Told:
    """Return the labels a model calls relevant to a query, best first; it may be none."""
    return _run(labels_question(query, labels), llm, "Ranking labels")


def texts_question(query: str, texts: Sequence[str]) -> Question:
    """Return the question in which order texts have a property."""

    def read(text: str) -> Told | None:
        told = _read_numbers(text, len(texts))
        if told is None or not told.numbers:
            return None
        left = [place for place in range(len(texts)) if place not in told.numbers]
        return Told(numbers=(*told.numbers, *left))

    shown = [shield_markers(cut_text(text, _MAX_WORDS)) for text in texts]
    return Question(
        prompt=Prompt.load("rank_texts"),
        gaps={"query": _shown(query), "texts": numbered(shown)},
        n_tokens=_TOKENS + _TOKENS_A_NUMBER * len(texts),
        schema=_list_schema("numbers", "integer"),
        read=read,
    )


def ask_texts(query: str, texts: Sequence[str], llm: LLM) -> Told:
    """Return all the texts in a model's order, those it leaves out last and as they were."""
    return _run(texts_question(query, texts), llm, "Ranking texts")


def as_model(llm: LLMLike | None) -> LLM | None:
    """Return the model that is asked; None for None."""
    roles = as_roles(llm)
    return None if roles is None else roles.labeller.llm


def _shown(query: str) -> str:
    return one_line(cut_text(query, _MAX_WORDS))


def _run(question: Question, llm: LLM, title: str) -> Told:
    return llm.run([question], Plan(title, (question.request(),)))[0]


def _list_schema(name: str, kind: str) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": {name: {"type": "array", "items": {"type": kind}}},
        "required": [name],
        "additionalProperties": False,
    }


def _read_numbers(text: str, n: int) -> Told | None:
    """Return the last list of numbers in an answer, from 0, none twice, those unknown left out.

    A list that names only numbers that were not shown is no answer.
    """
    lists = _LISTS.findall(text)
    if not lists:
        return None
    listed: list[Any] = json.loads(lists[-1])
    known = tuple(dict.fromkeys(number - 1 for number in listed if 1 <= number <= n))
    return None if listed and not known else Told(numbers=known)
