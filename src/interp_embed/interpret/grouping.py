"""Which concepts are asked together: similar ones are kept apart, so that none sways the other."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

_WORD = re.compile(r"\w+")


def group_concepts(
    concepts: Sequence[str], size: int, *, max_characters: int = 5_000
) -> tuple[tuple[int, ...], ...]:
    """Return groups of about equal size, as few as possible; the same ones for the same concepts.

    The concepts that share most words with others are placed first, each into the group whose
    most similar member is least like it (Jaccard index of their words).

    ["cold soup", "cold soup again", "a dog", "a dog barks"], size 2 -> one of each pair together

    Args:
        concepts: In words, no two the same.
        size: Concepts in a group at most, >= 1.
        max_characters: Of the concepts of one group together, unless one alone is longer.

    Returns:
        Positions in ``concepts``, each once; in rising order within a group.
    """
    n = len(concepts)
    if n == 0:
        return ()
    n_groups = -(-n // size)
    capacity = -(-n // n_groups)
    words = _word_matrix(concepts)  # (n_concepts, n_words)
    n_words = np.asarray(words.sum(axis=1)).ravel()
    shared = words @ np.asarray(words.sum(axis=0)).ravel()
    group_of: NDArray[np.int64] = np.full(n, -1)
    counts, lengths = [0] * n_groups, [0] * n_groups
    for concept in np.argsort(-shared, kind="stable").tolist():
        own = words.indices[words.indptr[concept] : words.indptr[concept + 1]]
        has = np.zeros(words.shape[1])
        has[own] = 1
        overlap = words @ has  # (n_concepts,)
        likeness = overlap / np.maximum(1, n_words + n_words[concept] - overlap)
        length = len(concepts[concept])
        room = [
            group
            for group, (count, characters) in enumerate(zip(counts, lengths, strict=True))
            if count == 0 or (count < capacity and characters + length <= max_characters)
        ]
        if not room:
            room = [len(counts)]
            counts.append(0)
            lengths.append(0)
        nearest = np.zeros(len(counts))  # likeness of each group's most similar member
        placed = group_of >= 0
        np.maximum.at(nearest, group_of[placed], likeness[placed].round(9))
        best = min(room, key=lambda group: (nearest[group], counts[group], group))
        group_of[concept] = best
        counts[best] += 1
        lengths[best] += length
    return tuple(tuple(np.flatnonzero(group_of == g).tolist()) for g in np.unique(group_of))


def _word_matrix(concepts: Sequence[str]) -> csr_matrix:
    """Return which words occur in which concept, shape (n_concepts, n_words)."""
    vocabulary: dict[str, int] = {}
    indices: list[int] = []
    bounds = [0]
    for concept in concepts:
        words = sorted(set(_WORD.findall(concept.casefold())))
        indices += [vocabulary.setdefault(word, len(vocabulary)) for word in words]
        bounds.append(len(indices))
    shape = (len(concepts), max(1, len(vocabulary)))
    return csr_matrix((np.ones(len(indices)), indices, bounds), shape=shape)
