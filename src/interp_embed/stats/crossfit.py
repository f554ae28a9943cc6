"""How well columns predict a target on rows they were not fitted on."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from interp_embed.errors import InputError
from interp_embed.records import Estimate
from interp_embed.stats._allocation import allocate_groups
from interp_embed.stats._checks import (
    check_level,
    check_same_length,
    finite_matrix,
    finite_vector,
    number_labels,
)

_PENALTIES = np.logspace(-4.0, 4.0, 17)
"""Ridge penalties per training row, for columns of standard deviation 1."""


@dataclass(frozen=True, slots=True)
class ScoreGain:
    """How much better a target is predicted, out of fold, with columns than without."""

    metric: str
    baseline: float
    """Score of the covariates alone."""
    full: float
    """Score of covariates and columns."""
    gain: Estimate
    """full - baseline with its interval; no p (see ``p_gain``)."""
    p_gain: float
    """One-sided p of "no gain"; NaN where both predict the same."""


@dataclass(frozen=True, slots=True, eq=False)
class RidgeFit:
    """A ridge regression on columns as they are: prediction = intercept + columns @ weights."""

    weights: NDArray[np.float64]
    """Shape (p,)."""
    centre: NDArray[np.float64]
    """Means of the columns, shape (p,)."""
    mean: float
    """Of the target: the prediction at ``centre``."""

    @property
    def intercept(self) -> float:
        """The prediction where every column is 0."""
        return self.mean - float(self.centre @ self.weights)

    def predict(self, design: ArrayLike) -> NDArray[np.float64]:
        """Return predictions for rows of a design of shape (n, p), shape (n,)."""
        gaps = np.asarray(design, dtype=np.float64) - self.centre
        return np.asarray(self.mean + gaps @ self.weights)


def fit_ridge(design: ArrayLike, target: ArrayLike) -> RidgeFit:
    """Return the ridge regression with the least squared leave-one-out error.

    Columns are standardised for the penalty; one that is constant gets no weight.

    Args:
        design: Shape (n, p), p >= 1.
        target: Shape (n,).

    Raises:
        InputError: Lengths differ, there is no column, or a value is NaN.

    Source: Golub, Heath and Wahba 1979, Technometrics 21, 215-223.
    """
    columns, values = finite_matrix(design, name="design"), finite_vector(target, name="target")
    check_same_length(columns.shape[0], values, name="target")
    if columns.shape[1] == 0:
        raise InputError("the design has no columns to predict from")
    return _fit_ridge(columns, values)


def crossfit_predictions(
    design: ArrayLike,
    target: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_folds: int = 5,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return out-of-fold ridge predictions of the target: no row is predicted from itself.

    As in ``crossfit_score``, with folds of like size.

    Args:
        design: Shape (n, p), p >= 1.
        target: Shape (n,).
        groups: Rows with the same label are never on both sides of a fold, shape (n,).
        n_folds: Number of folds, >= 2.
        seed: Decides the folds.

    Raises:
        InputError: There are too few rows or groups for the folds, the target is constant, or a
            value is NaN.
    """
    columns, values, labels = _checked(design, target, groups, metric="r2", n_folds=n_folds)
    folds = _draw_folds(values, labels, metric="r2", n_folds=n_folds, seed=seed)
    return _predict_out_of_fold(columns, values, folds)


def crossfit_score(
    design: ArrayLike,
    target: ArrayLike,
    *,
    metric: Literal["r2", "auc"],
    groups: ArrayLike | None = None,
    n_folds: int = 5,
    seed: int = 0,
) -> float:
    """Return the out-of-fold R2 or AUC of a ridge regression of the target on the columns.

    In each fold the columns are standardised and the penalty is chosen (leave-one-out error) on
    the training rows alone. R2 is 1 - SSE / SST over all rows, about the mean of all targets: 0
    is what the mean achieves, useless columns give a little less. AUC is the share of pairs
    (positive, negative) ordered rightly, ties half, over the pairs that lie in the same fold:
    predictions of different folds stand on different intercepts and are not compared.

    Args:
        design: Shape (n, p), p >= 1.
        target: Shape (n,); 0 and 1 for ``auc``.
        metric: ``r2`` or ``auc``.
        groups: Rows with the same label are never on both sides of a fold, shape (n,).
        n_folds: Number of folds, >= 2.
        seed: Decides the folds, which are balanced in size and, for ``auc``, in class.

    Raises:
        InputError: There are too few rows or groups for the folds, the target is constant or
            (``auc``) not 0/1, or a value is NaN.

    Source: Golub, Heath and Wahba 1979, Technometrics 21, 215-223 (leave-one-out error of ridge);
    Parker, Guenter and Bedo 2007, BMC Bioinformatics 8:326 (pooling folds biases the AUC).
    """
    columns, values, labels = _checked(design, target, groups, metric=metric, n_folds=n_folds)
    folds = _draw_folds(values, labels, metric=metric, n_folds=n_folds, seed=seed)
    predictions = _predict_out_of_fold(columns, values, folds)
    return _score(values, predictions, folds, metric=metric)


def crossfit_gain(
    design: ArrayLike,
    target: ArrayLike,
    covariates: ArrayLike,
    *,
    metric: Literal["r2", "auc"],
    groups: ArrayLike | None = None,
    n_folds: int = 5,
    seed: int = 0,
    level: float = 0.95,
) -> ScoreGain:
    """Return how much better columns and covariates predict than covariates alone.

    Both by ``crossfit_score`` on the same folds. The interval is of the out-of-fold predictions
    as they came out (the fits are not repeated), by the influence of each row, or group, on the
    difference. Useless columns cost a little, so that without any gain the test rejects less
    often than it states.

    Args:
        design: Columns of interest, shape (n, p), p >= 1.
        target: Shape (n,); 0 and 1 for ``auc``.
        covariates: What is to be predicted from anyway, such as length, shape (n, q), q >= 1.
        metric: ``r2`` or ``auc``.
        groups: Rows with the same label are never on both sides of a fold, shape (n,).
        n_folds: Number of folds, >= 2.
        seed: Decides the folds.
        level: Confidence level in (0, 1).

    Raises:
        InputError: As of ``crossfit_score``.

    Source: DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44, 837-845 (AUC); for R2 the
    linearised ratio of sums.
    """
    check_level(level)
    columns, values, labels = _checked(design, target, groups, metric=metric, n_folds=n_folds)
    base = _checked(covariates, target, groups, metric=metric, n_folds=n_folds)[0]
    folds = _draw_folds(values, labels, metric=metric, n_folds=n_folds, seed=seed)
    scores, influences = [], []
    for used in (base, np.hstack([base, columns])):
        predictions = _predict_out_of_fold(used, values, folds)
        scores.append(_score(values, predictions, folds, metric=metric))
        influences.append(_influence(values, predictions, folds, metric=metric))
    gain, n = scores[1] - scores[0], values.size
    sums = np.bincount(labels, weights=influences[1] - influences[0])
    error = float(np.sqrt(sums @ sums * sums.size / (sums.size - 1)))
    unknown = float("nan")
    if error <= 1e-12:
        estimate = Estimate(gain, unknown, unknown, unknown, n)
        return ScoreGain(metric, scores[0], scores[1], estimate, unknown)
    reach = float(stats.t.ppf(0.5 + level / 2.0, sums.size - 1)) * error
    p = float(stats.t.sf(gain / error, sums.size - 1))
    estimate = Estimate(gain, gain - reach, gain + reach, unknown, n)
    return ScoreGain(metric, scores[0], scores[1], estimate, p)


def _checked(
    design: ArrayLike, target: ArrayLike, groups: ArrayLike | None, *, metric: str, n_folds: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return columns, target and groups from 0."""
    columns = finite_matrix(design, name="design")
    values = finite_vector(target, name="target")
    n = columns.shape[0]
    check_same_length(n, values, name="target")
    if columns.shape[1] == 0:
        raise InputError("the design has no columns to predict from")
    labels = np.arange(n) if groups is None else number_labels(groups)
    check_same_length(n, labels, name="groups")
    _check_target(values, labels, metric=metric)
    _check_folds(n, int(labels.max()) + 1, n_folds)
    return columns, values, labels


def _draw_folds(
    values: NDArray[np.float64],
    labels: NDArray[np.int64],
    *,
    metric: str,
    n_folds: int,
    seed: int,
) -> NDArray[np.int64]:
    return allocate_groups(
        labels,
        values.astype(np.int64) if metric == "auc" else np.zeros(values.size, dtype=np.int64),
        shares=np.full(n_folds, 1.0 / n_folds),
        rng=np.random.default_rng(seed),
    )


def _influence(
    target: NDArray[np.float64],
    predictions: NDArray[np.float64],
    folds: NDArray[np.int64],
    *,
    metric: str,
) -> NDArray[np.float64]:
    """Return each row's part in the error of the score; parts sum to 0."""
    if metric == "r2":
        centred = target - target.mean()
        total = centred @ centred
        losses = (target - predictions) ** 2
        return np.asarray((losses.sum() / total * centred**2 - losses) / total)
    placed, pairs = np.zeros_like(target), 0.0
    for fold in np.unique(folds):
        inside = np.flatnonzero(folds == fold)
        positive, negative = inside[target[inside] == 1.0], inside[target[inside] == 0.0]
        pairs += positive.size * negative.size
        for own, other, sign in ((positive, negative, 1.0), (negative, positive, -1.0)):
            if own.size and other.size:
                ranked = np.sort(sign * predictions[other])
                mine = sign * predictions[own]
                below = np.searchsorted(ranked, mine) + np.searchsorted(ranked, mine, "right")
                shares = below / (2.0 * other.size)
                placed[own] = (shares - shares.mean()) * other.size
    return placed / pairs


def _score(
    values: NDArray[np.float64],
    predictions: NDArray[np.float64],
    folds: NDArray[np.int64],
    *,
    metric: str,
) -> float:
    if metric == "auc":
        return _auc_within_folds(values, predictions, folds)
    residual = values - predictions
    centred = values - values.mean()
    return float(1.0 - (residual @ residual) / (centred @ centred))


def _check_target(values: NDArray[np.float64], labels: NDArray[np.int64], *, metric: str) -> None:
    if metric not in {"r2", "auc"}:
        raise InputError(f'metric must be "r2" or "auc", got {metric!r}')
    if np.ptp(values) == 0.0 if values.size else True:
        raise InputError(f"the target has the same value in all {values.size} rows")
    if metric == "r2":
        return
    if not np.isin(values, (0.0, 1.0)).all():
        raise InputError("for auc the target must be 0 or 1 in every row")
    for side in (0.0, 1.0):
        n_groups = np.unique(labels[values == side]).size
        if n_groups < 2:
            raise InputError(
                f"only {int((values == side).sum())} of {values.size} rows, in {n_groups} group, "
                f"have the target {side:g}: out-of-fold prediction needs at least 2 groups of each"
            )


def _check_folds(n: int, n_groups: int, n_folds: int) -> None:
    if n_folds < 2:
        raise InputError(f"n_folds must be at least 2, got {n_folds}")
    if n_groups < n_folds or n < 2 * n_folds:
        raise InputError(
            f"{n} rows in {n_groups} groups are too few for {n_folds} folds: at least "
            f"{n_folds} groups and {2 * n_folds} rows are needed"
        )


def _predict_out_of_fold(
    columns: NDArray[np.float64], target: NDArray[np.float64], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    predictions = np.empty_like(target)
    for fold in np.unique(folds):
        test = folds == fold
        predictions[test] = _fit_ridge(columns[~test], target[~test]).predict(columns[test])
    return predictions


def _fit_ridge(columns: NDArray[np.float64], target: NDArray[np.float64]) -> RidgeFit:
    centre = columns.mean(axis=0)
    spread = columns.std(axis=0)
    spread[spread <= 1e-12 * np.abs(centre)] = np.inf  # constant here: predicts nothing
    spread[spread == 0.0] = np.inf
    mean = float(target.mean())
    weights = _ridge_weights((columns - centre) / spread, target - mean) / spread
    return RidgeFit(weights, centre, mean)


def _ridge_weights(
    columns: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return ridge weights at the penalty with the least squared leave-one-out error.

    Both arguments are centred. The same as scikit-learn's RidgeCV, but from the eigenvectors of
    the smaller of the two Gram matrices: ten times faster at 5,000 x 384.
    """
    scores, directions, variances = principal_scores(columns)
    along = scores.T @ target  # (rank,)
    penalties = _PENALTIES * columns.shape[0]
    shrunk = 1.0 / (variances[:, None] + penalties)  # (rank, n_penalties)
    residuals = target[:, None] - scores @ (along[:, None] * shrunk)
    leverage = 1.0 / columns.shape[0] + scores**2 @ shrunk
    errors = residuals / np.maximum(1.0 - leverage, 1e-9)
    best = int(np.argmin((errors**2).sum(axis=0)))
    weights: NDArray[np.float64] = directions @ (along * shrunk[:, best])
    return weights


def principal_scores(
    columns: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return S (n, rank), V (p, rank) and the squared norms of S's columns: columns = S V'."""
    n, p = columns.shape
    gram = columns.T @ columns if p <= n else columns @ columns.T
    variances, vectors = np.linalg.eigh(gram)
    kept = variances > 1e-12 * max(float(variances[-1]), 1e-300)
    variances, vectors = variances[kept], vectors[:, kept]
    if p <= n:
        return columns @ vectors, vectors, variances
    norms = np.sqrt(variances)
    return vectors * norms, columns.T @ (vectors / norms), variances


def _auc_within_folds(
    target: NDArray[np.float64], predictions: NDArray[np.float64], folds: NDArray[np.int64]
) -> float:
    total = 0.0
    n_pairs = 0.0
    for fold in np.unique(folds):
        inside = folds == fold
        n_positive = float(target[inside].sum())
        pairs = n_positive * (np.count_nonzero(inside) - n_positive)
        if pairs:
            ranks = stats.rankdata(predictions[inside])  # ties share the mean of their ranks
            rank_sum = float(ranks[target[inside] == 1.0].sum())
            total += rank_sum - n_positive * (n_positive + 1.0) / 2.0
            n_pairs += pairs
    if not n_pairs:
        raise InputError(
            "no fold holds rows of both classes (each group is of one class, and there are few); "
            "use fewer folds or more groups"
        )
    return total / n_pairs
