"""``interp-embed search``: the documents that have a property; the labels that match words."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from interp_embed.cli.data_source import EncodeOptions, encode_options, find_source
from interp_embed.cli.llm_options import LLMOptions, choose_llm, llm_options
from interp_embed.cli.option_values import names_of
from interp_embed.cli.query_options import QueryOptions, query_options
from interp_embed.cli.result_options import ResultOptions, hand_over, result_options
from interp_embed.errors import InputError

if TYPE_CHECKING:
    from interp_embed.analysis.retrieval.result import Ranker
    from interp_embed.dataset import Dataset

_RANKINGS: "tuple[Ranker, ...]" = ("features", "meaning", "words")


@click.command(name="search")
@click.argument("folder", metavar="A", type=click.Path(path_type=Path))
@click.argument("query", required=False)
@click.option("--labels", metavar="WORDS", help="List the features whose labels match instead.")
@query_options
@click.option("--k", type=click.IntRange(min=1), default=10, show_default=True, help="Hits.")
@click.option(
    "--use",
    metavar="A,B",
    help="Rankings to join, of features, meaning (of the text) and words.  [default: all that "
    "apply: without labels, meaning and words]",
)
@encode_options
@llm_options
@result_options
def command(
    folder: Path,
    query: str | None,
    labels: str | None,
    edits: QueryOptions,
    k: int,
    use: str | None,
    encoding: EncodeOptions,
    options: LLMOptions,
    result: ResultOptions,
) -> None:
    """Find the documents that have a property, not only those that are about a word.

    Features whose labels match the QUERY score the documents; their ranking is joined with one by
    meaning and one by words. With --llm a model chooses the features and reads the first hits.

    \b
    interp-embed search chats "asks a clarifying question"
    interp-embed search chats "expresses gratitude" --k 20 --drop 3,5 --out report
    interp-embed search chats "upset" --keyphrases "angry, furious, complains"
    interp-embed search chats "refund" --use words
    interp-embed search chats --labels polite
    """  # noqa: D301 - \b keeps lines apart in the help
    if (query is None) == (labels is None):
        raise InputError(
            'search for what? Give a query, such as "expresses gratitude", or --labels WORDS, '
            "one of both"
        )
    source = find_source(folder, encoding)
    rankings = _rankings(use)
    if labels is not None:
        source.check_labels(purpose="--labels")
    elif rankings is not None and "features" in rankings:
        without = "; or search without them: --use meaning,words"
        source.check_labels(purpose="searching by features", otherwise=without)
    edits.check(source, query)
    asked = choose_llm(options, quiet=result.quiet)
    if labels is not None and asked is not None:
        raise InputError("--labels asks no model: leave out --llm, or give a query")
    if asked is not None and asked.dry_run:
        dataset = source.open(quiet=result.quiet)
        asked.tell(dataset.estimate_search(str(query), llm=asked.roles), at_most=True)
        return
    if labels is not None:
        _list_labels(source.open(quiet=result.quiet), labels, result)
        return
    result.check("search")
    dataset = source.open(quiet=result.quiet)
    roles = None if asked is None else asked.roles
    from interp_embed.analysis.retrieval.search import KEEP

    edited = edits.query(dataset, str(query), roles=roles, common_axes=False, keep=KEEP)
    found = dataset.search(
        str(query),
        keyphrases=() if edited is not None else edits.phrases,
        k=k,
        use=rankings,
        llm=roles,
        features=edited,
        progress=result.progress,
    )
    hand_over(found, result, name="search")


def _rankings(use: str | None) -> "tuple[Ranker, ...] | None":
    if use is None:
        return None
    wanted = names_of(use)
    chosen = tuple(ranking for ranking in _RANKINGS if ranking in wanted)
    if not chosen or len(chosen) < len(wanted):
        raise InputError(f"--use takes {', '.join(_RANKINGS)} with commas between, got {use!r}")
    return chosen


def _list_labels(dataset: "Dataset", text: str, result: ResultOptions) -> None:
    if result.out is not None:
        raise InputError("--labels prints a list; leave out --out, or redirect --csv to a file")
    hand_over(dataset.find_labels(text, k=result.show or 20), result, name="labels")
