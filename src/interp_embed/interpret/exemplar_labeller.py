"""Labels without an LLM, by example: short sentences that tell where a feature fires."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.interpret.cut import MIN_SIDE, find_cuts
from interp_embed.interpret.exemplar_rule import ExemplarRule, quotable
from interp_embed.interpret.resemblance import EmbeddedDocuments, SentenceReader
from interp_embed.interpret.words import iter_words
from interp_embed.records import Label

SOURCE = "exemplars"
LEARNING_DOCUMENTS = 4_000
"""Documents, evenly spaced among those given, that labels and thresholds are learned from."""
_MAX_LABEL = 160
"""Characters of a label."""
_SHORTEST, _LONGEST = 12, 60
"""Characters of a sentence that can be an exemplar: several short ones say more than a long one."""
_MAX_EXEMPLARS = 3
_COMMON = 5
"""Documents that each word of an exemplar occurs in: names and slips of one author say little."""
_CANDIDATES = 20
"""Sentences looked at closely for one feature, those nearest to where it fires."""
_MIN_GAIN = 0.03
"""Relative gain in agreement that one more sentence must bring to be worth reading."""


@dataclass(frozen=True, slots=True, eq=False)
class _Candidates:
    """Sentences that could stand for a feature."""

    sentences: tuple[str, ...]
    """As a label can hold them, all different."""
    degrees: NDArray[np.float32]
    """Resemblance of documents to each, shape (n_documents, n_candidates)."""


class ExemplarLabeller:
    """Finds for each feature the few short sentences that tell best where it fires.

    The sentences are from documents in which the feature fires, in words that other documents use
    too. How well a sentence tells is judged on all other documents, by how much they resemble it.
    """

    def __init__(self, documents: Sequence[str], reader: SentenceReader) -> None:
        """Embed the documents the labels are made from.

        Args:
            documents: None blank.
            reader: Fitted on these documents.
        """
        self._rows = learning_rows(len(documents))
        self._n_documents = len(documents)
        self._read: EmbeddedDocuments = reader.read([documents[row] for row in self._rows])
        self._document_of = self._read.document_of
        self._is_short = np.array(
            [_SHORTEST <= len(sentence) <= _LONGEST for sentence in self._read.sentences], np.bool_
        )
        self._is_common = self._is_short & _in_common_words(self._read)

    def label(self, activations: csr_matrix, feature: int) -> Label | None:
        """Return the label of one feature, or None if no sentence tells it apart.

        Args:
            activations: Of the documents, shape (n_documents, n_features).
            feature: Its index.

        Raises:
            InputError: The activations are of another number of documents.
        """
        if activations.shape[0] != self._n_documents:
            raise InputError(
                f"activations of {activations.shape[0]} documents do not go with the "
                f"{self._n_documents} documents to be labelled; give those of these documents"
            )
        values = np.asarray(activations[:, [feature]].toarray()).ravel()
        fires = values[self._rows] > 0  # (n_learning_documents,)
        if not MIN_SIDE <= fires.sum() <= len(fires) - MIN_SIDE:
            return None
        candidates = self._candidates(fires)
        chosen = self._choose(candidates, fires)
        if not chosen:
            return None
        rule = ExemplarRule(tuple(candidates.sentences[i] for i in chosen))
        return Label(feature, rule.text, SOURCE, n_examples=len(fires))

    def _candidates(self, fires: NDArray[np.bool_]) -> _Candidates:
        """Return sentences of documents in which the feature fires, the nearest to it."""
        from_firing = fires[self._document_of]
        positions = np.flatnonzero(from_firing & self._is_common)
        if not len(positions):  # as in languages that put no spaces between words
            positions = np.flatnonzero(from_firing & self._is_short)
        direction = self._read.whole[fires].mean(axis=0) - self._read.whole[~fires].mean(axis=0)
        nearest = positions[np.argsort(-(self._read.parts[positions] @ direction), kind="stable")]
        distinct: dict[str, int] = {}
        for position in nearest.tolist():
            distinct.setdefault(quotable(self._read.sentences[position]), position)
            if len(distinct) == _CANDIDATES:
                break
        sentences = tuple(distinct)
        degrees = self._read.resemblance(self._read.parts[list(distinct.values())])
        for column, sentence in enumerate(sentences):
            degrees[:, column] = self._read.without_source(degrees[:, column], (sentence,))
        return _Candidates(sentences, degrees)

    def _choose(self, candidates: _Candidates, fires: NDArray[np.bool_]) -> list[int]:
        """Return the candidates whose mean resemblance agrees best, in the order of choice."""
        chosen: list[int] = []
        total = np.zeros((len(fires), 1), np.float32)
        reached = 0.0
        while len(chosen) < _MAX_EXEMPLARS:
            every = range(len(candidates.sentences))
            fitting = [i for i in every if _fits(candidates, chosen, i)]
            if not fitting:
                break
            mean = (total + candidates.degrees[:, fitting]) / (len(chosen) + 1)
            agreement = find_cuts(mean, fires).agreement
            best = int(np.argmax(agreement))
            if not agreement[best] > reached * (1 + _MIN_GAIN):
                break
            reached = float(agreement[best])
            chosen.append(fitting[best])
            total = total + candidates.degrees[:, [fitting[best]]]
        return chosen


def _fits(candidates: _Candidates, chosen: list[int], i: int) -> bool:
    sentences = tuple(candidates.sentences[j] for j in (*chosen, i))
    return i not in chosen and len(ExemplarRule(sentences).text) <= _MAX_LABEL


def learning_rows(n_documents: int) -> NDArray[np.int64]:
    """Return the rows that are learned from: all, or as many as suffice, evenly spaced."""
    n = min(n_documents, LEARNING_DOCUMENTS)
    return np.arange(n) * n_documents // max(n, 1)


def _in_common_words(read: EmbeddedDocuments) -> NDArray[np.bool_]:
    """Return which sentences hold only words that several documents use."""
    words = [frozenset(iter_words(sentence)) for sentence in read.sentences]
    documents_with = Counter(
        word
        for first, end in pairwise(read.start.tolist())
        for word in frozenset().union(*words[first:end])
    )
    enough = max(2, min(_COMMON, len(read.whole) // 100))
    common = {word for word, count in documents_with.items() if count >= enough}
    return np.array([own <= common for own in words], np.bool_)
