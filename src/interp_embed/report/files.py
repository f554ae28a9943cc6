"""The files a study leaves behind: tables, a record of the run, and a page to read."""

from dataclasses import dataclass
from pathlib import Path

from interp_embed._files import write_atomically, write_json
from interp_embed.records import HypothesisStudy
from interp_embed.report.frame import classes_frame, frame_csv, hypotheses_csv, strata_frame
from interp_embed.report.page import render_html
from interp_embed.report.regression import regression_table
from interp_embed.report.run_record import run_record

OPTIONAL_FILES = ("classes.csv", "strata.csv")
"""Written only by a study that has what they hold."""
TABLE_FILES = ("regression.tex", "regression.md", "regression.csv")
"""What :func:`write_regression_table` writes."""


@dataclass(frozen=True, slots=True)
class StudyFiles:
    """Where the files of a study are."""

    hypotheses: Path
    """``hypotheses.csv``: one row per hypothesis."""
    run: Path
    """``run.json``: settings, versions, rows, scores, warnings."""
    report: Path
    """``report.html``: everything, to read in a browser without a network."""
    classes: Path | None = None
    """``classes.csv``: one row per hypothesis and class; None where there is one column."""
    strata: Path | None = None
    """``strata.csv``: one row per hypothesis and stratum; None where there are no strata."""


def write_study(study: HypothesisStudy, directory: Path) -> StudyFiles:
    """Write ``hypotheses.csv``, ``run.json`` and ``report.html``, each whole or not at all.

    With several classes or strata also ``classes.csv`` and ``strata.csv``. All is rendered before
    the first file is written. The same study gives the same bytes.

    Args:
        study: The finished study.
        directory: Folder to write to; made if it is missing. Older files of these names are
            replaced, or removed where this study has none.

    Raises:
        InputError: A setting or a fact of the provenance is not JSON-like.
        OSError: The folder cannot be made or written to.
    """
    table, record, page = hypotheses_csv(study), run_record(study), render_html(study)
    frames = (classes_frame(study), strata_frame(study))
    directory.mkdir(parents=True, exist_ok=True)
    extra: list[Path | None] = []
    for name, frame in zip(OPTIONAL_FILES, frames, strict=True):
        if len(frame):
            _write_text(directory / name, frame_csv(frame))
        else:
            (directory / name).unlink(missing_ok=True)
        extra.append(directory / name if len(frame) else None)
    files = StudyFiles(
        hypotheses=directory / "hypotheses.csv",
        run=directory / "run.json",
        report=directory / "report.html",
        classes=extra[0],
        strata=extra[1],
    )
    _write_text(files.hypotheses, table)
    write_json(files.run, record)
    _write_text(files.report, page)
    return files


def write_regression_table(study: HypothesisStudy, directory: Path) -> tuple[Path, ...]:
    """Write ``regression.tex``, ``regression.md`` and ``regression.csv``; return where they are.

    Args:
        study: The finished study.
        directory: Folder to write to; made if it is missing.

    Raises:
        InputError: A setting or a fact of the provenance is not JSON-like.
        OSError: The folder cannot be made or written to.
    """
    table = regression_table(study)
    directory.mkdir(parents=True, exist_ok=True)
    texts = (table.to_latex(), table.to_markdown(), table.to_csv())
    paths = tuple(directory / name for name in TABLE_FILES)
    for path, text in zip(paths, texts, strict=True):
        _write_text(path, text)
    return paths


def _write_text(path: Path, text: str) -> None:
    encoded = text.encode("utf-8")  # bytes: no platform changes the line ends

    def write(temporary: Path) -> None:
        temporary.write_bytes(encoded)

    write_atomically(path, write)
