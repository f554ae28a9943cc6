"""An annotator that knows the truth, with error rates one can set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interp_embed._fingerprint import digest_text
from interp_embed.errors import InputError
from interp_embed.records import Annotations
from interp_embed.synthetic._checks import (
    check_count,
    check_names,
    check_range,
    name_closest,
    stream,
)
from interp_embed.synthetic.corpus import PlantedCorpus

Rate = float | Mapping[str, float]
"""One rate for all concepts, or rates by concept name (1 for sensitivity and specificity, 0 for
missing, where a concept is left out)."""

MISSING_REASON = "the oracle gave no answer"


class OracleAnnotator:
    """Answers whether a planted document has a concept, rightly or with the errors asked for.

    Whether an answer errs or is missing depends on the document, the concept and the seed alone,
    so asking again, in another order or in other batches gives the same answers.
    """

    def __init__(
        self,
        source: PlantedCorpus | NDArray[Any],
        concepts: Sequence[str] | None = None,
        descriptions: Sequence[str] | None = None,
        *,
        sensitivity: Rate = 1.0,
        specificity: Rate = 1.0,
        missing: Rate = 0.0,
        seed: int = 0,
    ) -> None:
        """Keep the truth and the error rates.

        Args:
            source: A planted corpus; or its truth, True where a document has a concept, shape
                (n_documents, n_concepts).
            concepts: Names of the columns, with a truth; a corpus brings its own.
            descriptions: The same concepts in words; questions may use either.
            sensitivity: Chance of "yes" where the concept is present, in [0, 1].
            specificity: Chance of "no" where it is absent, in [0, 1].
            missing: Chance that there is no answer, in [0, 1].
            seed: Seed of the errors, >= 0.

        Raises:
            InputError: Shapes do not fit, a name is given twice, or a rate is out of range.
        """
        check_count(seed, least=0, what="seed")
        planted = _unpack(source, concepts, descriptions)
        names = planted.concepts
        self._truth = _check_truth(planted.truth, names)
        self._columns = _name_columns(names, planted.descriptions)
        self._names = names
        self._sensitivity = _spread_rate(sensitivity, names, 1.0, what="sensitivity")
        self._specificity = _spread_rate(specificity, names, 1.0, what="specificity")
        self._missing = _spread_rate(missing, names, 0.0, what="missing")
        self._seed = seed

    def annotate(
        self, documents: Sequence[int] | NDArray[np.integer], concepts: Sequence[str]
    ) -> Annotations:
        """Return verdicts on documents x concepts.

        Args:
            documents: Rows of the planted corpus.
            concepts: Names or descriptions of planted concepts.

        Returns:
            Verdicts of shape (len(documents), len(concepts)), with the concepts as asked; a
            missing answer is NaN and has a reason.

        Raises:
            InputError: A row is out of range, or a concept was not planted.
        """
        rows = self._check_rows(documents)
        verdicts = np.empty((len(rows), len(concepts)), dtype=np.float32)
        for place, concept in enumerate(concepts):
            verdicts[:, place] = self._answer(rows, self._find_column(concept))
        absent = zip(*(axis.tolist() for axis in np.nonzero(np.isnan(verdicts))), strict=True)
        reasons = dict.fromkeys(absent, MISSING_REASON)
        return Annotations(concepts=tuple(concepts), verdicts=verdicts, reasons=reasons)

    def _answer(self, rows: NDArray[np.int64], column: int) -> NDArray[np.float64]:
        purpose = f"oracle {digest_text(self._names[column])}"
        chance = stream(self._seed, purpose).random((len(self._truth), 2))[rows]
        present = self._truth[rows, column]
        right = np.where(present, self._sensitivity[column], self._specificity[column])
        verdict = np.where(chance[:, 0] < right, present, ~present).astype(np.float64)
        return np.where(chance[:, 1] < self._missing[column], np.nan, verdict)

    def _check_rows(self, documents: Sequence[int] | NDArray[np.integer]) -> NDArray[np.int64]:
        rows = np.asarray(documents)
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
            raise InputError(
                f"documents must be a list of row numbers, got an array of {rows.dtype} "
                f"with shape {rows.shape}"
            )
        wrong = rows[(rows < 0) | (rows >= len(self._truth))]
        if wrong.size:
            raise InputError(
                f"document {wrong[0]} is out of range: the oracle knows {len(self._truth)} "
                f"documents; use rows from 0 to {len(self._truth) - 1}"
            )
        return rows.astype(np.int64)

    def _find_column(self, concept: str) -> int:
        if concept not in self._columns:
            hint = name_closest(concept, tuple(self._columns))
            raise InputError(f"the oracle knows nothing about {concept!r}; {hint}")
        return self._columns[concept]


@dataclass(frozen=True, slots=True)
class _Planted:
    """What an oracle knows."""

    truth: NDArray[Any]
    concepts: tuple[str, ...]
    descriptions: tuple[str, ...]


def _unpack(
    source: PlantedCorpus | NDArray[Any],
    concepts: Sequence[str] | None,
    descriptions: Sequence[str] | None,
) -> _Planted:
    if isinstance(source, PlantedCorpus):
        if concepts is not None or descriptions is not None:
            raise InputError("a planted corpus brings its own concepts; leave them out")
        return _Planted(source.truth, source.concepts, source.descriptions)
    if concepts is None:
        raise InputError("concepts is missing: name the columns of the truth")
    words = tuple(descriptions) if descriptions is not None else tuple(concepts)
    return _Planted(source, tuple(concepts), words)


def _check_truth(truth: NDArray[Any], concepts: Sequence[str]) -> NDArray[np.bool_]:
    array = np.array(truth)
    if array.ndim != 2 or array.shape[1] != len(concepts):
        raise InputError(
            f"truth must have shape (n_documents, {len(concepts)}) for these "
            f"{len(concepts)} concepts, got {array.shape}"
        )
    if not np.isin(array, (0, 1)).all():
        raise InputError("truth must hold only True and False (or 1 and 0)")
    return array.astype(np.bool_)


def _name_columns(concepts: Sequence[str], descriptions: Sequence[str]) -> dict[str, int]:
    """Return the column of each name and description."""
    if len(descriptions) != len(concepts):
        raise InputError(f"{len(concepts)} concepts have {len(descriptions)} descriptions")
    columns: dict[str, int] = {}
    for words in (concepts, descriptions):
        for column, word in enumerate(words):
            if columns.setdefault(word, column) != column:
                raise InputError(f"{word!r} names two concepts; every name must be its own")
    return columns


def _spread_rate(
    rate: Rate, concepts: Sequence[str], default: float, *, what: str
) -> NDArray[np.float64]:
    """Return a rate for each concept, shape (n_concepts,)."""
    if isinstance(rate, Mapping):
        check_names(rate, concepts, where=what)
        values = [rate.get(name, default) for name in concepts]
    else:
        values = [rate] * len(concepts)
    for value in values:
        check_range(value, 0, 1, what=what)
    return np.array(values, dtype=np.float64)
