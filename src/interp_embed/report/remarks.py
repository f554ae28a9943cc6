"""What to mind about a single hypothesis, in plain words."""

import math
from dataclasses import dataclass

from interp_embed.records import ControlledEffect, Estimate, Hypothesis
from interp_embed.report import wording

_HIGH_VIF = 5.0
"""Above it the error of a coefficient is more than doubled by what other columns share with it."""
_LOW_STABILITY = 0.5


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to mind."""

    flag: str
    """In a few words."""
    text: str
    """In a sentence."""


def remarks(hypothesis: Hypothesis, *, strata_name: str) -> tuple[Remark, ...]:
    """Return what to mind about a hypothesis, the gravest first."""
    found = (
        _on_controlled(hypothesis.controlled),
        _on_strata(hypothesis, strata_name),
        _on_signs(hypothesis),
        _on_overlap(hypothesis.vif),
        _on_stability(hypothesis.stability),
    )
    return tuple(remark for remark in found if remark is not None)


def _on_controlled(controlled: ControlledEffect | None) -> Remark | None:
    if controlled is None or not controlled.explained_away:
        return None
    names = wording.joined(controlled.covariates)
    return Remark(
        f"explained away by {names}",
        f"Once {names} is held fixed, nothing is shown of this concept by itself."
        if len(controlled.covariates) == 1
        else f"Once {names} are held fixed, nothing is shown of this concept by itself.",
    )


def _on_strata(hypothesis: Hypothesis, name: str) -> Remark | None:
    strata = hypothesis.strata
    if strata is None:
        return None
    among = f"strata of {name}" if name else "strata"
    if strata.sign_reversal:
        return Remark(
            f"sign turns between {among}",
            f"The association is positive in one and negative in another of the {among}: the "
            "overall effect describes neither.",
        )
    if strata.varies:
        return Remark(
            f"differs between {among}",
            f"The association is not the same in all {among}: read it by stratum.",
        )
    return None


def _on_signs(hypothesis: Hypothesis) -> Remark | None:
    first, second = _sign(hypothesis.separation), _sign(hypothesis.coefficient)
    if first * second >= 0:
        return None
    return Remark(
        "the two effects have opposite signs",
        "By itself the concept goes one way, with the others held fixed the other way: it occurs "
        "together with concepts that go against it.",
    )


def _on_overlap(vif: float) -> Remark | None:
    if not vif > _HIGH_VIF:  # False for NaN
        return None
    told = "without bound" if math.isinf(vif) else wording.number(vif, decimals=1)
    return Remark(
        "overlaps with others",
        f"Other concepts or covariates say nearly the same (variance inflation {told}): the "
        "coefficient is uncertain, the separation is not.",
    )


def _on_stability(stability: float) -> Remark | None:
    if not stability < _LOW_STABILITY:  # False for NaN
        return None
    return Remark(
        "unstable feature",
        "SAEs trained with other seeds hold no feature like the one it came from (similarity "
        f"{wording.number(stability)}); the test is of the words and stands.",
    )


def _sign(estimate: Estimate) -> int:
    """Return the sign of an effect that is certain, else 0."""
    return 1 if estimate.low > 0 else -1 if estimate.high < 0 else 0
