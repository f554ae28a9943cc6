"""``interp-embed hypotheses``: from a table of texts and an outcome to tested hypotheses."""

import importlib
from pathlib import Path
from typing import Any

import click

from interp_embed.cli.llm_options import LLMOptions, choose_llm, llm_options
from interp_embed.cli.study_input import read_input
from interp_embed.cli.study_options import (
    ColumnOptions,
    FeatureOptions,
    OutcomeOptions,
    TestOptions,
    column_options,
    feature_options,
    outcome_options,
    test_options,
)
from interp_embed.errors import InputError
from interp_embed.tables import read_table

_ANNOTATORS: dict[str, tuple[str, str] | None] = {
    "keywords": None,  # the default of find_hypotheses
    "sentences": ("interp_embed.interpret", "SentenceAnnotator"),
}
"""Annotators that ask no model, by module and class."""


@click.command(name="hypotheses")
@click.argument("file", type=click.Path(path_type=Path))
@column_options
@outcome_options
@feature_options
@test_options
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
@llm_options
@click.option("--quiet", is_flag=True, help="No progress bars.")
def command(
    file: Path,
    columns: ColumnOptions,
    outcome: OutcomeOptions,
    features: FeatureOptions,
    tests: TestOptions,
    out: Path | None,
    overwrite: bool,
    cache: Path | None,
    options: LLMOptions,
    quiet: bool,
) -> None:
    """Find named concepts associated with a column, and test them on held-back documents.

    FILE is CSV, TSV, JSONL (each also .gz) or Parquet. Six tenths of the documents are
    searched, the rest is opened once, to test what was found. No key, GPU or network is needed;
    with --llm a language model finds the words and reads the documents instead, and --annotator
    sentences reads the documents by the meaning of their sentences.

    \b
    interp-embed hypotheses reviews.csv --text review --target stars
    interp-embed hypotheses posts.jsonl.gz --text body --target removed --groups author
    interp-embed hypotheses news.csv --text body --target section --kind multiclass
    interp-embed hypotheses pairs.csv --text answer_a --second answer_b --target preferred
    interp-embed hypotheses reviews.csv --text review --target stars --covariates price
    interp-embed hypotheses reviews.csv --text review --target stars --llm gpt-5-mini --dry-run
    """  # noqa: D301 - \b keeps lines apart in the help
    given = read_input(read_table(file), columns, kind=outcome.kind)
    arguments = outcome.arguments() | tests.arguments() | given.optional
    annotator = None if options.llm else options.annotator
    asked = choose_llm(options, quiet=quiet, without_model=tuple(_ANNOTATORS))
    # Seconds: not before a typo in a column is told.
    from interp_embed.cli.output import prepare_folder, print_study, write_run
    from interp_embed.hypotheses import StudySettings, estimate_study, find_hypotheses

    settings = StudySettings(**features.settings(), **tests.settings())
    if asked is not None and asked.dry_run:
        asked.tell(estimate_study(given.documents, roles=asked.roles, settings=settings))
        return
    if annotator is not None and (place := _ANNOTATORS[annotator]) is not None:
        arguments["annotator"] = _load(*place)()
    folder = prepare_folder(out or Path(f"{_stem(file)}-hypotheses"), overwrite=overwrite)
    run = find_hypotheses(
        given.documents,
        given.target,
        embedder=features.embedder,
        settings=settings,
        target_name=columns.target,
        llm=asked.roles if asked else None,
        cache=cache or "default",
        progress=not quiet,
        **arguments,
    )
    print_study(run.study)
    write_run(run, folder)


def _load(module: str, name: str) -> Any:  # noqa: ANN401 - a class
    """Return a class that only some studies need.

    Raises:
        InputError: This version has none of that name.
    """
    found = getattr(importlib.import_module(module), name, None)
    if found is None:
        raise InputError(f"this version of interp-embed has no {name}; use --annotator keywords")
    return found


def _stem(file: Path) -> str:
    return file.name.split(".")[0] or "interp-embed"
