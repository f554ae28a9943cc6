"""``interp-embed table``: the effects of a finished study as a table for a paper."""

from pathlib import Path

import click


@click.command(name="table")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "latex", "csv"]),
    default="markdown",
    show_default=True,
    help="LaTeX needs the package booktabs.",
)
def command(folder: Path, form: str) -> None:
    """Print the regression table of the study in FOLDER, as `interp-embed hypotheses` wrote it.

    \b
    interp-embed table reviews-hypotheses
    interp-embed table reviews-hypotheses --format latex > effects.tex
    """  # noqa: D301 - \b keeps lines apart in the help
    from interp_embed.report import read_regression_table

    table = read_regression_table(folder)
    made = {"markdown": table.to_markdown, "latex": table.to_latex, "csv": table.to_csv}
    click.echo(made[form](), nl=False)
