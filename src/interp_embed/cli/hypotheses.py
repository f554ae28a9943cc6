"""``interp-embed hypotheses``: from a table of texts and an outcome to tested hypotheses."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from interp_embed.cli.llm_options import LLMOptions, choose_llm, llm_options
from interp_embed.tables import read_table, require_column

if TYPE_CHECKING:
    from interp_embed.hypotheses.plan import Correction
    from interp_embed.hypotheses.select import SelectionMethod

# Choices and defaults are those of StudySettings, whose import takes seconds; a test compares them.


@click.command(name="hypotheses")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--text", "text", required=True, metavar="COL", help="Column with the documents.")
@click.option(
    "--target", required=True, metavar="COL", help="Column to explain: numbers, or two classes."
)
@click.option(
    "--groups",
    metavar="COL",
    help="Column whose equal values (an author, a prompt) stay on one side of the split.",
)
@click.option(
    "--positive",
    metavar="CLASS",
    help="For more than two classes: explain this one against all others.",
)
@click.option(
    "--embedder",
    default="all-MiniLM-L6-v2",
    show_default=True,
    help="A sentence-transformers name or folder, tfidf, or openai:MODEL.",
)
@click.option(
    "--features",
    type=int,
    metavar="M",
    help="Features of the SAE.  [default: by the number of documents]",
)
@click.option(
    "--active",
    type=int,
    default=16,
    show_default=True,
    metavar="K",
    help="Features active in a document, on average.",
)
@click.option(
    "--select",
    type=click.Choice(["lasso", "correlation", "separation"]),
    default="correlation",
    show_default=True,
    help="How features are screened.",
)
@click.option("--n", "n", type=int, default=20, show_default=True, help="Hypotheses wanted.")
@click.option(
    "--confirm-share",
    type=float,
    default=0.4,
    show_default=True,
    help="Share of the documents kept sealed for the test.",
)
@click.option(
    "--level",
    type=float,
    default=0.05,
    show_default=True,
    help="Significance level.",
)
@click.option(
    "--correction",
    type=click.Choice(["bh", "bonferroni"]),
    default="bh",
    show_default=True,
    help="For testing many hypotheses at once.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the results.  [default: FILE's name + -hypotheses]",
)
@click.option("--overwrite", is_flag=True, help="Replace results in the folder.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the embedding cache.  [default: the user's]",
)
@click.option(
    "--threads", type=int, default=1, show_default=True, help="Threads of the SAE's training."
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Same input, seed and versions: same result.",
)
@llm_options
@click.option("--quiet", is_flag=True, help="No progress bars.")
def command(
    file: Path,
    text: str,
    target: str,
    groups: str | None,
    positive: str | None,
    embedder: str,
    features: int | None,
    active: int,
    select: str,
    n: int,
    confirm_share: float,
    level: float,
    correction: str,
    out: Path | None,
    overwrite: bool,
    cache: Path | None,
    threads: int,
    seed: int,
    options: LLMOptions,
    quiet: bool,
) -> None:
    """Find named concepts associated with a column, and test them on held-back documents.

    FILE is CSV, TSV, JSONL (each also .gz) or Parquet. Six tenths of the documents are
    searched, the rest is opened once, to test what was found. No key, GPU or network is needed;
    with --llm a language model finds the words and reads the documents instead.

    \b
    interp-embed hypotheses reviews.csv --text review --target stars
    interp-embed hypotheses posts.jsonl.gz --text body --target removed --groups author
    interp-embed hypotheses reviews.csv --text review --target stars --llm gpt-5-mini --dry-run
    """  # noqa: D301 - \b keeps lines apart in the help
    table = read_table(file)
    documents = require_column(table, text, purpose="--text")
    outcome = require_column(table, target, purpose="--target")
    labels = None if groups is None else require_column(table, groups, purpose="--groups")
    asked = choose_llm(options, quiet=quiet)
    # Seconds: not before a typo in a column is told.
    from interp_embed.cli.output import prepare_folder, print_study, write_run
    from interp_embed.hypotheses import StudySettings, estimate_study, find_hypotheses

    settings = StudySettings(
        n=n,
        features=features,
        active=active,
        select=cast("SelectionMethod", select),
        confirm_share=confirm_share,
        level=level,
        correction=cast("Correction", correction),
        seed=seed,
        threads=threads,
    )
    if asked is not None and asked.dry_run:
        asked.tell(estimate_study(documents.tolist(), roles=asked.roles, settings=settings))
        return
    folder = prepare_folder(out or Path(f"{_stem(file)}-hypotheses"), overwrite=overwrite)
    run = find_hypotheses(
        documents.tolist(),
        outcome.tolist(),
        groups=None if labels is None else labels.tolist(),
        embedder=embedder,
        settings=settings,
        target_name=target,
        positive=positive,
        llm=asked.roles if asked else None,
        cache=cache or "default",
        progress=not quiet,
    )
    print_study(run.study)
    write_run(run, folder)


def _stem(file: Path) -> str:
    return file.name.split(".")[0] or "interp-embed"
