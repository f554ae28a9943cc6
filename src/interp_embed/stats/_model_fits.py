"""The fits behind ``fit_model``: columns of mean 0 and spread 1 in, slopes out."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.discrete.discrete_model import Logit, MNLogit, Poisson
from statsmodels.miscmodels.ordinal_model import OrderedModel

from interp_embed.stats.penalised import PenalisedFit, firth_logit, profile_interval, ridge_logit
from interp_embed.stats.regression import fit_least_squares

_NAN = float("nan")


@dataclass(frozen=True)
class RawFit:
    """Slopes on scaled columns, one block of columns after the other."""

    slopes: NDArray[np.float64]
    covariance: NDArray[np.float64]
    log_likelihood: float
    r2: float
    """R2 of least squares, else McFadden's."""
    converged: bool
    overdispersion: float = _NAN
    bounds: NDArray[np.float64] | None = None
    """Low, high and p that are not Wald's, shape (n_slopes, 3)."""


@dataclass(frozen=True)
class Problem:
    """What is to be fitted, and how."""

    scaled: NDArray[np.float64]
    """Independent columns, shape (n, p)."""
    target: NDArray[np.float64]
    """Numbers, counts, or levels from 0."""
    family: str
    estimator: str
    kind: str
    """``model``, ``robust`` or ``cluster``."""
    clusters: NDArray[np.int64] | None
    level: float


def fit_raw(problem: Problem) -> RawFit:
    """Return the fit of any family."""
    if problem.family == "linear":
        return _fit_linear(problem)
    if problem.estimator in ("Firth", "ridge"):
        return _fit_penalised(problem)
    return _fit_likelihood(problem)


def _fit_linear(problem: Problem) -> RawFit:
    target = problem.target
    # As in joint_regression: rounding of a constant must not look like a residual.
    target = target - target.mean() if np.ptp(target) > 0.0 else np.zeros(target.size)
    norm = float(np.abs(target).max())
    fit = fit_least_squares(problem.scaled, target, problem.clusters)
    covariance = np.asarray(fit.cov_params())[1:, 1:]
    if np.abs(fit.resid).max() <= 1e-9 * norm:
        covariance = np.full_like(covariance, np.nan)
    r2 = float(fit.rsquared) if norm > 0.0 else _NAN
    return RawFit(np.asarray(fit.params)[1:], covariance, _NAN, r2, converged=True)


def _fit_likelihood(problem: Problem) -> RawFit:
    n, p = problem.scaled.shape
    plain = np.column_stack([np.ones(n), problem.scaled])
    options: dict[str, Any] = {"disp": 0, "maxiter": 500}
    if problem.kind == "cluster":
        options |= {"cov_type": "cluster", "cov_kwds": {"groups": problem.clusters}}
    elif problem.kind == "robust":
        options |= {"cov_type": "HC0"}
    if problem.family == "ordered":
        model = OrderedModel(problem.target.astype(np.int64), problem.scaled, distr="logit")
        options |= {"method": "bfgs", "gtol": 1e-6}
    else:
        kinds = {"logit": Logit, "poisson": Poisson, "multinomial": MNLogit}
        model = kinds[problem.family](problem.target, plain)
        options |= {"method": "newton"}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # told by `converged` and by the note
        try:
            fit = model.fit(**options)
        except np.linalg.LinAlgError:
            return _no_fit(problem)
        covariance = np.asarray(fit.cov_params())
        params = np.asarray(fit.params)
    if problem.kind == "robust":  # statsmodels' HC1 leaves the factor out in these models
        covariance = covariance * n / (n - params.size)
    if problem.family == "ordered":
        slopes, places = params[:p], np.arange(p)
    else:
        slopes = params.reshape(1 + p, -1)[1:].T.ravel()
        blocks = slopes.size // p
        places = (np.arange(blocks)[:, None] * (p + 1) + np.arange(1, p + 1)).ravel()
    covariance = covariance[np.ix_(places, places)]
    converged = bool(fit.mle_retvals["converged"]) and bool(np.isfinite(covariance).all())
    raw = RawFit(
        slopes,
        covariance,
        float(fit.llf),
        _mcfadden(float(fit.llf), problem),
        converged=converged and bool((np.diag(covariance) > 0.0).all()),
    )
    if problem.family != "poisson":
        return raw
    rates = np.exp(np.clip(plain @ params, -700.0, 700.0))
    chi2 = float(((problem.target - rates) ** 2 / rates).sum())
    return replace(raw, overdispersion=chi2 / (n - p - 1))


def _fit_penalised(problem: Problem) -> RawFit:
    n, p = problem.scaled.shape
    plain = np.column_stack([np.ones(n), problem.scaled])
    firth = problem.estimator == "Firth"
    fit = (firth_logit if firth else ridge_logit)(plain, problem.target)
    covariance = fit.covariance
    bounds = None
    if problem.kind != "model":
        covariance = _sandwich(plain, problem, fit)
    elif firth and fit.converged:
        profiles = [
            profile_interval(plain, problem.target, fit, column, level=problem.level)
            for column in range(1, p + 1)
        ]
        bounds = np.array([[found.low, found.high, found.p] for found in profiles])
    return RawFit(
        fit.coefficients[1:],
        covariance[1:, 1:],
        fit.log_likelihood,
        _mcfadden(fit.log_likelihood, problem),
        converged=fit.converged,
        bounds=bounds,
    )


def _sandwich(
    plain: NDArray[np.float64], problem: Problem, fit: PenalisedFit
) -> NDArray[np.float64]:
    """Return the covariance robust to any variance, or to dependence within groups."""
    n, k = plain.shape
    chances = 1.0 / (1.0 + np.exp(-plain @ fit.coefficients))
    scores = plain * (problem.target - chances)[:, None]
    factor = n / (n - k)
    if problem.clusters is not None:
        n_groups = int(problem.clusters.max()) + 1
        sums = np.zeros((n_groups, k))
        np.add.at(sums, problem.clusters, scores)
        scores, factor = sums, n_groups / (n_groups - 1) * (n - 1) / (n - k)
    result: NDArray[np.float64] = factor * fit.covariance @ scores.T @ scores @ fit.covariance
    return result


def _mcfadden(log_likelihood: float, problem: Problem) -> float:
    """Return 1 - logL / logL of the model with a constant only."""
    target = problem.target
    if problem.family == "poisson":
        constant = np.ones((target.size, 1))
        null = float(Poisson(target, constant).loglike(np.array([np.log(target.mean())])))
    else:
        counts = np.unique(target, return_counts=True)[1]
        null = float((counts * np.log(counts / target.size)).sum())
    return 1.0 - log_likelihood / null


def _no_fit(problem: Problem) -> RawFit:
    p = problem.scaled.shape[1]
    blocks = int(problem.target.max()) if problem.family == "multinomial" else 1
    size = p * blocks
    return RawFit(np.full(size, np.nan), np.full((size, size), np.nan), _NAN, _NAN, converged=False)
