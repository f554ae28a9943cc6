"""Statistics: arrays in, numbers out."""

from interp_embed.stats.collinearity import column_condition, shapley_r2, variance_inflation
from interp_embed.stats.columns import column_correlation, column_density, column_separation
from interp_embed.stats.crossfit import ScoreGain, crossfit_gain, crossfit_score
from interp_embed.stats.intervals import Interval, welch_difference, wilson_interval
from interp_embed.stats.measurement import (
    AnnotatorAccuracy,
    CorrectedDifference,
    annotator_accuracy,
    corrected_difference,
    corrected_prevalence,
)
from interp_embed.stats.models import JointTest, ModelFit, fit_model, wald_test
from interp_embed.stats.multiplicity import adjust_benjamini_hochberg, adjust_bonferroni
from interp_embed.stats.power import (
    DetectableEffect,
    detectable_coefficient,
    detectable_difference,
    detectable_rate_difference,
)
from interp_embed.stats.prediction_powered import CorrectedFit, dsl_mean, dsl_regression
from interp_embed.stats.preference import (
    PreferenceEffect,
    preference_effect,
    preference_regression,
)
from interp_embed.stats.regression import joint_regression
from interp_embed.stats.splits import (
    SplitRows,
    merge_groups,
    near_duplicate_groups,
    split_rows,
)
from interp_embed.stats.strata import (
    AdjustedEffect,
    StratifiedEffect,
    StratumEffect,
    adjusted_effect,
    demean_within,
    inverse_frequency_weights,
    stratified_effect,
    weighted_difference,
)

__all__ = [
    "AdjustedEffect",
    "AnnotatorAccuracy",
    "CorrectedDifference",
    "CorrectedFit",
    "DetectableEffect",
    "Interval",
    "JointTest",
    "ModelFit",
    "PreferenceEffect",
    "ScoreGain",
    "SplitRows",
    "StratifiedEffect",
    "StratumEffect",
    "adjust_benjamini_hochberg",
    "adjust_bonferroni",
    "adjusted_effect",
    "annotator_accuracy",
    "column_condition",
    "column_correlation",
    "column_density",
    "column_separation",
    "corrected_difference",
    "corrected_prevalence",
    "crossfit_gain",
    "crossfit_score",
    "demean_within",
    "detectable_coefficient",
    "detectable_difference",
    "detectable_rate_difference",
    "dsl_mean",
    "dsl_regression",
    "fit_model",
    "inverse_frequency_weights",
    "joint_regression",
    "merge_groups",
    "near_duplicate_groups",
    "preference_effect",
    "preference_regression",
    "shapley_r2",
    "split_rows",
    "stratified_effect",
    "variance_inflation",
    "wald_test",
    "weighted_difference",
    "welch_difference",
    "wilson_interval",
]
