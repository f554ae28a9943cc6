"""Where marks stand in the report's drawings: one axis for all effects, one for the scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from interp_embed.plots.extent import effects_extent, is_drawable
from interp_embed.records import Estimate
from interp_embed.report.wording import chance

FOREST_WIDTH = 240.0
"""Width of the forest plot, in the units of its drawing."""
BARS_WIDTH = 420.0
"""Width of the bar chart of scores."""

_MARGIN = 14.0
_SMALLEST = 1e-300


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear axis from ``low`` to ``high`` drawn on ``width``."""

    low: float
    high: float
    ticks: tuple[float, ...]
    width: float
    margin: float = _MARGIN

    def x(self, value: float) -> float:
        """Return where a value stands, at the edge if it lies beyond."""
        share = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return round(self.margin + share * (self.width - 2 * self.margin), 1)


@dataclass(frozen=True, slots=True)
class Mark:
    """An estimate on the axis: a point, and its interval if it has one."""

    x: float
    x_low: float
    x_high: float
    beyond_low: bool
    """Whether the interval goes on to the left of the axis."""
    beyond_high: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from the chart's origin to a value."""

    x: float
    width: float


def forest_axis(estimates: Sequence[Estimate]) -> Axis:
    """Return the axis that effects share: zero, every estimate, and the usual intervals.

    An interval much wider than the others is cut at the edge (and drawn with an arrow), so that it
    does not squeeze the rest.
    """
    extent = effects_extent(
        [e.value for e in estimates], [e.low for e in estimates], [e.high for e in estimates]
    )
    return _axis([extent.low, extent.high], width=FOREST_WIDTH, n_ticks=4)


def place(estimate: Estimate, axis: Axis) -> Mark | None:
    """Return where an estimate is drawn; None if it has no value."""
    if not is_drawable(estimate.value):
        return None
    low = estimate.value if math.isnan(estimate.low) else estimate.low
    high = estimate.value if math.isnan(estimate.high) else estimate.high
    return Mark(
        x=axis.x(estimate.value),
        x_low=axis.x(low),
        x_high=axis.x(high),
        beyond_low=low < axis.low,
        beyond_high=high > axis.high,
    )


def score_axis(scores: Sequence[float], *, metric: str) -> Axis:
    """Return the axis of the scores: from no better than chance to the best one."""
    known = [score for score in scores if is_drawable(score)]
    shown = [max(score, chance(metric) - 0.25) for score in known]
    best = chance(metric) + (0.1 if metric == "auc" else 0.05)
    return Axis(
        low=min([chance(metric), *shown]),
        high=max([best, *shown]),
        ticks=(),
        width=BARS_WIDTH,
        margin=0.0,
    )


def bar(score: float, axis: Axis, *, metric: str) -> Bar | None:
    """Return the bar of a score, from chance to the score; None if there is none."""
    if not is_drawable(score):
        return None
    origin, end = axis.x(chance(metric)), axis.x(score)
    left, right = min(origin, end), max(origin, end)
    return Bar(x=left, width=round(max(right - left, 1.0), 1))


def _axis(values: Sequence[float], *, width: float, n_ticks: int) -> Axis:
    """Return an axis over the values whose ticks are round numbers."""
    low, high = min(values), max(values)
    if high - low < _SMALLEST:
        low, high = low - 1.0, high + 1.0
    step = _round_step((high - low) / n_ticks)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = tuple(number * step for number in range(first, last + 1))
    return Axis(low=low, high=high, ticks=ticks, width=width)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * power >= rough * 0.99)
