"""What an annotator is asked for, each text and each concept once, and the table it becomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interp_embed.errors import InputError
from interp_embed.interpret.agreement import Pair
from interp_embed.interpret.annotator import wanted_pairs
from interp_embed.interpret.shown_text import as_texts, one_line, well_formed
from interp_embed.records import Annotations

_MAX_CONCEPT_WORDS = 2_000
_EMPTY = "the document is empty"
_NOT_ASKED = "it was not asked: the run was stopped before"


@dataclass(frozen=True, slots=True)
class AnnotationTask:
    """Documents and concepts as given, and the distinct texts and concepts among them."""

    names: tuple[str, ...]
    """The concepts as given."""
    asked: NDArray[np.bool_]
    """What the caller wants, shape (n_documents, n_concepts as given)."""
    texts: tuple[str, ...]
    """Distinct, none empty."""
    text_of: NDArray[np.int64]
    """Position in ``texts`` of each document; -1 for an empty one."""
    concepts: tuple[str, ...]
    """Distinct, on one line each."""
    concept_of: NDArray[np.int64]
    """Position in ``concepts`` of each concept as given."""
    wanted: NDArray[np.bool_]
    """What the caller wants, shape (n_texts, n_concepts)."""

    def matrix(self, known: Mapping[Pair, bool]) -> NDArray[np.float32]:
        """Return verdicts of shape (n_texts, n_concepts), NaN where they are not known."""
        verdicts = np.full(self.wanted.shape, np.nan, np.float32)
        for pair, verdict in known.items():
            verdicts[pair] = verdict
        return verdicts

    def assemble(self, known: Mapping[Pair, bool], reasons: Mapping[Pair, str]) -> Annotations:
        """Return the verdicts for the documents and concepts as given, missing ones with a reason.

        Args:
            known: Verdicts by positions of text and concept.
            reasons: Why others are missing.
        """
        verdicts = np.full(self.asked.shape, np.nan, np.float32)
        filled = np.flatnonzero(self.text_of >= 0)
        verdicts[filled] = self.matrix(known)[self.text_of[filled]][:, self.concept_of]
        verdicts[~self.asked] = np.nan
        missing: dict[Pair, str] = {}
        for row, column in np.argwhere(np.isnan(verdicts) & self.asked).tolist():
            pair = (int(self.text_of[row]), int(self.concept_of[column]))
            missing[row, column] = _EMPTY if pair[0] < 0 else reasons.get(pair, _NOT_ASKED)
        return Annotations(self.names, verdicts, missing)


def make_task(
    documents: Sequence[str | None], concepts: Sequence[str], only: NDArray[np.bool_] | None
) -> AnnotationTask:
    """Return what is to be asked.

    Raises:
        InputError: A concept is empty or too long, or ``only`` does not fit.
    """
    texts = as_texts(documents)
    lines = _check_concepts(concepts)
    asked = wanted_pairs(only, len(texts), len(lines))
    row_of: dict[str, int] = {}
    text_of = [row_of.setdefault(text, len(row_of)) if text.strip() else -1 for text in texts]
    column_of: dict[str, int] = {}
    concept_of = [column_of.setdefault(line, len(column_of)) for line in lines]
    task = AnnotationTask(
        names=tuple(concepts),
        asked=asked,
        texts=tuple(row_of),
        text_of=np.array(text_of, np.int64),
        concepts=tuple(column_of),
        concept_of=np.array(concept_of, np.int64),
        wanted=np.zeros((len(row_of), len(column_of)), np.bool_),
    )
    rows, columns = np.nonzero(asked & (task.text_of >= 0)[:, None])
    task.wanted[task.text_of[rows], task.concept_of[columns]] = True
    return task


def _check_concepts(concepts: Sequence[str]) -> list[str]:
    """Return the concepts on one line each."""
    if isinstance(concepts, str):
        raise InputError("concepts must be a sequence of texts, but got one string; give [text]")
    checked: list[str] = []
    entries: Sequence[object] = concepts
    for position, concept in enumerate(entries):
        if not isinstance(concept, str) or not concept.strip():
            raise InputError(
                f"concept {position} is {concept!r}; give each concept in words, such as "
                "'mentions the sea'"
            )
        n_words = len(concept.split())
        if n_words > _MAX_CONCEPT_WORDS:
            raise InputError(
                f"concept {position} has {n_words:,} words, but a definition may have at most "
                f"{_MAX_CONCEPT_WORDS:,}; shorten it"
            )
        checked.append(one_line(well_formed(concept)))
    return checked
