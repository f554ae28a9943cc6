"""One concept at a time: its separation, and what of it is left with covariates held fixed."""

import warnings

import numpy as np
from numpy.typing import NDArray

from interp_embed.hypotheses.plan import EvaluationPlan
from interp_embed.hypotheses.units import Units
from interp_embed.records import ControlledEffect, Estimate
from interp_embed.stats import adjusted_effect, preference_effect, welch_difference

_NAN = float("nan")


def separation(units: Units, column: int, outcome: NDArray[np.float64]) -> Estimate:
    """Return the mean outcome with a concept minus without it, all else left aside.

    Of preferences: preference for the text that alone has the concept, less that for one which
    alone lacks it, from -1 to 1; where the first text of every pair is preferred, as in a table of
    chosen and rejected texts, both orders of each pair count.

    Args:
        units: The rows.
        column: The concept.
        outcome: The target, or one class of it, shape (n,).
    """
    verdicts = units.verdicts[:, column]
    known = np.isfinite(verdicts)
    if units.first is None:
        with warnings.catch_warnings():  # scipy's, of a side with one value only
            warnings.simplefilter("ignore", RuntimeWarning)
            return welch_difference(
                outcome[known & (verdicts == 1)], outcome[known & (verdicts == 0)]
            )
    used = units.first[known[units.first]]
    pairs = None
    if units.groups is not None and len(np.unique(units.groups[used])) < len(used):
        pairs = units.groups[used]
    effect = preference_effect(verdicts[used], outcome[used], groups=pairs)
    if len(used) and np.ptp(outcome[used]) == 0.0:
        return _both_orders(effect.win_rate)
    return effect.separation


def _both_orders(win_rate: Estimate) -> Estimate:
    """Return 2 x win rate - 1 with its interval: the separation with each pair in both orders."""
    return Estimate(
        value=2.0 * win_rate.value - 1.0,
        low=2.0 * win_rate.low - 1.0,
        high=2.0 * win_rate.high - 1.0,
        p=win_rate.p,
        n=win_rate.n,
    )


def controlled(
    units: Units, column: int, outcome: NDArray[np.float64], plan: EvaluationPlan
) -> ControlledEffect:
    """Return the separation with length and covariates held fixed, other concepts left aside.

    Args:
        units: The rows; of preferences covariates are differences between the texts of a pair.
        column: The concept.
        outcome: The target, or one class of it, shape (n,).
        plan: Names the covariates.
    """
    names = ("length", *plan.covariates)
    known = np.isfinite(units.verdicts[:, column])
    held = np.column_stack([units.length, units.covariates])[known]
    groups = None if units.groups is None else units.groups[known]
    n = int(known.sum())
    why = ""
    if n <= held.shape[1] + 3:
        why = f"{n} confirm documents are too few to hold {len(names)} covariates fixed"
    elif groups is not None and len(np.unique(groups)) < 2:
        why = "all confirm documents are in one group"
    if why:
        unknown = Estimate(_NAN, _NAN, _NAN, _NAN, n)
        return ControlledEffect(names, unknown, _NAN, explained_away=False, note=why)
    found = adjusted_effect(
        concept_column(units, column)[known],
        outcome[known],
        held,
        groups=groups,
        level=1.0 - plan.level,
    )
    return ControlledEffect(
        covariates=names,
        effect=found.adjusted,
        explained_share=found.explained_share,
        explained_away=found.explained_away,
        note=found.note,
    )


def concept_column(units: Units, column: int) -> NDArray[np.float64]:
    """Return a concept's verdicts such that a slope on them is a separation, shape (n,).

    A pair in both orders goes from -1 to 1 where a document goes from 0 to 1: half the difference.
    """
    verdicts = units.verdicts[:, column]
    return verdicts if units.first is None else verdicts / 2.0
