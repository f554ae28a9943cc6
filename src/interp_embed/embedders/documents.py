"""Embed documents: checked, each distinct text once, from the cache where it is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from interp_embed.embedders.cache import (
    EmbeddingCache,
    Precision,
    default_cache_folder,
    text_key,
)
from interp_embed.embedders.protocol import Embedder
from interp_embed.errors import InputError

Cache = Path | Literal["default"] | None
"""A folder, the user's cache folder, or no cache."""


@dataclass(frozen=True, slots=True)
class ChunkedEmbeddings:
    """Vectors of the chunks that long documents were cut into, in order."""

    vectors: NDArray[np.float32]
    """Shape (n_chunks, d_in)."""
    parents: NDArray[np.int64]
    """Position of the document each chunk is from, ascending, shape (n_chunks,)."""
    spans: NDArray[np.int64]
    """Characters [start, end) of the chunk in its document, shape (n_chunks, 2)."""


class ChunkEmbedder(Embedder, Protocol):
    """An embedder that can say where it would cut a long document."""

    def chunk_spans(self, documents: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Return, for each document, the character ranges of its chunks."""
        ...


def embed_documents(
    documents: Sequence[str],
    embedder: Embedder,
    *,
    cache: Cache = "default",
    precision: Precision = "float32",
    progress: bool = True,
) -> NDArray[np.float32]:
    """Return one vector per document, in the order of the documents.

    Equal documents are embedded once. What is embedded goes to the cache chunk by chunk, so that
    an interrupted call, run again, goes on where it stopped.

    Args:
        documents: Non-empty texts.
        embedder: A fitted or pretrained embedder.
        cache: A folder; ``"default"`` for the user's cache folder (embedders that need no model
            are then not cached); None for none.
        precision: How the cache stores values; what is returned is what is stored.
        progress: Show a bar with rate and time left on stderr.

    Returns:
        Finite vectors, shape (n_documents, d_in).

    Raises:
        InputError: A document is not a text or is empty; the embedder returned vectors that
            cannot be used; the cache folder cannot be written.
        StoredFileError: The cache is damaged.
    """
    texts = check_documents(documents)
    if not texts:
        return np.empty((0, embedder.d_in), dtype=np.float32)
    distinct = list(dict.fromkeys(texts))
    store = _open_cache(cache, embedder, precision)
    vectors = _embed_distinct(distinct, embedder, store, progress=progress)
    row_of = {text: row for row, text in enumerate(distinct)}
    if len(distinct) == len(texts):
        return vectors
    return vectors[[row_of[text] for text in texts]]


def embed_chunks(
    documents: Sequence[str],
    embedder: ChunkEmbedder,
    *,
    cache: Cache = "default",
    precision: Precision = "float32",
    progress: bool = True,
) -> ChunkedEmbeddings:
    """Return the vectors of all chunks of all documents, with the document each is from.

    A document that fits the model is one chunk. Arguments and errors are those of
    :func:`embed_documents`.
    """
    texts = check_documents(documents)
    spans = embedder.chunk_spans(texts)
    parents = np.repeat(np.arange(len(texts)), [len(own) for own in spans])
    flat = np.array([span for own in spans for span in own], dtype=np.int64).reshape(-1, 2)
    pieces = [texts[parent][start:end] for parent, (start, end) in zip(parents, flat, strict=True)]
    vectors = embed_documents(pieces, embedder, cache=cache, precision=precision, progress=progress)
    return ChunkedEmbeddings(vectors=vectors, parents=parents, spans=flat)


def check_documents(documents: Sequence[str]) -> list[str]:
    """Return the documents as a list, each a text with something in it.

    Raises:
        InputError: One of them is not a text or is empty; the message names the first positions.
    """
    if isinstance(documents, str):
        raise InputError("documents must be a list of texts, not one text; put it in a list")
    given: list[object] = list(documents)
    texts = [text for text in given if isinstance(text, str) and text.strip()]
    if len(texts) < len(given):
        wrong = [i for i, text in enumerate(given) if not (isinstance(text, str) and text.strip())]
        first = ", ".join(f"{i} ({_describe(given[i])})" for i in wrong[:5])
        raise InputError(
            f"{len(wrong)} of {len(given)} documents are not texts or are empty, at positions "
            f"{first}{', …' if len(wrong) > 5 else ''}; leave these rows out before embedding"
        )
    return texts


def _describe(value: object) -> str:
    return "empty" if isinstance(value, str) else type(value).__name__


def _open_cache(cache: Cache, embedder: Embedder, precision: Precision) -> EmbeddingCache | None:
    if cache is None or (cache == "default" and not embedder.is_slow):
        return None
    folder = default_cache_folder() if cache == "default" else Path(cache)
    return EmbeddingCache.open(folder, embedder.identity, precision=precision)


def _embed_distinct(
    texts: list[str], embedder: Embedder, store: EmbeddingCache | None, *, progress: bool
) -> NDArray[np.float32]:
    keys = [text_key(text) for text in texts] if store is not None else []
    known: NDArray[np.intp] = np.empty(0, dtype=np.intp)
    vectors: NDArray[np.float32] | None = None
    if store is not None:
        hits = store.find(keys)
        known = hits.positions
        if len(known):
            vectors = np.empty((len(texts), hits.vectors.shape[1]), dtype=np.float32)
            vectors[known] = hits.vectors
    missing = np.setdiff1d(np.arange(len(texts)), known)
    if store is not None and len(missing):
        store.start_writing()
    with tqdm(
        total=len(texts),
        initial=len(known),
        desc="Embedding",
        unit=" documents",
        disable=not progress or not len(missing),
    ) as bar:
        for start in range(0, len(missing), embedder.chunk_size):
            rows = missing[start : start + embedder.chunk_size]
            block = embedder.embed([texts[row] for row in rows], progress=bar.update)
            _check_vectors(block, rows, None if vectors is None else vectors.shape[1])
            if store is not None:
                block = store.append([keys[row] for row in rows], block)
            if vectors is None:
                vectors = np.empty((len(texts), block.shape[1]), dtype=np.float32)
            vectors[rows] = block
    if vectors is None:  # pragma: no cover - there is at least one text
        raise RuntimeError("nothing was embedded")
    return vectors


def _check_vectors(vectors: NDArray[np.float32], rows: NDArray[np.intp], d_in: int | None) -> None:
    if len(vectors.shape) != 2 or len(vectors) != len(rows) or vectors.size == 0:
        raise InputError(
            f"the embedder returned an array of shape {vectors.shape} for {len(rows)} documents; "
            "it must return one vector each"
        )
    if d_in is not None and vectors.shape[1] != d_in:
        raise InputError(
            f"the embedder returned vectors of {vectors.shape[1]} dimensions, and {d_in} before; "
            "one embedder must keep to one length"
        )
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise InputError(
            f"the embedder returned NaN or infinite values for {len(bad)} of {len(rows)} "
            f"documents, the first being distinct text number {int(rows[bad[0]])}; nothing of "
            "this chunk was stored; check the model's weights and precision"
        )
