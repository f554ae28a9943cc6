"""The writing material of the planted corpora: concepts with paraphrases, filler, openers, closers.

Each domain is one JSON file in the folder ``domains``. Templates hold slots such as ``{dish}``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from interp_embed.errors import InputError
from interp_embed.synthetic._checks import name_closest


@dataclass(frozen=True, slots=True)
class Concept:
    """A yes/no property of a document, and the sentences that express it."""

    name: str
    """Short name, such as ``long_wait``."""
    description: str
    """In words, completing "the document …", such as ``complains about a long wait``."""
    valence: int
    """1 if it speaks for the thing written about, -1 against it, 0 neither."""
    stage: float
    """Where in a text it tends to stand, from 0 (start) to 1 (end)."""
    paraphrases: tuple[str, ...]
    """Templates that each express the concept on their own."""


@dataclass(frozen=True, slots=True)
class FillerTopic:
    """Sentences that express no concept; a document takes at most one of each topic."""

    name: str
    stage: float
    """Where in a text it tends to stand, from 0 (start) to 1 (end)."""
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Domain:
    """All that is needed to write documents of one kind."""

    name: str
    about: str
    """One sentence on what the documents are."""
    concepts: tuple[Concept, ...]
    filler: tuple[FillerTopic, ...]
    openers: tuple[str, ...]
    closers: tuple[str, ...]
    lead_ins: tuple[str, ...]
    """Words that may be put before a sentence, such as ``Also,``."""
    contrasts: tuple[str, ...]
    """Words that may be put before a sentence whose valence opposes the one before."""
    conjunctions: tuple[str, ...]
    """What may join two short sentences of the same valence, such as ``, and``."""
    oppositions: tuple[str, ...]
    """What may join two short sentences of opposite valence, such as ``, but``."""
    pronouns: Mapping[str, str]
    """What a slot value is called when the sentence before named it: ``my wife`` is ``she``."""
    casts: tuple[Mapping[str, tuple[str, ...]], ...]
    """Slot values that belong together; a document is written with one cast."""
    slots: Mapping[str, tuple[str, ...]]
    """Slot values common to all casts."""
    once: frozenset[str]
    """Slots that keep one value throughout a document."""
    proper: frozenset[str]
    """Words that keep their capital in the middle of a sentence."""
    style: Mapping[str, float]
    """Rates of the habits of style; see ``writing.Style``."""
    cast_by_author: bool
    """Whether an author keeps one cast (a parent stays a parent)."""

    @property
    def concept_names(self) -> tuple[str, ...]:
        """Names of the concepts, in the order of the columns of the truth."""
        return tuple(concept.name for concept in self.concepts)


def domain_names() -> tuple[str, ...]:
    """Return the names of the domains, sorted."""
    folder = resources.files("interp_embed.synthetic") / "domains"
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name[:-5] for name in names if name.endswith(".json")))


@cache
def load_domain(name: str) -> Domain:
    """Return a domain by name.

    Raises:
        InputError: There is no such domain; the message names those there are.
    """
    if name not in domain_names():
        raise InputError(f"there is no domain {name!r}; {name_closest(name, domain_names())}")
    file = resources.files("interp_embed.synthetic") / "domains" / f"{name}.json"
    return _parse_domain(json.loads(file.read_text(encoding="utf-8")))


def _parse_domain(content: Mapping[str, Any]) -> Domain:
    concepts = (
        Concept(
            name=name,
            description=entry["description"],
            valence=entry["valence"],
            stage=entry["stage"],
            paraphrases=tuple(entry["paraphrases"]),
        )
        for name, entry in content["concepts"].items()
    )
    filler = (
        FillerTopic(name=name, stage=entry["stage"], sentences=tuple(entry["sentences"]))
        for name, entry in content["filler"].items()
    )
    return Domain(
        name=content["name"],
        about=content["about"],
        concepts=tuple(concepts),
        filler=tuple(filler),
        openers=tuple(content["openers"]),
        closers=tuple(content["closers"]),
        lead_ins=tuple(content["lead_ins"]),
        contrasts=tuple(content["contrasts"]),
        conjunctions=tuple(content["conjunctions"]),
        oppositions=tuple(content["oppositions"]),
        pronouns=content["pronouns"],
        casts=tuple(_freeze(cast) for cast in content["casts"]),
        slots=_freeze(content["slots"]),
        once=frozenset(content["once"]),
        proper=frozenset(content["proper"]),
        style=content["style"],
        cast_by_author=content.get("cast_by_author", False),
    )


def _freeze(values: Mapping[str, list[str]]) -> Mapping[str, tuple[str, ...]]:
    return {slot: tuple(choices) for slot, choices in values.items()}
