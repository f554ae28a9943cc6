"""Concepts of two answers against the preference between them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from interp_embed.errors import InputError
from interp_embed.records import Estimate
from interp_embed.stats._checks import (
    check_level,
    check_same_length,
    finite_matrix,
    finite_vector,
    number_labels,
)
from interp_embed.stats.intervals import wilson_interval
from interp_embed.stats.models import ModelFit, fit_model
from interp_embed.stats.regression import joint_regression

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class PreferenceEffect:
    """How often the answer with a concept is preferred to the one without."""

    win_rate: Estimate
    """Share in [0, 1] of the pairs that differ in which the answer with it is preferred; p of
    1/2; ``n`` counts these pairs."""
    separation: Estimate
    """Preference for A where A alone has it, less that where B alone has it, in [-1, 1]: 2 x
    win rate - 1 if both are balanced, and untouched by a liking for the first place if not."""
    n_pairs: int
    n_first: int
    """Pairs in which only A has the concept."""
    n_second: int
    """Pairs in which only B has it."""
    preferred_first: float
    """Share of all pairs in which A is preferred."""
    note: str
    """Why there is no interval, or that places may matter; empty if neither."""


def preference_effect(
    difference: ArrayLike,
    preference: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> PreferenceEffect:
    """Return whether the answer with a concept is preferred, from pairs of answers A and B.

    Differences [1, 1, -1, 0, -1], preference for A [1, 0, 0, 1, 0] -> of four pairs that differ
    three are won, win rate 0.75; separation 0.5 - 0 = 0.5.

    Exchanging A and B in any pair (difference changes sign, preference becomes 1 - preference)
    leaves the win rate as it was; pairs that do not differ say nothing. Without groups:
    Wilson interval and exact binomial p. With groups (pairs of the same prompt): interval by t
    with a cluster-robust error, p by t. Where A is liked for its place and the concept is more
    frequent in A, the win rate shows the place as well: take ``separation`` then.

    Args:
        difference: Annotation of A less that of B, each -1, 0 or 1, shape (n,).
        preference: 1 where A is preferred, 0 where B is, shape (n,); leave ties out before.
        groups: Pairs with the same label are not independent, shape (n,).
        level: Confidence level in (0, 1).

    Returns:
        NaN where no pair differs; with groups NaN for interval and p where the pairs that differ
        lie in one group, or all groups have the same result.

    Raises:
        InputError: Values are not of these kinds, or lengths differ.

    Source: Bradley and Terry 1952, Biometrika 39, 324-345, for one 0/1 attribute; corrects the
    pairwise test of Movva et al. 2025 (arXiv 2502.04382), whose code subtracts preference from 0
    where it should be from 1, and so rejects every true null.
    """
    check_level(level)
    d, y = (
        finite_vector(difference, name="difference"),
        finite_vector(preference, name="preference"),
    )
    check_same_length(d.size, y, name="preference")
    _check_kinds(d, y)
    labels = None
    if groups is not None:
        labels = number_labels(groups)
        check_same_length(d.size, labels, name="groups")
    differ = d != 0.0
    inner = None if labels is None else labels[differ]
    win_rate = _win_rate(d[differ] * (2.0 * y[differ] - 1.0), inner, level)
    n_first, n_second = int((d == 1.0).sum()), int((d == -1.0).sum())
    preferred = float(y.mean()) if y.size else _NAN
    return PreferenceEffect(
        win_rate=win_rate,
        separation=_separation(d[differ], y[differ], inner, level),
        n_pairs=d.size,
        n_first=n_first,
        n_second=n_second,
        preferred_first=preferred,
        note=_note(win_rate, n_first, n_second, y),
    )


def preference_regression(
    differences: ArrayLike,
    preference: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    family: Literal["logit", "linear"] = "logit",
    level: float = 0.95,
) -> ModelFit:
    """Return the effect of each concept on the preference, the others held fixed.

    Each pair enters also with A and B exchanged, which makes the fit sign symmetric (its
    intercept is exactly that of indifference); errors are by pair, or by group. ``logit``: the
    Bradley-Terry model, log odds that an answer with the concept beats one without; for one
    concept ln(wins / losses). ``n`` counts pairs twice.

    Args:
        differences: Annotations of A less those of B, shape (n, p); any numbers.
        preference: 1 where A is preferred, 0 where B is, shape (n,).
        groups: Pairs with the same label are not independent, shape (n,).
        family: ``logit`` or ``linear``.
        level: Confidence level in (0, 1).

    Raises:
        InputError: As of ``fit_model``.

    Source: Bradley and Terry 1952, Biometrika 39, 324-345.
    """
    d, y = (
        finite_matrix(differences, name="differences"),
        finite_vector(preference, name="preference"),
    )
    check_same_length(len(d), y, name="preference")
    if not np.isin(y, (0.0, 1.0)).all():
        raise InputError("preference must be 1 where A is preferred and 0 where B is; no ties")
    labels = np.arange(len(d)) if groups is None else number_labels(groups)
    check_same_length(len(d), labels, name="groups")
    return fit_model(
        np.vstack([d, -d]),
        np.concatenate([y, 1.0 - y]),
        family=family,
        groups=np.concatenate([labels, labels]),
        level=level,
    )


def _check_kinds(d: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    if not np.isin(d, (-1.0, 0.0, 1.0)).all():
        raise InputError(
            "difference must be -1, 0 or 1: the annotation of A less that of B; for other numbers "
            "take preference_regression"
        )
    if not np.isin(y, (0.0, 1.0)).all():
        raise InputError("preference must be 1 where A is preferred and 0 where B is; no ties")


def _win_rate(
    signs: NDArray[np.float64], labels: NDArray[np.int64] | None, level: float
) -> Estimate:
    n = signs.size
    if n == 0:
        return Estimate(_NAN, _NAN, _NAN, _NAN, 0)
    wins = int((signs > 0.0).sum())
    value = wins / n
    clusters = None if labels is None else np.unique(labels, return_inverse=True)[1]
    if clusters is None or int(clusters.max()) + 1 == n:
        ends = wilson_interval(wins, n, level=level)
        return Estimate(value, ends.low, ends.high, float(stats.binomtest(wins, n).pvalue), n)
    n_groups = int(clusters.max()) + 1
    sums = np.bincount(clusters, weights=(signs > 0.0) - value)
    if n_groups < 2 or not np.abs(sums).max() > 1e-12 * n:
        return Estimate(value, _NAN, _NAN, _NAN, n)
    error = float(np.sqrt(sums @ sums * n_groups / (n_groups - 1))) / n
    reach = float(stats.t.ppf(0.5 + level / 2.0, n_groups - 1)) * error
    p = 2.0 * float(stats.t.sf(abs(value - 0.5) / error, n_groups - 1))
    return Estimate(value, max(value - reach, 0.0), min(value + reach, 1.0), p, n)


def _separation(
    d: NDArray[np.float64],
    y: NDArray[np.float64],
    labels: NDArray[np.int64] | None,
    level: float,
) -> Estimate:
    n_groups = d.size if labels is None else np.unique(labels).size
    if d.size < 4 or n_groups < 2:
        return Estimate(_NAN, _NAN, _NAN, _NAN, d.size)
    return joint_regression((d > 0.0)[:, None], y, groups=labels, level=level)[0]


def _note(win_rate: Estimate, n_first: int, n_second: int, y: NDArray[np.float64]) -> str:
    if not win_rate.n:
        return "no pair differs in the concept"
    if np.isnan(win_rate.p):
        return "the pairs that differ lie in one group, or all groups have the same result"
    biased = stats.binomtest(int(y.sum()), y.size).pvalue < 0.05
    uneven = stats.binomtest(n_first, n_first + n_second).pvalue < 0.05
    if biased and uneven:
        return (
            "A is preferred more or less often than B, and the concept is not equally frequent in "
            "both: the win rate shows the place as well, separation does not"
        )
    return ""
