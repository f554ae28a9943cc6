"""Whether a concept's effect is the same in all strata."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interp_embed.hypotheses.marginal import concept_column
from interp_embed.hypotheses.plan import EvaluationPlan
from interp_embed.hypotheses.units import Units
from interp_embed.records import Estimate, NamedEffect
from interp_embed.stats import StratifiedEffect, StratumEffect, stratified_effect

_NAN = float("nan")
_MIN_PRESENT = 10
"""Documents of a stratum on either side of a concept below which it is not judged."""
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
    x, y, strata = concept_column(units, column), outcome, units.strata
    judged = [
        number
        for number in range(len(plan.strata))
        if _enough(x[known & (strata == number)], y[known & (strata == number)])
    ]
    kept = known & np.isin(strata, judged)
    found = None
    if judged:
        found = stratified_effect(
            x[kept],
            y[kept],
            strata[kept],
            groups=None if units.groups is None else units.groups[kept],
            level=1.0 - plan.level,
        )
    n_left_out = sum(1 for effect in _by_number(found).values() if np.isnan(effect.effect.p))
    n_left_out += len(plan.strata) - len(judged)
    unknown = Estimate(_NAN, _NAN, _NAN, _NAN, int(kept.sum()))
    return StrataFound(
        effects=tuple(
            NamedEffect(name, _effect_of(found, number, int((known & (strata == number)).sum())))
            for number, name in enumerate(plan.strata)
        ),
        within=found.within if found else unknown,
        p_interaction=found.p_interaction if found else _NAN,
        p_reversal=found.p_reversal if found else _NAN,
        note=f"{n_left_out} of {len(plan.strata)} strata could not be judged" if n_left_out else "",
    )


def _enough(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    present = x > 0.0
    fewer = min(int(present.sum()), int((~present).sum()))
    if fewer < _MIN_PRESENT:
        return False
    if np.isin(y, (0.0, 1.0)).all():
        share = float(y.mean())
        return fewer * min(share, 1.0 - share) >= _MIN_EXPECTED
    return True


def _by_number(found: StratifiedEffect | None) -> dict[int, StratumEffect]:
    return {} if found is None else {int(one.stratum): one for one in found.strata}


def _effect_of(found: StratifiedEffect | None, number: int, n: int) -> Estimate:
    effect = _by_number(found).get(number)
    return effect.effect if effect else Estimate(_NAN, _NAN, _NAN, _NAN, n)
