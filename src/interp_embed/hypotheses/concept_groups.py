"""Concepts that occur together, tested together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from interp_embed.records import ConceptGroup
from interp_embed.stats import ModelFit, adjust_benjamini_hochberg, wald_test

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
    groups: Sequence[tuple[int, ...]],
    names: Sequence[str],
    fits: Sequence[ModelFit],
    *,
    level: float,
) -> tuple[ConceptGroup, ...]:
    """Return each group with the Wald test that all its coefficients are 0.

    With a model for each of several classes: the smallest p of the models, times their number.

    Args:
        groups: Places of concepts.
        names: Of these concepts, in words.
        fits: The joint models; the concepts are the last of their columns.
        level: Significance level.
    """
    p = np.array([_p_of_group(members, fits, len(names)) for members in groups])
    q = adjust_benjamini_hochberg(p)
    return tuple(
        ConceptGroup(
            members=tuple(names[place] for place in members),
            p=float(p[number]),
            q=float(q[number]),
            significant=bool(q[number] <= level),
        )
        for number, members in enumerate(groups)
    )


def _p_of_group(members: tuple[int, ...], fits: Sequence[ModelFit], n_concepts: int) -> float:
    found = [
        wald_test(fit, [len(fit.vif) - n_concepts + place for place in members]).p for fit in fits
    ]
    known = [p for p in found if np.isfinite(p)]
    return min(1.0, len(known) * min(known)) if known else float("nan")
