"""What is in data sets of encoded documents: differences, trends, pairs, clusters, retrieval."""

from interp_embed.analysis.cluster import cluster_documents
from interp_embed.analysis.cluster_count import CandidateCount
from interp_embed.analysis.cluster_methods import (
    MethodComparison,
    MethodResult,
    compare_methods,
)
from interp_embed.analysis.cluster_null import ShuffledNull
from interp_embed.analysis.cluster_records import Cluster, ClusterFeature, Clusters
from interp_embed.analysis.diff import diff_counts, diff_groups
from interp_embed.analysis.diff_records import GroupDiff
from interp_embed.analysis.documents import EncodedDocuments, check_comparable
from interp_embed.analysis.feature_query import FeatureQuery, find_features, rank_weights
from interp_embed.analysis.label_search import LabelIndex, LabelMatches

__all__ = [
    "CandidateCount",
    "Cluster",
    "ClusterFeature",
    "Clusters",
    "EncodedDocuments",
    "FeatureQuery",
    "GroupDiff",
    "LabelIndex",
    "LabelMatches",
    "MethodComparison",
    "MethodResult",
    "ShuffledNull",
    "check_comparable",
    "cluster_documents",
    "compare_methods",
    "diff_counts",
    "diff_groups",
    "find_features",
    "rank_weights",
]
