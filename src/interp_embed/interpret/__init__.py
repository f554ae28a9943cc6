"""What a feature responds to, in words, and how well the words predict it."""

from interp_embed.interpret.annotator import Annotator
from interp_embed.interpret.examples import FeatureExamples, choose_examples
from interp_embed.interpret.fidelity import measure_fidelity
from interp_embed.interpret.keywords import (
    KeywordAnnotator,
    KeywordLabeller,
    KeywordRule,
    label_spans,
)

__all__ = [
    "Annotator",
    "FeatureExamples",
    "KeywordAnnotator",
    "KeywordLabeller",
    "KeywordRule",
    "choose_examples",
    "label_spans",
    "measure_fidelity",
]
