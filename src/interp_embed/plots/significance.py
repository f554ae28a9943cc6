"""Many differences at once: how large each is, and how certain."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from interp_embed.plots.canvas import (
    DOWN,
    FAINT,
    QUIET,
    UP,
    axes_of,
    check_lengths,
    numbers,
    shown,
    spread,
)
from interp_embed.plots.characters import visible

_SMALLEST_Q = 1e-30
"""Below this the exponent says nothing more."""
_NAMED_PER_SIDE = 6
_MOST_DRAWN = 1_000
"""Points beyond which a vector file holds them as an image."""


def volcano(
    difference: ArrayLike,
    q: ArrayLike,
    *,
    labels: Sequence[str],
    level: float = 0.05,
    xlabel: str,
    ax: Axes | None = None,
) -> Axes:
    """Return a plot of differences against their corrected p-values, the most certain on top.

    What lies below ``level`` is coloured by its direction, and the largest on each side are
    named. Pairs with a NaN are left out; q below 1e-30 is drawn there.

    Args:
        difference: Shape (n,).
        q: Corrected p-values in [0, 1], shape (n,).
        labels: Names of all n.
        level: Where the line is drawn.
        xlabel: What the differences are, with their unit.
        ax: Axes to draw on; a new figure if None.

    Raises:
        InputError: Lengths differ.
    """
    x, corrected = numbers(difference, name="difference"), numbers(q, name="q")
    check_lengths(len(x), "differences", q=corrected, labels=labels)
    ax = axes_of(ax, width=10.5, height=4.8)
    y = -np.log10(np.clip(corrected, _SMALLEST_Q, 1.0))
    known = np.isfinite(x) & np.isfinite(y)
    holds = known & (corrected < level)
    for chosen, colour, size in (
        (known & ~holds, FAINT, 10.0), (holds & (x < 0), DOWN, 18.0), (holds & (x >= 0), UP, 18.0),
    ):  # fmt: skip
        ax.scatter(
            x[chosen],
            y[chosen],
            s=size,
            color=colour,
            linewidths=0,
            alpha=0.75,
            rasterized=len(x) > _MOST_DRAWN,
        )
    ax.axhline(-np.log10(level), color=QUIET, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
    top = max([*y[known], -np.log10(level)]) * 1.06
    reach = max([*np.abs(x[known]), 1e-12]) * 1.06
    ax.set_ylim(-0.02 * top, top)
    ax.set_xlim(-reach, reach)
    for side in (-1, 1):
        _name_extremes(ax, x, y, holds & (np.sign(x) == side), labels, side=side, top=top)
    ax.set_xlabel(visible(xlabel), parse_math=False)
    ax.set_title("\u2212log₁₀ q: higher is more certain", loc="left", fontsize="small", color=QUIET)
    _stand_amid(ax)
    return ax


def _stand_amid(ax: Axes) -> None:
    """Put the vertical axis where the difference is 0, away from the names on either side."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines["left"].set(position=("data", 0.0), color=FAINT, zorder=0)
    ax.tick_params(axis="y", color=FAINT, labelcolor=QUIET, labelsize="small")
    for label in ax.get_yticklabels():
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5})


def _name_extremes(
    ax: Axes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    among: NDArray[np.bool_],
    labels: Sequence[str],
    *,
    side: int,
    top: float,
) -> None:
    """Write the labels of the largest differences of a side beside the plot, joined by a line."""
    places = np.flatnonzero(among)
    chosen = places[np.argsort(-np.abs(x[places]), kind="stable")][:_NAMED_PER_SIDE]
    heights = spread((y[chosen] / top).tolist(), gap=0.15, low=0.03, high=0.95)
    for place, height in zip(chosen, heights, strict=True):
        ax.annotate(
            shown(labels[place], width=30),
            xy=(float(x[place]), float(y[place])),
            xytext=(1.02 if side > 0 else -0.02, height),
            textcoords="axes fraction",
            ha="left" if side > 0 else "right",
            va="center",
            fontsize="small",
            parse_math=False,
            arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.7, "shrinkB": 3},
        )
