"""What turns documents into activations, whichever way: the one seam that ``run`` knows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from interp_embed.records import Json
from interp_embed.store import PooledShard, TokenDetail, TokenShard

Progress = Callable[[int, int], object]
"""Called with the documents and the tokens that have just been finished."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedBatch:
    """Activations of some documents, in their order."""

    pooled: PooledShard
    tokens: TokenShard | None
    """Tokens and, where asked for, their activations; None where nothing of them is kept."""
    n_tokens: int
    """Tokens that were run."""


class DocumentEncoder(Protocol):
    """A reader with its SAE, or an embedder with its SAE."""

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything that changes a value."""
        ...

    @property
    def n_features(self) -> int:
        """Number of features."""
        ...

    @property
    def has_tokens(self) -> bool:
        """Whether single tokens have activations."""
        ...

    def encode(
        self,
        documents: Sequence[object],
        *,
        tokens: TokenDetail,
        progress: Progress | None = None,
    ) -> EncodedBatch:
        """Return the activations of documents; one that cannot be encoded carries its reason."""
        ...
