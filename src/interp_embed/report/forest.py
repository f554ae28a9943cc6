"""The effects of a study as a matplotlib plot, for a paper."""

import math

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from interp_embed.records import Hypothesis, HypothesisStudy
from interp_embed.report.characters import visible

_UP, _DOWN, _NONE = "#0b62a4", "#b8480a", "#5c646c"
_LONGEST_CONCEPT = 60


def forest_plot(study: HypothesisStudy, *, ax: Axes | None = None) -> Axes:
    """Return a plot of each hypothesis's separation with its interval, the first on top.

    A filled marker holds up after correction, a hollow one does not; colour repeats the direction.
    A hypothesis without an estimate keeps its line, empty.

    Args:
        study: The finished study; a binary target's effects are drawn in percentage points.
        ax: Axes to draw on; a new figure of fitting height if None.
    """
    if ax is None:
        height = 1.2 + 0.34 * max(1, len(study.hypotheses))
        _, ax = plt.subplots(figsize=(7.5, min(height, 60)), layout="constrained")
    factor = 100.0 if study.target_kind == "binary" else 1.0
    ax.axvline(0, color=_NONE, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
    for position, hypothesis in enumerate(study.hypotheses):
        _draw(ax, hypothesis, position=position, factor=factor)
    ax.set_yticks(
        range(len(study.hypotheses)), [_concept(hypothesis) for hypothesis in study.hypotheses]
    )
    for text in ax.get_yticklabels():
        text.set_parse_math(False)
    ax.set_ylim(max(1, len(study.hypotheses)) - 0.5, -0.5)
    name = visible(study.target_name)
    unit = "percentage points of " if study.target_kind == "binary" else ""
    ax.set_xlabel(f"Mean with the concept minus mean without ({unit}{name})", parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax


def _draw(ax: Axes, hypothesis: Hypothesis, *, position: int, factor: float) -> None:
    effect = hypothesis.separation
    if not math.isfinite(effect.value):
        return
    colour = _UP if effect.value > 0 else _DOWN if effect.value < 0 else _NONE
    if math.isfinite(effect.low) and math.isfinite(effect.high):
        ends = [factor * effect.low, factor * effect.high]
        ax.plot(ends, [position, position], color=colour, linewidth=1.5, zorder=1)
    ax.plot(
        [factor * effect.value],
        [position],
        marker="o",
        markersize=6,
        markeredgecolor=colour,
        markerfacecolor=colour if hypothesis.significant else ax.get_facecolor(),
        linestyle="none",
        zorder=2,
    )


def _concept(hypothesis: Hypothesis) -> str:
    text = visible(hypothesis.hypothesis)
    return f"{text[:_LONGEST_CONCEPT]}…" if len(text) > _LONGEST_CONCEPT else text
