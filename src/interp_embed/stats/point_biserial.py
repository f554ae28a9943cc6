"""Correlation of where features fire with a number of each document."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.sparse import csr_array, csr_matrix

from interp_embed.stats._checks import check_level, check_same_length, finite_vector
from interp_embed.stats.columns import column_correlation


@dataclass(frozen=True, slots=True, eq=False)
class PointBiserial:
    """Correlations of 0/1 columns with a number; arrays (n_features,), NaN for constants."""

    value: NDArray[np.float64]
    """Pearson correlation, in [-1, 1]."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """Ends of its interval."""
    p: NDArray[np.float64]
    """Two-sided p of the rank-sum test, in [0, 1]."""
    n: int
    """Documents."""


def point_biserial(
    activations: csr_matrix | csr_array, number: ArrayLike, *, level: float = 0.95
) -> PointBiserial:
    """Return the correlation of "the feature fires" with a number, with interval and p.

    fires [1, 1, 0, 0], number [4, 3, 2, 1] -> 0.894, p = 0.121

    The interval is the delta method's, on the scale of atanh, and holds whatever the number's
    distribution; p is that of Wilcoxon's rank sum (normal approximation, ties counted), which few
    large numbers cannot carry.

    Args:
        activations: Shape (n_documents, n_features), values >= 0; a feature fires above 0.
        number: Shape (n_documents,).
        level: Confidence level in (0, 1).

    Raises:
        InputError: Lengths differ, there are no documents, or a value is not finite or negative.

    Source: Wilcoxon 1945, Biometrics Bull. 1(6), 80-83; variance of a correlation as in Hawkins
    1989, Am. Stat. 43(4), 235-237, from its influence function.
    """
    check_level(level)
    values = finite_vector(number, name="number")
    check_same_length(activations.shape[0], values, name="number")
    fires = csr_array((activations > 0).astype(np.float64))
    n = values.size
    r = column_correlation(fires, values)
    ranked = column_correlation(fires, stats.rankdata(values))
    p = 2.0 * stats.norm.sf(np.abs(ranked) * np.sqrt(n - 1.0))
    error = _standard_error(fires, values, r)
    reach = float(stats.norm.ppf(0.5 + level / 2.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        inner = np.clip(r, -1.0 + 1e-12, 1.0 - 1e-12)
        width = reach * error / (1.0 - inner**2)
        low, high = np.tanh(np.arctanh(inner) - width), np.tanh(np.arctanh(inner) + width)
    return PointBiserial(value=r, low=np.minimum(low, r), high=np.maximum(high, r), p=p, n=n)


def _standard_error(
    fires: csr_array, values: NDArray[np.float64], r: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the standard errors of correlations, from sums of powers where features fire."""
    n = values.size
    scale = float(values.std()) or np.nan
    v = (values - values.mean()) / scale
    powers = np.stack([v**k for k in range(5)], axis=1)  # (n_documents, 5)
    firing = np.asarray(fires.T @ powers)  # (n_features, 5)
    share = firing[:, 0] / n
    spread = np.sqrt(share * (1.0 - share))
    total = np.zeros(share.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        for sums, u in (
            (firing, (1.0 - share) / spread),
            (powers.sum(axis=0) - firing, -share / spread),
        ):
            # Influence A v^2 + B v + C of a document, squared and summed.
            a, b, c = -r / 2.0, u, -r * u**2 / 2.0
            weights = (c**2, 2 * b * c, b**2 + 2 * a * c, 2 * a * b, a**2)
            total += sum(weight * sums[:, k] for k, weight in enumerate(weights))
    return np.asarray(np.sqrt(np.maximum(total, 0.0)) / n)
