"""What every embedder offers: one dense vector per document, and all that decides that vector."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from interp_embed.records import Json

Progress = Callable[[int], object]
"""Called with the number of documents that have just been finished."""


class Embedder(Protocol):
    """Turns documents into one dense vector each; the vector depends on the document alone."""

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything that changes a vector (model, revision, prompt, precision …); a cache key."""
        ...

    @property
    def d_in(self) -> int:
        """Dimensions of a vector."""
        ...

    @property
    def chunk_size(self) -> int:
        """Documents worth committing to the cache at once: what a kill may cost."""
        ...

    @property
    def is_slow(self) -> bool:
        """Whether vectors are worth keeping on disk."""
        ...

    def fit(self, documents: Sequence[str]) -> Self:
        """Learn what the embedder learns from a corpus (nothing, if it is pretrained)."""
        ...

    def embed(
        self, documents: Sequence[str], *, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Return vectors in the order of the documents, shape (n_documents, d_in)."""
        ...
