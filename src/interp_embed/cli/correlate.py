"""``interp-embed correlate``: which features occur together, and with which columns."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from interp_embed.cli.data_source import EncodeOptions, encode_options, find_sources
from interp_embed.cli.option_values import firing_of, firing_option, names_of
from interp_embed.cli.result_options import ResultOptions, hand_over, result_options
from interp_embed.errors import InputError

if TYPE_CHECKING:
    from interp_embed.report.analysis_record import Analysis


@click.command(name="correlate")
@click.argument("one", metavar="A", type=click.Path(path_type=Path))
@click.argument("other", metavar="[B]", type=click.Path(path_type=Path), required=False)
@click.option(
    "--on", metavar="COL", help="Column of both that says which documents belong together."
)
@click.option(
    "--columns", metavar="COL,COL", help="Features with these columns of the table instead."
)
@click.option("--feature", type=int, metavar="F", help="Only pairs with this feature of A.")
@click.option(
    "--group-by",
    metavar="COL",
    help="Column whose equal values (an author) are not independent of each other.",
)
@firing_option
@click.option(
    "--min-support",
    type=click.IntRange(min=1),
    help="Documents in which a feature must fire.  [default: by the number of documents]",
)
@click.option(
    "--max-q", type=float, default=0.05, show_default=True, help="Largest corrected p-value kept."
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Partners kept of each feature.",
)
@encode_options
@result_options
def command(
    one: Path,
    other: Path | None,
    on: str | None,
    columns: str | None,
    feature: int | None,
    group_by: str | None,
    firing: str | None,
    min_support: int | None,
    max_q: float,
    top: int,
    encoding: EncodeOptions,
    result: ResultOptions,
) -> None:
    """Show which features occur in the same documents more, or less, often than by chance.

    With B, of the same documents in another column (prompts and answers), pairs are across both.
    Pairs that are linked trivially, by one word or nearly the same direction, are set apart.

    \b
    interp-embed correlate reviews --out report
    interp-embed correlate prompts answers --on id
    interp-embed correlate speeches --columns party,year --group-by president
    interp-embed correlate reviews --feature 17
    """  # noqa: D301 - \b keeps lines apart in the help
    sources = find_sources([one] if other is None else [one, other], encoding)
    if on is not None and other is None:
        raise InputError("--on says which documents of A and B belong together: name B too")
    if on is not None:
        for source in sources:
            source.check_columns([on], option="--on")
    wanted = names_of(columns)
    if wanted and (other is not None or feature is not None):
        raise InputError("--columns is of one data set: leave out B and --feature")
    if feature is not None and other is not None:
        raise InputError("--feature shows the pairs within A: leave out B")
    sources[0].check_columns(wanted, option="--columns")
    if group_by is not None:
        sources[0].check_columns([group_by], option="--group-by")
    if feature is not None:
        sources[0].check_features([feature], option="--feature")
    if not 0 < max_q <= 1:
        raise InputError(f"--max-q must be above 0 and at most 1, got {max_q:g}")
    result.check("correlate")
    strength = firing_of(firing)
    dataset, *partner = [source.open(quiet=result.quiet) for source in sources]
    found: Analysis
    if wanted:
        found = dataset.metadata_links(
            wanted, firing=strength, min_support=min_support, max_q=max_q, group_by=group_by
        )
    elif feature is not None:
        found = dataset.pairs(feature, firing=strength, group_by=group_by)
    else:
        found = dataset.correlations(
            partner[0] if partner else None,
            on=on,
            firing=strength,
            min_support=min_support,
            max_q=max_q,
            top=top,
            group_by=group_by,
            progress=result.progress,
        )
    hand_over(found, result, name="correlate")
