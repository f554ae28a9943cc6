"""Sentence encoders: a fast path for BERT-type models on CPU, sentence-transformers for others."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self, get_args

import numpy as np
from numpy.typing import NDArray

from interp_embed._model_files import MINILM, MINILM_SHA256, find_model
from interp_embed.embedders.int8_linear import has_fast_int8
from interp_embed.embedders.names import document_prompt
from interp_embed.embedders.packed_model import PackedModel
from interp_embed.embedders.protocol import Progress
from interp_embed.embedders.windows import Token, TokenStates, Window, cut_windows
from interp_embed.errors import InputError
from interp_embed.records import Json

logger = logging.getLogger(__name__)

LongRule = Literal["truncate", "pool"]
Precision = Literal["auto", "float32", "int8"]

_CHUNK_SIZE = 256


class _Model(Protocol):
    """What both kinds of model offer to :class:`SentenceEmbedder`."""

    d_in: int
    max_tokens: int
    n_special: int
    normalize: bool
    precision: str

    def encode(self, texts: Sequence[str], progress: Progress | None) -> NDArray[np.float32]: ...

    def n_truncated(self) -> int: ...

    def tokens(self, text: str) -> list[Token]: ...

    def token_states(self, texts: Sequence[str]) -> list[TokenStates]: ...


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedPiece:
    """A piece of a document as the model saw it: the whole, or one of overlapping windows."""

    tokens: TokenStates
    """Spans point into the document; those of the prompt and of special tokens are empty."""
    vector: NDArray[np.float32]
    """The piece's embedding, shape (d_in,)."""
    weight: float
    """The piece's weight in the document's embedding; the weights of a document sum to 1."""


class SentenceEmbedder:
    """A pretrained sentence encoder; make it with :meth:`load`."""

    chunk_size = _CHUNK_SIZE
    is_slow = True

    def __init__(
        self,
        model: _Model,
        *,
        identity: Mapping[str, Json],
        prompt: str = "",
        long: LongRule = "truncate",
        overlap: int = 32,
    ) -> None:
        self._model = model
        self._identity = dict(identity)
        self._prompt = prompt
        self._long: LongRule = long
        self._overlap = overlap
        self._has_warned = False

    @classmethod
    def load(
        cls,
        name: str = MINILM,
        *,
        revision: str | None = None,
        prompt: str | None = None,
        max_tokens: int | None = None,
        long: LongRule = "truncate",
        overlap: int | None = None,
        device: str | None = None,
        threads: int | None = None,
        precision: Precision = "auto",
    ) -> Self:
        """Load an encoder from a folder, the installed offline package, or the hub.

        Args:
            name: ``all-MiniLM-L6-v2``, a folder, or a name on the hub.
            revision: Branch, tag or commit on the hub.
            prompt: Put before every document; None for what the model's card says.
            max_tokens: The most tokens of a document the model sees at once, prompt and special
                tokens included; None for the model's own limit.
            long: What happens to longer documents: ``"truncate"`` cuts them (and says so once);
                ``"pool"`` averages the vectors of overlapping chunks, weighted by their tokens.
            overlap: Tokens that neighbouring chunks share; None for 32, or a quarter of a chunk
                where that is less.
            device: Such as ``"cpu"`` or ``"cuda"``; None for the best there is.
            threads: CPU threads; None for torch's own choice.
            precision: ``"float32"`` is what sentence-transformers computes. ``"int8"`` computes the
                linear layers of BERT-type models in 8-bit integers on CPUs that do so fast:
                cosine above .999 to float32, about half the time. ``"auto"`` is int8 for
                all-MiniLM-L6-v2, for which this was measured, where the CPU has it.

        Raises:
            InputError: No such model, or an argument out of range.
            StoredFileError: The offline package's weights are not the published ones.
        """
        if long not in get_args(LongRule):
            raise InputError(
                f"long must be 'truncate' or 'pool', got {long!r}; for chunks kept "
                "apart use embed_chunks"
            )
        if precision not in get_args(Precision):
            raise InputError(f"precision must be 'auto', 'float32' or 'int8', got {precision!r}")
        if threads is not None and threads < 1:
            raise InputError(f"threads must be at least 1, got {threads}")
        found = find_model(name, revision=revision)
        chosen = document_prompt(found.name) if prompt is None else prompt
        model = _load_model(found.folder, max_tokens, device, threads)
        room = model.max_tokens - model.n_special - len(model.tokens(chosen))
        shared = min(32, (room - 1) // 4) if overlap is None else overlap
        if not 0 <= shared < room:
            raise InputError(
                f"overlap must be from 0 to {room - 1} tokens (max_tokens is {model.max_tokens}, "
                f"less the prompt and {model.n_special} special tokens), got {shared}"
            )
        _choose_precision(model, precision, is_measured=found.sha256 == MINILM_SHA256)
        identity = {
            "kind": "sentence",
            "model": found.name,
            "revision": found.revision,
            "sha256": found.sha256,
            "prompt": chosen,
            "max_tokens": model.max_tokens,
            "long": long,
            "overlap": shared if long == "pool" else None,
            "precision": model.precision,
        }
        return cls(model, identity=identity, prompt=chosen, long=long, overlap=shared)

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything that changes a vector."""
        return dict(self._identity)

    @property
    def d_in(self) -> int:
        """Dimensions of a vector."""
        return self._model.d_in

    def fit(self, documents: Sequence[str]) -> Self:
        """Return the embedder as it is: it is pretrained."""
        return self

    def embed(
        self, documents: Sequence[str], *, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Return vectors in the order of the documents, shape (n_documents, d_in)."""
        texts = [readable(document) for document in documents]
        if self._long == "pool":
            return self._embed_pooled(texts, progress)
        vectors = self._model.encode([self._prompt + text for text in texts], progress)
        self._warn_if_cut()
        return vectors

    @property
    def is_normalized(self) -> bool:
        """Whether a document's embedding has length 1."""
        return self._model.normalize

    def embed_pieces(self, documents: Sequence[str]) -> list[list[EmbeddedPiece]]:
        """Return, for each document, what its embedding is made of, with every token's state.

        Holds all states in memory: 0.4 MB for a document of 256 tokens and 384 dimensions.
        """
        texts = [readable(document) for document in documents]
        windows = [
            self._windows(text) if self._long == "pool" else [Window(0, len(text), 1)]
            for text in texts
        ]
        flat = [(i, window) for i, own in enumerate(windows) for window in own]
        pieces = [self._prompt + texts[i][window.start : window.end] for i, window in flat]
        vectors = self._model.encode(pieces, None)
        states = self._model.token_states(pieces)
        out: list[list[EmbeddedPiece]] = [[] for _ in texts]
        for (i, window), vector, own in zip(flat, vectors, states, strict=True):
            weight = window.n_tokens / sum(other.n_tokens for other in windows[i])
            inside = np.maximum(own.span - len(self._prompt), 0)
            span = np.where(inside[:, 1:] > 0, inside + window.start, 0)
            placed = _original_places(documents[i], texts[i])[span]
            out[i].append(EmbeddedPiece(TokenStates(own.hidden, placed), vector, weight))
        return out

    def chunk_spans(self, documents: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Return, for each document, the character ranges [start, end) of its chunks."""
        return [
            [(window.start, window.end) for window in self._windows(readable(document))]
            for document in documents
        ]

    def _windows(self, text: str) -> list[Window]:
        model = self._model
        room = model.max_tokens - model.n_special - len(model.tokens(self._prompt))
        return cut_windows(model.tokens(text), room=room, overlap=self._overlap, n_chars=len(text))

    def _embed_pooled(self, texts: Sequence[str], progress: Progress | None) -> NDArray[np.float32]:
        windows = [self._windows(text) for text in texts]
        pieces = [
            self._prompt + text[window.start : window.end]
            for text, own in zip(texts, windows, strict=True)
            for window in own
        ]
        vectors = self._model.encode(pieces, None)
        weights = np.array([window.n_tokens for own in windows for window in own])
        starts = np.cumsum([0, *(len(own) for own in windows[:-1])])
        pooled = np.add.reduceat(vectors * weights[:, None], starts)
        pooled /= np.add.reduceat(weights, starts)[:, None]
        if self._model.normalize:
            pooled /= np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
        if progress is not None:
            progress(len(texts))
        return pooled.astype(np.float32)

    def _warn_if_cut(self) -> None:
        n = self._model.n_truncated()
        if n and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "documents longer than %d tokens are cut there (%d so far); "
                "long='pool' reads them whole",
                self._model.max_tokens,
                n,
            )


def readable(text: str) -> str:
    """Return the text with unpaired surrogates, which no tokenizer takes, replaced by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _original_places(text: str, readable_text: str) -> NDArray[np.int32]:
    """Return, for each character of the readable text and its end, the place in the text given.

    They differ only where two surrogates stand for one character.
    """
    if len(text) == len(readable_text):
        return np.arange(len(text) + 1, dtype=np.int32)
    is_second = [
        "\ud800" <= before <= "\udbff" and "\udc00" <= here <= "\udfff"
        for before, here in zip(" " + text, text, strict=False)
    ]
    return np.append(np.flatnonzero(~np.array(is_second)), len(text)).astype(np.int32)


def _load_model(
    folder: Path, max_tokens: int | None, device: str | None, threads: int | None
) -> _Model:
    if device in (None, "cpu"):
        packed = PackedModel.from_folder(folder, max_tokens=max_tokens, threads=threads)
        if packed is not None:
            return packed
    # Imported here: it brings sentence-transformers, some ten seconds that MiniLM does not need.
    from interp_embed.embedders.plain_model import PlainModel

    return PlainModel.from_folder(folder, max_tokens=max_tokens, device=device, threads=threads)


def _choose_precision(model: _Model, precision: Precision, *, is_measured: bool) -> None:
    if precision == "float32" or (precision == "auto" and not is_measured):
        return
    if isinstance(model, PackedModel) and has_fast_int8():
        model.use_int8()
    elif precision == "int8":
        raise InputError(
            "int8 needs a BERT-type model with mean pooling, device 'cpu', and a CPU with AVX-512 "
            "VNNI; use precision='float32'"
        )
