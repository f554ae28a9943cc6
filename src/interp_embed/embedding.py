"""HypotheSAEs' embedding functions under their own names: texts in, a dict of vectors out."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import click
import numpy as np
from numpy.typing import NDArray

from interp_embed._cache_names import safe_file_name
from interp_embed.embedders import (
    Embedder,
    OpenAIEmbedder,
    SentenceEmbedder,
    default_cache_folder,
    embed_documents,
)
from interp_embed.embedders.protocol import Progress
from interp_embed.errors import InputError
from interp_embed.records import Json
from interp_embed.tables import collect_documents

__all__ = ["get_local_embeddings", "get_openai_embeddings"]

_OLD_CACHE_VARIABLE = "EMB_CACHE_DIR"
"""HypotheSAEs' own name for the folder of embeddings."""
_TIMEOUT_S = 60.0


def get_openai_embeddings(
    texts: Sequence[object],
    model: str = "text-embedding-3-small",
    batch_size: int = 256,
    n_workers: int = 5,
    cache_name: str | None = None,
    show_progress: bool = True,  # noqa: FBT001, FBT002 - HypotheSAEs' position
    chunk_size: int | None = None,
    timeout: float | None = None,
    *,
    cache_dir: str | Path | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Return a vector for each distinct text, from any OpenAI-compatible server.

    What is there from an earlier call with the same model is not asked again; what comes is kept
    in files as it comes, so that a call that breaks off, run again, goes on from there.

    Args:
        texts: Any number of times the same; empty and missing ones are left out and counted.
        model: Name the server knows.
        batch_size: Texts in one request.
        n_workers: Requests at once.
        cache_name: Folder of its own for these vectors; None for the one all share.
        show_progress: Show a bar on the standard error stream.
        chunk_size: Not needed: a chunk is what ``n_workers`` requests bring.
        timeout: Seconds one request may take; None for 60.
        cache_dir: Where the folders are; None for ``$EMB_CACHE_DIR``, or else
            ``$INTERP_EMBED_CACHE`` or the user's cache folder.
        base_url: Server; None for ``OPENAI_BASE_URL`` or OpenAI.
        api_key: None for ``OPENAI_API_KEY`` or ``OPENAI_KEY_SAE``.

    Returns:
        Exactly the texts asked for, each once, with vectors of shape (d_in,).

    Raises:
        InputError: There is no key, the server refused, or an argument is out of range.
        StoredFileError: The cache is damaged.
    """
    usable = _distinct(texts)
    if n_workers < 1:
        raise InputError(f"n_workers must be at least 1, but got {n_workers}")
    if not usable:
        return {}
    embedder = OpenAIEmbedder(
        model,
        base_url=base_url,
        api_key=api_key,
        batch_size=batch_size,
        timeout_s=_TIMEOUT_S if timeout is None else timeout,
    )
    parallel = _Parallel(embedder, n_workers)
    return _embed(usable, parallel, cache_name, cache_dir, show_progress=show_progress)


def get_local_embeddings(
    texts: Sequence[object],
    model: str = "nomic-ai/modernbert-embed-base",
    batch_size: int | None = None,
    show_progress: bool = True,  # noqa: FBT001, FBT002 - HypotheSAEs' position
    cache_name: str | None = None,
    chunk_size: int | None = None,
    device: object = None,
    *,
    cache_dir: str | Path | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Return a vector for each distinct text, from a model on this machine.

    Args:
        texts: Any number of times the same; empty and missing ones are left out and counted.
        model: ``all-MiniLM-L6-v2`` (needs no hub with the extra ``offline``), a name on the hub,
            or a folder.
        batch_size: Not needed: batches are made by length.
        show_progress: Show a bar on the standard error stream.
        cache_name: Folder of its own for these vectors; None for the one all share.
        chunk_size: Not needed: vectors are kept a few hundred at a time.
        device: Such as ``"cpu"``, ``"cuda"`` or a torch device; None for the best there is.
        cache_dir: Where the folders are; None for ``$EMB_CACHE_DIR``, or else
            ``$INTERP_EMBED_CACHE`` or the user's cache folder.

    Returns:
        Exactly the texts asked for, each once, with vectors of shape (d_in,).

    Raises:
        InputError: There is no such model, or it cannot be reached.
        StoredFileError: The model's files or the cache are damaged.
    """
    usable = _distinct(texts)
    if not usable:
        return {}
    name = None if device is None else str(device)
    embedder = SentenceEmbedder.load(model, device=name)
    click.echo(f"Loaded model {model}" + (f" to {name}" if name else ""))
    return _embed(usable, embedder, cache_name, cache_dir, show_progress=show_progress)


def _distinct(texts: Sequence[object]) -> list[str]:
    """Return each usable text once, in order, and say how many are not."""
    collected = collect_documents(texts)
    reasons = Counter(drop.reason for drop in collected.dropped)
    if reasons:
        told = "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common())
        click.echo(f"Warning: ignoring {len(collected.dropped)} items: {told}")
    return list(dict.fromkeys(collected.texts))


def _embed(
    texts: list[str],
    embedder: Embedder,
    cache_name: str | None,
    cache_dir: str | Path | None,
    *,
    show_progress: bool,
) -> dict[str, NDArray[np.float32]]:
    folder = _folder(cache_name, cache_dir)
    vectors = embed_documents(texts, embedder, cache=folder, progress=show_progress)
    return dict(zip(texts, vectors, strict=True))


def _folder(cache_name: str | None, cache_dir: str | Path | None) -> Path:
    old = os.environ.get(_OLD_CACHE_VARIABLE)
    if cache_dir is not None:
        root = Path(cache_dir).expanduser() / "embeddings"
    elif old:
        root = Path(old).expanduser()
    else:
        root = default_cache_folder()
    return root if cache_name is None else root / safe_file_name(cache_name)


class _Parallel:
    """Asks a server for several batches at once."""

    is_slow = True

    def __init__(self, embedder: OpenAIEmbedder, n_workers: int) -> None:
        self._embedder = embedder
        self._n_workers = n_workers
        self._batch = embedder.chunk_size
        self.chunk_size = self._batch * n_workers

    @property
    def identity(self) -> Mapping[str, Json]:
        return self._embedder.identity

    @property
    def d_in(self) -> int:
        return self._embedder.d_in

    def fit(self, documents: Sequence[str]) -> Self:
        return self

    def embed(
        self, documents: Sequence[str], *, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        batches = [
            documents[start : start + self._batch]
            for start in range(0, len(documents), self._batch)
        ]

        def ask(batch: Sequence[str]) -> NDArray[np.float32]:
            return self._embedder.embed(batch)

        blocks = []
        with ThreadPoolExecutor(self._n_workers) as workers:
            for block in workers.map(ask, batches):
                blocks.append(block)
                if progress is not None:
                    progress(len(block))
        return np.concatenate(blocks)
