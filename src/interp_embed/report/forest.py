"""The effects of a study as a matplotlib plot, for a paper."""

import math
import textwrap

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from interp_embed.records import Hypothesis, HypothesisStudy
from interp_embed.report.characters import visible
from interp_embed.report.drawing import Axis, forest_axis
from interp_embed.report.meanings import effect_unit
from interp_embed.report.scales import effect_scale

_UP, _DOWN, _NONE = "#0b62a4", "#b8480a", "#5c646c"
_LABEL_WIDTH = 36
_TALLEST_INCHES = 100.0


def forest_plot(study: HypothesisStudy, *, ax: Axes | None = None) -> Axes:
    """Return a plot of each hypothesis's separation with its interval, the first on top.

    A filled marker holds up after correction, a hollow one does not; colour repeats the direction.
    A hypothesis without an estimate keeps its line, empty; an interval that goes on beyond the
    plot ends in an arrow.

    Args:
        study: The finished study; differences in shares are drawn in percentage points.
        ax: Axes to draw on; a new figure of fitting height if None.
    """
    hypotheses = study.hypotheses
    if ax is None:
        height = min(1.1 + 0.4 * max(1, len(hypotheses)), _TALLEST_INCHES)
        _, ax = plt.subplots(figsize=(7.5, height), layout="constrained")
    axis = forest_axis([hypothesis.separation for hypothesis in hypotheses])
    factor = effect_scale(study).factor
    ax.axvline(0, color=_NONE, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
    for position, hypothesis in enumerate(hypotheses):
        _draw(ax, hypothesis, position=position, axis=axis, factor=factor)
    _name_rows(ax, study)
    margin = 0.04 * (axis.high - axis.low)
    ax.set_xlim(factor * (axis.low - margin), factor * (axis.high + margin))
    return ax


def _name_rows(ax: Axes, study: HypothesisStudy) -> None:
    labels = [_concept(hypothesis) for hypothesis in study.hypotheses]
    ax.set_yticks(range(len(labels)), labels, fontsize="small", parse_math=False)
    ax.set_ylim(max(1, len(labels)) - 0.5, -0.5)
    scale = effect_scale(study)
    unit = effect_unit(study, scale) if scale.unit else study.target_name
    ax.set_xlabel(f"Separation ({visible(unit)})", parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)


def _draw(ax: Axes, hypothesis: Hypothesis, *, position: int, axis: Axis, factor: float) -> None:
    effect = hypothesis.separation
    if not math.isfinite(effect.value):
        return
    colour = _UP if effect.value > 0 else _DOWN if effect.value < 0 else _NONE
    if not (math.isnan(effect.low) or math.isnan(effect.high)):
        low, high = max(effect.low, axis.low), min(effect.high, axis.high)
        ax.plot([factor * low, factor * high], [position] * 2, color=colour, linewidth=1.5)
        for end, is_beyond, arrow in (
            (low, low > effect.low, "<"),
            (high, high < effect.high, ">"),
        ):
            if is_beyond:
                ax.plot([factor * end], [position], marker=arrow, color=colour, markersize=5)
    ax.plot(
        [factor * effect.value],
        [position],
        marker="o",
        markersize=6,
        markeredgecolor=colour,
        markerfacecolor=colour if hypothesis.significant else ax.get_facecolor(),
        linestyle="none",
        zorder=3,
    )


def _concept(hypothesis: Hypothesis) -> str:
    about = f" ({hypothesis.about})" if hypothesis.about else ""
    text = visible(hypothesis.hypothesis + about)
    return "\n".join(textwrap.wrap(text, _LABEL_WIDTH, max_lines=2, placeholder=" …"))
