"""The files a study leaves behind: a table, a record of the run, and a page to read."""

from dataclasses import dataclass
from pathlib import Path

from interp_embed._files import write_atomically, write_json
from interp_embed.records import HypothesisStudy
from interp_embed.report.frame import hypotheses_csv
from interp_embed.report.page import render_html
from interp_embed.report.run_record import run_record


@dataclass(frozen=True, slots=True)
class StudyFiles:
    """Where the files of a study are."""

    hypotheses: Path
    """``hypotheses.csv``: one row per hypothesis."""
    run: Path
    """``run.json``: settings, versions, rows, scores, warnings."""
    report: Path
    """``report.html``: everything, to read in a browser without a network."""


def write_study(study: HypothesisStudy, directory: Path) -> StudyFiles:
    """Write ``hypotheses.csv``, ``run.json`` and ``report.html``, each whole or not at all.

    All three are rendered before the first is written. The same study gives the same bytes.

    Args:
        study: The finished study.
        directory: Folder to write to; made if it is missing. Older files of these names are
            replaced.

    Raises:
        InputError: A setting or a fact of the provenance is not JSON-like.
        OSError: The folder cannot be made or written to.
    """
    table, record, page = hypotheses_csv(study), run_record(study), render_html(study)
    directory.mkdir(parents=True, exist_ok=True)
    files = StudyFiles(
        hypotheses=directory / "hypotheses.csv",
        run=directory / "run.json",
        report=directory / "report.html",
    )
    _write_text(files.hypotheses, table)
    write_json(files.run, record)
    _write_text(files.report, page)
    return files


def _write_text(path: Path, text: str) -> None:
    encoded = text.encode("utf-8")  # bytes: no platform changes the line ends

    def write(temporary: Path) -> None:
        temporary.write_bytes(encoded)

    write_atomically(path, write)
