"""The files an analysis leaves behind: a table, a record, a plot, and one page for all of them."""

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interp_embed._files import write_atomically, write_json
from interp_embed.errors import InputError
from interp_embed.report.analysis_page import render_analyses
from interp_embed.report.analysis_record import (
    ANALYSES,
    Analysis,
    Evidence,
    analysis_record,
    read_analysis,
    record_stem,
    run_stem,
)
from interp_embed.report.frame import frame_csv

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("csv", "json", "svg")
"""Endings of the files of a run."""
_FILE = re.compile(rf"(?P<name>{'|'.join(ANALYSES)})(-[a-z0-9_.-]+)?\.({'|'.join(KINDS)})")


@dataclass(frozen=True, slots=True)
class AnalysisFiles:
    """Where the files of an analysis are."""

    table: Path
    """``NAME.csv`` or ``NAME-ABOUT.csv``: every row."""
    record: Path
    """``….json``: everything a report shows."""
    plot: Path
    """``….svg``; not there where there was nothing to draw."""
    report: Path
    """``report.html``: all analyses of the folder, to read in a browser without a network."""


def write_analysis(
    result: Analysis,
    directory: Path,
    *,
    name: str,
    about: str = "",
    command: str = "",
    evidence: Mapping[str, Sequence[Evidence]] | None = None,
) -> AnalysisFiles:
    """Write ``NAME.csv``, ``NAME.json``, ``NAME.svg`` and a ``report.html`` of the whole folder.

    The page has a section for each run whose record lies in the folder. The same results give the
    same bytes.

    Args:
        result: Of an analysis.
        directory: Folder to write to; made if it is missing. Older files of these names are
            replaced.
        name: One of :data:`ANALYSES`.
        about: What tells this run from others of the analysis, such as the query: part of the
            title and of the file names (``search-refund.csv``); a run of the same name and about
            is replaced.
        command: What was asked, as it was typed.
        evidence: Documents by the feature (or cluster) they stand for.

    Raises:
        StoredFileError: Another record in the folder is damaged.
        OSError: The folder cannot be made or written to.
    """
    table, picture = table_csv(result.to_frame()), _picture(result)
    record = analysis_record(result, name, about=about, command=command, evidence=evidence)
    directory.mkdir(parents=True, exist_ok=True)
    stem = run_stem(name, about)
    files = AnalysisFiles(
        table=directory / f"{stem}.csv",
        record=directory / f"{stem}.json",
        plot=directory / f"{stem}.svg",
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
    """Return the page of all runs whose records lie in a folder, those of an analysis together.

    Raises:
        StoredFileError: A record is damaged.
    """
    records = folder_records(directory)
    pictures = {
        record_stem(record): path.with_suffix(".svg").read_bytes()
        for path, record in records.items()
        if path.with_suffix(".svg").exists()
    }
    return render_analyses(list(records.values()), pictures)


def folder_records(directory: Path) -> dict[Path, dict[str, Any]]:
    """Return the records in a folder by their file, in the order in which a page shows them.

    Raises:
        StoredFileError: One is damaged, or of something else.
    """
    paths = sorted(directory / name for name in files_in(directory) if name.endswith(".json"))
    records = {path: read_analysis(path) for path in paths}
    shown = sorted(records, key=lambda path: ANALYSES.index(records[path]["analysis"]))
    return {path: records[path] for path in shown}


def files_in(directory: Path) -> frozenset[str]:
    """Return the names of the files in a folder that :func:`write_analysis` may have written."""
    names = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
    return frozenset(name for name in names if name == "report.html" or _FILE.fullmatch(name))


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
    from matplotlib.figure import Figure

    from interp_embed.plots.canvas import off_screen

    with off_screen():
        figure = result.plot().figure
    assert isinstance(figure, Figure)  # noqa: S101 - for the type checker: it is nobody's part
    picture = io.BytesIO()
    figure.savefig(picture, format="svg", metadata={"Date": None, "Creator": None})
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
