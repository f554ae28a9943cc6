"""Documents through a reader and its SAE, never as a dense tokens x features array."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from interp_embed.encode.encoder import EncodedBatch, Progress
from interp_embed.encode.pooling import failed_documents, join_documents, pool_tokens
from interp_embed.errors import InputError
from interp_embed.readers import HiddenBatch, HiddenStateSource, TokenizedDocument
from interp_embed.records import Json
from interp_embed.store import PooledShard, TokenDetail, TokenShard
from interp_embed.tables import is_missing

logger = logging.getLogger(__name__)


class TokenSAE(Protocol):
    """What encoding needs of a sparse autoencoder."""

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything that changes an activation."""
        ...

    @property
    def n_features(self) -> int:
        """Number of features."""
        ...

    @property
    def d_in(self) -> int:
        """Width of the hidden states it reads."""
        ...

    def encode(self, hidden: torch.Tensor) -> csr_matrix:
        """Return activations, shape (n_tokens, n_features)."""
        ...


@dataclass(slots=True, eq=False)
class _Tokens:
    """Activations of counted tokens, as they come from the reader."""

    document: list[NDArray[np.int64]] = field(default_factory=list)
    position: list[NDArray[np.int64]] = field(default_factory=list)
    activations: list[csr_matrix] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)
    """Documents all of whose tokens are here."""

    def add(self, batch: HiddenBatch, activations: csr_matrix) -> None:
        self.document.append(batch.document[batch.counted])
        self.position.append(batch.position[batch.counted])
        self.activations.append(activations)
        self.documents.extend(batch.finished)


@dataclass(frozen=True, slots=True, eq=False)
class _Sorted:
    """The same in the order of documents, and of tokens within them."""

    documents: NDArray[np.int64]
    token_start: NDArray[np.int64]
    position: NDArray[np.int64]
    activations: csr_matrix


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """What is stored of some counted tokens."""

    document: NDArray[np.int64]
    position: NDArray[np.int64]
    activations: csr_matrix | None
    """None where only the places are wanted."""


class ReaderEncoder:
    """A source of hidden states and the SAE that reads them."""

    def __init__(self, source: HiddenStateSource, sae: TokenSAE) -> None:
        """Bind the two.

        Raises:
            InputError: The SAE reads hidden states of another width.
        """
        if source.d_in != sae.d_in:
            raise InputError(
                f"the reader gives hidden states of width {source.d_in}, but the SAE reads width "
                f"{sae.d_in}: they do not belong together; check the model and the layer"
            )
        self._source, self._sae = source, sae

    @property
    def identity(self) -> Mapping[str, Json]:
        """Identities of reader and SAE."""
        return {
            "kind": "reader",
            "reader": dict(self._source.identity),
            "sae": dict(self._sae.identity),
        }

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self._sae.n_features

    @property
    def has_tokens(self) -> bool:
        """True."""
        return True

    def encode(
        self,
        documents: Sequence[object],
        *,
        tokens: TokenDetail,
        progress: Progress | None = None,
    ) -> EncodedBatch:
        """Return the activations of documents, pooled and, where asked for, of every token.

        A document that is no text, has no token that counts, or fails in the model alone keeps
        its place with the reason.

        Raises:
            RuntimeError: Every document fails in the model: the fault is not in the documents.
        """
        tokenized: dict[int, TokenizedDocument] = {}
        reasons: dict[int, str] = {}
        for number, document in enumerate(documents):
            if is_missing(document):
                reasons[number] = "text is missing"
                continue
            try:
                tokenized[number] = self._source.tokenize(document)  # type: ignore[arg-type]
            except InputError as error:
                reasons[number] = str(error)
        parts, kept = self._run(tokenized, reasons, tokens=tokens, progress=progress)
        if progress is not None and reasons:
            progress(len(reasons), 0)
        pooled = _assemble(parts, reasons, len(documents))
        shard = None if tokens == "none" else _token_shard(len(documents), tokenized, kept, tokens)
        n_tokens = sum(len(document.token_ids) for document in tokenized.values())
        return EncodedBatch(pooled, shard, n_tokens)

    def _run(
        self,
        tokenized: Mapping[int, TokenizedDocument],
        reasons: dict[int, str],
        *,
        tokens: TokenDetail,
        progress: Progress | None,
    ) -> tuple[list[tuple[NDArray[np.int64], PooledShard]], list[_Kept]]:
        """Return pooled documents in groups; what fails goes to ``reasons``."""
        parts: list[tuple[NDArray[np.int64], PooledShard]] = []
        kept: list[_Kept] = []

        def take(group: _Sorted) -> None:
            pooled = pool_tokens(group.token_start, group.position, group.activations)
            parts.append((group.documents, pooled))
            if tokens != "none":
                owner = np.repeat(group.documents, np.diff(group.token_start))
                activations = group.activations if tokens == "all" else None
                kept.append(_Kept(owner, group.position, activations))
            if progress is not None:
                run = sum(len(tokenized[i].token_ids) for i in group.documents.tolist())
                progress(len(group.documents), run)

        done: set[int] = set()
        try:
            for group in self._groups(tokenized, list(tokenized)):
                take(group)
                done.update(group.documents.tolist())
        except (RuntimeError, InputError) as error:
            left = [number for number in tokenized if number not in done]
            logger.warning(
                "a batch failed (%s); its %d documents are run one by one", error, len(left)
            )
            for number in left:
                try:
                    groups = list(self._groups(tokenized, [number]))
                except (RuntimeError, InputError) as alone:
                    reasons[number] = f"the model failed: {_first_line(alone)}"
                    continue
                for group in groups:
                    take(group)
            if len(left) > 1 and len(left) == len(tokenized) == _count(reasons, tokenized):
                raise
        return parts, kept

    def _groups(
        self, tokenized: Mapping[int, TokenizedDocument], numbers: list[int]
    ) -> Iterable[_Sorted]:
        """Yield groups of documents whose tokens are all there."""
        held, is_open = _Tokens(), set[int]()
        for batch in self._source.iter_hidden([tokenized[number] for number in numbers]):
            counted = torch.from_numpy(batch.counted).to(batch.hidden.device)
            held.add(batch, self._sae.encode(batch.hidden[counted]))
            is_open.update(np.unique(batch.document).tolist())
            is_open.difference_update(batch.finished)
            if not is_open:
                yield _sort(held, numbers)
                held = _Tokens()
        if held.documents:
            yield _sort(held, numbers)


def _count(reasons: Mapping[int, str], tokenized: Mapping[int, TokenizedDocument]) -> int:
    return sum(number in reasons for number in tokenized)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _sort(held: _Tokens, numbers: list[int]) -> _Sorted:
    """Return tokens by document and position; documents without a counted token included."""
    document = np.concatenate(held.document)
    position = np.concatenate(held.position)
    order = np.lexsort((position, document))
    documents = np.sort(np.asarray(held.documents, np.int64))
    counts = np.bincount(np.searchsorted(documents, document), minlength=len(documents))
    activations = held.activations[0] if len(held.activations) == 1 else vstack(held.activations)
    return _Sorted(
        documents=np.asarray(numbers, np.int64)[documents],
        token_start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        position=position[order],
        activations=csr_matrix(activations)[order],
    )


def _assemble(
    parts: list[tuple[NDArray[np.int64], PooledShard]], reasons: Mapping[int, str], n: int
) -> PooledShard:
    groups = [*parts, (np.asarray(list(reasons), np.int64), failed_documents([*reasons.values()]))]
    numbers = np.concatenate([documents for documents, _ in groups])
    order = np.empty(n, np.int64)
    order[numbers] = np.arange(n)
    joined = join_documents([pooled for _, pooled in groups], order)
    return _without_counted(joined)


def _without_counted(pooled: PooledShard) -> PooledShard:
    """Give documents of which no token counted their reason."""
    silent = "none of its tokens counts: all are special tokens or attention sinks"
    errors = tuple(
        silent if error is None and counted == 0 else error
        for error, counted in zip(pooled.errors, pooled.n_counted.tolist(), strict=True)
    )
    return PooledShard(
        pooled.start, pooled.feature, pooled.maximum, pooled.peak, pooled.total, pooled.count,
        pooled.n_counted, errors,
    )  # fmt: skip


def _token_shard(
    n: int,
    tokenized: Mapping[int, TokenizedDocument],
    kept: list[_Kept],
    detail: TokenDetail,
) -> TokenShard:
    """Return the tokens of n documents, with the activations that are kept of them."""
    lengths = [len(tokenized[i].token_ids) if i in tokenized else 0 for i in range(n)]
    token_start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    n_tokens = int(token_start[-1])
    span = np.zeros((n_tokens, 2), np.int32)
    for number, document in tokenized.items():
        span[token_start[number] : token_start[number + 1]] = document.span
    row_of = np.full(n_tokens, -1, np.int64)  # of each counted token among all that are kept
    first = 0
    for part in kept:
        at = token_start[part.document] + part.position
        row_of[at] = first + np.arange(len(at))
        first += len(at)
    counted = row_of >= 0
    if detail != "all":
        return TokenShard(token_start, span, counted, None, None, None)
    held = [part.activations for part in kept if part.activations is not None]
    if not held:
        none = np.empty(0, np.int32), np.empty(0, np.float32)
        return TokenShard(token_start, span, counted, np.zeros(n_tokens + 1, np.int64), *none)
    ordered = vstack(held, format="csr")[row_of[counted]]
    counts = np.zeros(n_tokens, np.int64)
    counts[counted] = np.diff(ordered.indptr)
    return TokenShard(
        token_start,
        span,
        counted,
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        ordered.indices.astype(np.int32),
        ordered.data.astype(np.float32),
    )
