"""Labels of features, found by their words and by what they mean."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from interp_embed.analysis.plain_values import quoted
from interp_embed.analysis.retrieval.label_terms import (
    PhraseSimilarity,
    TermIndex,
    label_terms,
    unit_rows,
)
from interp_embed.analysis.retrieval.words import search_stems
from interp_embed.embedders import Embedder, embed_documents
from interp_embed.errors import InputError
from interp_embed.interpret import states_rule
from interp_embed.records import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MatchedBy = Literal["word", "meaning", "both", "neither"]
_BY: tuple[MatchedBy, ...] = ("neither", "word", "meaning", "both")
MIN_SIMILARITY = 0.3
"""Cosine of embedded texts from which a label counts as meaning the same field of things."""
MIN_LETTERS = 0.2
"""The same for cosines of runs of letters, where there is no embedder."""
_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class LabelMatches:
    """Labels nearest to a text, most similar first."""

    text: str
    """What was searched for."""
    features: NDArray[np.int64]
    """Shape (n_matches,)."""
    labels: tuple[str, ...]
    """n_matches."""
    similarity: NDArray[np.float64]
    """The larger of ``word`` and ``meaning``, in [-1, 1], shape (n_matches,)."""
    word: NDArray[np.float64]
    """Cosine of the weighted words, 0 where none is shared, shape (n_matches,)."""
    meaning: NDArray[np.float64]
    """Cosine of the embedded texts; of their runs of letters where there is no embedder."""
    by: tuple[MatchedBy, ...]
    """How each was found, n_matches."""
    n_labels: int
    """Labels searched."""
    least: float
    """``meaning`` from which a label counts as found by it."""

    def __len__(self) -> int:
        return len(self.features)

    def found(self) -> "LabelMatches":
        """Return the matches without those that share no word and are not similar enough."""
        return self._take(np.flatnonzero([by != "neither" for by in self.by]))

    def to_frame(self) -> pd.DataFrame:
        """Return a row a label: feature, label, similarity, by, word, meaning."""
        return pd.DataFrame(
            {
                "feature": self.features,
                "label": list(self.labels),
                "similarity": self.similarity,
                "by": list(self.by),
                "word": self.word,
                "meaning": self.meaning,
            }
        )

    def summary(self) -> str:
        """Return what was found, in sentences."""
        found = self.found()
        if not len(found):
            return f"None of {self.n_labels:,} labels matches {quoted(self.text)}."
        shown = ", ".join(map(quoted, found.labels[:_SHOWN]))
        asked = quoted(self.text)
        return f"{len(found):,} of {self.n_labels:,} labels match {asked}, such as {shown}."

    def to_json(self) -> dict[str, Json]:
        """Return plain values."""
        return {
            "text": self.text,
            "n_labels": self.n_labels,
            "matches": self.to_frame().to_dict("records"),
        }

    def plot(self, ax: "Axes | None" = None, *, most: int = 20) -> "Axes":
        """Draw how similar the first labels are."""
        from interp_embed import plots

        first = self._take(np.arange(min(most, len(self))))
        return plots.stacked_shares(
            np.maximum(first.similarity, 0.0)[:, None],
            bar_labels=list(first.labels),
            part_labels=["similarity"],
            xlabel=f"similarity to {quoted(self.text)}",
            ax=ax,
        )

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(escape=True, index=False, float_format="{:.3f}".format)

    def _take(self, places: NDArray[np.int64]) -> "LabelMatches":
        return LabelMatches(
            self.text,
            self.features[places],
            tuple(self.labels[place] for place in places),
            self.similarity[places],
            self.word[places],
            self.meaning[places],
            tuple(self.by[place] for place in places),
            self.n_labels,
            self.least,
        )


class LabelIndex:
    """Labels searchable by word and by meaning.

    Words are compared by their stems, rare ones counting for more (cosine of TF-IDF). Meaning is
    the cosine of embedded labels; of a label such as ``mentions "wait", "host"`` the words alone
    are embedded. Without an embedder runs of three to five letters stand for meaning, which finds
    other forms of a word and misspellings, and no synonyms.
    """

    def __init__(
        self,
        labels: Mapping[int, str],
        *,
        embedder: Embedder | None = None,
        min_similarity: float | None = None,
        progress: bool = False,
    ) -> None:
        """Bind; labels are embedded when first searched by meaning.

        Args:
            labels: Text by feature.
            embedder: What embeds labels and queries, pretrained or fitted.
            min_similarity: Cosine from which a label counts as found by its meaning; None: .3, or
                .2 without an embedder.
            progress: Whether to show a bar while labels are embedded.

        Raises:
            InputError: There are no labels, or one is empty.
        """
        if not labels:
            raise InputError(
                "the features have no labels, so that they cannot be found by words; label them "
                "first, or give a query of features: FeatureQuery.of([12, 40])"
            )
        for feature, label in labels.items():
            if is_blank(label):
                raise InputError(
                    f"feature {feature} has an empty label: {label!r}; leave it out, or label it"
                )
        self.features = np.array(sorted(labels), np.int64)
        self.labels = tuple(labels[int(feature)] for feature in self.features)
        self.embedder = embedder
        fallback = MIN_LETTERS if embedder is None else MIN_SIMILARITY
        self.min_similarity = fallback if min_similarity is None else min_similarity
        self._progress = progress
        self._texts = [plain_label(label) for label in self.labels]
        self._words = _WordVectors(self._texts)
        self._letters: TfidfVectorizer | None = None
        self._vectors: NDArray[np.float32] | csr_matrix | None = None
        self._terms: TermIndex | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def search(self, text: str, k: int = 20) -> LabelMatches:
        """Return the k labels nearest to a text; ``by`` is "neither" where they are far from it.

        Args:
            text: A property, or words of it.
            k: Labels wanted, >= 1; all where there are fewer.

        Raises:
            InputError: The text is empty, or k < 1.
        """
        check_text(text)
        if k < 1:
            raise InputError(f"k must be at least 1, but got {k}")
        word = self._words.similarity(text)
        meaning = self._meaning(text)
        similarity = np.maximum(word, meaning)
        best = np.lexsort((-word.round(6), -similarity.round(6)))[:k]
        by = (word[best] > 0) + 2 * (meaning[best] >= self.min_similarity)
        return LabelMatches(
            text=text,
            features=self.features[best],
            labels=tuple(self.labels[place] for place in best),
            similarity=similarity[best],
            word=word[best],
            meaning=meaning[best],
            by=tuple(_BY[code] for code in by),
            n_labels=len(self),
            least=self.min_similarity,
        )

    def are_rules(self) -> bool:
        """Return whether most labels are rules of words, such as ``mentions "wait"``."""
        return 2 * sum(map(states_rule, self.labels)) > len(self)

    def compare_terms(self, phrases: Sequence[str]) -> PhraseSimilarity:
        """Return how near the labels are to phrases by meaning, term by term.

        Raises:
            InputError: There is no embedder.
        """
        if self.embedder is None:
            raise InputError("terms are compared with phrases by meaning: give an embedder")
        if self._terms is None:
            self._terms = TermIndex(self.labels, embedder=self.embedder, progress=self._progress)
        return self._terms.compare(phrases)

    def _meaning(self, text: str) -> NDArray[np.float64]:
        """Return the cosine of each label with a text, shape (n_labels,)."""
        if self.embedder is None:
            if self._letters is None:
                self._letters = TfidfVectorizer(
                    analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, dtype=np.float32
                )
                texts = [_letters_of(text) for text in self._texts]
                self._vectors = csr_matrix(self._letters.fit_transform(texts))
            query = self._letters.transform([_letters_of(text)])
            return np.asarray((self._vectors @ query.T).toarray(), np.float64).ravel()
        if self._vectors is None:
            self._vectors = unit_rows(
                embed_documents(self._texts, self.embedder, cache=None, progress=self._progress)
            )
        query_vector = embed_documents([text], self.embedder, cache=None, progress=False)
        return np.asarray(self._vectors @ unit_rows(query_vector)[0], np.float64)


class _WordVectors:
    """Stems of labels with the weight of their rarity, rows of length 1."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._columns: dict[str, int] = {}
        indices: list[int] = []
        bounds = [0]
        for text in texts:
            stems = dict.fromkeys(search_stems(text))
            indices += [self._columns.setdefault(one, len(self._columns)) for one in stems]
            bounds.append(len(indices))
        n_labels, n_stems = len(texts), max(1, len(self._columns))
        counts = np.bincount(np.array(indices, np.int64), minlength=n_stems)
        self._rarity = np.log1p(n_labels / np.maximum(counts, 1))
        self._unseen = float(np.log1p(n_labels))
        ones = csr_matrix((self._rarity[indices], indices, bounds), shape=(n_labels, n_stems))
        lengths = np.sqrt(np.asarray(ones.multiply(ones).sum(axis=1)).ravel())
        ones.data /= np.repeat(lengths, np.diff(ones.indptr))
        self._rows = ones

    def similarity(self, text: str) -> NDArray[np.float64]:
        """Return the cosine of each label with a text, shape (n_labels,)."""
        query = np.zeros(self._rows.shape[1])
        square = 0.0
        for one, count in Counter(search_stems(text)).items():
            column = self._columns.get(one)
            weight = count * (self._unseen if column is None else float(self._rarity[column]))
            square += weight**2
            if column is not None:
                query[column] = weight
        found: NDArray[np.float64] = np.asarray(self._rows @ query, np.float64)
        return found / (np.sqrt(square) or 1.0)


def plain_label(label: str) -> str:
    """Return what a label is about, without the form of a rule.

    >>> plain_label('mentions at least 2 of "cold", "cold food"')
    'cold, cold food'
    """
    return ", ".join(label_terms(label))


def _letters_of(text: str) -> str:
    """Return the stems of the words that say something; the text where there are none."""
    return " ".join(search_stems(text)) or text


def check_text(text: str) -> None:
    """Raise unless there is something to search for.

    Raises:
        InputError: The text is empty.
    """
    if is_blank(text):
        raise InputError(f"the text to search for is empty: {text!r}; say what to look for")


def is_blank(text: object) -> bool:
    """Return whether there is no text, or none with a letter or a digit."""
    return not isinstance(text, str) or not any(map(str.isalnum, text))
