"""``interp-embed label``: names for features, from the words on which they fire."""

from pathlib import Path

import click

from interp_embed.dataset import Dataset
from interp_embed.errors import InputError


@click.command(name="label")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--features",
    metavar="1,5,8",
    help="Only these features.  [default: all that fire in enough documents]",
)
@click.option("--show", type=int, default=20, show_default=True, help="Labels to print.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="CSV", help="Write all labels here too."
)
@click.option("--quiet", is_flag=True, help="No progress bars.")
def command(folder: Path, features: str | None, show: int, out: Path | None, quiet: bool) -> None:
    """Label features by the words on which they fire; no LLM, no key.

    Half of the documents make a label, the other half measure how well its words alone tell where
    the feature fires (F1). Labels are kept in the data set; those that tell most are shown first.
    """
    dataset = Dataset.load_from_file(folder)
    outcome = dataset.label_features(_numbers(features), progress=not quiet)
    frame = outcome.to_frame()
    if not outcome.labels and not outcome.unlabelled:
        click.echo("No feature fires in ten documents or more, so that none can be labelled.")
        return
    click.echo(
        f"{len(outcome.labels):,} features labelled, {len(outcome.unlabelled):,} not: "
        "no word tells where they fire"
    )
    for row in frame.head(show).itertuples():
        click.echo(f"{row.feature:6}  F1 {row.f1:4.2f}  in {row.density:4.0%}  {row.label}")
    if out is not None:
        frame.to_csv(out, index=False)
        click.echo(f"Written to {out}.")


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(
            f"--features must be numbers with commas between, such as 1,5,8, got {text!r}"
        ) from error
