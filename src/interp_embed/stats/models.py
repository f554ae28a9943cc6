"""A target on several columns at once: linear, logit, Poisson, ordered and multinomial."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from interp_embed.errors import InputError
from interp_embed.records import Estimate
from interp_embed.stats._checks import check_level, finite_matrix
from interp_embed.stats._model_fits import Problem, RawFit, fit_raw
from interp_embed.stats._model_options import (
    check_options,
    check_size,
    choose_estimator,
    degrees_of_freedom,
    describe_fit,
    kind_of_errors,
    name_errors,
    read_target,
)
from interp_embed.stats._separation import separated_columns
from interp_embed.stats.collinearity import column_condition, variance_inflation
from interp_embed.stats.regression import (
    centre_columns,
    identified_columns,
    independent_columns,
    number_clusters,
)

Family = Literal["linear", "logit", "poisson", "ordered", "multinomial"]
Penalty = Literal["auto", "none", "firth", "ridge"]
Errors = Literal["default", "model", "robust"]
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class ModelFit:
    """A fitted model: each column's effect with all others held fixed, and how it was got."""

    family: str
    estimator: str
    """What gave the numbers: ``least squares``, ``maximum likelihood``, ``Firth`` or ``ridge``."""
    errors: str
    """What the intervals stand on, such as ``HC3``, ``cluster-robust`` or ``model``."""
    estimates: tuple[Estimate, ...]
    """One a column, in order; ``multinomial``: all columns of ``levels[1]``, then ``levels[2]``."""
    levels: tuple[Any, ...]
    """Values of an ordered or multinomial target, sorted; the first is the base. Else empty."""
    n: int
    n_groups: int | None
    """Groups of a cluster-robust fit; None where rows are independent."""
    log_likelihood: float
    """Without penalty; NaN for ``linear``."""
    r2: float
    """On the rows fitted: R2 for ``linear``, else McFadden's 1 - logL / logL of a constant."""
    overdispersion: float
    """``poisson``: Pearson's chi2 over its degrees of freedom (1 if Poisson holds); else NaN."""
    converged: bool
    separated: tuple[int, ...]
    """Columns without a finite maximum-likelihood estimate; empty if there are none."""
    vif: tuple[float, ...]
    """Variance inflation of each column; inf if others determine it, NaN if it is constant."""
    condition_number: float
    """Largest over smallest singular value of the centred columns of norm 1; above 30: collinear"""
    note: str
    """In words: columns left out, separation, a change of estimator; empty if none."""
    coefficients: NDArray[np.float64]
    """The values of ``estimates``, shape (n_estimates,)."""
    covariance: NDArray[np.float64]
    """Their covariance, NaN where not estimated, shape (n_estimates, n_estimates)."""
    df: float
    """Degrees of freedom of t; inf where the normal distribution is used."""

    def of_level(self, level: Any) -> tuple[Estimate, ...]:  # noqa: ANN401 - whatever the target held
        """Return one level's estimates against the base level (``multinomial`` only).

        Raises:
            InputError: The model is not multinomial, or has no such level beside the base.
        """
        if self.family != "multinomial" or level not in self.levels[1:]:
            raise InputError(
                f"there are estimates by level for {self.levels[1:]} of a multinomial model only, "
                f"got {level!r} of a {self.family} model"
            )
        p = len(self.vif)
        start = (self.levels.index(level) - 1) * p
        return self.estimates[start : start + p]


@dataclass(frozen=True, slots=True)
class JointTest:
    """A Wald test that several coefficients are all 0."""

    statistic: float
    """F if ``df_residual`` is finite, else chi2."""
    df: int
    """Coefficients tested."""
    df_residual: float
    p: float
    note: str = ""
    """Why there is no p, or which columns were left out; empty if none."""


def fit_model(
    design: ArrayLike,
    target: ArrayLike,
    *,
    family: Family = "linear",
    groups: ArrayLike | None = None,
    errors: Errors = "default",
    penalty: Penalty = "auto",
    level: float = 0.95,
) -> ModelFit:
    """Return the regression of a target on all columns together, with an intercept.

    A 0/1 column with 3 of 4 against 1 of 4 successes, ``logit`` -> ln(3) - ln(1/3) = 2.197;
    counts of mean 4 against 2, ``poisson`` -> ln(2) = 0.693.

    Coefficients: ``linear`` difference in mean; ``logit`` log odds ratio; ``poisson`` log ratio
    of rates; ``ordered`` log odds ratio of lying higher (proportional odds); ``multinomial`` log
    odds ratio of a level against the first.

    Errors: with groups cluster-robust, t with n_groups - 1 degrees of freedom. Else, by
    default, HC3 with t (``linear``, as ``joint_regression``), the sandwich with n / (n - k)
    (``poisson``: right under any variance), the information matrix (the others); ``robust`` takes
    the sandwich, ``model`` the information matrix throughout, but ``linear`` is always robust.

    A column that cannot be estimated gets NaN and the others are fitted without it, as the note
    says: constant, a linear combination of earlier ones, or, where errors are robust, resting
    on one row or group alone.

    Separation (columns that tell outcomes apart without error, so that a maximum-likelihood
    estimate is infinite) is looked for in every fit but ``linear``. Then ``logit`` is answered by
    Firth's penalised likelihood with profile intervals, all coefficients alike, and
    ``estimator``, ``separated`` and ``note`` say so; with penalty ``none``, and in the other
    families, all is NaN.

    Args:
        design: Columns such as annotations of concepts, shape (n, p), p >= 1.
        target: Shape (n,): numbers (``linear``), 0/1 (``logit``), whole numbers >= 0
            (``poisson``), numbers of 3 or more ranks (``ordered``), labels of any sort
            (``multinomial``).
        family: Of the model.
        groups: Rows with the same label are not independent, shape (n,).
        errors: See above.
        penalty: ``logit`` only. ``auto``: Firth if separated; ``firth`` always; ``none`` never;
            ``ridge``: normal prior of spread 1 on the effect of one standard deviation, for which
            the interval is a credible one by the normal approximation and p is NaN.
        level: Confidence level in (0, 1).

    Raises:
        InputError: Values are missing or not of the family's kind, the target is constant
            (``linear`` excepted), there are too few rows or a single group, or options do not
            go together.

    Source: Heinze and Schemper 2002, Statistics in Medicine 21, 2409-2419 (Firth); Cameron and
    Miller 2015, J. Human Resources 50, 317-372 (clusters); fits by statsmodels but for the
    penalised ones.
    """
    check_level(level)
    check_options(family, groups=groups, errors=errors, penalty=penalty)
    columns = finite_matrix(design, name="design")
    n, p = columns.shape
    outcome = read_target(target, n, family)
    clusters = None if groups is None else number_clusters(groups, n)
    check_size(n, p, outcome.blocks * p + outcome.n_constants)
    kind = kind_of_errors(family, errors, clustered=clusters is not None)
    centred, norms = centre_columns(columns)
    kept = independent_columns(centred)
    if kind != "model":
        kept = identified_columns(centred, clusters)
    scaled = centred[:, kept] * np.sqrt(n)
    separated = np.empty(0, dtype=np.int64)
    if family != "linear":
        codes = outcome.values.astype(np.int64)
        separated = kept[separated_columns(scaled, codes, family=family)]
    estimator = choose_estimator(family, penalty, is_separated=separated.size > 0)
    raw = None
    if kept.size and estimator != "none":
        raw = fit_raw(
            Problem(scaled, outcome.values, family, estimator, kind, clusters, level=level)
        )
        if estimator == "Firth" and kind != "model":
            raw = _without_errors(raw, np.isin(kept, separated))
    n_groups = None if clusters is None else int(clusters.max()) + 1
    df = degrees_of_freedom(family, n - kept.size - 1, n_groups)
    spread = _spread_out(raw, kept, norms / np.sqrt(n), outcome.blocks)
    bounds = _bounds(spread, df=df, level=level, estimator=estimator)
    return ModelFit(
        family=family,
        estimator=estimator,
        errors=name_errors(family, estimator, kind),
        estimates=tuple(
            Estimate(float(value), float(low), float(high), float(p_value), n)
            for value, (low, high, p_value) in zip(spread.slopes, bounds, strict=True)
        ),
        levels=outcome.levels,
        n=n,
        n_groups=n_groups,
        log_likelihood=spread.log_likelihood,
        r2=spread.r2,
        overdispersion=spread.overdispersion,
        converged=spread.converged,
        separated=tuple(int(column) for column in separated),
        vif=variance_inflation(columns),
        condition_number=column_condition(columns[:, kept]),
        note=describe_fit(centred, kept, separated, family, estimator, raw, kind),
        coefficients=spread.slopes,
        covariance=spread.covariance,
        df=df,
    )


def wald_test(fit: ModelFit, columns: Sequence[int]) -> JointTest:
    """Return the Wald test that these columns have no effect, taken together.

    Of two columns that nearly repeat each other neither may have a small p of its own while the
    pair has: this tests the pair. In a multinomial fit a column stands for all levels. With one
    column of one coefficient it is the square of t, so that p is the coefficient's own.

    Args:
        fit: A model; where it is a Firth fit the test stands on its information matrix.
        columns: Indices from 0 of the columns to test together.

    Returns:
        NaN with a note where none of them was estimated, or (clusters) there are as many
        coefficients as groups or more. Columns that were not estimated are left out, and noted.

    Raises:
        InputError: An index is out of range or given twice, or there is none.

    Source: Wald 1943; F with the fit's degrees of freedom where it uses t.
    """
    p = len(fit.vif)
    wanted = list(columns)
    if not wanted or len(set(wanted)) < len(wanted) or not all(0 <= c < p for c in wanted):
        raise InputError(f"columns must be different indices from 0 to {p - 1}, got {wanted}")
    places = np.array([c + start for start in range(0, fit.coefficients.size, p) for c in wanted])
    known = places[np.isfinite(np.diag(fit.covariance)[places])]
    left_out = sorted({int(place % p) for place in np.setdiff1d(places, known)})
    note = f"columns {left_out} were not estimated and are left out" if left_out else ""
    if not known.size:
        return JointTest(_NAN, 0, fit.df, _NAN, "none of the columns was estimated with an error")
    if fit.n_groups is not None and known.size >= fit.n_groups:
        reason = f"{known.size} coefficients cannot be tested together on {fit.n_groups} groups"
        return JointTest(_NAN, known.size, fit.df, _NAN, reason)
    values = fit.coefficients[known]
    wald = float(values @ np.linalg.solve(fit.covariance[np.ix_(known, known)], values))
    if np.isfinite(fit.df):
        statistic = wald / known.size
        return JointTest(
            statistic, known.size, fit.df, float(stats.f.sf(statistic, known.size, fit.df)), note
        )
    return JointTest(wald, known.size, fit.df, float(stats.chi2.sf(wald, known.size)), note)


def _without_errors(raw: RawFit, separated: NDArray[np.bool_]) -> RawFit:
    """Return the fit with NaN errors in separated columns, where a sandwich is near 0."""
    covariance = raw.covariance.copy()
    covariance[separated] = np.nan
    covariance[:, separated] = np.nan
    return replace(raw, covariance=covariance)


def _spread_out(
    raw: RawFit | None, kept: NDArray[np.int64], spreads: NDArray[np.float64], blocks: int
) -> RawFit:
    """Return the fit in the units of the columns, NaN for columns that were left out."""
    p = spreads.size
    slopes = np.full(blocks * p, np.nan)
    covariance = np.full((slopes.size, slopes.size), np.nan)
    if raw is None or not raw.converged:
        return RawFit(slopes, covariance, _NAN, _NAN, converged=False)
    places = (np.arange(blocks)[:, None] * p + kept).ravel()
    units = np.tile(spreads[kept], blocks)
    slopes[places] = raw.slopes / units
    covariance[np.ix_(places, places)] = raw.covariance / np.outer(units, units)
    bounds = None
    if raw.bounds is not None:
        bounds = np.full((slopes.size, 3), np.nan)
        bounds[places] = raw.bounds / np.column_stack([units, units, np.ones(units.size)])
    return replace(raw, slopes=slopes, covariance=covariance, bounds=bounds)


def _bounds(fit: RawFit, *, df: float, level: float, estimator: str) -> NDArray[np.float64]:
    """Return low, high and p of each coefficient, shape (n_coefficients, 3)."""
    if fit.bounds is not None:
        return fit.bounds
    errors = np.sqrt(np.diag(fit.covariance))
    law = stats.t(df) if np.isfinite(df) else stats.norm()
    reach = float(law.ppf(0.5 + level / 2.0)) * errors
    p_values = 2.0 * law.sf(np.abs(fit.slopes / errors))
    if estimator == "ridge":
        p_values = np.full_like(errors, np.nan)
    return np.column_stack([fit.slopes - reach, fit.slopes + reach, p_values])
