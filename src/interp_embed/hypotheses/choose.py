"""The choice among labels: of those that say what their feature does, the most predictive."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.hypotheses.corpus import Corpus
from interp_embed.hypotheses.same_concept import DistinctConcepts, distinct_concepts, unit
from interp_embed.hypotheses.screening import less_other, screening_columns
from interp_embed.hypotheses.select import select_features
from interp_embed.interpret import Annotator
from interp_embed.records import NO_FEATURE, Attempt, Label, TargetKind

DISCOVER_SAMPLE = 300
"""Documents that an annotator who is paid for each reads, to choose among labels."""
_MIN_AGREEMENT = 0.15
"""Correlation of a label's verdicts with its feature below which the label says too little about
the feature to stand for it."""
_MIN_PRESENT = 5
"""Documents on either side of a concept below which it is not pursued."""


class NothingToTestError(InputError):
    """No concept was found that can be tested, though the question could be asked."""


@dataclass(frozen=True, slots=True, eq=False)
class ChoosingRows:
    """What the choice among labels reads."""

    corpus: Corpus
    activations: csr_matrix
    side: Literal["discover", "tune"]
    sampled: bool
    """Whether only a sample is read, because reading is paid for."""
    kind: TargetKind
    control_length: bool


@dataclass(frozen=True, slots=True, eq=False)
class LabelChoice:
    """Which labels become hypotheses, and what was tried to find them."""

    kept: list[int]
    """Labels, by position, the most predictive first."""
    distinct: DistinctConcepts
    n_missing: int
    why_missing: str
    attempts: tuple[Attempt, ...]
    read: NDArray[np.int64]
    """Documents that were read, by position, shape (n_read,)."""
    verdicts: NDArray[np.float64]
    """On these, of each label, missing ones filled with the label's mean, >= 0; of a pair what one
    text has and the other has not. Shape (n_read, n_labels)."""


def choose_labels(
    labels: list[Label], reader: Annotator, choosing: ChoosingRows, *, n: int, seed: int
) -> LabelChoice:
    """Return the labels whose verdicts together predict the target best.

    Args:
        labels: All that were found, best feature first.
        reader: Reads them.
        choosing: The documents they are compared on.
        n: Labels wanted.
        seed: Of the sample, where only one is read.

    Raises:
        NothingToTestError: No verdict was given, or no label occurs often enough.
    """
    corpus = choosing.corpus
    read = choosing_rows(len(corpus), sampled=choosing.sampled, seed=seed, pairs=corpus.pairs)
    used = corpus.take(read)
    texts = [label.text for label in labels]
    annotations = reader.annotate(used.documents, texts)
    n_missing = int(np.isnan(annotations.verdicts).sum())
    why_missing = next(iter(annotations.reasons.values()), "")
    if n_missing == annotations.verdicts.size:
        raise NothingToTestError(
            f"the annotator gave no verdict on any of {len(read)} {choosing.side} documents, so "
            f"that no label can be chosen: {why_missing}"
        )
    verdicts = np.maximum(less_other(_fill(annotations.verdicts), used.pairs), 0)
    faithful = _faithful(labels, verdicts, choosing.activations[read], n)
    frequent = [i for i in faithful if _often_enough(verdicts[:, i])]
    distinct = distinct_concepts(texts, verdicts, frequent)
    columns = screening_columns(used, kind=choosing.kind, control_length=choosing.control_length)
    kept = _most_predictive(verdicts, list(distinct.columns), columns, n)
    side = choosing.side
    return LabelChoice(
        kept=kept,
        distinct=distinct,
        n_missing=n_missing,
        why_missing=why_missing,
        attempts=(
            Attempt("keep labels that agree with their feature", side, len(labels), len(faithful)),
            Attempt("keep labels that occur often enough", side, len(faithful), len(frequent)),
            Attempt("merge labels that say the same", side, len(frequent), len(distinct.columns)),
            Attempt("choose labels that predict best", side, len(distinct.columns), len(kept)),
        ),
        read=read,
        verdicts=verdicts,
    )


def choosing_rows(
    n_documents: int, *, sampled: bool, seed: int, pairs: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Return the documents on which labels are compared: all, or a sample; pairs stay whole."""
    if not sampled or n_documents <= DISCOVER_SAMPLE:
        return np.arange(n_documents)
    rng = np.random.default_rng(seed)
    if pairs is not None:
        chosen = rng.choice(np.unique(pairs), DISCOVER_SAMPLE // 2, replace=False)
        return np.flatnonzero(np.isin(pairs, chosen))
    return np.sort(rng.choice(n_documents, DISCOVER_SAMPLE, replace=False))


def _fill(verdicts: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return verdicts with the concept's mean where one is missing: it then tells nothing."""
    known = np.isfinite(verdicts)
    means = np.where(known, verdicts, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.asarray(np.where(known, verdicts, means), np.float64)


def _faithful(
    labels: list[Label], verdicts: NDArray[np.float64], activations: csr_matrix, n: int
) -> list[int]:
    """Return the columns whose label agrees well enough with its feature, at least 2 n of them.

    Labels of no feature have nothing to agree with: all are returned.
    """
    if all(label.feature == NO_FEATURE for label in labels):
        return list(range(len(labels)))
    features = [label.feature for label in labels]
    fires = activations[:, features].toarray() > 0  # (n_documents, n_labels)
    agreement = np.array(
        [float(unit(verdicts[:, i]) @ unit(fires[:, i])) for i in range(len(labels))]
    )
    best = np.sort(agreement)[::-1][: 2 * n]
    enough = min(_MIN_AGREEMENT, float(best[-1]))
    return np.flatnonzero(agreement >= enough).tolist()


def _often_enough(verdicts: NDArray[np.float64]) -> bool:
    present = float(verdicts.sum())
    return _MIN_PRESENT <= present <= len(verdicts) - _MIN_PRESENT


def _most_predictive(
    verdicts: NDArray[np.float64], columns: list[int], targets: NDArray[np.float64], n: int
) -> list[int]:
    if not columns:
        raise NothingToTestError(
            f"every label found occurs in fewer than {_MIN_PRESENT} documents or is "
            "absent from fewer; give more documents"
        )
    answers = csr_matrix(verdicts[:, columns])
    chosen = select_features(answers, targets, n=min(n, len(columns)), method="lasso")
    return [columns[i] for i in chosen.features]
