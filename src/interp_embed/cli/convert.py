"""``interp-embed convert``: a data set saved by the first interp_embed, made safe."""

from pathlib import Path

import click

from interp_embed.cli.datasets import echo_health
from interp_embed.dataset import convert_predecessor


@click.command(name="convert")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
def command(old: Path, new: Path) -> None:
    """Convert OLD, a pickle of the first interp_embed, into the data set NEW.

    The pickle is read without running any code in it; one that asks for more than arrays and
    tables is refused.
    """
    dataset = convert_predecessor(old, new)
    echo_health(dataset.health())
    click.echo(f"\nWritten to {new}.")
