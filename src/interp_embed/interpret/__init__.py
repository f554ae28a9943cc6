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
from interp_embed.interpret.premade import PremadeLabels, load_premade_labels
from interp_embed.interpret.token_rules import (
    FormRule,
    RuleAnnotator,
    measure_label,
    rule_spans,
    states_rule,
)
from interp_embed.interpret.token_words import (
    FeatureTokens,
    TokenContext,
    TokenLabel,
    label_from_tokens,
    top_contexts,
)
from interp_embed.interpret.word_index import WordIndex

__all__ = [
    "Annotator",
    "FeatureExamples",
    "FeatureTokens",
    "FormRule",
    "KeywordAnnotator",
    "KeywordLabeller",
    "KeywordRule",
    "PremadeLabels",
    "RuleAnnotator",
    "TokenContext",
    "TokenLabel",
    "WordIndex",
    "choose_examples",
    "label_from_tokens",
    "label_spans",
    "load_premade_labels",
    "measure_fidelity",
    "measure_label",
    "rule_spans",
    "states_rule",
    "top_contexts",
]
