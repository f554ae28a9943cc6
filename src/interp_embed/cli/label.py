"""``interp-embed label``: names for features, from the words on which they fire."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from interp_embed.cli.llm_options import LLMOptions, choose_llm, llm_options
from interp_embed.errors import InputError

if TYPE_CHECKING:
    from interp_embed.dataset import LabelOutcome


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
@llm_options
@click.option("--quiet", is_flag=True, help="No progress bars.")
def command(
    folder: Path,
    features: str | None,
    show: int,
    out: Path | None,
    options: LLMOptions,
    quiet: bool,
) -> None:
    """Label features by the words on which they fire (no LLM, no key), or by a language model.

    Half of the documents make a label, the other half measure how well it alone tells where the
    feature fires (F1). Labels are kept in the data set; those that tell most are shown first.

    \b
    interp-embed label my_dataset
    interp-embed label my_dataset --features 3,14 --llm gpt-5-mini --dry-run
    interp-embed label my_dataset --features 3,14 --llm qwen3 --base-url http://localhost:11434/v1
    """  # noqa: D301 - \b keeps lines apart in the help
    chosen = _numbers(features)
    asked = choose_llm(options, quiet=quiet)
    if asked is not None and chosen is None and options.max_cost is None and not asked.dry_run:
        raise InputError(
            "a language model is paid for each feature: name them (--features 3,14), or set "
            "--max-cost to label all; --dry-run says what that would cost"
        )
    from interp_embed.dataset import Dataset  # ten seconds: not before what was asked is checked

    dataset = Dataset.load_from_file(folder)
    if asked is None:
        outcome = dataset.label_features(chosen, progress=not quiet)
    elif asked.dry_run:
        asked.tell(dataset.estimate_labels(chosen, asked.roles))
        return
    else:
        outcome = dataset.label_features(chosen, llm=asked.roles)
    frame = outcome.to_frame()
    if not outcome.labels and not outcome.unlabelled:
        click.echo("No feature fires in ten documents or more, so that none can be labelled.")
        return
    click.echo(
        f"{len(outcome.labels):,} features labelled, {len(outcome.unlabelled):,} not"
        + _why_not(outcome)
    )
    for row in frame.head(show).itertuples():
        click.echo(f"{row.feature:6}  F1 {row.f1:4.2f}  in {row.density:4.0%}  {row.label}")
    if out is not None:
        frame.to_csv(out, index=False)
        click.echo(f"Written to {out}.")


def _why_not(outcome: "LabelOutcome") -> str:
    if not outcome.unlabelled:
        return ""
    if not outcome.reasons:
        return ": no word tells where they fire"
    feature, reason = next(iter(outcome.reasons.items()))
    return f"; feature {feature}: {reason}"


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(
            f"--features must be numbers with commas between, such as 1,5,8, got {text!r}"
        ) from error
