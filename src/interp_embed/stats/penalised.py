"""Logistic regression with a penalty: finite where columns separate the classes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq
from scipy.special import expit

_MAX_STEPS = 200
_LONGEST_STEP = 5.0


@dataclass(frozen=True, slots=True)
class PenalisedFit:
    """A penalised logistic fit; the first column is the intercept."""

    coefficients: NDArray[np.float64]
    """Shape (k,), in log odds."""
    covariance: NDArray[np.float64]
    """Inverse of the information (ridge: of information plus penalty), shape (k, k)."""
    log_likelihood: float
    """Without the penalty."""
    penalised: float
    """With the penalty: what was maximised."""
    converged: bool


@dataclass(frozen=True, slots=True)
class ProfileInterval:
    """Where the penalised likelihood of one coefficient has fallen by the quantile of chi2."""

    low: float
    high: float
    p: float
    """Of the penalised likelihood-ratio test of 0."""


@dataclass(frozen=True)
class _Problem:
    design: NDArray[np.float64]
    target: NDArray[np.float64]
    ridge: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """Penalty on each squared coefficient, shape (k,); empty for Firth."""

    def log_likelihood(self, beta: NDArray[np.float64]) -> float:
        eta = self.design @ beta
        return float((self.target * eta - np.logaddexp(0.0, eta)).sum())

    def penalised(self, beta: NDArray[np.float64]) -> float:
        if self.ridge.size:
            return self.log_likelihood(beta) - 0.5 * float(self.ridge @ beta**2)
        sign, log_determinant = np.linalg.slogdet(self.information(beta))
        return self.log_likelihood(beta) + 0.5 * float(log_determinant) if sign > 0 else -np.inf

    def information(self, beta: NDArray[np.float64]) -> NDArray[np.float64]:
        chance = expit(self.design @ beta)
        weighted = self.design * (chance * (1.0 - chance))[:, None]
        information = self.design.T @ weighted
        return information + np.diag(self.ridge) if self.ridge.size else information

    def score(self, beta: NDArray[np.float64]) -> NDArray[np.float64]:
        chance = expit(self.design @ beta)
        residual = self.target - chance
        if self.ridge.size:
            return np.asarray(self.design.T @ residual - self.ridge * beta)
        inverse = np.linalg.inv(self.information(beta))
        shares = ((self.design @ inverse) * self.design).sum(axis=1)
        leverage = shares * chance * (1.0 - chance)
        return np.asarray(self.design.T @ (residual + leverage * (0.5 - chance)))


def firth_logit(design: NDArray[np.float64], target: NDArray[np.float64]) -> PenalisedFit:
    """Return the logistic regression that maximises the likelihood times Jeffreys' prior.

    The estimates are finite for any design of full rank, and less biased than maximum likelihood.
    For a single 0/1 column it is the log odds ratio with 1/2 added to each cell: 0 of 5 against
    3 of 5 gives ln(3.5 / 2.5) - ln(0.5 / 5.5) = 2.73.

    Args:
        design: Intercept and columns of full rank, best of spread about 1, shape (n, k).
        target: 0 or 1, shape (n,).

    Source: Firth 1993, Biometrika 80, 27-38; Heinze and Schemper 2002, Statistics in Medicine 21,
    2409-2419.
    """
    return _maximise(_Problem(design, target))


def ridge_logit(
    design: NDArray[np.float64], target: NDArray[np.float64], *, strength: float = 1.0
) -> PenalisedFit:
    """Return the logistic regression with strength / 2 times each squared slope taken off.

    The posterior mode where slopes are normal about 0 with variance 1 / strength; ``covariance``
    is that of the normal approximation at the mode. The first column, the intercept, is free.
    """
    weights = np.full(design.shape[1], strength)
    weights[0] = 0.0
    return _maximise(_Problem(design, target, weights))


def profile_interval(
    design: NDArray[np.float64],
    target: NDArray[np.float64],
    fit: PenalisedFit,
    column: int,
    *,
    level: float,
) -> ProfileInterval:
    """Return the profile-penalised-likelihood interval of one coefficient of a Firth fit.

    The column stays in the information matrix while its coefficient is held. An end is NaN where
    the likelihood does not fall far enough within 100 standard errors.

    Source: Heinze and Schemper 2002, Statistics in Medicine 21, 2409-2419, section 2.
    """
    problem = _Problem(design, target)
    start = fit.coefficients
    error = float(np.sqrt(fit.covariance[column, column]))

    def distance(value: float) -> float:
        """Return the root of the likelihood ratio, nearly linear in the value held."""
        held = start + fit.covariance[column] / error**2 * (value - start[column])
        held[column] = value
        fallen = fit.penalised - _maximise(problem, held, held=column).penalised
        return float(np.sqrt(max(2.0 * fallen, 0.0)))

    reach = float(stats.norm.ppf(0.5 + level / 2.0))
    return ProfileInterval(
        low=_crossing(distance, float(start[column]), -error, reach),
        high=_crossing(distance, float(start[column]), error, reach),
        p=float(2.0 * stats.norm.sf(distance(0.0))),
    )


def _crossing(distance: Callable[[float], float], start: float, step: float, reach: float) -> float:
    """Return where the distance from start, in the direction of step, comes to reach."""

    def excess(value: float) -> float:
        return -reach if value == start else distance(value) - reach

    near, far = start, start + 1.2 * reach * step
    while excess(far) < 0.0:
        near, far = far, start + 2.0 * (far - start)
        if abs(far - start) > 100.0 * abs(step):
            return float("nan")
    return float(brentq(excess, near, far, xtol=1e-5 * abs(step)))


def _maximise(
    problem: _Problem, start: NDArray[np.float64] | None = None, *, held: int | None = None
) -> PenalisedFit:
    """Return the maximum by scoring steps, halved until the penalised likelihood rises."""
    k = problem.design.shape[1]
    free = np.arange(k) if held is None else np.delete(np.arange(k), held)
    beta = np.zeros(k) if start is None else start.copy()
    best = problem.penalised(beta)
    converged = not free.size
    for _ in range(_MAX_STEPS if free.size else 0):
        try:
            score = problem.score(beta)[free]
            step = np.linalg.solve(problem.information(beta)[np.ix_(free, free)], score)
        except np.linalg.LinAlgError:  # all chances are 0 or 1 to rounding
            break
        step *= min(1.0, _LONGEST_STEP / max(float(np.abs(step).max()), 1e-300))
        for _ in range(30):
            moved = beta.copy()
            moved[free] += step
            value = problem.penalised(moved)
            if value >= best - 1e-12 * (1.0 + abs(best)):
                break
            step = step / 2.0
        else:
            break
        beta, best = moved, value
        if np.abs(step).max() < 1e-7 * (1.0 + np.abs(beta).max()):
            converged = True
            break
    return PenalisedFit(
        coefficients=beta,
        covariance=np.asarray(
            np.linalg.pinv(problem.information(beta), hermitian=True), dtype=np.float64
        ),
        log_likelihood=problem.log_likelihood(beta),
        penalised=best,
        converged=converged,
    )
