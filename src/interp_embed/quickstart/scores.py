"""Effects of concepts on a target from verdicts, and how well they predict it together."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from interp_embed.errors import InputError
from interp_embed.records import Estimate, Json
from interp_embed.stats import (
    adjust_benjamini_hochberg,
    crossfit_score,
    joint_regression,
    welch_difference,
)

_MIN_PRESENT = 5
"""Texts on either side of a concept below which it is not tested."""
_MAX_MISSING = 0.1
"""Share of missing verdicts above which a concept is left out of the joint regression: every text
that lacks one of its verdicts would be lost to all others."""
_N_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Effects of all concepts."""

    separations: tuple[Estimate, ...]
    coefficients: tuple[Estimate, ...]
    """NaN where it could not be estimated."""
    q: NDArray[np.float64]
    threshold: float
    """p below which a coefficient counts as significant (Bonferroni)."""
    prevalence: NDArray[np.float64]
    missing: NDArray[np.int64]
    notes: tuple[str, ...]
    """Why a concept was not tested; empty if it was."""

    @property
    def n_tested(self) -> int:
        """Coefficients with a p: the family of the correction."""
        return sum(bool(np.isfinite(one.p)) for one in self.coefficients)

    @property
    def n_significant(self) -> int:
        """Coefficients with a p below the threshold."""
        return sum(one.p < self.threshold for one in self.coefficients)

    def row(self, column: int) -> dict[str, object]:
        """Return what a result table says of one concept."""
        separation, coefficient = self.separations[column], self.coefficients[column]
        return {
            "separation_score": separation.value,
            "separation_pvalue": separation.p,
            "separation_pval": separation.p,
            "separation_ci_low": separation.low,
            "separation_ci_high": separation.high,
            "regression_coef": coefficient.value,
            "regression_pval": coefficient.p,
            "regression_ci_low": coefficient.low,
            "regression_ci_high": coefficient.high,
            "q": float(self.q[column]),
            "significant": bool(coefficient.p < self.threshold),
            "feature_prevalence": float(self.prevalence[column]),
            "n": separation.n,
            "missing": int(self.missing[column]),
            "note": self.notes[column],
        }

    def empty_row(self, note: str) -> dict[str, object]:
        """Return the row of a hypothesis that has no words."""
        row: dict[str, object] = dict.fromkeys(self.row(0), float("nan"))
        return row | {"significant": False, "n": 0, "missing": 0, "note": note}


def score_concepts(
    verdicts: NDArray[np.float32],
    target: NDArray[np.float64],
    groups: NDArray[np.int64],
    *,
    threshold: float = 0.1,
) -> Scored:
    """Return each concept's separation and its coefficient with all others held fixed.

    Separation is the mean target with the concept minus without, Welch interval. Coefficients are
    of the linear regression on all testable concepts over texts that lack no verdict, with
    errors robust to unequal variances and to equal texts. For a 0/1 target both are differences
    in probability.

    Args:
        verdicts: 1, 0, or NaN where missing, shape (n_texts, n_concepts).
        target: Shape (n_texts,), finite.
        groups: Equal and nearly equal texts share a number, shape (n_texts,).
        threshold: Level, divided by the number of coefficients tested (Bonferroni).

    Source: Movva et al. 2025, arXiv 2502.04382, section 4. There errors are not robust, the t-test
    assumes equal variances, and a logistic model that fails becomes a linear one.
    """
    known = np.isfinite(verdicts)
    present, absent = (verdicts == 1).sum(axis=0), (verdicts == 0).sum(axis=0)
    missing = (~known).sum(axis=0)
    notes = [
        _why_untested(int(p), int(a), int(m), len(target))
        for p, a, m in zip(present, absent, missing, strict=True)
    ]
    columns = [column for column, note in enumerate(notes) if not note]
    coefficients, why = _joint(verdicts, target, groups, columns)
    for column in columns:
        if not np.isfinite(coefficients[column].p):
            notes[column] = why
    p_values = np.array([one.p for one in coefficients])
    separations = tuple(
        welch_difference(target[verdicts[:, i] == 1], target[verdicts[:, i] == 0])
        for i in range(verdicts.shape[1])
    )
    return Scored(
        separations=separations,
        coefficients=coefficients,
        q=adjust_benjamini_hochberg(p_values),
        threshold=threshold / max(1, int(np.isfinite(p_values).sum())),
        prevalence=present / np.where(present + absent > 0, present + absent, np.nan),
        missing=missing,
        notes=tuple(notes),
    )


def _why_untested(present: int, absent: int, missing: int, n: int) -> str:
    if missing > _MAX_MISSING * n:
        return f"{missing} of {n} verdicts are missing: not in the regression"
    if present < _MIN_PRESENT:
        return f"in {present} texts; fewer than {_MIN_PRESENT} cannot be tested"
    if absent < _MIN_PRESENT:
        return f"absent from {absent} texts; fewer than {_MIN_PRESENT} cannot be tested"
    return ""


def _joint(
    verdicts: NDArray[np.float32],
    target: NDArray[np.float64],
    groups: NDArray[np.int64],
    columns: list[int],
) -> tuple[tuple[Estimate, ...], str]:
    """Return a coefficient for every concept, and why one of ``columns`` may have none."""
    complete = np.asarray(np.isfinite(verdicts[:, columns]).all(axis=1))
    n = int(complete.sum())
    nan = float("nan")
    out = [Estimate(nan, nan, nan, nan, n)] * verdicts.shape[1]
    if not columns:
        return tuple(out), ""
    if n <= len(columns) + 2 or len(np.unique(groups[complete])) < 2:
        return tuple(out), f"{n} texts with all verdicts are too few for {len(columns)} concepts"
    found = joint_regression(
        verdicts[complete][:, columns], target[complete], groups=groups[complete]
    )
    for column, estimate in zip(columns, found, strict=True):
        out[column] = estimate
    return tuple(out), "other concepts already say the same, or its effect rests on one text"


def score_together(
    verdicts: NDArray[np.float32],
    target: NDArray[np.float64],
    groups: NDArray[np.int64],
    *,
    is_binary: bool,
    seed: int = 0,
) -> dict[str, Json]:
    """Return how well the concepts predict the target together.

    ``r2``, and for two classes ``auroc`` and ``auprc``, are out of sample: a ridge regression is
    fitted on four fifths of the texts and scored on the other, equal texts on one side. The same
    scores of the texts the regression was fitted on stand beside them as ``_in_sample``: these
    rise with every concept, useless ones too. A missing verdict counts as its concept's mean.
    NaN where there are too few texts.

    Args:
        verdicts: 1, 0, or NaN where missing, shape (n_texts, n_concepts).
        target: Shape (n_texts,), finite; 0 and 1 if binary.
        groups: Equal and nearly equal texts share a number, shape (n_texts,).
        is_binary: Whether the target has two classes.
        seed: Of the folds.
    """
    known = np.isfinite(verdicts)
    means = np.where(known, verdicts, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    design = np.where(known, verdicts, means)
    fitted = _fit_least_squares(design, target)
    metrics: dict[str, Json] = {
        "r2": _or_nan(
            lambda: crossfit_score(design, target, metric="r2", groups=groups, seed=seed)
        ),
        "r2_in_sample": _r2(target, fitted),
    }
    if is_binary:
        two_classes = 0 < target.mean() < 1
        nan = float("nan")
        metrics |= {
            "auroc": _or_nan(
                lambda: crossfit_score(design, target, metric="auc", groups=groups, seed=seed)
            ),
            "auroc_in_sample": float(roc_auc_score(target, fitted)) if two_classes else nan,
            "auprc": _or_nan(lambda: _crossfit_precision(design, target, groups, seed)),
            "auprc_in_sample": (
                float(average_precision_score(target, fitted)) if two_classes else nan
            ),
        }
    return metrics


def _or_nan(score: Callable[[], float]) -> float:
    try:
        return score()
    except InputError:  # too few texts, groups or members of a class
        return float("nan")


def _fit_least_squares(
    design: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    columns = np.column_stack([np.ones(len(target)), design])
    fitted: NDArray[np.float64] = columns @ np.linalg.lstsq(columns, target, rcond=None)[0]
    return fitted


def _r2(target: NDArray[np.float64], fitted: NDArray[np.float64]) -> float:
    spread = float(np.square(target - target.mean()).sum())
    return 1.0 - float(np.square(target - fitted).sum()) / spread if spread else float("nan")


def _crossfit_precision(
    design: NDArray[np.float64], target: NDArray[np.float64], groups: NDArray[np.int64], seed: int
) -> float:
    """Return the average precision within folds, weighted by their positives.

    Raises:
        InputError: A class has texts of fewer groups than there are folds.
    """
    fewest = min(len(np.unique(groups[target == side])) for side in (0, 1))
    if fewest < _N_FOLDS:
        raise InputError(f"a class has {fewest} groups of texts; {_N_FOLDS} folds need as many")
    total = n_positive = 0.0
    folds = StratifiedGroupKFold(_N_FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(design, target, groups):
        positive = float(target[test].sum())
        if not positive:
            continue
        model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-4, 4, 17) * len(train)))
        predicted = model.fit(design[train], target[train]).predict(design[test])
        total += positive * float(average_precision_score(target[test], predicted))
        n_positive += positive
    return total / n_positive
