"""What every source of hidden states offers, and the records it passes on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from interp_embed.records import Json

Message = Mapping[str, str]
"""One turn of a chat: ``{"role": "user", "content": "Hello"}``."""
Document = str | Sequence[Message]
"""A text, or the messages of a chat."""


@dataclass(frozen=True, slots=True, eq=False)
class TokenizedDocument:
    """A document as the reader sees it, whole: it is cut into pieces only when it is run."""

    text: str
    """What the spans point into: the document, or the contents of a chat's messages joined by
    newlines. Never holds template text."""
    token_ids: NDArray[np.int32]
    """Shape (n_tokens,), special and template tokens left out unless they are needed around the
    content (chat templates): such tokens have an empty span and are not counted."""
    span: NDArray[np.int32]
    """Characters [begin, end) of ``text``, shape (n_tokens, 2)."""
    counted: NDArray[np.bool_]
    """Whether the token counts in pooling, before the check of norms, shape (n_tokens,)."""


@dataclass(frozen=True, slots=True, eq=False)
class HiddenBatch:
    """Hidden states of some tokens of some documents, on the reader's device."""

    hidden: torch.Tensor
    """Shape (n_tokens, d_in), floating point, before any final norm; real tokens only."""
    document: NDArray[np.int64]
    """Index into the documents given, shape (n_tokens,)."""
    position: NDArray[np.int64]
    """Token's position in its document, shape (n_tokens,)."""
    counted: NDArray[np.bool_]
    """Whether the token counts in pooling, shape (n_tokens,)."""
    finished: tuple[int, ...]
    """Documents of which no token is still to come after this batch."""


class HiddenStateSource(Protocol):
    """Gives the hidden states of documents: a model cut at a layer, a server, or saved arrays."""

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything that changes a hidden state or which tokens count; part of cache keys."""
        ...

    @property
    def d_in(self) -> int:
        """Width of a hidden state."""
        ...

    def tokenize(self, document: Document) -> TokenizedDocument:
        """Return a document as tokens.

        Raises:
            InputError: It is not text (or messages), or has no token that counts.
        """
        ...

    def iter_hidden(self, documents: Sequence[TokenizedDocument]) -> Iterator[HiddenBatch]:
        """Yield the hidden states of all documents, the tokens of each in order.

        What is batched with what depends on the documents alone.
        """
        ...
