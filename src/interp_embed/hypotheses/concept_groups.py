"""Concepts that occur together, tested together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from interp_embed.hypotheses.answers import Answers
from interp_embed.records import ConceptGroup
from interp_embed.stats import adjust_benjamini_hochberg, wald_test

_TOGETHER = 0.5
"""Correlation of verdicts, of either sign, above which two concepts are tested together."""


def concepts_together(verdicts: NDArray[np.float64]) -> tuple[tuple[int, ...], ...]:
    """Return groups of two or more columns, each linked to another by a correlation above 0.5.

    Columns a, b, c with correlations ab 0.6, bc -0.7, ac 0.1 -> ((0, 1, 2),)

    Args:
        verdicts: Without gaps, shape (n, n_concepts).
    """
    if not verdicts.size:
        return ()
    centred = verdicts - verdicts.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    scaled = centred / np.where(norms > 0.0, norms, np.inf)
    linked = csr_matrix(np.abs(scaled.T @ scaled) > _TOGETHER)
    _, labels = connected_components(linked, directed=False)
    groups = (np.flatnonzero(labels == label).tolist() for label in np.unique(labels))
    return tuple(tuple(members) for members in groups if len(members) > 1)


def judge_groups(
    verdicts: NDArray[np.float64], answers: Answers, names: Sequence[str], *, level: float
) -> tuple[ConceptGroup, ...]:
    """Return groups of concepts, each with the Wald test that all its coefficients are 0.

    With a model for each of several classes: the smallest p of the models, times their number.
    Where few documents have a concept of the group, so that robust errors cannot be trusted: the
    smallest p of its concepts, times their number.

    Args:
        verdicts: Of all concepts, shape (n_units, n_concepts).
        answers: What the models say of each.
        names: Of all concepts, in words.
        level: Significance level.
    """
    columns = answers.testable
    groups = concepts_together(verdicts[answers.rows][:, list(columns)])
    p = np.array([_p_together(places, answers) for places in groups])
    q = adjust_benjamini_hochberg(p)
    return tuple(
        ConceptGroup(
            members=tuple(names[columns[place]] for place in places),
            p=float(p[number]),
            q=float(q[number]),
            significant=bool(q[number] <= level),
        )
        for number, places in enumerate(groups)
    )


def _p_together(places: tuple[int, ...], answers: Answers) -> float:
    concepts = [answers.concepts[answers.testable[place]] for place in places]
    if any(one.permuted for one in concepts):
        return _smallest([one.p for one in concepts])
    n_concepts = len(answers.testable)  # the last columns of each model
    return _smallest(
        [
            wald_test(fit, [len(fit.vif) - n_concepts + place for place in places]).p
            for fit in answers.fits
        ]
    )


def _smallest(p: list[float]) -> float:
    known = [value for value in p if np.isfinite(value)]
    return min(1.0, len(known) * min(known)) if known else float("nan")
