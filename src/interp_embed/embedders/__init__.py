"""One dense vector per document: sentence encoders, OpenAI-compatible servers, TF-IDF + SVD."""

from interp_embed.embedders.cache import EmbeddingCache, default_cache_folder
from interp_embed.embedders.documents import ChunkedEmbeddings, embed_chunks, embed_documents
from interp_embed.embedders.load import load_embedder
from interp_embed.embedders.openai_api import OpenAIEmbedder
from interp_embed.embedders.protocol import Embedder
from interp_embed.embedders.sentence import SentenceEmbedder
from interp_embed.embedders.shares import TokenVectors, feature_shares, token_vectors
from interp_embed.embedders.tfidf import TfidfEmbedder

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
