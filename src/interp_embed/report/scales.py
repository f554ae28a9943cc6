"""How effects are written: the unit and the digits that the data support."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from interp_embed.records import Estimate, HypothesisStudy, TargetKind

MISSING = "\u2013"
"""An en dash: stands where there is no number."""
_MINUS = "\u2212"

_PLAIN_SIZES = (1e-4, 1e7)
SEVERAL_CLASSES: tuple[TargetKind, ...] = ("multiclass", "multilabel")
"""Kinds of target with a column for each class."""
_SHARES: tuple[TargetKind, ...] = ("binary", "multiclass", "multilabel", "preference")
"""Kinds of target whose separation is a difference in shares."""


@dataclass(frozen=True, slots=True)
class EffectScale:
    """How effects are written: all with the same unit and number of decimals."""

    factor: float
    """What an effect is multiplied by before it is written."""
    decimals: int
    unit: str
    """In words; empty if it is the unit of the target."""
    scientific: bool = False
    """Whether the numbers are too large or too small to be written out."""

    def plain(self, value: float) -> str:
        """Return an effect without a plus sign, such as ``0.25``."""
        if not math.isfinite(value):
            return MISSING
        scaled = value * self.factor
        text = f"{scaled:.2e}" if self.scientific else f"{scaled:.{self.decimals}f}"
        return minus(text)

    def signed(self, value: float) -> str:
        """Return an effect with its sign, such as ``+0.25``."""
        text = self.plain(value)
        return text if text == MISSING or text.startswith(_MINUS) or value == 0 else f"+{text}"

    def tick(self, value: float) -> str:
        """Return a round number on the axis, without needless decimals."""
        return minus(f"{round(value * self.factor, 9):g}")

    def interval(self, low: float, high: float) -> str:
        """Return an interval, such as ``[0.10, 0.60]``; empty if an end is not known."""
        if not (math.isfinite(low) and math.isfinite(high)):
            return ""
        return f"[{self.plain(low)}, {self.plain(high)}]"

    def estimate(self, estimate: Estimate) -> str:
        """Return an estimate with its interval, such as ``+0.25 [0.10, 0.40]``."""
        return f"{self.signed(estimate.value)} {self.interval(estimate.low, estimate.high)}".strip()


@dataclass(frozen=True, slots=True)
class Scales:
    """How a study's two kinds of effects are written."""

    separation: EffectScale
    """Of separations, of effects with covariates held fixed, and of those in strata."""
    coefficient: EffectScale
    joined: bool
    """Whether both have one unit, so that they can be compared and drawn on one axis."""


def choose_scales(
    kind: TargetKind,
    effect: str,
    *,
    separations: Iterable[Estimate],
    coefficients: Iterable[Estimate],
) -> Scales:
    """Return how effects on a kind of target are written.

    Differences in shares are percentage points. The typical interval is as wide as two digits can
    tell, so that no digit is shown that the data do not support.

    Args:
        kind: Of the target.
        effect: What a coefficient is, in words (``ModelSummary.effect``); empty: a difference.
        separations: All that are written.
        coefficients: All that are written.
    """
    factor, unit = (100.0, "percentage points") if kind in _SHARES else (1.0, "")
    marginal, joint = tuple(separations), tuple(coefficients)
    # Of several classes each has a linear model of its own, whatever tests them together.
    is_log = "log" in effect.split() and kind != "multiclass"
    # Of a pair, one text alone has the concept or the other: the separation spans two steps.
    if is_log or kind == "preference":
        return Scales(
            _scale(marginal, factor=factor, unit=unit),
            _scale(joint, factor=1.0 if is_log else factor, unit=effect if is_log else unit),
            joined=False,
        )
    shared = _scale((*marginal, *joint), factor=factor, unit=unit)
    return Scales(shared, shared, joined=True)


def study_scales(study: HypothesisStudy) -> Scales:
    """Return how the study's effects are written."""
    return choose_scales(
        study.target_kind,
        study.model.effect if study.model else "",
        separations=[item.separation for item in study.hypotheses],
        coefficients=[item.coefficient for item in study.hypotheses],
    )


def effect_scale(study: HypothesisStudy) -> EffectScale:
    """Return how the study's separations are written."""
    return study_scales(study).separation


def minus(text: str) -> str:
    """Return a number as text with a true minus sign, and none before zero."""
    if not text.strip("-0."):
        text = text.lstrip("-")
    return text.replace("-", _MINUS)


def _scale(estimates: Iterable[Estimate], *, factor: float, unit: str) -> EffectScale:
    sizes = [size for e in estimates for size in (e.high - e.low, abs(e.value))]
    known = sorted(size for size in sizes if 0 < size < math.inf)
    if not known:
        return EffectScale(factor=factor, decimals=2, unit=unit)
    typical = known[len(known) // 2] * factor
    return EffectScale(
        factor=factor,
        decimals=min(6, max(0, 1 - math.floor(math.log10(typical)))),
        unit=unit,
        scientific=not _PLAIN_SIZES[0] <= typical <= _PLAIN_SIZES[1],
    )
