"""The joint linear regression of a target on several columns, with errors that hold up."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular
from statsmodels.regression.linear_model import OLS

from interp_embed.errors import InputError
from interp_embed.records import Estimate
from interp_embed.stats._checks import (
    check_level,
    check_same_length,
    finite_matrix,
    finite_vector,
    number_labels,
)

_RELATIVE_ZERO = 1e-9
"""A residual below this share of the column's norm counts as rounding."""


def joint_regression(
    design: ArrayLike,
    target: ArrayLike,
    *,
    level: float = 0.95,
    groups: ArrayLike | None = None,
) -> tuple[Estimate, ...]:
    """Return each column's coefficient with all other columns held fixed.

    Ordinary least squares with an intercept. Standard errors are HC3 or, with groups,
    cluster-robust with the small-sample correction; intervals and p use the t distribution with
    n - rank or n_groups - 1 degrees of freedom. For a 0/1 target this is the linear probability
    model: a coefficient is a difference in probability. It is used because, unlike the logistic
    model, it has an answer when a column separates the classes. With fewer than about 30 groups
    cluster-robust intervals tend to be too short.

    A column that cannot be estimated gets NaN throughout, and the others are estimated without
    it: a constant column, a linear combination of earlier columns, or one whose coefficient rests
    on one row (leverage 1; with groups: on one group) alone, where the robust variance is 0/0.
    Where the fit leaves no residual at all, the values come with NaN intervals and p.

    Args:
        design: Columns such as annotations of concepts, shape (n, p).
        target: Shape (n,).
        level: Confidence level in (0, 1).
        groups: Rows with the same label are not independent, shape (n,).

    Returns:
        One estimate for each column, in order.

    Raises:
        InputError: A value is NaN or infinite, shapes differ, there is only one group, or
            n <= p + 2.

    Source: MacKinnon and White 1985, J. Econometrics 29, 305-325 (HC3); Liang and Zeger 1986,
    Biometrika 73, 13-22 (clusters).
    """
    check_level(level)
    columns = finite_matrix(design, name="design")
    values = finite_vector(target, name="target")
    n, p = columns.shape
    check_same_length(n, values, name="target")
    clusters = None if groups is None else number_clusters(groups, n)
    if n <= p + 2:
        raise InputError(
            f"{n} rows are too few for a regression on {p} columns: at least {p + 3} are needed; "
            "use fewer columns or more documents"
        )
    scaled, scales = centre_columns(columns)
    values = values - values.mean() if np.ptp(values) > 0.0 else np.zeros(n)
    kept = identified_columns(scaled, clusters)
    nan = float("nan")
    estimates = [Estimate(nan, nan, nan, nan, n)] * p
    if kept.size:
        for column, estimate in zip(
            kept, _fit(scaled[:, kept], values, clusters, level), strict=True
        ):
            estimates[column] = _rescale(estimate, scales[column])
    return tuple(estimates)


def number_clusters(groups: ArrayLike, n: int) -> NDArray[np.int64] | None:
    """Return groups as labels from 0, or None where every row is a group of its own."""
    numbers = number_labels(groups)
    check_same_length(n, numbers, name="groups")
    n_groups = int(numbers.max(initial=-1)) + 1
    if n_groups == n:
        return None
    if n_groups < 2:
        raise InputError(
            f"all {n} rows are in one group: errors robust to groups need at least 2 of them"
        )
    return numbers


def centre_columns(
    columns: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centred columns of norm 1 with their norms; constant columns become 0, norm NaN."""
    centred = columns - columns.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    raw = np.linalg.norm(columns, axis=0)
    norms[norms <= 1e-12 * raw] = np.nan
    return np.nan_to_num(centred / norms), norms


def identified_columns(
    scaled: NDArray[np.float64], clusters: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Return the columns that can be estimated together, earlier ones preferred."""
    kept = independent_columns(scaled)
    while kept.size:
        involved = _columns_resting_on_one_cluster(scaled[:, kept], clusters)
        if not involved.size:
            break
        kept = np.delete(kept, involved.max())
    return kept


def independent_columns(scaled: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the columns that are not 0 and no linear combination of earlier ones."""
    n, p = scaled.shape
    basis = np.empty((n, p))
    kept: list[int] = []
    for column in range(p):
        residual = scaled[:, column].copy()
        for _ in range(2):  # once more: the first pass leaves rounding along the basis
            found = basis[:, : len(kept)]
            residual -= found @ (found.T @ residual)
        norm = np.linalg.norm(residual)
        if norm > _RELATIVE_ZERO:
            basis[:, len(kept)] = residual / norm
            kept.append(column)
    return np.asarray(kept, dtype=np.int64)


def _columns_resting_on_one_cluster(
    scaled: NDArray[np.float64], clusters: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Return the columns some combination of which is non-zero in one cluster (row) only.

    In the orthonormal basis Q of intercept and columns, a cluster's rows Q_g have a singular
    value of 1 exactly if a vector of the column space lies wholly inside the cluster. For a
    cluster of one row that is leverage 1.
    """
    n = scaled.shape[0]
    labels = np.arange(n) if clusters is None else clusters
    q, r = np.linalg.qr(np.column_stack([np.ones(n), scaled]))  # (n, p + 1), (p + 1, p + 1)
    leverage = np.bincount(labels, weights=(q**2).sum(axis=1))
    for cluster in np.flatnonzero(leverage >= 1.0 - _RELATIVE_ZERO):
        _, singular, directions = np.linalg.svd(q[labels == cluster], full_matrices=False)
        if singular[0] ** 2 < 1.0 - _RELATIVE_ZERO:
            continue
        combination = solve_triangular(r, directions[0])
        weights = np.abs(combination[1:])
        return np.flatnonzero(weights > 1e-6 * weights.max())
    return np.empty(0, dtype=np.int64)


def fit_least_squares(
    scaled: NDArray[np.float64],
    target: NDArray[np.float64],
    clusters: NDArray[np.int64] | None,
) -> Any:  # noqa: ANN401 - of statsmodels, which has no types
    """Return statsmodels' fit on an intercept and the columns, HC3 or cluster-robust, with t."""
    model = OLS(target, np.column_stack([np.ones(len(scaled)), scaled]))
    if clusters is None:
        return model.fit(cov_type="HC3", use_t=True)
    return model.fit(
        cov_type="cluster",
        cov_kwds={"groups": clusters, "use_correction": True, "df_correction": True},
        use_t=True,
    )


def _fit(
    scaled: NDArray[np.float64],
    target: NDArray[np.float64],
    clusters: NDArray[np.int64] | None,
    level: float,
) -> list[Estimate]:
    n, p = scaled.shape
    fit = fit_least_squares(scaled, target, clusters)
    if np.abs(fit.resid).max() <= _RELATIVE_ZERO * np.abs(target).max():
        nan = float("nan")
        return [Estimate(float(value), nan, nan, nan, n) for value in fit.params[1:]]
    bounds = fit.conf_int(alpha=1.0 - level)
    return [
        Estimate(
            value=float(fit.params[column]),
            low=float(bounds[column, 0]),
            high=float(bounds[column, 1]),
            p=float(fit.pvalues[column]),
            n=n,
        )
        for column in range(1, p + 1)
    ]


def _rescale(estimate: Estimate, scale: float) -> Estimate:
    return Estimate(
        value=float(estimate.value / scale),
        low=float(estimate.low / scale),
        high=float(estimate.high / scale),
        p=estimate.p,
        n=estimate.n,
    )
