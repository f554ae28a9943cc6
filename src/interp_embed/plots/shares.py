"""What numbers are made of."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from interp_embed.errors import InputError
from interp_embed.plots.canvas import (
    SEVERAL,
    axes_of,
    check_lengths,
    legend_beside,
    name_rows,
    numbers,
    shown,
)
from interp_embed.plots.characters import visible


def stacked_shares(
    parts: ArrayLike,
    *,
    bar_labels: Sequence[str],
    part_labels: Sequence[str],
    xlabel: str,
    ax: Axes | None = None,
) -> Axes:
    """Return bars made of parts laid end to end, the first bar on top.

    Args:
        parts: Sizes >= 0, shape (n_bars, n_parts); NaN counts as nothing.
        bar_labels: Of the bars.
        part_labels: Of the parts.
        xlabel: What the lengths are.
        ax: Axes to draw on; a new figure of fitting height if None.

    Raises:
        InputError: Lengths differ, or a part is negative.
    """
    sizes = np.nan_to_num(numbers(parts, name="parts", ndim=2), nan=0.0)
    check_lengths(sizes.shape[0], "bars", bar_labels=bar_labels)
    check_lengths(sizes.shape[1], "parts", part_labels=part_labels)
    if sizes.size and sizes.min() < 0:
        raise InputError(f"parts must be >= 0 to be stacked, got {sizes.min():g}")
    ax = axes_of(ax, width=10.0, height=1.2 + 0.42 * max(1, len(bar_labels)))
    begins = np.cumsum(sizes, axis=1) - sizes
    rows = np.arange(len(bar_labels))
    bars = [
        ax.barh(
            rows, sizes[:, part], left=begins[:, part], height=0.66, edgecolor="white",
            linewidth=0.5, color=SEVERAL[part % len(SEVERAL)],
            hatch=("", "///", "...")[part // len(SEVERAL) % 3],
        )
        for part in range(len(part_labels))
    ]  # fmt: skip
    name_rows(ax, bar_labels)
    if np.all(sizes == np.round(sizes)):  # counts
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(visible(xlabel), parse_math=False)
    if part_labels:
        legend_beside(ax, bars, [shown(label, width=34) for label in part_labels])
    return ax
