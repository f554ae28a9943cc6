"""Hypotheses about a target: find them on some documents, test them on others."""

from interp_embed.hypotheses.choose_features import choose_features
from interp_embed.hypotheses.corpus import Corpus, SealedSplit, check_separate
from interp_embed.hypotheses.cost import estimate_study
from interp_embed.hypotheses.evaluate import Evaluation, evaluate_candidates
from interp_embed.hypotheses.features import FeatureSettings, LearnedFeatures, learn_features
from interp_embed.hypotheses.generate import (
    CalibratedAnnotator,
    Candidate,
    Candidates,
    generate_candidates,
)
from interp_embed.hypotheses.ledger import Ledger, LedgerLike, Opening
from interp_embed.hypotheses.plan import EvaluationPlan
from interp_embed.hypotheses.prediction import score_predictions
from interp_embed.hypotheses.proposals import (
    Proposals,
    ProposalSettings,
    estimate_proposals,
    propose_hypotheses,
)
from interp_embed.hypotheses.screening import screening_columns
from interp_embed.hypotheses.select import Selection, select_features
from interp_embed.hypotheses.settings import StudySettings
from interp_embed.hypotheses.signal import measure_signal
from interp_embed.hypotheses.steps import StudyRun
from interp_embed.hypotheses.study import find_hypotheses
from interp_embed.hypotheses.target_kinds import Target
from interp_embed.hypotheses.targets import understand_target

__all__ = [
    "CalibratedAnnotator",
    "Candidate",
    "Candidates",
    "Corpus",
    "Evaluation",
    "EvaluationPlan",
    "FeatureSettings",
    "LearnedFeatures",
    "Ledger",
    "LedgerLike",
    "Opening",
    "ProposalSettings",
    "Proposals",
    "SealedSplit",
    "Selection",
    "StudyRun",
    "StudySettings",
    "Target",
    "check_separate",
    "choose_features",
    "estimate_proposals",
    "estimate_study",
    "evaluate_candidates",
    "find_hypotheses",
    "generate_candidates",
    "learn_features",
    "measure_signal",
    "propose_hypotheses",
    "score_predictions",
    "screening_columns",
    "select_features",
    "understand_target",
]
