"""``interp-embed diff``: what differs between two groups of documents."""

from pathlib import Path
from typing import Any

import click

from interp_embed.cli.data_source import (
    DataSource,
    EncodeOptions,
    check_exists,
    encode_options,
    find_sources,
)
from interp_embed.cli.llm_options import LLMOptions, choose_llm, llm_options
from interp_embed.cli.option_values import firing_of, firing_option
from interp_embed.cli.result_options import (
    ResultOptions,
    check_level,
    hand_over,
    result_options,
    tell_unlabelled,
)
from interp_embed.errors import InputError


@click.command(name="diff")
@click.argument("one", metavar="A", type=click.Path(path_type=Path))
@click.argument("others", metavar="[B]...", type=click.Path(path_type=Path), nargs=-1)
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
@click.option(
    "--within",
    metavar="COL",
    help="Column held fixed (a decade): documents of one value are compared with each other.",
)
@click.option(
    "--against",
    type=click.Choice(["every", "any", "pooled"]),
    default="every",
    show_default=True,
    help="With several B: more often than in each of them, than in any on the same prompt, or "
    "than in all together.",
)
@click.option("--match-length", is_flag=True, help="Compare documents of like length only.")
@firing_option
@click.option(
    "--min-support",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Documents in which a feature must fire to be tested.",
)
@click.option("--level", type=float, default=0.05, show_default=True, help="Significance level.")
@click.option(
    "--correction",
    type=click.Choice(["bh", "by", "bonferroni", "holm"]),
    default="bh",
    show_default=True,
    help="For testing many features at once.",
)
@click.option(
    "--verify",
    type=click.Choice(["words", "sentences", "none"]),
    default="none",
    show_default=True,
    help="Put what is found on some documents in words, and test the words on the others: read by "
    "the words or by the meaning of sentences; with --llm the model reads.",
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
    others: tuple[Path, ...],
    by: str | None,
    first: str | None,
    second: str | None,
    pair_by: str | None,
    group_by: str | None,
    within: str | None,
    against: str,
    match_length: bool,
    firing: str | None,
    min_support: int,
    level: float,
    correction: str,
    verify: str,
    k: int,
    baseline: bool,
    encoding: EncodeOptions,
    options: LLMOptions,
    seed: int,
    result: ResultOptions,
) -> None:
    """Show which features fire more often in one group of documents than in another.

    A and B are data sets (see `encode`) or table files, which are encoded first; with several B, A
    is compared with all of them. Every difference comes with an interval, and q-values are
    corrected for everything that was tested.

    \b
    interp-embed diff answers-a answers-b --pair-by prompt --match-length
    interp-embed diff speeches --by party --first Democratic --second Republican --out report
    interp-embed diff posts.csv --text body --by removed
    interp-embed diff model-a model-b model-c --pair-by prompt
    interp-embed diff answers-a answers-b --llm gpt-5-mini --baseline --dry-run
    """  # noqa: D301 - \b keeps lines apart in the help
    for path in (one, *others):
        check_exists(path)
    _check_groups(one, others, by, first, second)
    if len(others) > 1:
        _refuse_many(
            {
                "--group-by": group_by is not None,
                "--within": within is not None,
                "--verify": verify != "none",
                "--baseline": baseline,
                "--llm": options.llm is not None,
            }
        )
    if within is not None and (pair_by is not None or match_length):
        raise InputError("--within goes neither with --pair-by nor with --match-length: give one")
    check_level(level)
    sources = find_sources([one, *others], encoding)
    named_columns = {"--by": by, "--pair-by": pair_by, "--group-by": group_by, "--within": within}
    _check_columns(sources, named_columns)
    for value, option in ((first, "--first"), (second, "--second")):
        if by is not None and value is not None:
            sources[0].check_value(by, value, option=option)
    asked = choose_llm(options, quiet=result.quiet)
    if baseline and asked is None:
        raise InputError("--baseline needs --llm MODEL: it is what the model finds by itself")
    arguments: dict[str, Any] = {
        "by": by, "first": first, "second": second, "pair_by": pair_by, "group_by": group_by,
        "within": within, "match_length": match_length, "firing": firing_of(firing),
        "min_support": min_support, "level": level, "correction": correction, "k": k,
        "baseline": baseline, "seed": seed,
    }  # fmt: skip
    if asked is None or not asked.dry_run:
        result.check("diff")
    named = _named([one, *others])
    target, *rest = [source.open(quiet=result.quiet) for source in sources]
    if len(rest) == 1:
        arguments["names"] = tuple(named)
    elif rest:
        arguments["names"] = (named[0], "others")
    many = dict(zip(named[1:], rest, strict=True))
    other = rest[0] if len(rest) == 1 else many or None
    reader = None if verify == "none" else verify
    arguments["verify"] = reader if asked is None else asked.roles
    if asked is not None and asked.dry_run:
        asked.tell(target.estimate_diff(rest[0] if rest else None, **arguments))
        return
    found = target.diff(other, **arguments | {"against": against})
    from interp_embed.cli.evidence import feature_evidence, leading_features

    frame = found.to_frame()
    leading = leading_features(frame)
    shown = leading if result.out is not None else []
    hand_over(found, result, name="diff", evidence=feature_evidence(target, shown))
    tell_unlabelled(target, leading or frame["feature"].tolist(), result)


def _check_groups(
    one: Path, others: tuple[Path, ...], by: str | None, first: str | None, second: str | None
) -> None:
    if not others and by is None:
        raise InputError(f"compare {one} with what? Name a second data set, or a column with --by")
    if others and by is not None:
        raise InputError("--by compares groups of one data set: leave out B, or --by")
    if by is None and (first is not None or second is not None):
        given = "--first" if first is not None else "--second"
        raise InputError(f"{given} is a value of a column: say of which with --by")
    if first is None and second is not None:
        raise InputError("--second is given without --first: name both groups")
    if first is not None and first == second:
        raise InputError(f"--first and --second are both {first!r}: name two groups")


def _refuse_many(options: dict[str, bool]) -> None:
    for option, is_given in options.items():
        if is_given:
            raise InputError(f"{option} compares two groups: name one B only")


def _check_columns(sources: list[DataSource], columns: dict[str, str | None]) -> None:
    for option, name in columns.items():
        for source in sources if name is not None else ():
            source.check_columns([str(name)], option=option)


def _named(paths: list[Path]) -> list[str]:
    """Return the names of folders; whole paths where two are called alike."""
    names = [path.resolve().name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]
