"""How well the words alone predict the target, out of sample, between a floor and a ceiling."""

import logging
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.hypotheses.corpus import Corpus
from interp_embed.hypotheses.units import other_text
from interp_embed.records import NO_FEATURE, Scores, TargetKind
from interp_embed.stats import crossfit_score, merge_groups

_LOG = logging.getLogger(__name__)
_MIN_OF_CLASS = 10
"""Documents of a class, and of all others, below which it is not scored."""


def score_predictions(
    confirm: Corpus,
    activations: csr_matrix,
    features: Sequence[int],
    verdicts: NDArray[np.floating],
    *,
    kind: TargetKind,
    seed: int = 0,
) -> Scores:
    """Return how well hypotheses, their features, the embedding and mere length predict.

    All four by the same cross-fitted ridge on the same confirm documents and folds; a missing
    verdict counts as the concept's mean. Covariates, where there are any, join length in the
    floor. Of several classes, the mean AUC of each class with at least 10 documents against all
    others. Of preferences, from each text less the other of its pair, both on one side of a fold.

    Args:
        confirm: The confirm documents.
        activations: Of these documents, shape (n_documents, n_features).
        features: Of the hypotheses; ``NO_FEATURE`` is left out, and if there is no other, the
            score of the features is NaN.
        verdicts: 1, 0 or NaN, shape (n_documents, n_hypotheses).
        kind: Of the target.
        seed: Of the folds.

    Returns:
        NaN, and a warning in the log, where the target has one value or there are too few
        documents or groups for the folds.
    """
    metric: Literal["r2", "auc"] = "r2" if kind in ("numeric", "count", "ordinal") else "auc"
    groups, known = confirm.groups, np.asarray(verdicts, np.float64)
    filled = np.where(np.isfinite(known), known, _column_means(known))
    floor = np.log1p([[float(len(document))] for document in confirm.documents])
    if confirm.covariates is not None:
        floor = np.column_stack([floor, confirm.covariates])
    if kind == "preference" and confirm.pairs is not None:
        other = other_text(confirm.pairs)
        filled, floor = filled - filled[other], floor - floor[other]
        groups = merge_groups(groups, confirm.pairs)
    outcomes = _outcomes(confirm.target)
    used = [feature for feature in features if feature != NO_FEATURE]

    def score(design: NDArray[np.floating]) -> float:
        if not outcomes:
            return float("nan")
        return float(
            np.mean(
                [
                    crossfit_score(design, outcome, metric=metric, groups=groups, seed=seed)
                    for outcome in outcomes
                ]
            )
        )

    try:
        return Scores(
            metric=metric,
            ceiling=score(np.asarray(confirm.embeddings, np.float64)),
            features=score(activations[:, used].toarray()) if used else float("nan"),
            hypotheses=score(filled),
            floor=score(floor),
            n=len(confirm),
        )
    except InputError as error:  # one value, or too few documents or groups: told by the message
        _LOG.warning("predictions could not be scored: %s", error)
        nan = float("nan")
        return Scores(metric, nan, nan, nan, nan, len(confirm))


def _outcomes(target: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the target, or the classes that are frequent enough to be scored."""
    if target.ndim == 1:
        return [target]
    counts = target.sum(axis=0)
    frequent = np.minimum(counts, len(target) - counts) >= _MIN_OF_CLASS
    return [target[:, number] for number in np.flatnonzero(frequent)]


def _column_means(verdicts: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(verdicts)
    counts = np.maximum(known.sum(axis=0), 1)
    return np.asarray(np.where(known, verdicts, 0.0).sum(axis=0) / counts)
