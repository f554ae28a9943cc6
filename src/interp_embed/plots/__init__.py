"""Plots of findings: arrays in, matplotlib ``Axes`` out. Matplotlib is loaded when one is drawn."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interp_embed.plots.clusters import cluster_map
    from interp_embed.plots.effects import forest
    from interp_embed.plots.heat import matrix
    from interp_embed.plots.shares import stacked_shares
    from interp_embed.plots.significance import volcano
    from interp_embed.plots.trends import trend_lines

__all__ = [
    "cluster_map",
    "forest",
    "matrix",
    "stacked_shares",
    "trend_lines",
    "volcano",
]

_MODULES = {
    "cluster_map": "clusters",
    "forest": "effects",
    "matrix": "heat",
    "stacked_shares": "shares",
    "trend_lines": "trends",
    "volcano": "significance",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any attribute
    """Load matplotlib only when a plot is asked for."""
    if name in _MODULES:
        module = importlib.import_module(f"interp_embed.plots.{_MODULES[name]}")
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
