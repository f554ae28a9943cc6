"""``interp-embed diff``: what differs between two groups of documents."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from interp_embed.cli.data_source import EncodeOptions, encode_options, find_sources
from interp_embed.cli.llm_options import LLMOptions, choose_llm, llm_options
from interp_embed.cli.result_options import ResultOptions, check_level, hand_over, result_options
from interp_embed.errors import InputError

if TYPE_CHECKING:
    from interp_embed.interpret import LLMRoles


@click.command(name="diff")
@click.argument("one", metavar="A", type=click.Path(path_type=Path))
@click.argument("other", metavar="[B]", type=click.Path(path_type=Path), required=False)
@click.option("--by", metavar="COL", help="Compare groups of A by this column.")
@click.option("--first", metavar="VALUE", help="Value of --by of the first group.")
@click.option("--second", metavar="VALUE", help="Of the second group.  [default: all others]")
@click.option(
    "--pair-by", metavar="COL", help="Column that pairs documents: answers to one prompt."
)
@click.option(
    "--group-by",
    metavar="COL",
    help="Column whose equal values (an author) are not independent of each other.",
)
@click.option("--match-length", is_flag=True, help="Compare documents of like length only.")
@click.option(
    "--min-support",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Documents in which a feature must fire to be tested.",
)
@click.option("--level", type=float, default=0.05, show_default=True, help="Significance level.")
@click.option(
    "--verify",
    type=click.Choice(["words", "none"]),
    default="none",
    show_default=True,
    help="Search six tenths of the documents and test what is found, put in words, on the rest. "
    "With --llm the model does so.",
)
@click.option(
    "--k", type=click.IntRange(min=1), default=10, show_default=True, help="Differences to name."
)
@click.option(
    "--baseline", is_flag=True, help="With --llm: also test what the model finds by itself."
)
@encode_options
@llm_options
@click.option("--seed", type=int, default=0, show_default=True, help="Of the held-out documents.")
@result_options
def command(
    one: Path,
    other: Path | None,
    by: str | None,
    first: str | None,
    second: str | None,
    pair_by: str | None,
    group_by: str | None,
    match_length: bool,
    min_support: int,
    level: float,
    verify: str,
    k: int,
    baseline: bool,
    encoding: EncodeOptions,
    options: LLMOptions,
    seed: int,
    result: ResultOptions,
) -> None:
    """Show which features fire more often in one group of documents than in another.

    A and B are data sets (see `encode`) or table files, which are encoded first. Every difference
    comes with an interval, and q-values are corrected for everything that was tested.

    \b
    interp-embed diff answers-a answers-b --pair-by prompt --match-length
    interp-embed diff speeches --by party --first Democratic --second Republican --out report
    interp-embed diff posts.csv --text body --by removed
    """  # noqa: D301 - \b keeps lines apart in the help
    _check_groups(one, other, by, first, second)
    sources = find_sources(one, other, encoding)
    for name, option in ((by, "--by"), (pair_by, "--pair-by"), (group_by, "--group-by")):
        for source in sources if name is not None else ():
            source.check_columns([str(name)], option=option)
    for value, option in ((first, "--first"), (second, "--second")):
        if by is not None and value is not None:
            sources[0].check_value(by, value, option=option)
    asked = choose_llm(options, quiet=result.quiet)
    if baseline and asked is None:
        raise InputError("--baseline needs --llm MODEL: it is what the model finds by itself")
    check_level(level)
    arguments: dict[str, Any] = {
        "by": by, "first": first, "second": second, "pair_by": pair_by, "group_by": group_by,
        "match_length": match_length, "min_support": min_support, "level": level, "k": k,
        "baseline": baseline, "seed": seed,
    }  # fmt: skip
    if asked is None or not asked.dry_run:
        result.check("diff")
    datasets = [source.open(quiet=result.quiet) for source in sources]
    against = datasets[1] if len(datasets) > 1 else None
    if asked is not None and asked.dry_run:
        arguments["verify"] = asked.roles
        asked.tell(datasets[0].estimate_diff(against, **arguments))
        return
    roles: LLMRoles | Literal["words"] | None = "words" if verify == "words" else None
    arguments["verify"] = asked.roles if asked is not None else roles
    found = datasets[0].diff(against, **arguments, progress=result.progress)
    from interp_embed.cli.evidence import feature_evidence, leading_features

    shown = leading_features(found.to_frame()) if result.out is not None else []
    hand_over(found, result, name="diff", evidence=feature_evidence(datasets[0], shown))


def _check_groups(
    one: Path, other: Path | None, by: str | None, first: str | None, second: str | None
) -> None:
    if other is None and by is None:
        raise InputError(f"compare {one} with what? Name a second data set, or a column with --by")
    if other is not None and by is not None:
        raise InputError("--by compares groups of one data set: leave out B, or --by")
    if by is None and (first is not None or second is not None):
        given = "--first" if first is not None else "--second"
        raise InputError(f"{given} is a value of a column: say of which with --by")
    if first is None and second is not None:
        raise InputError("--second is given without --first: name both groups")
    if first is not None and first == second:
        raise InputError(f"--first and --second are both {first!r}: name two groups")
