"""A table of numbers as colours."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import ArrayLike, NDArray

from interp_embed.plots.canvas import DOWN, UP, axes_of, check_lengths, numbers, shown
from interp_embed.plots.characters import visible

_WRITTEN_CELLS = 240
_COLOURS = LinearSegmentedColormap.from_list("down-up", (DOWN, "#f7f7f7", UP))


def matrix(
    values: ArrayLike,
    *,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title_of_values: str,
    ax: Axes | None = None,
) -> Axes:
    """Return a table drawn in colours, white at 0, the first row on top; NaN is left blank.

    In a small table the numbers are written too.

    Args:
        values: Shape (n_rows, n_columns).
        row_labels: n_rows names.
        column_labels: n_columns names.
        title_of_values: What the numbers are.
        ax: Axes to draw on; a new figure of fitting size if None.

    Raises:
        InputError: There is nothing to draw, or lengths differ.
    """
    table = numbers(values, name="values", ndim=2)
    check_lengths(table.shape[0], "rows", row_labels=row_labels)
    check_lengths(table.shape[1], "columns", column_labels=column_labels)
    n_rows, n_columns = max(1, table.shape[0]), max(1, table.shape[1])
    ax = axes_of(ax, width=3.6 + 0.55 * n_columns, height=2.2 + 0.38 * n_rows)
    known = np.abs(table[np.isfinite(table)])
    largest = float(known.max()) if known.size and known.max() > 0 else 1.0
    if table.size:
        image = ax.imshow(
            np.ma.masked_invalid(table), cmap=_COLOURS, vmin=-largest, vmax=largest, aspect="auto"
        )
        bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, fraction=0.05)
        bar.set_label(visible(title_of_values), parse_math=False)
        bar.outline.set_visible(False)
    _name(ax, row_labels, column_labels)
    if table.size <= _WRITTEN_CELLS:
        _write_numbers(ax, table, largest=largest)
    return ax


def _name(ax: Axes, row_labels: Sequence[str], column_labels: Sequence[str]) -> None:
    rows = [shown(label, width=32) for label in row_labels]
    columns = [shown(label, width=24) for label in column_labels]
    ax.set_yticks(range(len(rows)), rows, fontsize="small", parse_math=False)
    ax.set_xticks(
        range(len(columns)), columns, fontsize="small", parse_math=False, rotation=40, ha="right",
        rotation_mode="anchor",
    )  # fmt: skip
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _write_numbers(ax: Axes, table: NDArray[np.float64], *, largest: float) -> None:
    for (row, column), value in np.ndenumerate(table):
        if np.isfinite(value):
            colour = "white" if abs(value) > 0.6 * largest else "black"
            text = f"{value:.2f}".replace("-", "\u2212")
            ax.text(column, row, text, ha="center", va="center", color=colour, fontsize="x-small")
