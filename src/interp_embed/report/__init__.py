"""What a study found, to read and to pass on: a table, a record of the run, a page, a plot.

Renders what earlier stages produced and computes nothing.
"""

from typing import TYPE_CHECKING, Any

from interp_embed.report.files import StudyFiles, write_study
from interp_embed.report.frame import HYPOTHESIS_COLUMNS, hypotheses_frame
from interp_embed.report.page import render_html
from interp_embed.report.run_record import RUN_FORMAT, run_record

if TYPE_CHECKING:
    from interp_embed.report.forest import forest_plot

__all__ = [
    "HYPOTHESIS_COLUMNS",
    "RUN_FORMAT",
    "StudyFiles",
    "forest_plot",
    "hypotheses_frame",
    "render_html",
    "run_record",
    "write_study",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any attribute
    """Load matplotlib only when the plot is asked for."""
    if name == "forest_plot":
        from interp_embed.report.forest import forest_plot

        return forest_plot
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
