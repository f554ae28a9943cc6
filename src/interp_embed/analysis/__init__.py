"""What is in data sets of encoded documents: differences, trends, pairs, clusters, retrieval."""

from interp_embed.analysis.aligned import AlignedDocuments, align_documents
from interp_embed.analysis.cluster import cluster_documents
from interp_embed.analysis.cluster_count import CandidateCount
from interp_embed.analysis.cluster_methods import MethodComparison, MethodResult, compare_methods
from interp_embed.analysis.cluster_null import ShuffledNull
from interp_embed.analysis.cluster_records import Cluster, ClusterFeature, Clusters
from interp_embed.analysis.correlate import associate_feature, correlate_features, default_support
from interp_embed.analysis.correlation_records import Correlations
from interp_embed.analysis.diff import diff_counts, diff_groups
from interp_embed.analysis.diff_against import diff_against
from interp_embed.analysis.diff_cost import estimate_difference
from interp_embed.analysis.diff_records import GroupDiff
from interp_embed.analysis.documents import EncodedDocuments, check_comparable, check_sources
from interp_embed.analysis.duplicates import DuplicateGroup, Duplicates, find_duplicates
from interp_embed.analysis.feature_query import FeatureQuery, find_features, rank_weights
from interp_embed.analysis.label_search import LabelIndex, LabelMatches
from interp_embed.analysis.linked_pairs import LinkLimits, Neighbours
from interp_embed.analysis.metadata_links import correlate_metadata
from interp_embed.analysis.metadata_records import MetadataAssociations
from interp_embed.analysis.named_differences import VerifySettings
from interp_embed.analysis.question_cost import estimate_clusters, estimate_search
from interp_embed.analysis.search import Searcher
from interp_embed.analysis.search_ranking import Ranking
from interp_embed.analysis.search_result import FeatureMatch, SearchHit, SearchResult
from interp_embed.analysis.study_difference import study_difference
from interp_embed.analysis.trend import trend_groups
from interp_embed.analysis.trend_records import GroupTrend
from interp_embed.analysis.verified_records import Verification, VerifiedDifference

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
