"""The files of a study, and the lines a command prints at its end."""

from pathlib import Path

import click

from interp_embed.cli.folder import claim_folder
from interp_embed.hypotheses import StudyRun
from interp_embed.records import HypothesisStudy
from interp_embed.report import summarise_study, write_regression_table, write_study
from interp_embed.report.files import OPTIONAL_FILES, TABLE_FILES
from interp_embed.sae import save_sae

_OURS = frozenset(
    {"hypotheses.csv", "run.json", "report.html", "sae", *OPTIONAL_FILES, *TABLE_FILES}
)


def prepare_folder(folder: Path, *, overwrite: bool) -> Path:
    """Return a folder for the results of a study (:func:`claim_folder`)."""
    return claim_folder(folder, ours=_OURS, results=_OURS, overwrite=overwrite)


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
