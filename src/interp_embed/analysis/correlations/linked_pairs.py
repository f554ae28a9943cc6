"""Pairs of features that go together for a trivial reason: one word, one direction, one meaning."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.analysis.correlations.linked_labels import same_labels, shared_words
from interp_embed.analysis.documents import EncodedDocuments, check_comparable
from interp_embed.errors import InputError
from interp_embed.stats import TopPairs, column_likeness

REASONS = (
    "one feature",
    "same or adjacent token",
    "near-equal directions",
    "near-equal activations",
    "near-equal labels",
    "words of their labels",
)
"""Why a pair is trivially linked, by bit of its link."""
_FEATURE, _TOKEN, _DIRECTION, _ACTIVATION, _LABEL, _WORDS = (
    1 << bit for bit in range(len(REASONS))
)
_PAIRS = 50_000
"""Pairs of vectors at a time."""


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """From where on two features are too alike for their going together to be a finding."""

    token_reach: int = 1
    """Tokens between the peaks of both that still count as the same place, >= 0."""
    token_share: float = 0.5
    """Share of shared documents with peaks in the same place above which a pair is linked."""
    direction_cosine: float = 0.8
    """Of their decoder directions, of either sign, at least."""
    activation_cosine: float = 0.9
    """Of their activations over documents, at least."""
    activation_jaccard: float = 0.8
    """Documents in which both fire among those in which one does, at least."""
    label_cosine: float = 0.8
    """Of the vectors of their labels, at least."""
    label_words: float = 0.5
    """Of the words that the label with fewer quoted words quotes, the share that the other quotes,
    too, at least: a text with such a word fires both."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """What tells trivially linked pairs apart, besides activations and labels; all optional."""

    peak: NDArray[np.int32] | None = None
    """Token on which each entry of the activations is largest, in their order, -1 where it is not
    known, shape (nnz,)."""
    dictionary: NDArray[np.float32] | None = None
    """Decoder directions, shape (n_features, d_in)."""
    label_vectors: NDArray[np.float32] | None = None
    """Labels as vectors, zero where a feature has none, shape (n_features, d_label)."""
    other_dictionary: NDArray[np.float32] | None = None
    """Directions of the other set's features; None for the same, where it has the same SAE."""
    other_label_vectors: NDArray[np.float32] | None = None
    """Vectors of the other set's labels, by the same embedder."""
    limits: LinkLimits = field(default_factory=LinkLimits)


def reason_of(link: int) -> str:
    """Return a link in words; empty where there is none."""
    return "; ".join(reason for bit, reason in enumerate(REASONS) if link & (1 << bit))


def find_links(
    pairs: TopPairs,
    documents: EncodedDocuments,
    other: EncodedDocuments | None,
    near: Neighbours,
) -> NDArray[np.uint8]:
    """Return why each pair is trivially linked, as bits of ``REASONS``, shape (n_pairs,).

    Between two sets, such as prompts and responses, features of one SAE are linked with
    themselves; where they peak, and that they fire alike, is then no triviality and not looked at.

    Args:
        pairs: The pairs.
        documents: Whose features ``first`` are.
        other: Whose features ``second`` are, if not the same documents'.
        near: What tells them apart.

    Raises:
        InputError: An array does not fit the features or the activations.
    """
    link = np.zeros(pairs.first.size, np.uint8)
    _check_peak(near.peak, documents)
    if other is None:
        link |= _alike(pairs, documents, near)
    elif _is_one_sae(documents, other):
        link[pairs.first == pairs.second] |= _FEATURE
    sides = (documents, documents if other is None else other)
    directions = _both(near.dictionary, near.other_dictionary, *sides, name="dictionary")
    if directions is not None:
        cosine = np.abs(_cosines(*directions, pairs.first, pairs.second))
        link[cosine >= near.limits.direction_cosine] |= _DIRECTION
    vectors = _both(near.label_vectors, near.other_label_vectors, *sides, name="label_vectors")
    if vectors is not None:
        cosine = _cosines(*vectors, pairs.first, pairs.second)
        link[cosine >= near.limits.label_cosine] |= _LABEL
    link[same_labels(pairs, *(side.labels for side in sides))] |= _LABEL
    shared = shared_words(pairs, *sides)
    link[(shared >= near.limits.label_words) & (link & _LABEL == 0)] |= _WORDS
    return link


def _alike(pairs: TopPairs, documents: EncodedDocuments, near: Neighbours) -> NDArray[np.uint8]:
    """Return the links by where features fire and where they peak."""
    limits = near.limits
    link = np.zeros(pairs.first.size, np.uint8)
    either = pairs.n_first.astype(np.int64) + pairs.n_second - pairs.n_both
    link[pairs.n_both >= limits.activation_jaccard * either] |= _ACTIVATION
    found, peak = _firing_entries(documents, near.peak)
    alike = column_likeness(found, pairs.first, pairs.second, peak=peak, reach=limits.token_reach)
    link[alike.cosine >= limits.activation_cosine] |= _ACTIVATION
    near_enough = alike.n_near > limits.token_share * pairs.n_both
    link[near_enough] |= _TOKEN
    return link


def _firing_entries(
    documents: EncodedDocuments, peak: NDArray[np.int32] | None
) -> tuple[csr_matrix, NDArray[np.int32] | None]:
    """Return the activations above the cuts, and the peaks of these."""
    found, cuts = documents.activations, documents.cuts
    if cuts is None:
        return found, peak
    above = found.data > cuts[found.indices]
    starts = np.concatenate([[0], np.cumsum(above)])[found.indptr]
    strong = csr_matrix((found.data[above], found.indices[above], starts), found.shape)
    return strong, None if peak is None else peak[above]


def _check_peak(peak: NDArray[np.int32] | None, documents: EncodedDocuments) -> None:
    if peak is not None and np.shape(peak) != (documents.activations.nnz,):
        raise InputError(
            f"peak has shape {np.shape(peak)}, but there are {documents.activations.nnz} "
            "entries of activations; give one for each, in their order"
        )


def _is_one_sae(first: EncodedDocuments, second: EncodedDocuments) -> bool:
    try:
        check_comparable(first, second)
    except InputError:
        return False
    return True


def _both(
    own: NDArray[np.float32] | None,
    others: NDArray[np.float32] | None,
    documents: EncodedDocuments,
    other: EncodedDocuments,
    *,
    name: str,
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Return unit vectors of both sides' features, None where a side has none."""
    if others is None and (documents is other or _is_one_sae(documents, other)):
        others = own
    if own is None or others is None:
        return None
    first = _units(own, documents.n_features, name)
    return first, first if others is own else _units(others, other.n_features, f"other_{name}")


def _units(vectors: NDArray[np.float32], n_features: int, name: str) -> NDArray[np.float32]:
    rows = np.asarray(vectors, np.float32)
    if rows.ndim != 2 or len(rows) != n_features:
        raise InputError(
            f"{name} has shape {rows.shape}; it needs a row for each of {n_features} features"
        )
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise InputError(f"{name} holds NaN or infinite values; give 0 where there is no vector")
    return np.asarray(rows / np.where(lengths > 0.0, lengths, 1.0), np.float32)


def _cosines(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    one: NDArray[np.integer[Any]],
    two: NDArray[np.integer[Any]],
) -> NDArray[np.float32]:
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"vectors of the two sets have lengths {first.shape[1]} and {second.shape[1]}; "
            "give vectors of the same space"
        )
    found = np.empty(one.size, np.float32)
    for start in range(0, one.size, _PAIRS):
        piece = slice(start, start + _PAIRS)
        found[piece] = np.einsum("ij,ij->i", first[one[piece]], second[two[piece]])
    return found
