"""Readers: a transformer run up to one layer, giving a hidden state for every token."""

from interp_embed.readers.source import (
    Document,
    HiddenBatch,
    HiddenStateSource,
    Message,
    TokenizedDocument,
)

__all__ = ["Document", "HiddenBatch", "HiddenStateSource", "Message", "TokenizedDocument"]
