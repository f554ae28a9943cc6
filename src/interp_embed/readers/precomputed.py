"""Hidden states made elsewhere, such as by a vLLM server, given as arrays or as files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from interp_embed._files import write_atomically
from interp_embed._fingerprint import digest_array, digest_text, digest_texts
from interp_embed._model_files import digest_files
from interp_embed.errors import InputError, StoredFileError
from interp_embed.readers.source import Document, HiddenBatch, TokenizedDocument
from interp_embed.readers.tokens import check_text
from interp_embed.records import Json

_BUDGET = 16384


@dataclass(frozen=True, slots=True, eq=False)
class SavedHidden:
    """The hidden states of one document."""

    text: str
    hidden: torch.Tensor
    """Shape (n_tokens, d_in), floating point, finite; without BOS and template tokens."""
    span: NDArray[np.int32]
    """Characters [begin, end) of ``text`` of each token, shape (n_tokens, 2)."""
    counted: NDArray[np.bool_]
    """Whether the token counts in pooling, shape (n_tokens,)."""

    @classmethod
    def from_arrays(
        cls,
        text: str,
        hidden: ArrayLike | torch.Tensor,
        span: ArrayLike,
        counted: ArrayLike | None = None,
    ) -> Self:
        """Return checked hidden states of a document.

        Args:
            text: The document.
            hidden: Shape (n_tokens, d_in).
            span: Characters [begin, end) of each token, shape (n_tokens, 2).
            counted: Shape (n_tokens,); None for all.

        Raises:
            InputError: Shapes do not agree, a span is outside the text, a value is not finite, or
                no token counts.
        """
        text = check_text(text, "the document")
        states = hidden if isinstance(hidden, torch.Tensor) else torch.from_numpy(np.array(hidden))
        spans = np.asarray(span)
        n_tokens = len(states) if states.ndim else 0
        counts = np.ones(n_tokens, bool) if counted is None else np.asarray(counted)
        if not states.is_floating_point() or states.ndim != 2 or 0 in states.shape:
            raise InputError(
                f"hidden states of {text!r:.40} have shape {tuple(states.shape)} and dtype "
                f"{states.dtype}; give floating point of shape (n_tokens, d_in)"
            )
        if spans.shape != (n_tokens, 2) or counts.shape != (n_tokens,) or counts.dtype != bool:
            raise InputError(
                f"{text!r:.40} has {n_tokens} hidden states, spans of shape {spans.shape} and "
                f"counted of shape {counts.shape} and dtype {counts.dtype}; give spans (n_tokens, "
                "2) and bool counted (n_tokens,)"
            )
        is_ordered = (spans[:, 0] >= 0) & (spans[:, 0] <= spans[:, 1]) & (spans[:, 1] <= len(text))
        if not np.issubdtype(spans.dtype, np.integer) or not is_ordered.all():
            raise InputError(
                f"a span of {text!r:.40} is not inside the text; spans are whole numbers with "
                f"0 <= begin <= end <= {len(text)}, counted in characters"
            )
        if not counts.any() or not torch.isfinite(states).all():
            wrong = "is not a finite number" if counts.any() else "counts: none does"
            raise InputError(f"one hidden state of {text!r:.40} {wrong}; check how it was made")
        return cls(text=text, hidden=states, span=spans.astype(np.int32), counted=counts)


class PrecomputedSource:
    """Hidden states looked up by the document's text."""

    def __init__(
        self, documents: Sequence[SavedHidden] | Sequence[Path], digest: str, d_in: int
    ) -> None:
        """Use :meth:`from_arrays` or :meth:`from_folder`."""
        self._documents = documents
        self._digest = digest
        self._d_in = d_in
        self._index: dict[str, int] = {}

    @classmethod
    def from_arrays(cls, documents: Sequence[SavedHidden]) -> Self:
        """Return a source of documents held in memory.

        Raises:
            InputError: There are none, or they differ in width, or one comes twice.
        """
        digests = [
            digest_texts(
                [
                    document.text,
                    digest_array(document.hidden.float().cpu().numpy()),
                    digest_array(document.span),
                    digest_array(document.counted),
                ]
            )
            for document in documents
        ]
        return cls._index_texts(documents, list(documents), digest_texts(digests))

    @classmethod
    def from_folder(cls, folder: str | Path) -> Self:
        """Return a source of a folder with one safetensors file per document.

        A file holds ``hidden``, ``span`` and ``counted`` (see :class:`SavedHidden`), and the text
        in its metadata; :func:`save_hidden` writes one. They are read when they are needed.

        Raises:
            InputError: There are none, or they differ in width, or a document comes twice.
            StoredFileError: A file is damaged or lacks something.
        """
        files = sorted(Path(folder).glob("*.safetensors"))
        return cls._index_texts(files, (_load(file) for file in files), digest_files(files))

    @classmethod
    def _index_texts(
        cls,
        documents: Sequence[SavedHidden] | Sequence[Path],
        loaded: "Sequence[SavedHidden] | Iterator[SavedHidden]",
        digest: str,
    ) -> Self:
        if not documents:
            raise InputError("there are no hidden states; give at least one document's")
        source = cls(documents, digest, 0)
        for i, document in enumerate(loaded):
            width = int(document.hidden.shape[1])
            source._d_in = source._d_in or width
            if width != source._d_in:
                raise InputError(
                    f"hidden states differ in width: {document.text!r:.40} has {width}, the first "
                    f"document {source._d_in}; give those of one model and layer"
                )
            if source._index.setdefault(digest_text(document.text), i) != i:
                raise InputError(
                    f"the document {document.text!r:.40} comes twice; give each text once"
                )
        return source

    @property
    def identity(self) -> Mapping[str, Json]:
        """Digest of all that was given."""
        return {"kind": "precomputed", "sha256": self._digest}

    @property
    def d_in(self) -> int:
        """Width of a hidden state."""
        return self._d_in

    def tokenize(self, document: Document) -> TokenizedDocument:
        """Return a document as tokens; their ids are not known and are 0.

        Raises:
            InputError: It is not text, or not one of those given.
        """
        saved = self._find(check_text(document, "the document"))
        return TokenizedDocument(
            text=saved.text,
            token_ids=np.zeros(len(saved.span), dtype=np.int32),
            span=saved.span,
            counted=saved.counted,
        )

    def iter_hidden(self, documents: Sequence[TokenizedDocument]) -> Iterator[HiddenBatch]:
        """Yield the hidden states of all documents, whole documents in their order."""
        batch: list[int] = []
        n_tokens = 0
        for i, document in enumerate(documents):
            if batch and n_tokens + len(document.token_ids) > _BUDGET:
                yield self._collect(batch, documents)
                batch, n_tokens = [], 0
            batch.append(i)
            n_tokens += len(document.token_ids)
        if batch:
            yield self._collect(batch, documents)

    def _collect(self, batch: list[int], documents: Sequence[TokenizedDocument]) -> HiddenBatch:
        saved = [self._find(documents[i].text) for i in batch]
        lengths = [len(one.span) for one in saved]
        return HiddenBatch(
            hidden=torch.cat([one.hidden for one in saved]),
            document=np.repeat(np.array(batch, dtype=np.int64), lengths),
            position=np.concatenate([np.arange(length) for length in lengths]),
            counted=np.concatenate([one.counted for one in saved]),
            finished=tuple(batch),
        )

    def _find(self, text: str) -> SavedHidden:
        i = self._index.get(digest_text(text))
        if i is None:
            raise InputError(
                f"there are no hidden states for the document {text!r:.60}; those given are looked "
                "up by the whole text, which has to be the same to the character"
            )
        found = self._documents[i]
        return _load(found) if isinstance(found, Path) else found


def save_hidden(path: str | Path, saved: SavedHidden) -> None:
    """Write one document's hidden states as a safetensors file."""
    tensors = {
        "hidden": saved.hidden.contiguous(),
        "span": torch.from_numpy(saved.span),
        "counted": torch.from_numpy(saved.counted),
    }
    write_atomically(Path(path), lambda file: save_file(tensors, file, {"text": saved.text}))


def _load(file: Path) -> SavedHidden:
    try:
        with safe_open(file, framework="pt") as opened:
            text = (opened.metadata() or {})["text"]
            held = {name: opened.get_tensor(name) for name in ("hidden", "span", "counted")}
    except (SafetensorError, KeyError, FileNotFoundError) as error:
        raise StoredFileError(
            f"{file} is damaged or lacks hidden, span, counted or its text ({error}); write it "
            "again with save_hidden"
        ) from error
    return SavedHidden.from_arrays(
        text, held["hidden"], held["span"].numpy(), held["counted"].numpy()
    )
