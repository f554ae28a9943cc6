"""Whether a concept's effect is the same in all strata."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interp_embed.hypotheses.marginal import concept_column
from interp_embed.hypotheses.plan import EvaluationPlan
from interp_embed.hypotheses.units import Units
from interp_embed.records import Estimate, NamedEffect
from interp_embed.stats import StratifiedEffect, stratified_effect

_NAN = float("nan")
_MIN_PRESENT = 10
"""Documents of a stratum on either side of a concept (of preferences, pairs that differ in it)
below which it is not judged."""
_MIN_EXPECTED = 5.0
"""Of a 0/1 target, the rarer outcome among them, expected without an association."""


@dataclass(frozen=True, slots=True)
class StrataFound:
    """A concept's effect in each stratum, before correction."""

    effects: tuple[NamedEffect, ...]
    """In the order of the plan's names."""
    within: Estimate
    p_interaction: float
    p_reversal: float
    note: str


def effects_in_strata(
    units: Units, column: int, outcome: NDArray[np.float64], plan: EvaluationPlan
) -> StrataFound | None:
    """Return a concept's effect by stratum; None where there are no strata.

    A stratum with fewer than 10 documents on either side of the concept, or (0/1 target) fewer
    than 5 expected of the rarer outcome there, is not judged: it has NaN, and the note counts it.

    Args:
        units: The rows.
        column: The concept.
        outcome: The target, or one class of it, shape (n,).
        plan: Names the strata.
    """
    if units.strata is None:
        return None
    known = np.isfinite(units.verdicts[:, column])
    if units.first is not None:  # pairs that do not differ would only feign degrees of freedom
        known &= units.verdicts[:, column] != 0.0
    x, y, strata = concept_column(units, column), outcome, units.strata
    judged = [
        number
        for number in range(len(plan.strata))
        if _enough(x[known & (strata == number)], y[known & (strata == number)])
    ]
    everywhere = _stratified(units, known, x, y, plan)
    found = _stratified(units, known & np.isin(strata, judged), x, y, plan)
    by_number = {} if found is None else {int(one.stratum): one.effect for one in found.strata}
    effects = tuple(
        NamedEffect(
            name, by_number.get(number) or _unknown(int((known & (strata == number)).sum()))
        )
        for number, name in enumerate(plan.strata)
    )
    n_left_out = sum(1 for one in effects if np.isnan(one.effect.p))
    return StrataFound(
        effects=effects,
        within=everywhere.within if everywhere else _unknown(int(known.sum())),
        p_interaction=found.p_interaction if found else _NAN,
        p_reversal=found.p_reversal if found else _NAN,
        note=f"{n_left_out} of {len(effects)} strata could not be judged" if n_left_out else "",
    )


def _stratified(
    units: Units,
    rows: NDArray[np.bool_],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    plan: EvaluationPlan,
) -> StratifiedEffect | None:
    """Return the effects among some rows; None where these are too few."""
    groups = None if units.groups is None else units.groups[rows]
    if units.strata is None or rows.sum() < 4:
        return None
    if groups is not None and len(np.unique(groups)) < 2:
        return None
    return stratified_effect(
        x[rows], y[rows], units.strata[rows], groups=groups, level=1.0 - plan.level
    )


def _unknown(n: int) -> Estimate:
    return Estimate(_NAN, _NAN, _NAN, _NAN, n)


def _enough(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    present = x > 0.0
    fewer = min(int(present.sum()), int((~present).sum()))
    if fewer < _MIN_PRESENT:
        return False
    if np.isin(y, (0.0, 1.0)).all():
        share = float(y.mean())
        return fewer * min(share, 1.0 - share) >= _MIN_EXPECTED
    return True
