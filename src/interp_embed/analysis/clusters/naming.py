"""Names of clusters: by a language model in one question, or from the labels of their features."""

from collections.abc import Sequence
from dataclasses import dataclass

from interp_embed.interpret import LLMRoles, Prompt
from interp_embed.interpret.parsing import read_concepts
from interp_embed.interpret.shown_text import cut_text, one_line, shield_markers
from interp_embed.llm import Plan
from interp_embed.llm.protocol import Ask
from interp_embed.llm.records import Failure, Request

_TRIES = 3
_MAX_DOUBLINGS = 2
_TOKENS = 60
_TOKENS_A_NAME = 40
_MAX_WORDS = 80
_LABELS = 3
_LONGEST = 48
"""Characters of a label in a name; a rule may list a dozen words."""


@dataclass(frozen=True, slots=True)
class ClusterPortrait:
    """What is known of a cluster when it is named."""

    labels: tuple[str, ...]
    """Of the features that differ most, the largest difference first."""
    inside: tuple[float, ...]
    outside: tuple[float, ...]
    """Their rates in the cluster and in the others, in the documents that make the names."""
    texts: tuple[str, ...]
    """Central documents."""


@dataclass(frozen=True, slots=True)
class Names:
    """Names of all clusters, no two the same."""

    names: tuple[str, ...]
    by: str
    """``features``, or the model."""
    why_not: str = ""
    """Why a model's names are not used; empty where they are, or none was asked."""


def name_clusters(
    portraits: Sequence[ClusterPortrait], *, query: str = "", roles: LLMRoles | None = None
) -> Names:
    """Return a name for each cluster, by the model of ``roles`` where there is one.

    Source: Jiang et al. 2025, arXiv 2512.10092, targeted clustering (five features and five
    central texts, all clusters in one prompt).
    """
    plain = _from_labels(portraits)
    if roles is None:
        return Names(plain, "features")
    llm = roles.labeller.llm
    question = NamesQuestion(Prompt.load("name_clusters"), tuple(portraits), query)
    found = llm.run([question], Plan("Naming clusters", (question.request(),)))[0]
    if isinstance(found, str):
        return Names(plain, "features", found)
    return Names(found, f"llm:{llm.model}")


@dataclass(frozen=True, slots=True)
class NamesQuestion:
    """A job: asks for all names at once, again where they are too few or two are the same."""

    prompt: Prompt
    portraits: tuple[ClusterPortrait, ...]
    query: str

    def request(self, *, sample: int = 0, factor: int = 1) -> Request:
        """Return the request; ``sample`` is the number of the draw, ``factor`` of the ceiling."""
        n = len(self.portraits)
        return Request(
            kind=self.prompt.kind,
            messages=self.prompt.fill(
                clusters="\n\n".join(
                    _shown(number, portrait) for number, portrait in enumerate(self.portraits, 1)
                ),
                n=str(n),
                query=one_line(self.query) or "none",
            ),
            max_tokens=factor * (_TOKENS + _TOKENS_A_NAME * n),
            schema={
                "type": "object",
                "properties": {"concepts": {"type": "array", "items": {"type": "string"}}},
                "required": ["concepts"],
                "additionalProperties": False,
            },
            sample=sample,
        )

    async def __call__(self, ask: Ask) -> tuple[str, ...] | str:
        """Return the names, or why there are none."""
        reason, tries, doublings, n = "", 0, 0, len(self.portraits)
        while tries < _TRIES:
            answer = await ask(self.request(sample=tries, factor=2**doublings))
            if isinstance(answer, Failure):
                reason = f"{answer.kind.replace('_', ' ')}: {answer.reason}"
                if answer.kind != "refused":
                    break
            else:
                names = read_concepts(answer.text) or ()
                if len(names) == n:
                    return names
                if answer.finish_reason == "length" and doublings < _MAX_DOUBLINGS:
                    doublings += 1
                    continue
                reason = f"{len(names)} different names came for {n} clusters"
            tries += 1
        return reason


def _shown(number: int, portrait: ClusterPortrait) -> str:
    features = "\n".join(
        f"- {one_line(label)} ({inside:.0%} of its texts, {outside:.0%} of the others)"
        for label, inside, outside in zip(
            portrait.labels, portrait.inside, portrait.outside, strict=True
        )
    )
    texts = "\n".join(
        f"- {one_line(shield_markers(cut_text(text, _MAX_WORDS)))}" for text in portrait.texts
    )
    return f"CLUSTER {number}\nFeatures:\n{features or '- none'}\nTexts:\n{texts or '- none'}"


def _from_labels(portraits: Sequence[ClusterPortrait]) -> tuple[str, ...]:
    """Return names of the first labels; more of them, or a number, where two are the same."""
    names: list[str] = []
    for portrait in portraits:
        labels = [_brief(label) for label in portrait.labels] or ["no feature of its own"]
        tried = ["; ".join(labels[:n]) for n in range(min(_LABELS, len(labels)), len(labels) + 1)]
        free = next((name for name in tried if name not in names), None)
        if free is None:
            number = 2
            while f"{tried[0]} ({number})" in names:
                number += 1
            free = f"{tried[0]} ({number})"
        names.append(free)
    return tuple(names)


def _brief(label: str) -> str:
    """Return a label, a long one cut after a comma or a word.

    ``mentions "wait", "waited", "hour", ... "server"`` -> ``mentions "wait", "waited", "hour", …``
    """
    if len(label) <= _LONGEST:
        return label
    begin = label[:_LONGEST]
    for end in (", ", " "):
        if end in begin:
            return f"{begin.rpartition(end)[0]}{end}…"
    return f"{begin}…"
