"""Choose the features most associated with the target, on discover documents."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csc_matrix, csr_matrix
from sklearn.linear_model import Lasso

from interp_embed.errors import InputError
from interp_embed.stats import column_correlation, column_density, column_separation

ScoreFunction = Callable[[csr_matrix, NDArray[np.float64]], ArrayLike]
"""A user's own: activations and target in, one score a feature out; far from 0 is better."""
SelectionMethod = Literal["lasso", "correlation", "separation"]
METHODS: tuple[SelectionMethod, ...] = ("lasso", "correlation", "separation")

_N_TOP = 100
"""Documents that stand for "the feature fires" in the separation score, as in HypotheSAEs."""
_ALPHA_STEP = 0.85
_N_BISECTIONS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Features in the order of how much they tell about the target."""

    features: NDArray[np.int64]
    """Indices, best first."""
    scores: NDArray[np.float64]
    """What they were ranked by, signed: correlation, separation, or standardised coefficient."""
    method: str
    n_live: int
    """Features that could have been chosen: they fire on some documents and not on all."""


def select_features(
    activations: csr_matrix,
    target: ArrayLike,
    *,
    n: int,
    method: SelectionMethod | ScoreFunction = "lasso",
) -> Selection:
    """Return the n features most associated with the target.

    Args:
        activations: Of the discover documents, shape (n_documents, n_features), values >= 0. They
            stay sparse throughout.
        target: Shape (n_documents,), finite, not constant; or several columns of such, shape
            (n_documents, n_columns): a feature counts by the one it goes with most. Lasso then
            ranks by how early a feature enters any column's model as the penalty falls.
        n: Features wanted; exactly so many are returned.
        method: ``correlation`` (Pearson), ``separation`` (mean target over the 100 documents on
            which the feature is strongest, all of them with activation > 0, minus the mean where
            it is silent), ``lasso`` (features of an L1-regularised linear model on standardised
            activations with exactly n coefficients), or a function of (activations, target).

    Raises:
        InputError: Fewer than n features are live; the target is constant, not finite or of
            another length; or a function's scores cannot be used.

    Source: Movva et al. 2025, arXiv 2502.04382, section 3. There zeros enter the separation
    score's top documents, lasso runs on a dense copy, and the count may miss n.
    """
    density = column_density(activations)
    values = _checked_target(target, activations.shape[0])
    live = np.flatnonzero((density > 0) & (density < 1))
    if not 1 <= n <= len(live):
        raise InputError(
            f"{n} features were asked for, but {len(live)} of {activations.shape[1]} can be "
            f"selected (they fire on some of the {len(values)} documents and not on all); "
            f"ask for 1 to {len(live)}, or train a larger SAE"
        )
    scores = np.zeros(activations.shape[1])
    if method == "lasso":
        ranked = _lasso_coefficients if values.shape[1] == 1 else _entry_penalties
        columns = [ranked(activations[:, live], column, n) for column in values.T]
        scores[live] = _largest(columns)
    else:
        scores = _largest([_scores(activations, column, method) for column in values.T])
    # Rank among the live only; a stable sort keeps the lower feature first where scores tie.
    order = live[np.argsort(-np.abs(scores[live]), kind="stable")][:n]
    name = method if isinstance(method, str) else getattr(method, "__name__", "custom")
    return Selection(order, scores[order], name, len(live))


def _checked_target(target: ArrayLike, n_documents: int) -> NDArray[np.float64]:
    try:
        values = np.asarray(target, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"the target must be numbers, one a document ({error})") from error
    if values.ndim not in (1, 2) or len(values) != n_documents or 0 in values.shape:
        raise InputError(
            f"the target must have one value (or one row of values) for each of {n_documents} "
            f"documents, but its shape is {values.shape}"
        )
    if not np.isfinite(values).all():
        raise InputError(
            f"{int((~np.isfinite(values)).sum())} of {n_documents} values of the target are not "
            "finite (NaN or infinity); leave these documents out"
        )
    values = values.reshape(n_documents, -1)
    for column in values.T:
        if np.ptp(column) == 0:
            raise InputError(
                f"the target is {column[0]:g} on every document; nothing can predict it"
            )
    return values


def _largest(columns: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return, for each feature, the score that is farthest from 0."""
    scores = np.vstack(columns)  # (n_columns, n_features)
    best = np.argmax(np.abs(scores), axis=0)
    return np.asarray(scores[best, np.arange(scores.shape[1])])


def _scores(
    activations: csr_matrix, target: NDArray[np.float64], method: str | ScoreFunction
) -> NDArray[np.float64]:
    if method == "correlation":
        return np.nan_to_num(column_correlation(activations, target))
    if method == "separation":
        return np.nan_to_num(column_separation(activations, target, n_top=_N_TOP))
    if isinstance(method, str):
        raise InputError(
            f"selection method {method!r} is unknown; use one of {', '.join(METHODS)}, "
            "or give a function of (activations, target)"
        )
    scores = np.asarray(method(activations, target), np.float64)
    if scores.shape != (activations.shape[1],) or not np.isfinite(scores).all():
        raise InputError(
            f"the selection function must return {activations.shape[1]} finite scores, one a "
            f"feature, but returned shape {scores.shape} with "
            f"{int((~np.isfinite(scores)).sum())} not finite"
        )
    return scores


def _lasso_coefficients(
    activations: csr_matrix, target: NDArray[np.float64], n: int
) -> NDArray[np.float64]:
    """Return standardised coefficients with at least n of them non-zero, as few more as can be.

    The penalty falls from where the model is empty, each fit starting from the one before, until
    n features are in; then the step is halved. Scaling the columns keeps them sparse, and the
    solver centres them implicitly.
    """
    columns, spread = _scaled(activations)
    centred = (target - target.mean()) / target.std()
    alpha = float(np.abs(columns.T @ centred).max()) / len(target)
    model = _SparseLasso(columns, centred)
    empty, coefficients = alpha, model.fit(alpha)
    while np.count_nonzero(coefficients) < n and alpha > 1e-6 * empty:
        alpha *= _ALPHA_STEP
        coefficients = model.fit(alpha)
    low, high = alpha, alpha / _ALPHA_STEP
    for _ in range(_N_BISECTIONS):
        if np.count_nonzero(coefficients) == n:
            break
        middle = (low + high) / 2
        tried = model.fit(middle)
        if np.count_nonzero(tried) >= n:
            low, coefficients = middle, tried
        else:
            high = middle
    # A feature the penalty never let in ranks behind those it did, by its correlation.
    missing = np.count_nonzero(coefficients) < n
    if missing:
        tiny = 1e-9 * np.nan_to_num(column_correlation(activations, target))
        coefficients = np.where(coefficients == 0, tiny, coefficients)
    return np.asarray(np.where(spread > 0, coefficients, 0.0))


def _entry_penalties(
    activations: csr_matrix, target: NDArray[np.float64], n: int
) -> NDArray[np.float64]:
    """Return the penalty at which each feature enters the model, with its sign; 0 if it does not.

    The penalty falls until n features are in. Between two steps the entry is taken to be where a
    column that is uncorrelated with the others would have entered.
    """
    columns, spread = _scaled(activations)
    centred = (target - target.mean()) / target.std()
    alpha = float(np.abs(columns.T @ centred).max()) / len(target)
    model = _SparseLasso(columns, centred)
    before, empty = alpha, alpha
    entries = np.zeros(columns.shape[1])
    while np.count_nonzero(entries) < n and alpha > 1e-3 * empty:
        before, alpha = alpha, alpha * _ALPHA_STEP
        coefficients = model.fit(alpha)
        entry = np.sign(coefficients) * np.minimum(alpha + np.abs(coefficients), before)
        entries = np.where(entries == 0, entry, entries)
    # Those the penalty never let in rank behind the others, by their correlation.
    tiny = 1e-9 * np.nan_to_num(column_correlation(activations, target))
    return np.asarray(np.where(spread > 0, np.where(entries == 0, tiny, entries), 0.0))


def _scaled(activations: csr_matrix) -> tuple[csc_matrix, NDArray[np.float64]]:
    columns = csc_matrix(activations, dtype=np.float64, copy=True)
    n = columns.shape[0]
    mean = np.asarray(columns.mean(axis=0)).ravel()
    square = np.asarray(columns.multiply(columns).mean(axis=0)).ravel()
    spread = np.sqrt(np.maximum(square - mean**2, 0) * n / max(n - 1, 1))
    columns.data /= np.repeat(np.where(spread > 0, spread, 1.0), np.diff(columns.indptr))
    return columns, spread


class _SparseLasso:
    """Lasso fits of one problem at one penalty after the other, each from the last."""

    def __init__(self, columns: csc_matrix, target: NDArray[np.float64]) -> None:
        self._columns = columns
        self._target = target
        self._model: Any = Lasso(warm_start=True, tol=1e-3, max_iter=2_000)

    def fit(self, alpha: float) -> NDArray[np.float64]:
        self._model.set_params(alpha=alpha)
        self._model.fit(self._columns, self._target)
        return np.array(self._model.coef_, np.float64)
