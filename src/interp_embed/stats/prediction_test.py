"""Whether columns predict a target at all, on rows they were not fitted on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed.errors import InputError
from interp_embed.stats._allocation import allocate_groups
from interp_embed.stats._checks import check_same_length, finite_matrix, number_labels
from interp_embed.stats.crossfit import principal_scores

_PENALTIES = np.logspace(-4.0, 4.0, 17)
"""Ridge penalties per training row, for columns of standard deviation 1."""
_BLOCK = 100
"""Redrawn targets that are fitted at a time."""


@dataclass(frozen=True, slots=True)
class PredictionTest:
    """How well columns predict targets out of fold, against targets that mean nothing."""

    correlations: tuple[float, ...]
    """Of each target with its out-of-fold prediction, within folds."""
    p: float
    """One-sided p of "no target is predicted better than chance", from the largest of them."""
    n_draws: int


def prediction_test(
    design: ArrayLike,
    targets: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    by_sign: bool = False,
    n_draws: int = 499,
    n_folds: int = 5,
    seed: int = 0,
) -> PredictionTest:
    """Return whether a ridge regression on the columns predicts any of the targets out of fold.

    What would be found by chance is seen by fitting everything again, the penalty included, to
    targets that mean nothing: the rows' targets in another order, or, where groups hold several
    rows, each group's targets (less their mean) with a random sign. Predictions of the folds
    depend on each other's targets, so that a test of the predictions as they came out would
    reject too often.

    Args:
        design: Shape (n, p), p >= 1.
        targets: Shape (n,) or (n, t), none constant.
        groups: Rows with the same label are not independent and never on both sides of a fold.
        by_sign: Whether signs are drawn also where every row is a group of its own: for targets
            that are 0 where they do not apply.
        n_draws: Targets drawn; the smallest p is 1 / (n_draws + 1).
        n_folds: Number of folds, >= 2.
        seed: Decides the folds and the draws.

    Raises:
        InputError: There are too few rows or groups for the folds, or a value is NaN.

    Source: Ojala and Garriga 2010, JMLR 11, 1833-1863, test 1; Cameron, Gelbach and Miller 2008,
    Review of Economics and Statistics 90, 414-427 (signs by group).
    """
    columns = finite_matrix(design, name="design")
    values = np.asarray(targets, np.float64)
    values = finite_matrix(values[:, None] if values.ndim == 1 else values, name="targets")
    n = len(columns)
    labels = np.arange(n) if groups is None else number_labels(groups)
    check_same_length(n, labels, name="groups")
    check_same_length(n, values[:, 0], name="targets")
    n_groups = int(labels.max(initial=-1)) + 1
    if n_folds < 2 or n_groups < n_folds or n < 2 * n_folds:
        raise InputError(
            f"{n} rows in {n_groups} groups are too few for {n_folds} folds: at least "
            f"{n_folds} groups and {2 * n_folds} rows are needed"
        )
    rng = np.random.default_rng(seed)
    shares = np.full(n_folds, 1.0 / n_folds)
    parts = allocate_groups(labels, np.zeros(n, np.int64), shares=shares, rng=rng)
    folds = [_Fold.of(columns, parts == part) for part in np.unique(parts)]
    centred = values - values.mean(axis=0)
    found = _correlations(centred, folds)
    drawn: list[NDArray[np.float64]] = []
    n_targets = values.shape[1]
    for start in range(0, n_draws, _BLOCK):
        size = min(_BLOCK, n_draws - start)
        if by_sign or n_groups < n:
            signs = rng.choice([-1.0, 1.0], (n_groups, size))[labels]  # (n, size)
            redrawn = centred[:, :, None] * signs[:, None, :]
        else:
            orders = rng.permuted(np.tile(np.arange(n), (size, 1)), axis=1).T  # (n, size)
            redrawn = np.moveaxis(centred[orders], 2, 1)
        chance = _correlations(redrawn.reshape(n, -1), folds).reshape(n_targets, size)
        drawn.append(chance.max(axis=0))
    at_least = int((np.concatenate(drawn) >= found.max() - 1e-12).sum())
    return PredictionTest(tuple(found.tolist()), (1 + at_least) / (1 + n_draws), n_draws)


@dataclass(frozen=True, slots=True, eq=False)
class _Fold:
    """What does not depend on the target, of one fold."""

    test: NDArray[np.bool_]
    scores: NDArray[np.float64]
    """Principal scores of the training rows, shape (n_train, rank)."""
    held_out: NDArray[np.float64]
    """The same of the test rows, shape (n_test, rank)."""
    variances: NDArray[np.float64]

    @classmethod
    def of(cls, columns: NDArray[np.float64], test: NDArray[np.bool_]) -> "_Fold":
        train = columns[~test]
        centre, spread = train.mean(axis=0), train.std(axis=0)
        spread[spread <= 1e-12 * np.abs(centre)] = np.inf  # constant here: predicts nothing
        spread[spread == 0.0] = np.inf
        scores, directions, variances = principal_scores((train - centre) / spread)
        held_out = ((columns[test] - centre) / spread) @ directions
        return cls(test, scores, held_out, variances)

    def predict(self, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predictions of the test rows, up to a constant, shape (n_test, n_targets).

        The penalty of each target is the one of least generalised cross-validation error.
        """
        centred = targets[~self.test] - targets[~self.test].mean(axis=0)
        along = self.scores.T @ centred  # (rank, n_targets)
        n = len(self.scores)
        shrunk = 1.0 / (self.variances[:, None] + _PENALTIES * n)  # (rank, n_penalties)
        kept = self.variances[:, None] * shrunk
        # |y - S w|^2 = |y|^2 - sum of along^2 (2 shrunk - variance shrunk^2)
        explained = (shrunk * (2.0 - kept)).T @ along**2  # (n_penalties, n_targets)
        errors = np.maximum((centred**2).sum(axis=0) - explained, 0.0)
        freedom = 1.0 - (kept.sum(axis=0) + 1.0) / n
        best = np.argmin(errors / np.maximum(freedom, 1e-9)[:, None] ** 2, axis=0)
        predictions: NDArray[np.float64] = self.held_out @ (along * shrunk[:, best])
        return predictions


def _correlations(targets: NDArray[np.float64], folds: list[_Fold]) -> NDArray[np.float64]:
    """Return the correlation within folds of each target with its prediction, 0 where constant."""
    products, of_target, of_prediction = (np.zeros(targets.shape[1]) for _ in range(3))
    for fold in folds:
        predicted = fold.predict(targets)
        own = targets[fold.test] - targets[fold.test].mean(axis=0)
        predicted -= predicted.mean(axis=0)
        products += (own * predicted).sum(axis=0)
        of_target += (own**2).sum(axis=0)
        of_prediction += (predicted**2).sum(axis=0)
    norms = np.sqrt(of_target * of_prediction)
    return np.asarray(products / np.where(norms > 0, norms, np.inf))
