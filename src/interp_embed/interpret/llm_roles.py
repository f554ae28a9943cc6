"""The two jobs of language models here: to put features into words, and to read the words."""

from dataclasses import dataclass

from interp_embed.interpret.llm_annotator import LLMAnnotator
from interp_embed.interpret.llm_labeller import LLMLabeller
from interp_embed.llm import LLM, load_llm
from interp_embed.records import Json


@dataclass(frozen=True, slots=True)
class LLMRoles:
    """Who labels, and who says which documents have what a label says."""

    labeller: LLMLabeller
    annotator: LLMAnnotator

    @classmethod
    def of(cls, llm: LLM | str, *, instructions: str = "") -> "LLMRoles":
        """Return both jobs done by one model, or by the model of a name.

        Args:
            llm: The model.
            instructions: What labels should be about.
        """
        model = load_llm(llm)
        return cls(LLMLabeller(model, instructions=instructions), LLMAnnotator(model))

    def to_json(self) -> dict[str, Json]:
        """Return everything that changes their answers, for the record of a run."""
        return {
            "labeller": dict(self.labeller.identity),
            "annotator": dict(self.annotator.identity),
        }


LLMLike = LLMRoles | LLM | str
"""Both jobs, or the model that does them, or its name."""


def as_roles(roles: LLMLike | None, *, instructions: str = "") -> LLMRoles | None:
    """Return both jobs; None for None: labels then are words, and no model is asked."""
    if roles is None or isinstance(roles, LLMRoles):
        return roles
    return LLMRoles.of(roles, instructions=instructions)
