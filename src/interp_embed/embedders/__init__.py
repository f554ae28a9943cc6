"""One dense vector per document: sentence encoders, OpenAI-compatible servers, TF-IDF + SVD.

What needs torch or openai is imported when it is first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from interp_embed.embedders.cache import EmbeddingCache, default_cache_folder
from interp_embed.embedders.documents import ChunkedEmbeddings, embed_chunks, embed_documents
from interp_embed.embedders.load import load_embedder
from interp_embed.embedders.protocol import Embedder
from interp_embed.embedders.tfidf import TfidfEmbedder

if TYPE_CHECKING:
    from interp_embed.embedders.openai_api import OpenAIEmbedder
    from interp_embed.embedders.sentence import SentenceEmbedder
    from interp_embed.embedders.shares import TokenVectors, feature_shares, token_vectors

__all__ = [
    "ChunkedEmbeddings",
    "Embedder",
    "EmbeddingCache",
    "OpenAIEmbedder",
    "SentenceEmbedder",
    "TfidfEmbedder",
    "TokenVectors",
    "default_cache_folder",
    "embed_chunks",
    "embed_documents",
    "feature_shares",
    "load_embedder",
    "token_vectors",
]

_HEAVY = {
    "OpenAIEmbedder": "openai_api",
    "SentenceEmbedder": "sentence",
    "TokenVectors": "shares",
    "feature_shares": "shares",
    "token_vectors": "shares",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute
    if name in _HEAVY:
        return getattr(importlib.import_module(f"interp_embed.embedders.{_HEAVY[name]}"), name)
    raise AttributeError(f"module 'interp_embed.embedders' has no attribute {name!r}")
