"""Effects within strata, between strata, and with covariates held fixed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.regression.linear_model import WLS

from interp_embed.errors import InputError
from interp_embed.records import Estimate
from interp_embed.stats._checks import (
    check_level,
    check_same_length,
    finite_matrix,
    finite_vector,
    number_labels,
)
from interp_embed.stats.intervals import welch_difference
from interp_embed.stats.regression import (
    centre_columns,
    identified_columns,
    joint_regression,
    number_clusters,
)

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class StratumEffect:
    """The effect of a concept among the documents of one stratum."""

    stratum: Any
    """Its label."""
    effect: Estimate
    """NaN where it cannot be judged; ``n`` counts the stratum's documents."""
    df: float
    """Degrees of freedom of its interval."""


@dataclass(frozen=True, slots=True)
class StratifiedEffect:
    """The effect of a concept in each stratum, and whether it is the same in all."""

    strata: tuple[StratumEffect, ...]
    """By first appearance."""
    overall: Estimate
    """With strata ignored."""
    within: Estimate
    """With each stratum's mean held fixed; NaN where the concept varies in none."""
    cochran_q: float
    """Weighted squares of the strata's effects about their mean; NaN with fewer than 2."""
    df: int
    """Strata that could be judged, less 1."""
    p_interaction: float
    """Of "the effect is the same in all strata"."""
    p_reversal: float
    """Of "the effect has no strata of opposite signs"."""
    sign_reversal: bool
    """Whether ``p_reversal`` is at most 1 - level: positive here, negative there."""
    note: str
    """Which strata could not be judged; empty if none."""


@dataclass(frozen=True, slots=True)
class AdjustedEffect:
    """A concept's effect without and with covariates, such as length, held fixed."""

    plain: Estimate
    adjusted: Estimate
    change: Estimate
    """adjusted - plain, with the interval of the difference of two fits to the same rows."""
    explained_share: float
    """1 - adjusted / plain: 1 if the covariates take it all, above 1 if the sign turns."""
    explained_away: bool
    """Plain and change are certain at the level, adjusted is not: nothing shown beyond them."""
    note: str
    """Why something could not be estimated; empty if all was."""


def demean_within(values: ArrayLike, strata: ArrayLike) -> NDArray[np.float64]:
    """Return values less the mean of their stratum.

    [1, 3, 10, 20] in strata [a, a, b, b] -> [-1, 1, -5, 5]

    Args:
        values: Shape (n,) or (n, p).
        strata: Labels of any sort, shape (n,).

    Raises:
        InputError: A value or label is missing, or lengths differ.

    Source: fixed effects; arXiv 2606.03029 (within-stratum demeaning before selection).
    """
    if np.ndim(values) == 1:
        return demean_within(finite_vector(values, name="values")[:, None], strata)[:, 0]
    matrix = finite_matrix(values, name="values")
    labels = number_labels(strata, name="strata")
    check_same_length(len(matrix), labels, name="strata")
    sums = np.zeros((int(labels.max(initial=-1)) + 1, matrix.shape[1]))
    np.add.at(sums, labels, matrix)
    return matrix - (sums / np.bincount(labels)[:, None])[labels]


def inverse_frequency_weights(strata: ArrayLike) -> NDArray[np.float64]:
    """Return weights of mean 1 under which every stratum counts the same.

    [a, a, a, b] -> [2/3, 2/3, 2/3, 2]

    To balance cells of two labels, give a label of the cell, such as ``f"{source}/{target}"``.

    Raises:
        InputError: A label is missing.

    Source: arXiv 2606.03029 (inverse-frequency reweighting of unbalanced strata).
    """
    labels = number_labels(strata, name="strata")
    counts = np.bincount(labels)
    return np.asarray(labels.size / (counts.size * counts[labels]), dtype=np.float64)


def weighted_difference(
    concept: ArrayLike,
    target: ArrayLike,
    weights: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return the weighted mean target with a concept less that without it.

    concept [1, 1, 0, 0], target [1, 4, 0, 1], weights [2, 1, 1, 1] -> 2 - 0.5 = 1.5

    For a concept that is not 0/1, the weighted least-squares slope. HC3 errors (groups:
    cluster-robust), which hold for weights of any origin; t with n - 2 (n_groups - 1).

    Args:
        concept: Shape (n,).
        target: Shape (n,).
        weights: >= 0, shape (n,); rows of weight 0 are left out, and not counted in ``n``.
        groups: Rows with the same label are not independent, shape (n,).
        level: Confidence level in (0, 1).

    Returns:
        NaN throughout where the concept or (p and interval only) the target does not vary.

    Raises:
        InputError: A value is missing, a weight negative, fewer than 4 rows have a weight, or
            there is a single group.
    """
    check_level(level)
    x, y = finite_vector(concept, name="concept"), finite_vector(target, name="target")
    w = finite_vector(weights, name="weights")
    for other, name in ((y, "target"), (w, "weights")):
        check_same_length(x.size, other, name=name)
    if (w < 0.0).any():
        raise InputError(f"weights must be >= 0, got {w.min()}")
    used = w > 0.0
    n = int(used.sum())
    if n < 4:
        raise InputError(f"{n} rows with a weight above 0 are too few: at least 4 are needed")
    clusters = None
    if groups is not None:
        labels = number_labels(groups)
        check_same_length(x.size, labels, name="groups")
        clusters = number_clusters(labels[used], n)
    x, y, w = x[used], y[used], w[used] / w[used].mean()
    scaled, norms = centre_columns(x[:, None])
    if not identified_columns(scaled, clusters).size:
        return Estimate(_NAN, _NAN, _NAN, _NAN, n)
    model = WLS(y - y.mean(), np.column_stack([np.ones(n), scaled]), weights=w)
    if clusters is None:
        fit = model.fit(cov_type="HC3", use_t=True)
    else:
        fit = model.fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    value = float(fit.params[1] / norms[0])
    if np.abs(fit.resid).max() <= 1e-9 * max(float(np.abs(y).max()), 1e-300):
        return Estimate(value, _NAN, _NAN, _NAN, n)
    low, high = fit.conf_int(alpha=1.0 - level)[1] / norms[0]
    return Estimate(value, float(low), float(high), float(fit.pvalues[1]), n)


def stratified_effect(
    concept: ArrayLike,
    target: ArrayLike,
    strata: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> StratifiedEffect:
    """Return a concept's effect in each stratum and the tests of interaction and of reversal.

    Each stratum's effect is, for a 0/1 concept without groups, the difference in means with
    Welch's interval; else the slope of a linear regression with HC3 or cluster-robust errors.
    Interaction: Cochran's Q, referred to Welch's F, which takes the strata's degrees of freedom
    into account. Reversal: Gail and Simon's test of a qualitative interaction, on normal scores
    of the strata's t. Effects [1, 3], each with variance 1/2 -> Q = 4; t scores [2.5, -3] ->
    reversal p = P(chi2 > 6.25) / 2 = 0.006.

    A stratum that cannot be judged (fewer than 4 documents, a concept or target that does not
    vary, a single group, a slope resting on one row) has NaN and is left out of the tests; the
    note counts them. Where many strata are screened for many concepts, correct both p-values.

    Args:
        concept: Values of a concept or feature, shape (n,).
        target: Shape (n,).
        strata: Labels of any sort, shape (n,).
        groups: Rows with the same label are not independent, shape (n,).
        level: Confidence level in (0, 1).

    Raises:
        InputError: A value or label is missing, lengths differ, or there are fewer than 4 rows.

    Source: Cochran 1954, Biometrics 10, 101-129; Welch 1951, Biometrika 38, 330-336; Gail and
    Simon 1985, Biometrics 41, 361-372.
    """
    check_level(level)
    x, y = finite_vector(concept, name="concept"), finite_vector(target, name="target")
    labels = number_labels(strata, name="strata")
    clusters = None if groups is None else number_labels(groups)
    check_same_length(x.size, y, name="target")
    check_same_length(x.size, labels, name="strata")
    if clusters is not None:
        check_same_length(x.size, clusters, name="groups")
    names = list(strata)  # type: ignore[arg-type]
    found = []
    for label in range(int(labels.max(initial=-1)) + 1):
        inside = np.flatnonzero(labels == label)
        inner = None if clusters is None else clusters[inside]
        found.append(_stratum_effect(names[inside[0]], x[inside], y[inside], inner, level))
    judged = [s for s in found if np.isfinite(s.effect.p)]
    q, p_interaction = _interaction(judged, level)
    p_reversal = _reversal(judged)
    left_out = len(found) - len(judged)
    return StratifiedEffect(
        strata=tuple(found),
        overall=joint_regression(x[:, None], y, groups=clusters, level=level)[0],
        within=_within_effect(x, y, labels, clusters, level),
        cochran_q=q,
        df=max(len(judged) - 1, 0),
        p_interaction=p_interaction,
        p_reversal=p_reversal,
        sign_reversal=bool(p_reversal <= 1.0 - level),
        note=f"{left_out} of {len(found)} strata could not be judged" if left_out else "",
    )


def adjusted_effect(
    concept: ArrayLike,
    target: ArrayLike,
    covariates: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> AdjustedEffect:
    """Return a concept's effect with and without covariates, and what they change.

    Two linear regressions on the same rows. The change is minus (effect of the covariates at a
    given concept) x (their slope on the concept); its error comes from both fits' influence row
    by row, HC3 or cluster-robust, so that what they share cancels.

    A covariate that the concept itself brings about (length, of a concept that makes texts
    longer) takes away a part of what the concept does: "explained away" speaks of association.

    Args:
        concept: Shape (n,).
        target: Shape (n,).
        covariates: Held fixed, such as log length, shape (n, q), q >= 1.
        groups: Rows with the same label are not independent, shape (n,).
        level: Confidence level in (0, 1).

    Returns:
        NaN for adjusted and change where covariates determine the concept.

    Raises:
        InputError: A value is missing, lengths differ, there are n <= q + 3 rows, or one group.

    Source: Clogg, Petkova and Haritou 1995, American Journal of Sociology 100, 1261-1293, there
    with errors of constant variance.
    """
    check_level(level)
    x, y = finite_vector(concept, name="concept"), finite_vector(target, name="target")
    others = finite_matrix(covariates, name="covariates")
    check_same_length(len(others), x, name="concept")
    check_same_length(len(others), y, name="target")
    if not others.shape[1]:
        raise InputError("there are no covariates to hold fixed")
    wide = np.column_stack([others, x])  # last: covariates are preferred where they repeat it
    clusters = None if groups is None else number_clusters(groups, x.size)
    adjusted = joint_regression(wide, y, groups=groups, level=level)[-1]
    plain = joint_regression(x[:, None], y, groups=groups, level=level)[0]
    if not (np.isfinite(adjusted.p) and np.isfinite(plain.p)):
        unknown = Estimate(_NAN, _NAN, _NAN, _NAN, x.size)
        note = "the concept is constant, determined by covariates, or leaves no residual"
        return AdjustedEffect(plain, adjusted, unknown, _NAN, explained_away=False, note=note)
    scaled, _ = centre_columns(others)
    kept = identified_columns(scaled, clusters)
    change = _change(x, y, scaled[:, kept], clusters, level)
    alpha = 1.0 - level
    return AdjustedEffect(
        plain=plain,
        adjusted=adjusted,
        change=change,
        explained_share=1.0 - adjusted.value / plain.value if plain.value else _NAN,
        explained_away=plain.p <= alpha and adjusted.p > alpha and change.p <= alpha,
        note="",
    )


def _stratum_effect(
    name: object,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    clusters: NDArray[np.int64] | None,
    level: float,
) -> StratumEffect:
    unknown = Estimate(_NAN, _NAN, _NAN, _NAN, x.size)
    n_groups = x.size if clusters is None else np.unique(clusters).size
    if x.size < 4 or n_groups < 2:
        return StratumEffect(name, unknown, _NAN)
    if clusters is None and np.isin(x, (0.0, 1.0)).all():
        effect = welch_difference(y[x == 1.0], y[x == 0.0], level=level)
        return StratumEffect(name, effect, _welch_df(y[x == 1.0], y[x == 0.0]))
    effect = joint_regression(x[:, None], y, groups=clusters, level=level)[0]
    return StratumEffect(name, effect, float(n_groups - (2 if n_groups == x.size else 1)))


def _welch_df(present: NDArray[np.float64], absent: NDArray[np.float64]) -> float:
    """Return Satterthwaite's degrees of freedom; NaN where a side has fewer than two values."""
    if min(present.size, absent.size) < 2 or np.ptp(present) == np.ptp(absent) == 0.0:
        return _NAN
    first, second = present.var(ddof=1) / present.size, absent.var(ddof=1) / absent.size
    rest = first**2 / (present.size - 1) + second**2 / (absent.size - 1)
    return float((first + second) ** 2 / rest)


def _interaction(judged: list[StratumEffect], level: float) -> tuple[float, float]:
    """Return Cochran's Q and the p of Welch's F."""
    k = len(judged)
    if k < 2:
        return _NAN, _NAN
    effects = np.array([s.effect.value for s in judged])
    df = np.array([s.df for s in judged])
    width = np.array([s.effect.high - s.effect.low for s in judged])
    weights = (2.0 * stats.t.ppf(0.5 + level / 2.0, df) / width) ** 2
    q = float(weights @ (effects - weights @ effects / weights.sum()) ** 2)
    spread = float(((1.0 - weights / weights.sum()) ** 2 / df).sum())
    f = q / (k - 1) / (1.0 + 2.0 * (k - 2) / (k**2 - 1) * spread)
    return q, float(stats.f.sf(f, k - 1, (k**2 - 1) / (3.0 * spread)))


def _reversal(judged: list[StratumEffect]) -> float:
    """Return Gail and Simon's p; the t of each stratum enters as its normal score."""
    k = len(judged)
    if k < 2:
        return _NAN
    p = np.array([s.effect.p for s in judged])
    squares = stats.norm.isf(np.maximum(p, 1e-300) / 2.0) ** 2
    positive = np.array([s.effect.value > 0.0 for s in judged])
    smaller = min(float(squares[positive].sum()), float(squares[~positive].sum()))
    if smaller == 0.0:
        return 1.0
    counts = np.arange(1, k)
    return float(stats.binom.pmf(counts, k - 1, 0.5) @ stats.chi2.sf(smaller, counts))


def _within_effect(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    labels: NDArray[np.int64],
    clusters: NDArray[np.int64] | None,
    level: float,
) -> Estimate:
    """Return the slope with a constant for each stratum, HC3 or cluster-robust."""
    sizes = np.bincount(labels)[labels]
    used = sizes > 1  # a stratum of one row says nothing of the slope
    n = int(used.sum())
    n_strata = np.unique(labels[used]).size
    within = demean_within(np.column_stack([x, y])[used], labels[used])
    along, rest = within[:, 0], within[:, 1]
    total = float(along @ along)
    df = n - n_strata - 1
    if total <= 1e-18 * float(x @ x) or df < 1:
        return Estimate(_NAN, _NAN, _NAN, _NAN, x.size)
    value = float(along @ rest / total)
    residual = rest - value * along
    leverage = 1.0 / sizes[used] + along**2 / total
    inner = None if clusters is None else clusters[used]
    if leverage.max() >= 1.0 - 1e-9 or np.abs(residual).max() <= 1e-9 * np.abs(y).max():
        return Estimate(value, _NAN, _NAN, _NAN, x.size)
    influence = along / total * residual
    if inner is None:
        influence = influence / (1.0 - leverage)
    return _from_influence(value, influence, inner, n - df, level, n_rows=x.size)


def _change(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    covariates: NDArray[np.float64],
    clusters: NDArray[np.int64] | None,
    level: float,
) -> Estimate:
    n = x.size
    values, influences = [], []
    for held in (np.ones((n, 1)), np.column_stack([np.ones(n), covariates])):
        q = np.linalg.qr(held)[0]
        along, rest = x - q @ (q.T @ x), y - q @ (q.T @ y)
        total = float(along @ along)
        value = float(along @ rest / total)
        residual = rest - value * along
        if clusters is None:
            residual = residual / (1.0 - (q**2).sum(axis=1) - along**2 / total)
        values.append(value)
        influences.append(along / total * residual)
    k = covariates.shape[1] + 2
    return _from_influence(
        values[1] - values[0], influences[1] - influences[0], clusters, k, level, n_rows=n
    )


def _from_influence(
    value: float,
    influence: NDArray[np.float64],
    clusters: NDArray[np.int64] | None,
    k: int,
    level: float,
    *,
    n_rows: int,
) -> Estimate:
    """Return the estimate whose error is the root of the summed squares of its influence."""
    n = influence.size
    df = n - k
    variance = float(influence @ influence)
    if clusters is not None:
        sums = np.bincount(np.unique(clusters, return_inverse=True)[1], weights=influence)
        df = sums.size - 1
        if df < 1:
            return Estimate(value, _NAN, _NAN, _NAN, n_rows)
        variance = float(sums @ sums) * sums.size / df * (n - 1) / (n - k)
    error = np.sqrt(variance)
    if not error > 0.0:
        return Estimate(value, _NAN, _NAN, _NAN, n_rows)
    reach = float(stats.t.ppf(0.5 + level / 2.0, df)) * error
    p = 2.0 * float(stats.t.sf(abs(value) / error, df))
    return Estimate(value, float(value - reach), float(value + reach), p, n_rows)
