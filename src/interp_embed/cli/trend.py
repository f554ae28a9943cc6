"""``interp-embed trend``: what becomes more or less frequent over ordered groups."""

from pathlib import Path

import click

from interp_embed.cli.data_source import EncodeOptions, encode_options, find_source
from interp_embed.cli.option_values import firing_of, firing_option, names_of
from interp_embed.cli.result_options import (
    ResultOptions,
    check_level,
    hand_over,
    result_options,
    tell_unlabelled,
)
from interp_embed.errors import InputError


@click.command(name="trend")
@click.argument("folder", metavar="A", type=click.Path(path_type=Path))
@click.option(
    "--by", required=True, metavar="COL", help="Column with the groups: a year, a version."
)
@click.option(
    "--order",
    metavar="LOW,MID,HIGH",
    help="The groups, first to last.  [default: by number, or as the column orders them]",
)
@click.option(
    "--group-by",
    metavar="COL",
    help="Column whose equal values (an author) are not independent of each other.",
)
@firing_option
@click.option(
    "--min-support",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Documents in which a feature must fire to be tested.",
)
@click.option("--level", type=float, default=0.05, show_default=True, help="Significance level.")
@encode_options
@result_options
def command(
    folder: Path,
    by: str,
    order: str | None,
    group_by: str | None,
    firing: str | None,
    min_support: int,
    level: float,
    encoding: EncodeOptions,
    result: ResultOptions,
) -> None:
    """Show which features fire more, or less, from each group to the next.

    \b
    interp-embed trend speeches --by year --out report
    interp-embed trend releases.csv --text notes --by version --order 1.0,1.1,2.0
    """  # noqa: D301 - \b keeps lines apart in the help
    source = find_source(folder, encoding)
    source.check_columns([by], option="--by")
    if group_by is not None:
        source.check_columns([group_by], option="--group-by")
    levels = names_of(order) or None
    if levels is not None and len(levels) < 2:
        raise InputError(f"--order must name at least two groups, got {order!r}")
    for value in levels or ():
        source.check_value(by, value, option="--order")
    check_level(level)
    strength = firing_of(firing)
    result.check("trend")
    dataset = source.open(quiet=result.quiet)
    found = dataset.trend(
        by, order=levels, group_by=group_by, firing=strength, min_support=min_support, level=level
    )
    from interp_embed.cli.evidence import feature_evidence, leading_features

    frame = found.to_frame()
    leading = leading_features(frame)
    shown = leading if result.out is not None else []
    hand_over(found, result, name="trend", evidence=feature_evidence(dataset, shown))
    tell_unlabelled(dataset, leading or frame["feature"].tolist(), result)
