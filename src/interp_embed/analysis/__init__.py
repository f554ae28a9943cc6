"""What is in data sets of encoded documents: differences, trends, pairs, clusters, retrieval."""

from interp_embed.analysis.clusters.cluster import cluster_documents
from interp_embed.analysis.clusters.count import CandidateCount
from interp_embed.analysis.clusters.methods import MethodComparison, MethodResult, compare_methods
from interp_embed.analysis.clusters.null import ShuffledNull
from interp_embed.analysis.clusters.records import Cluster, ClusterFeature, Clusters
from interp_embed.analysis.correlations.aligned import AlignedDocuments, align_documents
from interp_embed.analysis.correlations.correlate import (
    associate_feature,
    correlate_features,
    default_support,
)
from interp_embed.analysis.correlations.linked_pairs import LinkLimits, Neighbours
from interp_embed.analysis.correlations.metadata import correlate_metadata
from interp_embed.analysis.correlations.metadata_records import MetadataAssociations
from interp_embed.analysis.correlations.records import Correlations
from interp_embed.analysis.differences.against import diff_against
from interp_embed.analysis.differences.cost import estimate_difference
from interp_embed.analysis.differences.diff import diff_counts, diff_groups
from interp_embed.analysis.differences.naming import VerifySettings
from interp_embed.analysis.differences.records import GroupDiff
from interp_embed.analysis.differences.study import study_difference
from interp_embed.analysis.differences.verified import Verification, VerifiedDifference
from interp_embed.analysis.documents import EncodedDocuments, check_comparable, check_sources
from interp_embed.analysis.retrieval.duplicates import DuplicateGroup, Duplicates, find_duplicates
from interp_embed.analysis.retrieval.feature_query import FeatureQuery, find_features, rank_weights
from interp_embed.analysis.retrieval.label_search import LabelIndex, LabelMatches
from interp_embed.analysis.retrieval.question_cost import estimate_clusters, estimate_search
from interp_embed.analysis.retrieval.ranking import Ranking
from interp_embed.analysis.retrieval.result import FeatureMatch, SearchHit, SearchResult
from interp_embed.analysis.retrieval.search import Searcher
from interp_embed.analysis.trends.records import GroupTrend
from interp_embed.analysis.trends.trend import trend_groups

__all__ = [
    "AlignedDocuments",
    "CandidateCount",
    "Cluster",
    "ClusterFeature",
    "Clusters",
    "Correlations",
    "DuplicateGroup",
    "Duplicates",
    "EncodedDocuments",
    "FeatureMatch",
    "FeatureQuery",
    "GroupDiff",
    "GroupTrend",
    "LabelIndex",
    "LabelMatches",
    "LinkLimits",
    "MetadataAssociations",
    "MethodComparison",
    "MethodResult",
    "Neighbours",
    "Ranking",
    "SearchHit",
    "SearchResult",
    "Searcher",
    "ShuffledNull",
    "Verification",
    "VerifiedDifference",
    "VerifySettings",
    "align_documents",
    "associate_feature",
    "check_comparable",
    "check_sources",
    "cluster_documents",
    "compare_methods",
    "correlate_features",
    "correlate_metadata",
    "default_support",
    "diff_against",
    "diff_counts",
    "diff_groups",
    "estimate_clusters",
    "estimate_difference",
    "estimate_search",
    "find_duplicates",
    "find_features",
    "rank_weights",
    "study_difference",
    "trend_groups",
]
