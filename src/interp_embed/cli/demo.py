"""``interp-embed demo``: a study with known truth, on any machine."""

from pathlib import Path

import click

from interp_embed.cli.output import prepare_folder, print_study, write_run
from interp_embed.hypotheses.planted import OUTCOME_CONCEPTS, check_on_planted


@click.command(name="demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo-report"),
    show_default=True,
    metavar="DIR",
    help="Folder for the results.",
)
@click.option(
    "--rows",
    type=click.IntRange(min=500),
    default=4_000,
    show_default=True,
    help="Reviews to make up.",
)
@click.option(
    "--embedder",
    default="all-MiniLM-L6-v2",
    show_default=True,
    help="As for `interp-embed hypotheses`.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Of the reviews and the study."
)
@click.option("--quiet", is_flag=True, help="No progress bars.")
def command(out: Path, rows: int, embedder: str, seed: int, quiet: bool) -> None:
    """Find planted concepts in made-up reviews.

    Writes restaurant reviews in which ten of thirty known concepts move the satisfaction score,
    runs a whole study on them without being told which, and compares what it finds with the truth.
    """
    folder = prepare_folder(out, overwrite=True)
    click.echo(
        f"{rows} made-up reviews; ten of thirty concepts in them move the satisfaction score."
    )
    check = check_on_planted(rows, embedder=embedder, seed=seed, progress=not quiet)
    print_study(check.run.study)
    click.echo(
        f"\nFound {len(check.found)} of {len(OUTCOME_CONCEPTS)} planted concepts, "
        f"{len(check.false)} false."
    )
    for name, concepts in (("missed", check.missed), ("false", check.false)):
        for concept in concepts:
            click.echo(f"  {name}: {concept}")
    write_run(check.run, folder)
