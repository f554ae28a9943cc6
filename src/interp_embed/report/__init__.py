"""What a study found, to read and to pass on: a table, a record of the run, a page, a plot.

Renders what earlier stages produced and computes nothing.
"""

from typing import TYPE_CHECKING, Any

from interp_embed.report.analysis_files import AnalysisFiles, write_analysis
from interp_embed.report.analysis_page import render_analyses
from interp_embed.report.analysis_record import (
    ANALYSES,
    Evidence,
    analysis_record,
    read_analysis,
)
from interp_embed.report.files import StudyFiles, write_regression_table, write_study
from interp_embed.report.frame import (
    CLASS_COLUMNS,
    HYPOTHESIS_COLUMNS,
    STRATA_COLUMNS,
    classes_frame,
    hypotheses_frame,
    strata_frame,
)
from interp_embed.report.page import render_html
from interp_embed.report.regression import (
    RegressionRow,
    RegressionTable,
    read_regression_table,
    regression_table,
)
from interp_embed.report.run_record import RUN_FORMAT, run_record
from interp_embed.report.summary import summarise_study

if TYPE_CHECKING:
    from interp_embed.report.forest import forest_plot

__all__ = [
    "ANALYSES",
    "CLASS_COLUMNS",
    "HYPOTHESIS_COLUMNS",
    "RUN_FORMAT",
    "STRATA_COLUMNS",
    "AnalysisFiles",
    "Evidence",
    "RegressionRow",
    "RegressionTable",
    "StudyFiles",
    "analysis_record",
    "classes_frame",
    "forest_plot",
    "hypotheses_frame",
    "read_analysis",
    "read_regression_table",
    "regression_table",
    "render_analyses",
    "render_html",
    "run_record",
    "strata_frame",
    "summarise_study",
    "write_analysis",
    "write_regression_table",
    "write_study",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any attribute
    """Load matplotlib only when the plot is asked for."""
    if name == "forest_plot":
        from interp_embed.report.forest import forest_plot

        return forest_plot
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
