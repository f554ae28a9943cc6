"""Effects with their intervals, one a row."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from interp_embed.plots.canvas import (
    DOWN,
    QUIET,
    UP,
    axes_of,
    check_lengths,
    name_rows,
    numbers,
)
from interp_embed.plots.characters import visible
from interp_embed.plots.extent import Extent, effects_extent


def forest(
    values: ArrayLike,
    lows: ArrayLike,
    highs: ArrayLike,
    *,
    labels: Sequence[str],
    filled: Sequence[bool] | NDArray[np.bool_],
    xlabel: str,
    zero: float = 0.0,
    ax: Axes | None = None,
) -> Axes:
    """Return a plot of effects with their intervals, the first on top.

    Colour repeats the direction. An effect that is NaN keeps its line, empty; an interval that
    goes on beyond the plot ends in an arrow.

    Args:
        values: Effects, shape (n,).
        lows: Lower ends, shape (n,); NaN where there is no interval.
        highs: Upper ends, shape (n,).
        labels: What each is an effect of.
        filled: Whether the marker is filled (holds up after correction), shape (n,).
        xlabel: What the effects are, with their unit.
        zero: Where there is no effect.
        ax: Axes to draw on; a new figure of fitting height if None.

    Raises:
        InputError: Lengths differ.
    """
    middle, low, high = (
        numbers(given, name=name)
        for given, name in ((values, "values"), (lows, "lows"), (highs, "highs"))
    )
    check_lengths(len(middle), "effects", lows=low, highs=high, labels=labels, filled=filled)
    ax = axes_of(ax, width=7.5, height=1.1 + 0.4 * max(1, len(middle)))
    extent = effects_extent(middle.tolist(), low.tolist(), high.tolist(), zero=zero)
    if extent.high - extent.low == 0:
        extent = Extent(zero - 1.0, zero + 1.0)
    ax.axvline(zero, color=QUIET, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
    for row, (value, begin, end) in enumerate(zip(middle, low, high, strict=True)):
        if math.isfinite(value):
            colour = UP if value > zero else DOWN if value < zero else QUIET
            _draw_interval(ax, begin, end, row=row, extent=extent, colour=colour)
            face = colour if filled[row] else ax.get_facecolor()
            ax.plot(
                [value], [row], marker="o", markersize=6, markeredgecolor=colour,
                markerfacecolor=face, linestyle="none", zorder=3,
            )  # fmt: skip
    name_rows(ax, labels)
    margin = 0.04 * (extent.high - extent.low)
    ax.set_xlim(extent.low - margin, extent.high + margin)
    ax.set_xlabel(visible(xlabel), parse_math=False)
    return ax


def _draw_interval(
    ax: Axes, begin: float, end: float, *, row: int, extent: Extent, colour: str
) -> None:
    if math.isnan(begin) or math.isnan(end):
        return
    low, high = max(begin, extent.low), min(end, extent.high)
    ax.plot([low, high], [row] * 2, color=colour, linewidth=1.5)
    for at, is_beyond, arrow in ((low, low > begin, "<"), (high, high < end, ">")):
        if is_beyond:
            ax.plot([at], [row], marker=arrow, color=colour, markersize=5)
