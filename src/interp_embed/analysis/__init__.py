"""What is in data sets of encoded documents: differences, trends, pairs, clusters, retrieval."""

from interp_embed.analysis.documents import EncodedDocuments, check_comparable

__all__ = [
    "EncodedDocuments",
    "check_comparable",
]
