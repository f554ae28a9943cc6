"""What is in data sets of encoded documents: differences, trends, pairs, clusters, retrieval."""

from interp_embed.analysis.diff import diff_counts, diff_groups
from interp_embed.analysis.diff_records import GroupDiff
from interp_embed.analysis.documents import EncodedDocuments, check_comparable
from interp_embed.analysis.feature_query import FeatureQuery, find_features, rank_weights
from interp_embed.analysis.label_search import LabelIndex, LabelMatches

__all__ = [
    "EncodedDocuments",
    "FeatureQuery",
    "GroupDiff",
    "LabelIndex",
    "LabelMatches",
    "check_comparable",
    "diff_counts",
    "diff_groups",
    "find_features",
    "rank_weights",
]
