"""What all plots share: colours, axes of a fitting size, and text that stands for itself."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike, NDArray

from interp_embed.errors import InputError
from interp_embed.plots.characters import visible

UP, DOWN, QUIET = "#0b62a4", "#b8480a", "#5c646c"
FAINT = "#c3c9ce"
SEVERAL = (
    "#0b62a4", "#d98200", "#2a8c62", "#b0447d", "#7a5bb0", "#8a6d3b", "#3ba3c4", "#b8480a",
    "#5f7f1d", "#d1698c",
)  # fmt: skip
"""Colours of several things, told apart by colour-blind eyes too."""

_TALLEST_INCHES = 100.0
_OFF_SCREEN = ContextVar("off_screen", default=False)


@contextmanager
def off_screen() -> Iterator[None]:
    """Make new figures for a file only: no window or notebook shows them, and none stays open."""
    before = _OFF_SCREEN.set(True)
    try:
        yield
    finally:
        _OFF_SCREEN.reset(before)


def axes_of(ax: Axes | None, *, width: float, height: float) -> Axes:
    """Return the axes given, or those of a new figure of this size in inches."""
    if ax is None:
        size = (width, min(height, _TALLEST_INCHES))
        if _OFF_SCREEN.get():
            return Figure(figsize=size, layout="constrained").add_subplot()
        _, ax = plt.subplots(figsize=size, layout="constrained")
    return ax


def shown(text: str, *, width: int = 36, n_lines: int = 2) -> str:
    """Return text as it is written in a plot: wrapped, cut, control characters made visible."""
    lines = textwrap.wrap(visible(text), width, max_lines=n_lines, placeholder=" …")
    return "\n".join(lines)


def numbers(values: ArrayLike, *, name: str, ndim: int = 1) -> NDArray[np.float64]:
    """Return an array of numbers.

    Raises:
        InputError: It has another number of dimensions.
    """
    array = np.asarray(values, np.float64)
    if array.ndim != ndim:
        raise InputError(f"{name} must have {ndim} dimension(s), got shape {array.shape}")
    return array


def check_lengths(
    expected: int, what: str, **given: Sequence[object] | NDArray[np.generic]
) -> None:
    """Check that sequences have one entry for each of the things drawn.

    Raises:
        InputError: One has not.
    """
    for name, values in given.items():
        if len(values) != expected:
            raise InputError(f"{name} has {len(values)} entries for {expected} {what}")


def name_rows(ax: Axes, labels: Sequence[str]) -> None:
    """Name the rows of a plot, the first on top, without an axis line."""
    texts = [shown(label) for label in labels]
    ax.set_yticks(range(len(texts)), texts, fontsize="small", parse_math=False)
    ax.set_ylim(max(1, len(texts)) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)


def legend_beside(
    ax: Axes, handles: Sequence[Artist | Container], labels: Sequence[str], **options: float
) -> None:
    """Write a legend to the right of a plot, whatever its labels begin with or look like."""
    # Matplotlib drops entries that begin with "_" and reads "$" as a formula: set afterwards.
    legend = ax.legend(
        handles,
        list(map(str, range(len(labels)))),
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        frameon=False,
        fontsize="small",
        **options,
    )
    for entry, label in zip(legend.get_texts(), labels, strict=True):
        entry.set_parse_math(False)
        entry.set_text(label)


def percent_axis(ax: Axes) -> None:
    """Write the vertical axis, of shares, in percent."""
    ax.yaxis.set_major_formatter(PercentFormatter(xmax=1.0))


def spread(positions: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Return positions moved apart so that no two are nearer than ``gap``, in the same order.

    >>> spread([0.5, 0.5, 0.9], gap=0.25, low=0.0, high=1.0)
    [0.375, 0.625, 0.9]

    More than fit between ``low`` and ``high`` are spaced evenly.
    """
    n = len(positions)
    if n == 0:
        return []
    order = sorted(range(n), key=lambda place: positions[place])
    step = min(gap, (high - low) / max(1, n - 1))
    placed = [min(max(positions[place], low), high) for place in order]
    for _ in range(n):  # pairs that are too near push each other apart until none is
        for here in range(1, n):
            lack = step - (placed[here] - placed[here - 1])
            if lack > 1e-9:
                placed[here - 1] -= lack / 2
                placed[here] += lack / 2
        placed = [min(max(at, low), high) for at in placed]
    for here in range(1, n):
        placed[here] = max(placed[here], placed[here - 1] + step)
    for here in range(n - 1, -1, -1):
        limit = high if here == n - 1 else placed[here + 1] - step
        placed[here] = min(placed[here], limit)
    found = [0.0] * n
    for place, at in zip(order, placed, strict=True):
        found[place] = round(at, 9)
    return found
