"""How shares change over ordered groups."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from interp_embed.errors import InputError
from interp_embed.plots.canvas import (
    SEVERAL,
    axes_of,
    check_lengths,
    numbers,
    percent_axis,
    shown,
    spread,
)
from interp_embed.plots.characters import visible

_STYLES = ("-", (0, (4, 2)), (0, (1, 1.5)))
_MOST_TICKS = 16
_WIDEST_TICKS = 70
"""Characters that stand beside each other under the plot; more are slanted."""


def trend_lines(
    levels: Sequence[object],
    rates: ArrayLike,
    lows: ArrayLike,
    highs: ArrayLike,
    *,
    labels: Sequence[str],
    xlabel: str,
    ax: Axes | None = None,
) -> Axes:
    """Return lines of rates over ordered groups, with bands, each named at its end.

    Args:
        levels: The groups in order, n_levels; equally far apart in the plot.
        rates: Shares in [0, 1], shape (n_lines, n_levels); NaN where a group has no documents.
        lows: Lower ends of intervals, shape (n_lines, n_levels).
        highs: Upper ends.
        labels: Of the lines.
        xlabel: What the groups are.
        ax: Axes to draw on; a new figure if None.

    Raises:
        InputError: Shapes differ.
    """
    middle, low, high = (
        numbers(given, name=name, ndim=2)
        for given, name in ((rates, "rates"), (lows, "lows"), (highs, "highs"))
    )
    if not middle.shape == low.shape == high.shape == (len(labels), len(levels)):
        raise InputError(
            f"rates, lows and highs must have shape ({len(labels)}, {len(levels)}), "
            f"a row a label and a column a level, got {middle.shape}, {low.shape} and {high.shape}"
        )
    check_lengths(len(middle), "lines", labels=labels)
    ax = axes_of(ax, width=9.0, height=max(3.8, 1.2 + 0.42 * len(labels)))
    steps = np.arange(len(levels))
    for line, (rate, begin, end) in enumerate(zip(middle, low, high, strict=True)):
        colour = SEVERAL[line % len(SEVERAL)]
        style = _STYLES[line // len(SEVERAL) % len(_STYLES)]
        ax.plot(
            steps, rate, color=colour, linewidth=1.8, marker="o", markersize=3.5, linestyle=style
        )
        ax.fill_between(steps, begin, end, color=colour, alpha=0.12, linewidth=0)
    ends = np.concatenate([middle[np.isfinite(middle)], high[np.isfinite(high)]])
    top = 1.05 * float(ends.max()) if ends.size and ends.max() > 0 else 1.0
    ax.set_ylim(0, top)
    _name_lines(ax, middle / top, labels)
    shown_levels = steps[:: -(-len(levels) // _MOST_TICKS)] if len(levels) else steps
    texts = [shown(_level_name(levels[step]), width=14, n_lines=4) for step in shown_levels]
    crowded = len(texts) * max(map(len, texts), default=0) > _WIDEST_TICKS
    slant: dict[str, Any] = {"rotation": 30, "ha": "right"} if crowded else {}
    ax.set_xticks(shown_levels, texts, fontsize="small", parse_math=False, **slant)
    ax.set_xlabel(visible(xlabel), parse_math=False)
    ax.set_title("documents in which it fires", loc="left", fontsize="small")
    percent_axis(ax)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _level_name(level: object) -> str:
    return f"{level:.6g}" if isinstance(level, float) else str(level)


def _name_lines(ax: Axes, heights: np.ndarray, labels: Sequence[str]) -> None:
    """Write each label beside the plot, near its line's last known point."""
    ends = [row[np.isfinite(row)] for row in heights]
    wanted = [float(end[-1]) if len(end) else 0.0 for end in ends]
    placed = spread(wanted, gap=0.11, low=0.02, high=0.98)
    for line, height in enumerate(placed):
        colour = SEVERAL[line % len(SEVERAL)]
        ax.text(
            1.015, height, shown(labels[line], width=34), transform=ax.transAxes, va="center",
            color=colour, fontsize="small", parse_math=False,
        )  # fmt: skip
