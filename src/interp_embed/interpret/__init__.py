"""What a feature responds to, in words, and how well the words predict it."""

from interp_embed.interpret.annotator import Annotator, Labeller
from interp_embed.interpret.examples import FeatureExamples, choose_examples
from interp_embed.interpret.exemplar_labeller import ExemplarLabeller
from interp_embed.interpret.exemplar_rule import ExemplarRule
from interp_embed.interpret.fidelity import measure_fidelity
from interp_embed.interpret.keywords import (
    KeywordAnnotator,
    KeywordLabeller,
    KeywordRule,
    label_spans,
)
from interp_embed.interpret.label_scores import (
    LabelScores,
    estimate_scores,
    score_labels,
    score_labels_async,
)
from interp_embed.interpret.llm_annotator import LLMAnnotator
from interp_embed.interpret.llm_labeller import LabelProposals, LLMLabeller
from interp_embed.interpret.llm_roles import LLMLike, LLMRoles, as_roles
from interp_embed.interpret.parsing import read_label, read_verdicts
from interp_embed.interpret.premade import PremadeLabels, load_premade_labels
from interp_embed.interpret.prompts import Prompt
from interp_embed.interpret.sampling import ScoringSample, choose_scoring_documents
from interp_embed.interpret.sentence_annotator import (
    CalibratedSentenceAnnotator,
    SentenceAnnotator,
)
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
    "CalibratedSentenceAnnotator",
    "ExemplarLabeller",
    "ExemplarRule",
    "FeatureExamples",
    "FeatureTokens",
    "FormRule",
    "KeywordAnnotator",
    "KeywordLabeller",
    "KeywordRule",
    "LLMAnnotator",
    "LLMLabeller",
    "LLMLike",
    "LLMRoles",
    "LabelProposals",
    "LabelScores",
    "Labeller",
    "PremadeLabels",
    "Prompt",
    "RuleAnnotator",
    "ScoringSample",
    "SentenceAnnotator",
    "TokenContext",
    "TokenLabel",
    "WordIndex",
    "as_roles",
    "choose_examples",
    "choose_scoring_documents",
    "estimate_scores",
    "label_from_tokens",
    "label_spans",
    "load_premade_labels",
    "measure_fidelity",
    "measure_label",
    "read_label",
    "read_verdicts",
    "rule_spans",
    "score_labels",
    "score_labels_async",
    "states_rule",
    "top_contexts",
]
