"""Who reads concepts in held-out documents, by one word or as an object."""

from dataclasses import dataclass
from typing import Literal

from interp_embed.errors import InputError
from interp_embed.hypotheses import CalibratedAnnotator
from interp_embed.interpret import (
    Annotator,
    LLMLike,
    LLMRoles,
    RuleAnnotator,
    SentenceAnnotator,
    as_roles,
)

Verify = Literal["words", "sentences"] | Annotator | CalibratedAnnotator | LLMLike | None
"""Rules of words, example sentences, an annotator, a language model or its name; None for no one.
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """Who labels and reads."""

    roles: LLMRoles | None
    """A language model's two jobs; None where none is asked."""
    annotator: Annotator | CalibratedAnnotator | None
    """Who reads; None for the model."""


def reading_of(verify: Verify) -> Reading | None:
    """Return who reads concepts; None for None.

    Raises:
        InputError: It is nothing that reads.
    """
    if verify is None:
        return None
    if isinstance(verify, str) and verify == "words":
        return Reading(None, RuleAnnotator())
    if isinstance(verify, str) and verify == "sentences":
        return Reading(None, SentenceAnnotator())
    if isinstance(verify, LLMRoles | str):
        return Reading(as_roles(verify), None)
    if hasattr(verify, "annotate") or hasattr(verify, "calibrate"):
        return Reading(None, verify)  # type: ignore[arg-type]
    if hasattr(verify, "model"):
        return Reading(as_roles(verify), None)
    raise InputError(
        'verify must be "words", "sentences", a language model or its name, or an annotator, '
        f"got {type(verify).__name__}"
    )
