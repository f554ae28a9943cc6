"""What is in data sets of encoded documents: differences, trends, pairs, clusters, retrieval."""

from interp_embed.analysis.aligned import AlignedDocuments, align_documents
from interp_embed.analysis.correlate import associate_feature, correlate_features, default_support
from interp_embed.analysis.correlation_records import Correlations
from interp_embed.analysis.diff import diff_counts, diff_groups
from interp_embed.analysis.diff_records import GroupDiff
from interp_embed.analysis.documents import EncodedDocuments, check_comparable
from interp_embed.analysis.feature_query import FeatureQuery, find_features, rank_weights
from interp_embed.analysis.label_search import LabelIndex, LabelMatches
from interp_embed.analysis.linked_pairs import LinkLimits, Neighbours
from interp_embed.analysis.metadata_links import correlate_metadata
from interp_embed.analysis.metadata_records import MetadataAssociations

__all__ = [
    "AlignedDocuments",
    "Correlations",
    "EncodedDocuments",
    "FeatureQuery",
    "GroupDiff",
    "LabelIndex",
    "LabelMatches",
    "LinkLimits",
    "MetadataAssociations",
    "Neighbours",
    "align_documents",
    "associate_feature",
    "check_comparable",
    "correlate_features",
    "correlate_metadata",
    "default_support",
    "diff_counts",
    "diff_groups",
    "find_features",
    "rank_weights",
]
