"""Which documents of a store a data set shows, in which order, and the user's table of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.readers import document_text
from interp_embed.store import Store


class Contents:
    """Some documents of a store; the table is read when it is first asked for."""

    def __init__(
        self,
        store: Store,
        rows: NDArray[np.int64] | None = None,
        *,
        frame: pd.DataFrame | None = None,
        labels: "pd.Index[Any] | None" = None,
    ) -> None:
        """Bind.

        Args:
            store: Where the documents are.
            rows: Their numbers in the store, in order; None for all.
            frame: Their table, where it is at hand.
            labels: Index of the user's table, by which masks are matched; None for positions.
        """
        self.store = store
        self.is_whole = rows is None
        self.rows = np.arange(store.header.n_documents) if rows is None else rows
        self._frame = frame
        self.labels = pd.RangeIndex(len(self.rows)) if labels is None else labels

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def field(self) -> str:
        """Column that holds the documents."""
        return self.store.header.text_field

    @property
    def frame(self) -> pd.DataFrame:
        """The user's table of these documents, numbered from 0."""
        if self._frame is None:
            rows = None if self.is_whole else self.rows
            self._frame = self.store.load_documents(rows).reset_index(drop=True)
        return self._frame

    def take(self, positions: NDArray[np.int64]) -> "Contents":
        """Return some of these documents."""
        return Contents(
            self.store,
            self.rows[positions],
            frame=self.frame.iloc[positions].reset_index(drop=True),
            labels=self.labels[positions],
        )

    def document(self, position: int) -> Any:  # noqa: ANN401 - what the user gave
        """Return a text, or the messages of a chat."""
        return self.frame[self.field].iloc[position]

    def text(self, position: int) -> str:
        """Return the text of a document; a chat's contents joined by newlines."""
        return document_text(self.document(position))

    def errors(self) -> dict[int, str]:
        """Return why documents have no activations, by position; those not encoded yet too."""
        reasons = self.store.errors()
        for shard in self.store.missing():
            reasons |= dict.fromkeys(self.store.header.rows_of(shard), "not encoded yet")
        if not reasons:
            return {}
        numbers = enumerate(self.rows.tolist())
        return {position: reasons[row] for position, row in numbers if row in reasons}

    def load_csr(
        self, pool: str, *, features: Sequence[int] | None = None, threshold: float = 0.0
    ) -> csr_matrix:
        """Return pooled activations of these documents, (n_documents, n features asked for)."""
        rows = None if self.is_whole else self.rows
        return self.store.load_csr(rows, features=features, pool=pool, threshold=threshold)  # type: ignore[arg-type]
