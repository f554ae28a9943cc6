"""The folder a command writes into, and the lines it prints at the end."""

from pathlib import Path

import click

from interp_embed.errors import InputError
from interp_embed.hypotheses import StudyRun
from interp_embed.records import HypothesisStudy
from interp_embed.report import summarise_study, write_regression_table, write_study
from interp_embed.report.files import OPTIONAL_FILES, TABLE_FILES
from interp_embed.sae import save_sae

_OURS = frozenset(
    {"hypotheses.csv", "run.json", "report.html", "sae", *OPTIONAL_FILES, *TABLE_FILES}
)


def prepare_folder(folder: Path, *, overwrite: bool) -> Path:
    """Return an output folder that exists, is writable, and holds nothing that would be lost.

    Raises:
        InputError: It is a file, holds other files, holds results and ``overwrite`` is off, or
            cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder} is a file; name a folder")
    held = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if foreign := sorted(held - _OURS):
        raise InputError(
            f"--out {folder} is not empty (it holds {', '.join(foreign[:3])}"
            f"{', …' if len(foreign) > 3 else ''}); name a new folder"
        )
    if held and not overwrite:
        raise InputError(
            f"--out {folder} holds results already; name a new folder, or add --overwrite"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"--out {folder} cannot be written ({error.strerror}); name another folder"
        ) from error
    return folder


def write_run(run: StudyRun, folder: Path) -> None:
    """Write the SAE, the tables, the record and the report; say where they are."""
    save_sae(folder / "sae", run.sae, run.origin)
    files = write_study(run.study, folder)
    latex, *_ = write_regression_table(run.study, folder)
    click.echo(
        f"\nReport:  {files.report}\nTable:   {files.hypotheses}\nRecord:  {files.run}\n"
        f"Paper:   {latex} (also .md and .csv)"
    )


def print_study(study: HypothesisStudy) -> None:
    """Print what was found, in a few lines."""
    click.echo(f"\n{summarise_study(study)}")
    for warning in study.warnings:
        click.secho(f"Note: {warning}", err=True, fg="yellow")
