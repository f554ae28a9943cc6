"""A model that knows: verdicts by a hash of text and concept, labels by a hash of the examples."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Body = Mapping[str, Any]
_CONCEPT = re.compile(r"^(c\d+): (.*)$", re.MULTILINE)
_PROPERTY = re.compile(r'PROPERTY: "(.*?)"\nTEXT: "(.*)"\s*\n', re.DOTALL)
_THINGS = ("the food", "a delay", "money", "a person", "a place", "the past", "a number", "health")
_WAYS = ("mentions", "complains about", "praises", "asks about", "compares", "doubts", "repeats")
_WHEN = ("at the start", "in the first person", "with a number", "in passing", "in a question")


@dataclass(frozen=True, slots=True)
class Question:
    """A text and the concepts asked about it, by id."""

    text: str
    concepts: Mapping[str, str]


def prompt_of(body: Body) -> str:
    """Return the messages of a chat or Responses request as one string."""
    return "\n".join(f"{role}: {content}" for role, content in turns(body))


def turns(body: Body) -> list[tuple[str, str]]:
    """Return (role, text) of every message; parts of a content list are joined."""
    given = body.get("messages", body.get("input", ""))
    if isinstance(given, str):
        return [("user", given)]
    return [(str(turn.get("role", "user")), _text(turn.get("content"))) for turn in given]


def _text(content: object) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return "" if content is None else str(content)


def last_user_turn(body: Body) -> str:
    """Return what the user said last."""
    return next((text for role, text in reversed(turns(body)) if role == "user"), "")


def find_question(message: str) -> Question | None:
    """Return text and concepts of an annotation prompt of ours; None if it is another prompt.

    ``c1: CONCEPT`` lines, a line ``TEXT:``, the text, and the last line ``END OF TEXT``.
    """
    head, found, tail = message.partition("\nTEXT:\n")
    concepts = dict(_CONCEPT.findall(head))
    if not found or not concepts:
        return None
    text, ended, _ = f"\n{tail}\n".rpartition("\nEND OF TEXT\n")
    return Question((text if ended else tail).strip("\n"), concepts)


@dataclass(frozen=True, slots=True)
class TruthAnswer:
    """Answers from the request's body; the same question always has the same answer."""

    seed: int = 0
    p: float = 0.3
    """Share of true verdicts."""

    def truth(self, text: str, concept: str) -> bool:
        """Return the verdict; runs of white space do not matter."""
        return self._draw(_plain(text), _plain(concept)) < self.p

    def label(self, positive: str, negative: str) -> str:
        """Return a sentence that follows from the examples."""
        draw = self._draw(_plain(positive), _plain(negative))
        at = int(draw * 10**9)
        thing, way = _THINGS[at % 8], _WAYS[at // 8 % 7]
        return f"{way} {thing} {_WHEN[at // 56 % 5]}"

    def __call__(self, body: Body) -> str:
        """Answer an annotation or labelling prompt, ours or the predecessor's; else ``ok``."""
        message = last_user_turn(body)
        question = find_question(message)
        if question is not None:
            return json.dumps(
                {name: self.truth(question.text, c) for name, c in question.concepts.items()}
            )
        _, found, tail = message.partition("POSITIVE EXAMPLES:")
        if found:
            positive, _, negative = tail.partition("NEGATIVE EXAMPLES:")
            return json.dumps({"label": self.label(positive, negative)})
        return self._answer_predecessor(message)

    def _answer_predecessor(self, message: str) -> str:
        asked = _PROPERTY.search(message, max(0, message.rfind('\nPROPERTY: "')))
        if asked:
            said = "Yes" if self.truth(asked[2], asked[1]) else "No"
            brief = message.rstrip().endswith("only):")
            return said if brief else f"{said}. The TEXT, taken as a whole, is the evidence for it."
        _, found, tail = message.partition("POSITIVE SAMPLES:")
        if found:
            positive, _, rest = tail.partition("NEGATIVE SAMPLES:")
            return f'"{self.label(positive, rest.partition("Rules about")[0])}"'
        return "ok"

    def _draw(self, *parts: str) -> float:
        """Return a number in [0, 1) from the seed and the parts."""
        whole = json.dumps([self.seed, *parts]).encode()
        return int.from_bytes(hashlib.sha256(whole).digest()[:8]) / 2**64


def truth_answer(seed: int = 0, p: float = 0.3) -> TruthAnswer:
    """Return a model that says yes to a share ``p`` of (text, concept), fixed by the seed."""
    return TruthAnswer(seed, p)


def truth_matrix(
    answer: TruthAnswer, documents: Sequence[str], concepts: Sequence[str]
) -> list[list[bool]]:
    """Return what the model would say, by document and concept."""
    return [[answer.truth(document, concept) for concept in concepts] for document in documents]


def _plain(text: str) -> str:
    return " ".join(text.split())
