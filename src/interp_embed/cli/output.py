"""The folder a command writes into, and the lines it prints at the end."""

from pathlib import Path

import click

from interp_embed.errors import InputError
from interp_embed.hypotheses import StudyRun
from interp_embed.records import HypothesisStudy
from interp_embed.report import write_study
from interp_embed.sae import save_sae

_OURS = frozenset({"hypotheses.csv", "run.json", "report.html", "sae"})
_SHOWN = 10
_WIDTH = 76


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
    """Write the SAE, the table, the record and the report; say where they are."""
    save_sae(folder / "sae", run.sae, run.origin)
    files = write_study(run.study, folder)
    click.echo(f"\nReport:  {files.report}\nTable:   {files.hypotheses}\nRecord:  {files.run}")


def print_study(study: HypothesisStudy) -> None:
    """Print what was found, in a few lines."""
    held = [hypothesis for hypothesis in study.hypotheses if hypothesis.significant]
    scores = study.scores
    click.echo(
        f"\n{len(held)} of {study.tested} hypotheses about {study.target_name} hold up on "
        f"{study.rows.confirm} documents kept for the test."
    )
    click.echo(
        f"Predicted out of sample ({scores.metric}): length alone {scores.floor:.2f}, "
        f"hypotheses {scores.hypotheses:.2f}, their features {scores.features:.2f}, "
        f"whole embedding {scores.ceiling:.2f}."
    )
    for hypothesis in held[:_SHOWN]:
        text = hypothesis.hypothesis
        shown = text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
        click.echo(f"  {hypothesis.separation.value:+7.2f}  {shown}")
    if len(held) > _SHOWN:
        click.echo(f"  … and {len(held) - _SHOWN} more in the report")
    for warning in study.warnings:
        click.secho(f"Note: {warning}", err=True, fg="yellow")
