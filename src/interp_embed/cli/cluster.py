"""``interp-embed cluster``: documents in groups, by all features or by those of a question."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from interp_embed.cli.data_source import EncodeOptions, encode_options, find_source
from interp_embed.cli.llm_options import LLMOptions, choose_llm, llm_options
from interp_embed.cli.query_options import QueryOptions, query_options
from interp_embed.cli.result_options import ResultOptions, hand_over, result_options

if TYPE_CHECKING:
    from interp_embed.analysis.clusters.partition import Method


@click.command(name="cluster")
@click.argument("folder", metavar="A", type=click.Path(path_type=Path))
@click.option("--query", metavar="TEXT", help="Cluster by this property only, such as 'tone'.")
@query_options
@click.option("--k", type=click.IntRange(min=2), help="Clusters.  [default: by stability]")
@click.option(
    "--method",
    type=click.Choice(["auto", "spectral", "jaccard", "kmeans", "agglomerative"]),
    default="auto",
    show_default=True,
    help="How documents are put together.",
)
@encode_options
@llm_options
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed: same clusters.")
@result_options
def command(
    folder: Path,
    query: str | None,
    edits: QueryOptions,
    k: int | None,
    method: "Method",
    encoding: EncodeOptions,
    options: LLMOptions,
    seed: int,
    result: ResultOptions,
) -> None:
    """Put documents into clusters, name them, and say how far to trust each.

    With --query only features whose labels are about it count; the data set must have labels
    (`interp-embed label`). Say with --keyphrases, or let a model say (--llm), what documents say
    that differ in it; sentiment, tense and 25 more axes have built-in phrases. The number of
    clusters is the one that comes back most reliably.

    \b
    interp-embed cluster reviews --out report
    interp-embed cluster reviews --query tone --k 4
    interp-embed cluster reviews --query tone --keyphrases "friendly, rude, sarcastic"
    interp-embed cluster reviews --query tone --drop 3,5 --add 7
    """  # noqa: D301 - \b keeps lines apart in the help
    source = find_source(folder, encoding)
    edits.check(source, query)
    if query is not None:
        source.check_labels(purpose="--query")
    asked = choose_llm(options, quiet=result.quiet)
    if asked is not None and asked.dry_run:
        dataset = source.open(quiet=result.quiet)
        asked.tell(dataset.estimate_cluster(query, k=k, llm=asked.roles), at_most=True)
        return
    result.check("cluster")
    dataset = source.open(quiet=result.quiet)
    roles = None if asked is None else asked.roles
    edited = edits.query(dataset, query, roles=roles, common_axes=True)
    found = dataset.cluster(
        query,
        keyphrases=() if edited is not None else edits.phrases,
        k=k,
        method=method,
        features=edited,
        llm=roles,
        seed=seed,
        progress=result.progress,
    )
    hand_over(found, result, name="cluster")
