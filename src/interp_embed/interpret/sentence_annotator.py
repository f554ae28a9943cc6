"""An annotator without an LLM that goes by meaning: does the document resemble the label?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.embedders import Embedder, load_embedder
from interp_embed.embedders.documents import Cache
from interp_embed.errors import InputError
from interp_embed.interpret.annotator import restrict_annotations
from interp_embed.interpret.cut import find_cuts
from interp_embed.interpret.exemplar_labeller import ExemplarLabeller, learning_rows
from interp_embed.interpret.exemplar_rule import ExemplarRule
from interp_embed.interpret.keywords import KeywordAnnotator, KeywordRule
from interp_embed.interpret.resemblance import EmbeddedDocuments, SentenceReader
from interp_embed.records import Annotations, Label

_BATCH = 2_000
"""Documents read at once: bounds the memory their sentences take."""
_EMPTY = "the document is empty"
_UNKNOWN = "the concept was not among the labels calibrated on discover documents"
_NO_CUT = "its feature fires on too few or nearly all discover documents to set a threshold"


class SentenceAnnotator:
    """Labels features by sentences, and learns how alike a document must be to have a concept.

    The verdict on a document depends on the document, on the label's text, and on one threshold a
    label; never on activations.
    """

    def __init__(
        self,
        embedder: Embedder | str = "all-MiniLM-L6-v2",
        *,
        cache: Cache = "default",
    ) -> None:
        """Remember what to read with; nothing is loaded yet.

        Args:
            embedder: An embedder or its name; it compares sentences with documents.
            cache: Where vectors of documents and their sentences are kept (``embed_documents``).
        """
        self._embedder = embedder
        self._cache: Cache = cache

    def labeller(self, documents: Sequence[str]) -> ExemplarLabeller:
        """Return the labeller of features of these documents, which are embedded now.

        Raises:
            InputError: There are no documents, or one is blank.
        """
        return ExemplarLabeller(documents, self._reader(documents))

    def calibrate(
        self, documents: Sequence[str], labels: Sequence[Label], activations: csr_matrix
    ) -> "CalibratedSentenceAnnotator":
        """Return the annotator of these labels, its thresholds set on discover documents.

        Of each label, the threshold at which "resembles the label" agrees best with "the feature
        fires". Labels by exemplars and labels in free words are compared by meaning; keyword
        labels need no threshold, their words are looked for.

        Args:
            documents: Discover documents, none blank.
            labels: Of the features; of two with the same text, the first counts.
            activations: Of these documents, shape (n_documents, n_features).

        Raises:
            InputError: There are no documents, one is blank, or the activations are not of these
                documents and features.
        """
        _check_fit(documents, labels, activations)
        reader = self._reader(documents)
        rows = learning_rows(len(documents))
        read = reader.read([documents[row] for row in rows])
        feature_of: dict[str, int] = {}
        for label in labels:
            if KeywordRule.parse(label.text) is None:
                feature_of.setdefault(label.text, label.feature)
        concepts = list(feature_of)
        degrees = _degrees(read, concepts, reader)
        fires = activations[rows][:, list(feature_of.values())].toarray() > 0
        thresholds: dict[str, float] = {}
        for column, concept in enumerate(concepts):
            values = read.without_source(degrees[:, column], _sentences(concept))[:, None]
            thresholds[concept] = float(find_cuts(values, fires[:, column]).threshold[0])
        return CalibratedSentenceAnnotator(reader, thresholds)

    def _reader(self, documents: Sequence[str]) -> SentenceReader:
        if isinstance(self._embedder, str):
            self._embedder = load_embedder(self._embedder)
        if not documents:
            raise InputError("there are no documents to learn from; give the discover documents")
        learned = [documents[row] for row in learning_rows(len(documents))]
        return SentenceReader.fit(learned, self._embedder, cache=self._cache)


@dataclass(frozen=True, slots=True, eq=False)
class CalibratedSentenceAnnotator:
    """Answers "does this document have the concept?" by how much it resembles the label."""

    reader: SentenceReader
    thresholds: Mapping[str, float]
    """Of each label's text: documents that resemble it more have the concept; NaN if none could be
    set."""

    def annotate(
        self,
        documents: Sequence[str],
        concepts: Sequence[str],
        *,
        only: NDArray[np.bool_] | None = None,
    ) -> Annotations:
        """Return a verdict for each document and concept.

        Verdicts on blank documents are missing, as are those on concepts without a threshold;
        keyword labels are read by their words.

        Args:
            documents: Texts, n_documents.
            concepts: Label texts, n_concepts.
            only: The pairs wanted, shape (n_documents, n_concepts); None for all.
        """
        by_words = KeywordAnnotator().annotate(documents, concepts)
        verdicts = by_words.verdicts.copy()
        filled = np.array([bool(text.strip()) for text in documents], np.bool_)
        known = [c for c, concept in enumerate(concepts) if self._has_threshold(concept)]
        for first in range(0, len(documents), _BATCH):
            rows = (first + np.flatnonzero(filled[first : first + _BATCH])).tolist()
            if len(rows) and known:
                verdicts[np.array(rows)[:, None], known] = self._judge(
                    [documents[row] for row in rows], [concepts[c] for c in known]
                )
        verdicts[~filled] = np.nan
        reasons = {
            (row, column): self._why_missing(concepts[column]) if filled[row] else _EMPTY
            for row, column in np.argwhere(np.isnan(verdicts)).tolist()
        }
        return restrict_annotations(Annotations(tuple(concepts), verdicts, reasons), only)

    def _has_threshold(self, concept: str) -> bool:
        return bool(np.isfinite(self.thresholds.get(concept, np.nan)))

    def _why_missing(self, concept: str) -> str:
        return _NO_CUT if concept in self.thresholds else _UNKNOWN

    def _judge(self, documents: list[str], concepts: list[str]) -> NDArray[np.bool_]:
        degrees = _degrees(self.reader.read(documents), concepts, self.reader)
        return degrees > np.array([self.thresholds[concept] for concept in concepts])


def _degrees(
    read: EmbeddedDocuments, concepts: Sequence[str], reader: SentenceReader
) -> NDArray[np.float32]:
    """Return how much each document resembles each concept, shape (n_documents, n_concepts)."""
    sentences = [_sentences(concept) for concept in concepts]
    distinct = list(dict.fromkeys(text for own in sentences for text in own))
    if not distinct:
        return np.empty((len(read.whole), 0), np.float32)
    resemblance = read.resemblance(reader.read_sentences(distinct))
    place = {text: i for i, text in enumerate(distinct)}
    means = [resemblance[:, [place[text] for text in own]].mean(axis=1) for own in sentences]
    return np.stack(means, axis=1)


def _sentences(concept: str) -> tuple[str, ...]:
    """Return what a concept is compared by: its exemplars, or its words as they are."""
    rule = ExemplarRule.parse(concept)
    return rule.sentences if rule else (concept,)


def _check_fit(documents: Sequence[str], labels: Sequence[Label], activations: csr_matrix) -> None:
    n_documents, n_features = activations.shape
    if n_documents != len(documents):
        raise InputError(
            f"activations of {n_documents} documents do not go with {len(documents)} documents; "
            "give those of the documents to calibrate on"
        )
    wrong = [label.feature for label in labels if not 0 <= label.feature < n_features]
    if wrong:
        raise InputError(
            f"a label is of feature {wrong[0]}, but there are activations of {n_features} "
            f"features; use features from 0 to {n_features - 1}"
        )
