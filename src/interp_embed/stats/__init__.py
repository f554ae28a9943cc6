"""Statistics: arrays in, numbers out."""

from interp_embed.stats.association import (
    PairAssociations,
    associate_pairs,
    npmi,
    npmi_interval,
    npmi_shrunk,
)
from interp_embed.stats.columns import column_correlation, column_density, column_separation
from interp_embed.stats.crossfit import crossfit_score
from interp_embed.stats.intervals import (
    Interval,
    clopper_pearson_interval,
    welch_difference,
    wilson_interval,
)
from interp_embed.stats.max_t import MaxT, max_t_permutation
from interp_embed.stats.multiplicity import (
    adjust_benjamini_hochberg,
    adjust_benjamini_yekutieli,
    adjust_bonferroni,
    adjust_holm,
)
from interp_embed.stats.proportions import (
    RateDifferences,
    paired_rate_differences,
    rate_differences,
)
from interp_embed.stats.regression import joint_regression
from interp_embed.stats.resampling import (
    BootstrapInterval,
    PermutationTest,
    bootstrap_interval,
    by_rows,
    permutation_test,
)
from interp_embed.stats.splits import (
    SplitRows,
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
from interp_embed.stats.trend import (
    TrendShape,
    TrendTest,
    jonckheere_terpstra,
    trend_shape,
)

__all__ = [
    "BootstrapInterval",
    "ConsensusFeature",
    "FeatureMatching",
    "Interval",
    "MaxT",
    "PairAssociations",
    "PermutationTest",
    "RateDifferences",
    "SeedStability",
    "SplitRows",
    "TrendShape",
    "TrendTest",
    "activation_similarity",
    "adjust_benjamini_hochberg",
    "adjust_benjamini_yekutieli",
    "adjust_bonferroni",
    "adjust_holm",
    "associate_pairs",
    "bootstrap_interval",
    "by_rows",
    "clopper_pearson_interval",
    "column_correlation",
    "column_density",
    "column_separation",
    "crossfit_score",
    "dictionary_similarity",
    "joint_regression",
    "jonckheere_terpstra",
    "match_features",
    "max_t_permutation",
    "merge_groups",
    "near_duplicate_groups",
    "npmi",
    "npmi_interval",
    "npmi_shrunk",
    "paired_rate_differences",
    "permutation_test",
    "rate_differences",
    "seed_stability",
    "split_rows",
    "trend_shape",
    "welch_difference",
    "wilson_interval",
]
