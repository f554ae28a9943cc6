"""The two jobs of language models here: to put features into words, and to read the words."""

from dataclasses import dataclass

from interp_embed.interpret.llm_annotator import LLMAnnotator
from interp_embed.interpret.llm_labeller import LLMLabeller
from interp_embed.llm import LLM, load_llm
from interp_embed.records import Json


@dataclass(frozen=True, slots=True)
class LLMReaders:
    """Who labels, and who says which documents have what a label says."""

    labeller: LLMLabeller
    annotator: LLMAnnotator

    @classmethod
    def of(cls, llm: LLM | str, *, instructions: str = "") -> "LLMReaders":
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


Readers = LLMReaders | LLM | str
"""Both jobs, or the model that does them, or its name."""


def as_readers(readers: Readers | None, *, instructions: str = "") -> LLMReaders | None:
    """Return both jobs; None for None: labels then are words, and no model is asked."""
    if readers is None or isinstance(readers, LLMReaders):
        return readers
    return LLMReaders.of(readers, instructions=instructions)
