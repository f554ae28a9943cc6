"""The files an analysis leaves behind: a table, a record, a plot, and one page for all of them."""

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from interp_embed._files import write_atomically, write_json
from interp_embed.errors import InputError
from interp_embed.report.analysis_page import render_analyses
from interp_embed.report.analysis_record import (
    ANALYSES,
    Analysis,
    Evidence,
    analysis_record,
    read_analysis,
)
from interp_embed.report.frame import frame_csv

if TYPE_CHECKING:
    import pandas as pd

ANALYSIS_FILES = frozenset(
    {"report.html", *(f"{name}.{kind}" for name in ANALYSES for kind in ("csv", "json", "svg"))}
)
"""What :func:`write_analysis` writes into a folder."""


@dataclass(frozen=True, slots=True)
class AnalysisFiles:
    """Where the files of an analysis are."""

    table: Path
    """``NAME.csv``: every row."""
    record: Path
    """``NAME.json``: everything a report shows."""
    plot: Path
    """``NAME.svg``; not there where there was nothing to draw."""
    report: Path
    """``report.html``: all analyses of the folder, to read in a browser without a network."""


def write_analysis(
    result: Analysis,
    directory: Path,
    *,
    name: str,
    command: str = "",
    evidence: Mapping[str, Sequence[Evidence]] | None = None,
) -> AnalysisFiles:
    """Write ``NAME.csv``, ``NAME.json``, ``NAME.svg`` and a ``report.html`` of the whole folder.

    The page has a section for each analysis whose record lies in the folder. The same results give
    the same bytes.

    Args:
        result: Of an analysis.
        directory: Folder to write to; made if it is missing. Older files of these names are
            replaced.
        name: One of :data:`ANALYSES`.
        command: What was asked, as it was typed.
        evidence: Documents by the feature (or cluster) they stand for.

    Raises:
        StoredFileError: Another record in the folder is damaged.
        OSError: The folder cannot be made or written to.
    """
    table, picture = table_csv(result.to_frame()), _picture(result)
    record = analysis_record(result, name, command=command, evidence=evidence)
    directory.mkdir(parents=True, exist_ok=True)
    files = AnalysisFiles(
        table=directory / f"{name}.csv",
        record=directory / f"{name}.json",
        plot=directory / f"{name}.svg",
        report=directory / "report.html",
    )
    _write(files.table, table.encode("utf-8"))
    if picture is None:
        files.plot.unlink(missing_ok=True)
    else:
        _write(files.plot, picture)
    write_json(files.record, record)
    _write(files.report, folder_page(directory).encode("utf-8"))
    return files


def folder_page(directory: Path) -> str:
    """Return the page of all analyses whose records lie in a folder.

    Raises:
        StoredFileError: A record is damaged.
    """
    found = [name for name in ANALYSES if (directory / f"{name}.json").exists()]
    records = [read_analysis(directory / f"{name}.json") for name in found]
    pictures = {
        name: (directory / f"{name}.svg").read_bytes()
        for name in found
        if (directory / f"{name}.svg").exists()
    }
    return render_analyses(records, pictures)


def table_csv(frame: "pd.DataFrame") -> str:
    """Return a table as CSV that no spreadsheet runs; lists are joined by semicolons."""
    texts = {
        name: [_as_text(value) for value in frame[name]]
        for name in frame.columns[frame.dtypes.map(str).isin(["object", "str", "string"])]
    }
    return frame_csv(frame.assign(**texts).astype(dict.fromkeys(texts, object)))


def plot_svg(result: Analysis) -> bytes:
    """Return the plot of a result as an SVG whose texts are texts, the same at every run."""
    import matplotlib as mpl

    with (
        mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "interp-embed"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the reader's fonts draw it
        return _drawn(result)


def _picture(result: Analysis) -> bytes | None:
    """Return the plot of a result; None where there is nothing to draw."""
    try:
        return plot_svg(result)
    except InputError:
        return None


def _drawn(result: Analysis) -> bytes:
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    plt.switch_backend("Agg")
    figure = result.plot().figure
    assert isinstance(figure, Figure)  # noqa: S101 - for the type checker: it is nobody's part
    picture = io.BytesIO()
    figure.savefig(picture, format="svg", metadata={"Date": None, "Creator": None})
    plt.close("all")
    return picture.getvalue()


def _as_text(value: object) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, list | tuple | set | frozenset):
        return "; ".join(str(part) for part in value)
    return str(value)


def _write(path: Path, content: bytes) -> None:
    def write(temporary: Path) -> None:
        temporary.write_bytes(content)

    write_atomically(path, write)
