"""Statistics: arrays in, numbers out."""

from interp_embed.stats.association import (
    PairAssociations,
    associate_pairs,
)
from interp_embed.stats.clustered import (
    ClusteredDifferences,
    ClusteredSums,
    clustered_sums,
    compare_clustered,
)
from interp_embed.stats.collinearity import (
    column_condition,
    shapley_r2,
    variance_inflation,
)
from interp_embed.stats.column_pairs import (
    ColumnLikeness,
    column_likeness,
)
from interp_embed.stats.column_shape import ColumnShapes, column_shapes
from interp_embed.stats.column_trend import (
    ColumnTrends,
    clustered_trends,
    column_spread,
    column_trends,
)
from interp_embed.stats.columns import (
    column_correlation,
    column_density,
    column_separation,
)
from interp_embed.stats.crossfit import (
    RidgeFit,
    ScoreGain,
    crossfit_gain,
    crossfit_predictions,
    crossfit_score,
    fit_ridge,
)
from interp_embed.stats.design_effects import (
    DesignEffects,
    number_groups,
)
from interp_embed.stats.intervals import (
    Interval,
    clopper_pearson_interval,
    welch_difference,
    wilson_interval,
)
from interp_embed.stats.matched import (
    stratified_rate_differences,
)
from interp_embed.stats.max_t import (
    MaxT,
    max_t_permutation,
)
from interp_embed.stats.measurement import (
    AnnotatorAccuracy,
    CorrectedDifference,
    annotator_accuracy,
    corrected_difference,
    corrected_prevalence,
)
from interp_embed.stats.models import (
    JointTest,
    ModelFit,
    fit_model,
    wald_test,
)
from interp_embed.stats.multiplicity import (
    adjust_benjamini_hochberg,
    adjust_benjamini_yekutieli,
    adjust_bonferroni,
    adjust_holm,
)
from interp_embed.stats.npmi import (
    npmi,
    npmi_interval,
    npmi_shrunk,
)
from interp_embed.stats.partial_permutation import (
    partial_permutation_test,
)
from interp_embed.stats.partners import (
    partner_pairs,
)
from interp_embed.stats.point_biserial import (
    PointBiserial,
    point_biserial,
)
from interp_embed.stats.power import (
    DetectableEffect,
    detectable_coefficient,
    detectable_difference,
    detectable_rate_difference,
)
from interp_embed.stats.prediction_powered import (
    CorrectedFit,
    dsl_mean,
    dsl_regression,
)
from interp_embed.stats.prediction_test import (
    PredictionTest,
    prediction_test,
)
from interp_embed.stats.preference import (
    PreferenceEffect,
    preference_effect,
    preference_regression,
)
from interp_embed.stats.proportions import (
    RateDifferences,
    Rates,
    paired_rate_differences,
    rate_differences,
    rates_of,
)
from interp_embed.stats.ranking import (
    RankingQuality,
    average_precision,
    descending_ranks,
    precision_at,
    ranking_quality,
    reciprocal_rank_fusion,
)
from interp_embed.stats.regression import (
    joint_regression,
)
from interp_embed.stats.resampling import (
    BootstrapInterval,
    PermutationTest,
    bootstrap_interval,
    by_rows,
    permutation_test,
)
from interp_embed.stats.splits import (
    SplitRows,
    equal_groups,
    merge_groups,
    near_duplicate_groups,
    split_rows,
)
from interp_embed.stats.stability import (
    ConsensusFeature,
    FeatureMatching,
    SeedStability,
    activation_similarity,
    dictionary_similarity,
    match_features,
    seed_stability,
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
from interp_embed.stats.top_pairs import (
    TopPairs,
    top_pairs,
)
from interp_embed.stats.trend import (
    TrendShape,
    TrendTest,
    jonckheere_terpstra,
    trend_shape,
)

__all__ = [
    "AdjustedEffect",
    "AnnotatorAccuracy",
    "BootstrapInterval",
    "ClusteredDifferences",
    "ClusteredSums",
    "ColumnLikeness",
    "ColumnShapes",
    "ColumnTrends",
    "ConsensusFeature",
    "CorrectedDifference",
    "CorrectedFit",
    "DesignEffects",
    "DetectableEffect",
    "FeatureMatching",
    "Interval",
    "JointTest",
    "MaxT",
    "ModelFit",
    "PairAssociations",
    "PermutationTest",
    "PointBiserial",
    "PredictionTest",
    "PreferenceEffect",
    "RankingQuality",
    "RateDifferences",
    "Rates",
    "RidgeFit",
    "ScoreGain",
    "SeedStability",
    "SplitRows",
    "StratifiedEffect",
    "StratumEffect",
    "TopPairs",
    "TrendShape",
    "TrendTest",
    "activation_similarity",
    "adjust_benjamini_hochberg",
    "adjust_benjamini_yekutieli",
    "adjust_bonferroni",
    "adjust_holm",
    "adjusted_effect",
    "annotator_accuracy",
    "associate_pairs",
    "average_precision",
    "bootstrap_interval",
    "by_rows",
    "clopper_pearson_interval",
    "clustered_sums",
    "clustered_trends",
    "column_condition",
    "column_correlation",
    "column_density",
    "column_likeness",
    "column_separation",
    "column_shapes",
    "column_spread",
    "column_trends",
    "compare_clustered",
    "corrected_difference",
    "corrected_prevalence",
    "crossfit_gain",
    "crossfit_predictions",
    "crossfit_score",
    "demean_within",
    "descending_ranks",
    "detectable_coefficient",
    "detectable_difference",
    "detectable_rate_difference",
    "dictionary_similarity",
    "dsl_mean",
    "dsl_regression",
    "equal_groups",
    "fit_model",
    "fit_ridge",
    "inverse_frequency_weights",
    "joint_regression",
    "jonckheere_terpstra",
    "match_features",
    "max_t_permutation",
    "merge_groups",
    "near_duplicate_groups",
    "npmi",
    "npmi_interval",
    "npmi_shrunk",
    "number_groups",
    "paired_rate_differences",
    "partial_permutation_test",
    "partner_pairs",
    "permutation_test",
    "point_biserial",
    "precision_at",
    "prediction_test",
    "preference_effect",
    "preference_regression",
    "ranking_quality",
    "rate_differences",
    "rates_of",
    "reciprocal_rank_fusion",
    "seed_stability",
    "shapley_r2",
    "split_rows",
    "stratified_effect",
    "stratified_rate_differences",
    "top_pairs",
    "trend_shape",
    "variance_inflation",
    "wald_test",
    "weighted_difference",
    "welch_difference",
    "wilson_interval",
]
