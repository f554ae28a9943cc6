"""Choose features that together predict a target, each adding to those before it."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.hypotheses.select import (
    METHODS,
    ScoreFunction,
    Selection,
    SelectionMethod,
    select_features,
)
from interp_embed.stats import column_density

ChoiceMethod = SelectionMethod | Literal["forward"]
CHOICE_METHODS: tuple[ChoiceMethod, ...] = (*METHODS, "forward")

_MIN_FIRING = 5
"""Documents on either side of a feature below which it is not chosen."""
_LEAST_NEW = 0.1
"""Share of a feature's variance that those chosen before must leave: else it adds only noise."""


def choose_features(
    activations: csr_matrix,
    targets: ArrayLike,
    *,
    n: int,
    method: ChoiceMethod | ScoreFunction = "lasso",
) -> Selection:
    """Return up to n features that tell about one target or several, best first.

    Args:
        activations: Of the discover documents, shape (n_documents, n_features), values >= 0.
        targets: Shape (n_documents,) or (n_documents, n_targets), finite, none constant.
        n: Features wanted. Fewer are returned where fewer fire on some documents and not on all
            (forward selection: on 5 at least, and tell anything new).
        method: One of ``select_features``; with several targets they take turns. Or ``forward``:
            each feature is the one that leaves the least of the targets unexplained beside those
            before it (orthogonal matching pursuit), scored by its correlation with the first
            target; it repeats itself less, and predicts slightly less well.

    Raises:
        InputError: No feature can be chosen, or targets or method cannot be used.

    Source: Chen, Billings and Luo 1989, Int. J. Control 50, 1873-1896 (orthogonal least squares).
    """
    columns = check_targets(targets, activations.shape[0])
    density = column_density(activations)
    live = (density > 0) & (density < 1)
    if n < 1 or not live.any():
        raise InputError(
            f"{n} features were asked for, and {int(live.sum())} of {len(live)} fire on some of "
            f"the {len(columns)} documents and not on all; at least 1 of each is needed"
        )
    wanted = min(n, int(live.sum()))
    if method == "forward":
        return _forward(activations, columns, density, wanted)
    ranked = [select_features(activations, column, n=wanted, method=method) for column in columns.T]
    return ranked[0] if len(ranked) == 1 else _take_turns(ranked, wanted)


def check_targets(targets: ArrayLike, n_documents: int) -> NDArray[np.float64]:
    """Return targets as a matrix, shape (n_documents, n_targets).

    Raises:
        InputError: They are no finite numbers, one row a document, or one of them is constant.
    """
    try:
        columns = np.asarray(targets, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"targets must be numbers, one row a document ({error})") from error
    columns = columns[:, None] if columns.ndim == 1 else columns
    if columns.ndim != 2 or len(columns) != n_documents or columns.shape[1] == 0:
        raise InputError(
            f"targets must have one row for each of {n_documents} documents, "
            f"but their shape is {np.shape(targets)}"
        )
    if not np.isfinite(columns).all():
        raise InputError("some targets are not finite (NaN or infinity); leave these documents out")
    constant = np.flatnonzero(np.ptp(columns, axis=0) == 0)
    if len(constant):
        raise InputError(
            f"target {constant[0]} is {columns[0, constant[0]]:g} on every document; "
            "nothing can predict it"
        )
    return columns


def _forward(
    activations: csr_matrix,
    targets: NDArray[np.float64],
    density: NDArray[np.float64],
    n: int,
) -> Selection:
    """Sweep the Gram matrix of the centred columns, one feature at a time."""
    n_documents = activations.shape[0]
    matrix = activations.astype(np.float64)
    means = np.asarray(matrix.mean(axis=0)).ravel()
    gram = (matrix.T @ matrix).toarray() - n_documents * np.outer(means, means)
    variance = np.maximum(gram.diagonal(), 0.0).copy()
    centred = (targets - targets.mean(axis=0)) / targets.std(axis=0)
    along = matrix.T @ centred  # (n_features, n_targets); the centred targets sum to 0
    spread = np.sqrt(np.where(variance > 0, variance, np.inf))
    correlation = along[:, 0] / (spread * np.sqrt(n_documents))
    least = min(_MIN_FIRING, (n_documents - 1) // 2) / n_documents
    free = (density >= least) & (density <= 1 - least) & (variance > 0)
    chosen: list[int] = []
    while len(chosen) < n:
        rest = gram.diagonal()
        usable = free & (rest > _LEAST_NEW * variance)
        if not usable.any():
            break
        gains = np.square(along).sum(axis=1) / np.where(usable, rest, np.inf)
        best = int(np.where(usable, gains, -1.0).argmax())
        free[best] = False
        chosen.append(best)
        beside = gram[:, best] / gram[best, best]
        along = along - np.outer(beside, along[best])
        gram = gram - np.outer(beside, gram[best])
    if not chosen:
        raise InputError(
            f"none of {len(density)} features fires on at least {_MIN_FIRING} of {n_documents} "
            "documents and is silent on as many; give more documents, or train another SAE"
        )
    features = np.array(chosen, np.int64)
    n_live = int(((density > 0) & (density < 1)).sum())
    return Selection(features, correlation[features], "forward", n_live)


def _take_turns(ranked: list[Selection], n: int) -> Selection:
    """Return each target's best, then each target's second, … without repeats."""
    order = np.column_stack([selection.features for selection in ranked]).ravel()
    scores = np.column_stack([selection.scores for selection in ranked]).ravel()
    _, first = np.unique(order, return_index=True)
    kept = np.sort(first)[:n]
    return Selection(order[kept], scores[kept], ranked[0].method, ranked[0].n_live)
