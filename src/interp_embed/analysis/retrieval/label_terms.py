"""How near labels are to phrases, term by term: a label is about them if most of its terms are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interp_embed.analysis.retrieval.common_axes import COMMON_AXES
from interp_embed.embedders import Embedder, embed_documents
from interp_embed.interpret import FormRule, KeywordRule


@dataclass(frozen=True, slots=True, eq=False)
class PhraseSimilarity:
    """How near labels are to phrases."""

    similarity: NDArray[np.float64]
    """Cosine of a term with its nearest phrase, mean over the terms, in [-1, 1], (n_labels,)."""
    margin: NDArray[np.float64]
    """The same less the mean of what it is for the phrases of each common axis, (n_labels,)."""


class TermIndex:
    """Terms of labels, embedded one by one when first compared with phrases.

    Of a label with twelve words the meaning of the whole is near to many things, and nearest to
    labels of like words; how many of its words are near to one of the phrases tells more. Some
    words, such as *super*, are near to phrases of any kind: their nearness to other things, here
    to the common axes, is taken off.

    Source: Conneau et al. 2018, ICLR, section 2.3 (cosines less their mean over neighbours, for
    words that are near to everything); the common axes in the place of neighbours are ours. How
    both were chosen is told in docs/analyses.md, cluster.
    """

    def __init__(
        self, labels: Sequence[str], *, embedder: Embedder, progress: bool = False
    ) -> None:
        """Bind.

        Args:
            labels: Not empty.
            embedder: Embeds terms and phrases.
            progress: Whether to show a bar while terms are embedded.
        """
        self._embedder = embedder
        self._progress = progress
        terms = [label_terms(label) for label in labels]
        places: dict[str, int] = {}
        self._term = np.array(
            [places.setdefault(term, len(places)) for own in terms for term in own], np.int64
        )
        self._label = np.repeat(np.arange(len(terms)), [len(own) for own in terms])
        self._n_terms = np.bincount(self._label, minlength=len(terms))
        self._vocabulary = tuple(places)
        self._vectors: NDArray[np.float32] | None = None
        self._usual: NDArray[np.float64] | None = None

    def compare(self, phrases: Sequence[str]) -> PhraseSimilarity:
        """Return how near each label is to the nearest of the phrases, which are not empty."""
        near = self._nearest(phrases)
        if self._usual is None:
            self._usual = np.mean([self._nearest(axis.phrases) for axis in COMMON_AXES], axis=0)
        return PhraseSimilarity(self._by_label(near), self._by_label(near - self._usual))

    def _nearest(self, phrases: Sequence[str]) -> NDArray[np.float64]:
        """Return the cosine of each term with its nearest phrase, shape (n_vocabulary,)."""
        if self._vectors is None:
            self._vectors = self._embed(self._vocabulary, progress=self._progress)
        cosines = self._vectors @ self._embed(phrases).T  # (n_vocabulary, n_phrases)
        return np.asarray(cosines.max(axis=1), np.float64)

    def _by_label(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(self._label, values[self._term], len(self._n_terms)) / self._n_terms

    def _embed(self, texts: Sequence[str], *, progress: bool = False) -> NDArray[np.float32]:
        return unit_rows(embed_documents(texts, self._embedder, cache=None, progress=progress))


def label_terms(label: str) -> tuple[str, ...]:
    """Return what a label is about, without the form of a rule, one entry a word or a few.

    >>> label_terms('mentions at least 2 of "cold", "cold food"')
    ('cold', 'cold food')
    >>> label_terms("asks a question")
    ('asks a question',)
    """
    rule = KeywordRule.parse(label)
    if rule is not None:
        return tuple(rule.terms)
    form = FormRule.parse(label)
    return (label,) if form is None or not form.parts else form.parts


def unit_rows(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Return rows scaled to length 1; rows of zeros stay."""
    lengths = np.linalg.norm(vectors.astype(np.float32), axis=1, keepdims=True)
    scaled: NDArray[np.float32] = (vectors / np.where(lengths == 0, 1.0, lengths)).astype(
        np.float32
    )
    return scaled
