"""Readers: a transformer run up to one layer, giving a hidden state for every token."""

from interp_embed.readers.source import (
    Document,
    HiddenBatch,
    HiddenStateSource,
    Message,
    TokenizedDocument,
)
from interp_embed.readers.text import document_text

__all__ = [
    "Document",
    "HiddenBatch",
    "HiddenStateSource",
    "Message",
    "TokenizedDocument",
    "document_text",
]
