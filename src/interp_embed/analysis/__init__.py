"""What is in data sets of encoded documents: differences, trends, pairs, clusters, retrieval."""

from interp_embed.analysis.diff import diff_counts, diff_groups
from interp_embed.analysis.diff_records import GroupDiff
from interp_embed.analysis.documents import EncodedDocuments, check_comparable

__all__ = [
    "EncodedDocuments",
    "GroupDiff",
    "check_comparable",
    "diff_counts",
    "diff_groups",
]
