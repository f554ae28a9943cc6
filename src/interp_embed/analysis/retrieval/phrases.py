"""What labels are compared with: a question, and phrases for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from interp_embed.analysis.retrieval.common_axes import find_axis
from interp_embed.analysis.retrieval.label_search import is_blank
from interp_embed.analysis.retrieval.questions import ask_keyphrases
from interp_embed.errors import InputError
from interp_embed.llm import LLM


@dataclass(frozen=True, slots=True)
class Phrases:
    """Phrases for a question, and where they come from."""

    compared: tuple[str, ...]
    """No two the same; the question first, unless the phrases are built in."""
    built_in: bool = False
    """Whether they are ours, for a common axis."""
    note: str = ""
    """In a sentence, what a reader should know of where they come from; empty if nothing."""


def choose_phrases(
    query: str, given: Sequence[str], model: LLM | None, *, common_axes: bool
) -> Phrases:
    """Return the phrases given; else a model's; else, of a common axis, the built-in ones.

    Args:
        query: The question.
        given: Phrases of the user.
        model: Who is asked where none is given.
        common_axes: Whether to look the question up in the built-in list.

    Raises:
        InputError: The phrases are one string, or one of them is empty or no string.
    """
    _check_phrases(given)
    if given:
        return Phrases(_distinct(query, *given))
    if model is not None:
        told = ask_keyphrases(query, model)
        if not told.why_not:
            return Phrases(_distinct(query, *told.phrases))
        return Phrases((query,), note=f"{model.model} gave no phrases: {told.why_not}.")
    axis = find_axis(query) if common_axes else None
    if axis is None:
        return Phrases((query,))
    return Phrases(
        axis.phrases,  # without the name, which documents that differ in it do not say
        built_in=True,
        note=f"The phrases for {axis.name!r} are from the built-in list, which does not know these "
        "documents: give keyphrases of your own, or a language model, for better ones.",
    )


def _check_phrases(given: Sequence[str]) -> None:
    if isinstance(given, str):
        raise InputError(
            f"keyphrases must be several phrases, but is one string; give [{given!r}], or one "
            "entry a phrase"
        )
    for phrase in given:
        if is_blank(phrase):
            raise InputError(f"a keyphrase is empty or no text: {phrase!r}; leave it out")


def _distinct(*phrases: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(phrases))
