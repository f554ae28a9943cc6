"""Statistics: arrays in, numbers out."""

from interp_embed.stats.collinearity import column_condition, shapley_r2, variance_inflation
from interp_embed.stats.columns import column_correlation, column_density, column_separation
from interp_embed.stats.crossfit import crossfit_score
from interp_embed.stats.intervals import Interval, welch_difference, wilson_interval
from interp_embed.stats.models import JointTest, ModelFit, fit_model, wald_test
from interp_embed.stats.multiplicity import adjust_benjamini_hochberg, adjust_bonferroni
from interp_embed.stats.regression import joint_regression
from interp_embed.stats.splits import (
    SplitRows,
    merge_groups,
    near_duplicate_groups,
    split_rows,
)

__all__ = [
    "Interval",
    "JointTest",
    "ModelFit",
    "SplitRows",
    "adjust_benjamini_hochberg",
    "adjust_bonferroni",
    "column_condition",
    "column_correlation",
    "column_density",
    "column_separation",
    "crossfit_score",
    "fit_model",
    "joint_regression",
    "merge_groups",
    "near_duplicate_groups",
    "shapley_r2",
    "split_rows",
    "variance_inflation",
    "wald_test",
    "welch_difference",
    "wilson_interval",
]
