"""What searches the documents of a data set, reading only what a query needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interp_embed.analysis import Searcher
from interp_embed.analysis.retrieval.search import Locate
from interp_embed.dataset.sides import Source, load_documents
from interp_embed.embedders import Embedder
from interp_embed.store import Store


@dataclass(frozen=True, slots=True, eq=False)
class KeptSearcher:
    """A searcher and what it was made with."""

    embedder: Embedder | str | None
    labels: Mapping[int, str]
    searcher: Searcher

    def fits(self, embedder: Embedder | str | None, labels: Mapping[int, str]) -> bool:
        """Return whether the searcher was made with this embedder, or its name, and labels."""
        own = self.embedder
        same = own == embedder if isinstance(embedder, str) else own is embedder
        return same and self.labels == labels


def make_searcher(
    source: Source, embedder: Embedder | None, *, locate: Locate, progress: bool = False
) -> Searcher:
    """Return what searches a data set.

    Of a whole data set without failed documents the columns of the query's features are read from
    the store's index; otherwise the activations of the documents shown are loaded.

    Args:
        source: The data set.
        embedder: Compares meanings; None for no one.
        locate: Where a feature fires in a document.
        progress: Show bars.
    """
    contents = source.contents
    if not contents.is_whole or contents.errors():
        documents = load_documents(source, firing="any")
        return Searcher.of(documents, embedder=embedder, locate=locate, progress=progress)
    return Searcher(
        [contents.text(place) for place in range(len(contents))],
        column=_StoredColumns(contents.store),
        n_features=contents.store.header.n_features,
        labels=source.labels,
        embedder=embedder,
        locate=locate,
        progress=progress,
    )


class _StoredColumns:
    """Columns of a store, as a searcher asks for them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, feature: int) -> tuple[NDArray[np.integer[Any]], NDArray[np.floating[Any]]]:
        found = self._store.column(feature)
        return found.document, found.activation
