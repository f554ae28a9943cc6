"""Readers: a transformer run up to one layer, giving a hidden state for every token."""

from interp_embed.readers.model import ModelReader
from interp_embed.readers.precomputed import PrecomputedSource, SavedHidden, save_hidden
from interp_embed.readers.rules import ChatRule, ReadingRules
from interp_embed.readers.sites import Site
from interp_embed.readers.source import (
    Document,
    HiddenBatch,
    HiddenStateSource,
    Message,
    TokenizedDocument,
)
from interp_embed.readers.text import document_text

__all__ = [
    "ChatRule",
    "Document",
    "HiddenBatch",
    "HiddenStateSource",
    "Message",
    "ModelReader",
    "PrecomputedSource",
    "ReadingRules",
    "SavedHidden",
    "Site",
    "TokenizedDocument",
    "document_text",
    "save_hidden",
]
