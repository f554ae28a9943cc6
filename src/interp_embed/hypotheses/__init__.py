"""Hypotheses about a target: find them on some documents, test them on others."""

from interp_embed.hypotheses.corpus import Corpus, SealedSplit, check_separate
from interp_embed.hypotheses.cost import estimate_study
from interp_embed.hypotheses.evaluate import Evaluation, evaluate_candidates
from interp_embed.hypotheses.generate import Candidate, Candidates, generate_candidates
from interp_embed.hypotheses.plan import EvaluationPlan
from interp_embed.hypotheses.prediction import score_predictions
from interp_embed.hypotheses.proposals import (
    Proposals,
    ProposalSettings,
    estimate_proposals,
    propose_hypotheses,
)
from interp_embed.hypotheses.select import Selection, select_features
from interp_embed.hypotheses.settings import StudySettings
from interp_embed.hypotheses.study import StudyRun, find_hypotheses
from interp_embed.hypotheses.targets import Target, understand_target

__all__ = [
    "Candidate",
    "Candidates",
    "Corpus",
    "Evaluation",
    "EvaluationPlan",
    "ProposalSettings",
    "Proposals",
    "SealedSplit",
    "Selection",
    "StudyRun",
    "StudySettings",
    "Target",
    "check_separate",
    "estimate_proposals",
    "estimate_study",
    "evaluate_candidates",
    "find_hypotheses",
    "generate_candidates",
    "propose_hypotheses",
    "score_predictions",
    "select_features",
    "understand_target",
]
