"""Estimates from annotations of all documents and gold labels of some, whatever the errors."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import expit

from interp_embed.errors import InputError
from interp_embed.records import Estimate
from interp_embed.stats._checks import (
    check_level,
    check_same_length,
    finite_matrix,
    finite_vector,
    number_labels,
)

_NAN = float("nan")
_THIN = 20
"""Gold documents on a side: with 10, 95 % intervals covered 87 % in simulation, with 30, 92 %."""


@dataclass(frozen=True, slots=True)
class CorrectedFit:
    """Coefficients that hold for the gold labels, sharpened by the annotations."""

    estimates: tuple[Estimate, ...]
    """One a column, in order; ``n`` counts all documents."""
    n_gold: int
    weight: float
    """Weight of the annotations: 1 as in DSL and PPI, 0 if they say nothing of the gold labels."""
    note: str
    """Why there are no values, or why intervals may be too short; empty if neither."""


def dsl_mean(
    annotation: ArrayLike,
    gold: ArrayLike,
    *,
    sampling: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return the mean of the gold labels over all documents, also those without one.

    Mean annotation plus mean error on the gold sample: annotations [1, 1, 0, 0], gold
    [0, ?, 0, ?] -> 0.5 + (-1 + 0) / 2 = 0. Right for any annotator, but a useless
    one makes the interval wider than that of the gold sample alone.

    Args:
        annotation: Numbers, shape (n,).
        gold: Numbers, NaN where there is no gold label, shape (n,).
        sampling: Known chance of each document to be given a gold label, in (0, 1], shape (n,);
            by default the same for all.
        groups: Rows with the same label are not independent, shape (n,).
        level: Confidence level in (0, 1).

    Returns:
        t interval with n_gold - 1 (n_groups - 1) degrees of freedom; no p. NaN for the interval
        with fewer than 2 gold labels or groups, or where all errors are the same.

    Raises:
        InputError: A value is not a number, a chance is outside (0, 1], no gold label is given.

    Source: Angelopoulos et al. 2023, Science 382, 669-674 (prediction-powered inference); Egami
    et al. 2023, arXiv 2306.04746, section 3 (design-based supervised learning).
    """
    check_level(level)
    values = finite_vector(annotation, name="annotation")
    truth = _gold_matrix(np.reshape(np.asarray(gold, dtype=np.float64), (-1, 1)), values.size)
    known = ~np.isnan(truth[:, 0])
    weights = _gold_weights(known, sampling)
    n, n_gold = values.size, int(known.sum())
    errors = np.where(known, truth[:, 0] - values, 0.0)
    pseudo = values + weights * errors
    value = float(pseudo.mean())
    clusters = _clusters(groups, n)
    df = (n_gold if clusters is None else int(clusters.max()) + 1) - 1
    if df < 1 or (n_gold < n and np.ptp(errors[known]) == 0.0) or np.ptp(pseudo) == 0.0:
        return Estimate(value, _NAN, _NAN, _NAN, n)
    variance = float(_meat((pseudo - value)[:, None] / n, clusters)[0, 0])
    if clusters is None:
        variance *= n_gold / (n_gold - 1)
    reach = float(stats.t.ppf(0.5 + level / 2.0, df)) * np.sqrt(variance)
    return Estimate(value, float(value - reach), float(value + reach), _NAN, n)


def dsl_regression(
    design: ArrayLike,
    target: ArrayLike,
    gold_design: ArrayLike,
    *,
    gold_target: ArrayLike | None = None,
    family: Literal["linear", "logit"] = "linear",
    sampling: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    tune: bool = True,
    level: float = 0.95,
) -> CorrectedFit:
    """Return the regression that gold labels of all documents would have given.

    The moment of each document is that of its annotations plus, where there are gold labels,
    the difference to theirs over the chance of having them. Annotators may err in any way, also
    in step with the target. With gold labels for all it is the ordinary regression on them; the
    intervals are then of the HC1 kind.

    Args:
        design: Columns by annotation, shape (n, p); a column without error is given in both.
        target: Shape (n,), by annotation if ``gold_target`` is given; 0/1 for ``logit``.
        gold_design: The same columns by gold label; rows without have NaN, shape (n, p).
        gold_target: Shape (n,), NaN where there is none; by default the target has no error. A
            row counts as gold only if all of it is.
        family: ``linear`` or ``logit``.
        sampling: Known chance of each document to be given gold labels, in (0, 1], shape (n,);
            by default the same for all. Chances that depend on the annotation, such as half of
            the gold labels for the annotated 1, must be given.
        groups: Rows with the same label are not independent, shape (n,).
        tune: Weight the annotations by how well they tell the gold moments; else 1.
        level: Confidence level in (0, 1).

    Returns:
        Intervals by t with n_gold - p - 1 (n_groups - 1) degrees of freedom. With fewer than
        about 20 gold documents on either side of a 0/1 column they tend to be too short. NaN
        with a note where the moments have no solution.

    Raises:
        InputError: A value is of a wrong kind, or there are n_gold <= p + 2 gold rows.

    Source: Egami et al. 2023, arXiv 2306.04746, section 3; the weight after Angelopoulos, Duchi
    and Zrnic 2023, arXiv 2311.01453 (PPI++), section 6, one for all coefficients.
    """
    check_level(level)
    if family not in ("linear", "logit"):
        raise InputError(f"family must be linear or logit, got {family!r}")
    columns, values = finite_matrix(design, name="design"), finite_vector(target, name="target")
    n, p = columns.shape
    check_same_length(n, values, name="target")
    gold_columns = _gold_matrix(gold_design, n)
    if gold_columns.shape != columns.shape:
        raise InputError(f"gold_design must have shape {columns.shape}, got {gold_columns.shape}")
    gold_values = values
    if gold_target is not None:
        gold_values = _gold_matrix(np.reshape(np.asarray(gold_target, float), (-1, 1)), n)[:, 0]
    known = ~(np.isnan(gold_columns).any(axis=1) | np.isnan(gold_values))
    n_gold = int(known.sum())
    if n_gold <= p + 2:
        raise InputError(f"{n_gold} gold rows are too few for {p} columns: at least {p + 3} needed")
    if family == "logit" and not (
        np.isin(values, (0.0, 1.0)).all() and np.isin(gold_values[known], (0.0, 1.0)).all()
    ):
        raise InputError("for logit the target must be 0 or 1 in every row")
    weights = _gold_weights(known, sampling)
    clusters = _clusters(groups, n)
    moments = _Moments.of(columns, values, gold_columns, gold_values, weights, family)
    weight = 1.0
    solved = _solve(moments, weight)
    if solved is not None and tune:
        weight = _tuned_weight(moments, solved, clusters)
        solved = _solve(moments, weight)
    if solved is None:
        unknown = Estimate(_NAN, _NAN, _NAN, _NAN, n)
        note = "the moments have no solution: a column is constant, repeated, or has too few gold"
        return CorrectedFit((unknown,) * p, n_gold, _NAN, note)
    bread = np.linalg.inv(moments.slope(solved, weight))
    meat = _meat(moments.values(solved, weight), clusters)
    df = n_gold - p - 1
    if clusters is None:
        meat = meat * n_gold / df
    else:
        df = int(clusters.max())
    errors = np.sqrt(np.diag(bread @ meat @ bread.T))[1:] / moments.spreads
    slopes = solved[1:] / moments.spreads
    reach = float(stats.t.ppf(0.5 + level / 2.0, df)) * errors if df > 0 else errors * np.nan
    p_values = 2.0 * stats.t.sf(np.abs(slopes) / errors, df) if df > 0 else errors * np.nan
    estimates = tuple(
        Estimate(float(b), float(b - r), float(b + r), float(q), n)
        for b, r, q in zip(slopes, reach, p_values, strict=True)
    )
    return CorrectedFit(estimates, n_gold, weight, _thin_columns(gold_columns[known]))


@dataclass(frozen=True)
class _Moments:
    """Estimating functions; columns shifted and scaled by the annotations' mean and spread."""

    plain: NDArray[np.float64]
    target: NDArray[np.float64]
    gold: NDArray[np.float64]
    gold_target: NDArray[np.float64]
    weights: NDArray[np.float64]
    """One over the chance of a gold label where there is one, else 0."""
    spreads: NDArray[np.float64]
    family: str

    @classmethod
    def of(
        cls,
        columns: NDArray[np.float64],
        target: NDArray[np.float64],
        gold: NDArray[np.float64],
        gold_target: NDArray[np.float64],
        weights: NDArray[np.float64],
        family: str,
    ) -> "_Moments":
        ones = np.ones((len(columns), 1))
        used = weights > 0.0
        spreads = gold[used].std(axis=0)
        spreads = np.where(spreads > 0.0, spreads, 1.0)
        centre = columns.mean(axis=0)
        return cls(
            plain=np.hstack([ones, (columns - centre) / spreads]),
            target=target,
            gold=np.hstack([ones, np.where(used[:, None], (gold - centre) / spreads, 0.0)]),
            gold_target=np.where(used, gold_target, 0.0),
            weights=weights,
            spreads=spreads,
            family=family,
        )

    def parts(self, beta: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the annotations' moments times 1 - weights, and the gold ones times weights."""
        by_annotation = self.plain * (self.target - self._mean(self.plain @ beta))[:, None]
        by_gold = self.gold * (self.gold_target - self._mean(self.gold @ beta))[:, None]
        return by_annotation * (1.0 - self.weights)[:, None], by_gold * self.weights[:, None]

    def values(self, beta: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
        annotated, gold = self.parts(beta)
        return weight * annotated + gold

    def slope(self, beta: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
        """Return minus the derivative of the summed moments, shape (k, k)."""
        annotated = weight * (1.0 - self.weights) * self._density(self.plain @ beta)
        gold = self.weights * self._density(self.gold @ beta)
        by_annotation = self.plain.T @ (self.plain * annotated[:, None])
        return np.asarray(by_annotation + self.gold.T @ (self.gold * gold[:, None]))

    def _mean(self, eta: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(expit(eta)) if self.family == "logit" else eta

    def _density(self, eta: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.family == "linear":
            return np.ones_like(eta)
        chance = expit(eta)
        return np.asarray(chance * (1.0 - chance))


def _thin_columns(gold: NDArray[np.float64]) -> str:
    """Return a note on 0/1 columns with few gold labels on a side."""
    thin = [
        str(column)
        for column, values in enumerate(gold.T)
        if np.isin(values, (0.0, 1.0)).all() and min(values.sum(), (1.0 - values).sum()) < _THIN
    ]
    if not thin:
        return ""
    return (
        f"columns {', '.join(thin)} have fewer than {_THIN} gold documents on a side: "
        "intervals may be too short"
    )


def _solve(moments: _Moments, weight: float) -> NDArray[np.float64] | None:
    beta = np.zeros(moments.plain.shape[1])
    for _ in range(50):
        slope = moments.slope(beta, weight)
        if np.linalg.eigvalsh(slope)[0] <= 1e-9 * len(moments.plain):
            return None
        step = np.linalg.solve(slope, moments.values(beta, weight).sum(axis=0))
        step *= min(1.0, 3.0 / max(float(np.abs(step).max()), 1e-300))
        if moments.family == "linear":  # one step, of any length, is the solution
            return np.asarray(np.linalg.solve(slope, moments.values(beta, weight).sum(axis=0)))
        beta = beta + step
        if np.abs(step).max() < 1e-9 * (1.0 + np.abs(beta).max()):
            return beta
    return None


def _tuned_weight(
    moments: _Moments, beta: NDArray[np.float64], clusters: NDArray[np.int64] | None
) -> float:
    """Return the weight in [0, 1] with the least summed variance of the slopes."""
    bread = np.linalg.inv(moments.slope(beta, 1.0))
    annotated, gold = (_sums(part @ bread.T, clusters)[:, 1:] for part in moments.parts(beta))
    total = float((annotated**2).sum())
    return float(np.clip(-(annotated * gold).sum() / total, 0.0, 1.0)) if total > 0.0 else 1.0


def _sums(rows: NDArray[np.float64], clusters: NDArray[np.int64] | None) -> NDArray[np.float64]:
    if clusters is None:
        return rows
    sums = np.zeros((int(clusters.max()) + 1, rows.shape[1]))
    np.add.at(sums, clusters, rows)
    return sums


def _meat(rows: NDArray[np.float64], clusters: NDArray[np.int64] | None) -> NDArray[np.float64]:
    sums = _sums(rows, clusters)
    factor = 1.0 if clusters is None else len(sums) / max(len(sums) - 1, 1)
    return np.asarray(factor * sums.T @ sums)


def _clusters(groups: ArrayLike | None, n: int) -> NDArray[np.int64] | None:
    if groups is None:
        return None
    labels = number_labels(groups)
    check_same_length(n, labels, name="groups")
    return labels


def _gold_matrix(gold: ArrayLike, n: int) -> NDArray[np.float64]:
    try:
        matrix = np.asarray(gold, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"gold labels must be numbers or NaN ({error})") from error
    if matrix.ndim != 2 or len(matrix) != n:
        raise InputError(f"gold labels must have {n} rows, got shape {matrix.shape}")
    if np.isinf(matrix).any():
        raise InputError("gold labels must be finite, or NaN where there is none")
    return matrix


def _gold_weights(known: NDArray[np.bool_], sampling: ArrayLike | None) -> NDArray[np.float64]:
    """Return one over the chance of a gold label where there is one, else 0."""
    if not known.any():
        raise InputError(f"none of {known.size} documents has a gold label")
    if sampling is None:
        return np.where(known, known.size / known.sum(), 0.0)
    chances = finite_vector(sampling, name="sampling")
    check_same_length(known.size, chances, name="sampling")
    if not ((chances > 0.0) & (chances <= 1.0)).all():
        raise InputError("sampling must lie in (0, 1]: every document needs a chance of gold")
    return np.where(known, 1.0 / chances, 0.0)
