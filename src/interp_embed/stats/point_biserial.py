"""Correlation of where features fire with a number of each document."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.sparse import csr_array, csr_matrix

from interp_embed.stats._checks import check_level, check_same_length, finite_vector
from interp_embed.stats.clustered import clustered_sums, compare_clustered
from interp_embed.stats.columns import column_correlation
from interp_embed.stats.design_effects import number_groups


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
    activations: csr_matrix | csr_array,
    number: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> PointBiserial:
    """Return the correlation of "the feature fires" with a number, with interval and p.

    fires [1, 1, 0, 0], number [4, 3, 2, 1] -> 0.894, p = 0.121

    The interval is the delta method's, on the scale of atanh, and holds whatever the number's
    distribution; p is that of Wilcoxon's rank sum (normal approximation, ties counted), which few
    large numbers cannot carry. Where documents are in groups both have the larger of their own
    variance and that over sums of groups, and Student's t in place of the normal distribution.

    Args:
        activations: Shape (n_documents, n_features), values >= 0; a feature fires above 0.
        number: Shape (n_documents,).
        groups: Documents of one label are not independent, shape (n_documents,); None: all are.
        level: Confidence level in (0, 1).

    Raises:
        InputError: Lengths differ, there are no documents, a value is not finite or negative, or
            a group is missing or the only one.

    Source: Wilcoxon 1945, Biometrics Bull. 1(6), 80-83; variance of a correlation as in Hawkins
    1989, Am. Stat. 43(4), 235-237, from its influence function; of groups as ``clustered_sums``.
    """
    check_level(level)
    values = finite_vector(number, name="number")
    check_same_length(activations.shape[0], values, name="number")
    fires = csr_array((activations > 0).astype(np.float64))
    n = values.size
    r = column_correlation(fires, values)
    ranked = column_correlation(fires, stats.rankdata(values))
    p = 2.0 * stats.norm.sf(np.abs(ranked) * np.sqrt(n - 1.0))
    error, df = _standard_error(fires, values, r), np.full(r.shape, np.inf)
    if groups is not None and (of_group := number_groups(groups, n)).max() < n - 1:
        tested, df = _test_groups(fires, stats.rankdata(values), of_group)
        p = np.maximum(p, tested)
        error = np.maximum(error, _grouped_error(fires, values, r, of_group))
    reach = stats.t.ppf(0.5 + level / 2.0, df)
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
    powers = _powers(values, 5)
    firing = np.asarray(fires.T @ powers)  # (n_features, 5)
    total = np.zeros(r.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        for sums, (c, b, a) in zip(
            (firing, powers.sum(axis=0) - firing), _influence(firing[:, 0] / n, r), strict=True
        ):
            weights = (c**2, 2 * b * c, b**2 + 2 * a * c, 2 * a * b, a**2)
            total += sum(weight * sums[:, k] for k, weight in enumerate(weights))
    return np.asarray(np.sqrt(np.maximum(total, 0.0)) / n)


def _powers(values: NDArray[np.float64], n_powers: int) -> NDArray[np.float64]:
    """Return powers of the standardised number from 0, shape (n_documents, n_powers)."""
    v = (values - values.mean()) / (float(values.std()) or np.nan)
    return np.stack([v**k for k in range(n_powers)], axis=1)


def _influence(share: NDArray[np.float64], r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a document adds to a correlation as weights of 1, v and v^2, v its number.

    Args:
        share: Share of documents in which each feature fires.
        r: The correlations.

    Returns:
        Of documents in which it fires, and of the others, shape (2, 3, n_features).
    """
    spread = np.sqrt(share * (1.0 - share))
    rows = []
    for u in ((1.0 - share) / spread, -share / spread):
        rows.append(np.stack([-r * u**2 / 2.0, u, -r / 2.0]))
    return np.stack(rows)


def _test_groups(
    fires: csr_array, ranks: NDArray[np.float64], of_group: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return p of the rank-sum test over groups, and its degrees of freedom."""
    n = ranks.size
    weights = (ranks - ranks.mean()) / n**2
    sums = clustered_sums(fires, weights, groups=of_group, slope=weights)
    share = np.asarray(fires.sum(axis=0)).ravel() / n
    least = share * (1.0 - share) * float(weights @ weights) * n / (n - 1.0)
    tested = compare_clustered(sums, least=least)
    return np.where((share > 0.0) & (share < 1.0), tested.p, np.nan), sums.df


def _grouped_error(
    fires: csr_array,
    values: NDArray[np.float64],
    r: NDArray[np.float64],
    of_group: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the standard errors of correlations, from sums of influence over groups."""
    n, n_groups = values.size, int(of_group.max()) + 1
    powers = _powers(values, 3)
    places = np.arange(n)
    firing, whole = [], np.zeros((n_groups, 3))
    for k in range(3):
        to_groups = csr_array((powers[:, k], (of_group, places)), shape=(n_groups, n))
        firing.append(csr_array(to_groups @ fires))  # (n_groups, n_features)
        whole[:, k] = np.asarray(to_groups.sum(axis=1)).ravel()
    share = np.asarray(fires.sum(axis=0)).ravel() / n
    with np.errstate(invalid="ignore", divide="ignore"):
        inside, outside = _influence(share, r)
        more = inside - outside  # (3, n_features)
        # Influence of a group: its powers where the feature fires times more, plus all its powers
        # times outside.
        total = (outside * (whole.T @ whole @ outside)).sum(axis=0)
        for k in range(3):
            total += 2.0 * more[k] * ((firing[k].T @ whole).T * outside).sum(axis=0)
            for j in range(3):
                crossed = np.asarray(firing[k].multiply(firing[j]).sum(axis=0)).ravel()
                total += more[k] * more[j] * crossed
        total *= n_groups / (n_groups - 1.0)
    return np.asarray(np.sqrt(np.maximum(total, 0.0)) / n)
