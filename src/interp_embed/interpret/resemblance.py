"""How much documents resemble sentences, as a sentence encoder sees it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from interp_embed.embedders import Embedder, embed_documents
from interp_embed.embedders.documents import Cache
from interp_embed.interpret.exemplar_rule import quotable
from interp_embed.interpret.sentences import split_sentences

_SHARE_OF_WHOLE = 0.5
_BLOCK = 512
"""Sentences compared at once: bounds the memory of a comparison."""


@dataclass(frozen=True, slots=True, eq=False)
class Centre:
    """What all documents of a corpus have in common: two of them are alike beyond that."""

    whole: NDArray[np.float32]
    """Mean vector of the documents, shape (d_in,)."""
    sentence: NDArray[np.float32]
    """Mean vector of their sentences, shape (d_in,)."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedDocuments:
    """Documents as wholes and in sentences, each vector centred and of length 1."""

    whole: NDArray[np.float32]
    """Shape (n_documents, d_in)."""
    parts: NDArray[np.float32]
    """Their sentences, in order, shape (n_sentences, d_in)."""
    start: NDArray[np.int64]
    """Sentences of document i are ``start[i]:start[i + 1]``; shape (n_documents + 1,)."""
    sentences: tuple[str, ...]
    holders: Mapping[str, frozenset[int]]
    """Documents that hold each sentence, by the sentence as a label can hold it."""

    @property
    def document_of(self) -> NDArray[np.int64]:
        """The document each sentence is from, shape (n_sentences,)."""
        return np.repeat(np.arange(len(self.whole)), np.diff(self.start))

    def resemblance(self, sentences: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how much each document resembles each sentence, shape (n_documents, n_sentences).

        The mean of two cosines: of the whole document, and of the sentence in it that is nearest.
        The first alone misses what is said in passing; the second alone grows with length.

        Args:
            sentences: Centred, of length 1, shape (n_sentences, d_in).
        """
        out = np.empty((len(self.whole), len(sentences)), np.float32)
        for first in range(0, len(sentences), _BLOCK):
            block = slice(first, first + _BLOCK)
            nearest = np.maximum.reduceat(self.parts @ sentences[block].T, self.start[:-1], axis=0)
            whole = self.whole @ sentences[block].T
            out[:, block] = _SHARE_OF_WHOLE * whole + (1 - _SHARE_OF_WHOLE) * nearest
        return out

    def without_source(
        self, degrees: NDArray[np.float32], sentences: Sequence[str]
    ) -> NDArray[np.float32]:
        """Return degrees with the median for documents that alone hold one of these sentences.

        A document resembles a sentence taken from it however little that says of other documents.

        Args:
            degrees: Shape (n_documents,).
            sentences: As a label holds them (:func:`quotable`).
        """
        alone = [self.holders[text] for text in sentences if len(self.holders.get(text, ())) == 1]
        out = degrees.copy()
        out[[row for rows in alone for row in rows]] = np.median(degrees)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class SentenceReader:
    """Embeds documents and sentences about a centre, which discover documents have set."""

    embedder: Embedder
    """Fitted or pretrained."""
    cache: Cache
    centre: Centre

    @classmethod
    def fit(cls, documents: Sequence[str], embedder: Embedder, *, cache: Cache) -> Self:
        """Return a reader whose centre is that of these documents, none blank."""
        fitted = embedder.fit(documents)
        whole, parts, _ = _vectors(documents, fitted, cache)
        centre = Centre(whole.mean(axis=0), parts.mean(axis=0))
        return cls(fitted, cache, centre)

    def read(self, documents: Sequence[str]) -> EmbeddedDocuments:
        """Return documents, none blank, as vectors."""
        whole, parts, sentences = _vectors(documents, self.embedder, self.cache)
        counts = [len(own) for own in sentences]
        return EmbeddedDocuments(
            whole=_unit(whole - self.centre.whole),
            parts=_unit(parts - self.centre.sentence),
            start=np.cumsum([0, *counts], dtype=np.int64),
            sentences=tuple(sentence for own in sentences for sentence in own),
            holders=_holders(sentences),
        )

    def read_sentences(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Return sentences as vectors, shape (n_sentences, d_in)."""
        vectors = embed_documents(sentences, self.embedder, cache=self.cache, progress=False)
        return _unit(vectors - self.centre.sentence)


def _vectors(
    documents: Sequence[str], embedder: Embedder, cache: Cache
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[list[str]]]:
    sentences = [split_sentences(document) for document in documents]
    flat = [sentence for own in sentences for sentence in own]
    whole = embed_documents(documents, embedder, cache=cache, progress=False)
    return whole, embed_documents(flat, embedder, cache=cache, progress=False), sentences


def _holders(sentences: list[list[str]]) -> dict[str, frozenset[int]]:
    holders: dict[str, set[int]] = defaultdict(set)
    for row, own in enumerate(sentences):
        for sentence in own:
            holders[quotable(sentence)].add(row)
    return {sentence: frozenset(rows) for sentence, rows in holders.items()}


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 1e-6, lengths, 1), np.float32)
