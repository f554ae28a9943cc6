"""What is in data sets of encoded documents: differences, trends, pairs, clusters, retrieval."""

from interp_embed.analysis.diff import diff_counts, diff_groups
from interp_embed.analysis.diff_records import GroupDiff
from interp_embed.analysis.documents import EncodedDocuments, check_comparable, check_sources
from interp_embed.analysis.duplicates import DuplicateGroup, Duplicates, find_duplicates
from interp_embed.analysis.feature_query import FeatureQuery, find_features, rank_weights
from interp_embed.analysis.label_search import LabelIndex, LabelMatches
from interp_embed.analysis.search import Searcher
from interp_embed.analysis.search_ranking import Ranking
from interp_embed.analysis.search_result import FeatureMatch, SearchHit, SearchResult

__all__ = [
    "DuplicateGroup",
    "Duplicates",
    "EncodedDocuments",
    "FeatureMatch",
    "FeatureQuery",
    "GroupDiff",
    "LabelIndex",
    "LabelMatches",
    "Ranking",
    "SearchHit",
    "SearchResult",
    "Searcher",
    "check_comparable",
    "check_sources",
    "diff_counts",
    "diff_groups",
    "find_duplicates",
    "find_features",
    "rank_weights",
]
