"""The effects of a study as a matplotlib plot, for a paper."""

import numpy as np
from matplotlib.axes import Axes

from interp_embed.plots import forest
from interp_embed.records import Hypothesis, HypothesisStudy
from interp_embed.report.meanings import effect_unit
from interp_embed.report.scales import effect_scale


def forest_plot(study: HypothesisStudy, *, ax: Axes | None = None) -> Axes:
    """Return a plot of each hypothesis's separation with its interval, the first on top.

    A filled marker holds up after correction, a hollow one does not; colour repeats the direction.
    A hypothesis without an estimate keeps its line, empty; an interval that goes on beyond the
    plot ends in an arrow.

    Args:
        study: The finished study; differences in shares are drawn in percentage points.
        ax: Axes to draw on; a new figure of fitting height if None.
    """
    hypotheses, scale = study.hypotheses, effect_scale(study)
    effects = [hypothesis.separation for hypothesis in hypotheses]
    unit = effect_unit(study, scale) if scale.unit else study.target_name
    return forest(
        scale.factor * np.array([effect.value for effect in effects]),
        scale.factor * np.array([effect.low for effect in effects]),
        scale.factor * np.array([effect.high for effect in effects]),
        labels=[_concept(hypothesis) for hypothesis in hypotheses],
        filled=[hypothesis.significant for hypothesis in hypotheses],
        xlabel=f"Separation ({unit})",
        ax=ax,
    )


def _concept(hypothesis: Hypothesis) -> str:
    return hypothesis.hypothesis + (f" ({hypothesis.about})" if hypothesis.about else "")
