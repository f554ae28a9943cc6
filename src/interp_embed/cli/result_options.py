"""Where the result of an analysis goes: a table on the terminal, CSV, JSON, a folder."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from interp_embed.cli.folder import claim_folder
from interp_embed.cli.grouped import grouped_options
from interp_embed.cli.result_table import print_sentences, print_table
from interp_embed.errors import InputError

if TYPE_CHECKING:
    from interp_embed.dataset import Dataset
    from interp_embed.report import Evidence
    from interp_embed.report.analysis_record import Analysis


@dataclass(frozen=True, slots=True)
class ResultOptions:
    """Where a result goes, as given."""

    out: Path | None
    overwrite: bool
    as_json: bool
    as_csv: bool
    show: int
    quiet: bool

    def check(self, name: str) -> None:
        """Check that a result can go where it is to go; make the folder.

        Raises:
            InputError: Two forms are asked for, or the folder cannot be used.
        """
        if self.as_json and self.as_csv:
            raise InputError("--json and --csv are two forms of one output: leave one out")
        if self.out is not None:
            from interp_embed.report.analysis_files import KINDS, files_in, folder_records
            from interp_embed.report.analysis_record import run_stem

            stem = run_stem(name, told_apart())
            claim_folder(
                self.out,
                ours=files_in(self.out),
                results={f"{stem}.{kind}" for kind in KINDS},
                overwrite=self.overwrite,
            )
            folder_records(self.out)  # one that cannot be read is told before the work

    @property
    def progress(self) -> bool:
        """Whether bars are shown."""
        return not self.quiet


_OPTIONS = (
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Write the whole table, a record and report.html there; the report has a section for "
        "each call with this folder.",
    ),
    click.option(
        "--overwrite", is_flag=True, help="Replace an earlier run of the same call in the folder."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table."),
    click.option("--csv", "as_csv", is_flag=True, help="Print the whole table as CSV."),
    click.option(
        "--show", type=click.IntRange(min=0), default=20, show_default=True, help="Rows to print."
    ),
    click.option("--quiet", is_flag=True, help="No progress bars."),
)

_NOT_TOLD = frozenset(
    (
        "out", "overwrite", "as_json", "as_csv", "show", "quiet", "device", "base_url",
        "max_cost", "prices", "dry_run", "llm_batch", "answers",
    )
)  # fmt: skip
"""Arguments that say where a result goes or how it is come by, not what it is."""

_OTHER_WORDS = {"text": "column"}
"""Of options whose name alone would not say what their value is."""

result_options = grouped_options(ResultOptions, "result", _OPTIONS)
"""Add ``--out`` and what goes with it; the command gets them as ``result``."""


def hand_over(
    found: "Analysis",
    options: ResultOptions,
    *,
    name: str,
    evidence: Mapping[str, Sequence["Evidence"]] | None = None,
) -> None:
    """Print a result in the form asked for, and write its files."""
    from interp_embed.report.analysis_files import table_csv, write_analysis
    from interp_embed.report.analysis_record import analysis_record, json_text

    command, about = shlex.join(["interp-embed", *sys.argv[1:]]), told_apart()
    if options.as_json:
        record = analysis_record(found, name, about=about, command=command, evidence=evidence)
        click.echo(json_text(record), nl=False)
    elif options.as_csv:
        click.echo(table_csv(found.to_frame()), nl=False)
    else:
        print_sentences(found.summary())
        print_table(found, name, n_rows=options.show)
    if options.out is not None:
        files = write_analysis(
            found, options.out, name=name, about=about, command=command, evidence=evidence
        )
        click.echo(f"\nReport:  {files.report}\nTable:   {files.table}", err=True)


def told_apart() -> str:
    """Return the arguments of the running command in words, without its first data set.

    ``search chats refund --k 20`` -> ``refund, k 20``. What says where results go or how a model
    is paid is left out; so are options that were not given, or as they are by default.
    """
    context = click.get_current_context()
    first = next((one for one in context.command.params if isinstance(one, click.Argument)), None)
    told = []
    for parameter in context.command.params:
        name, value = str(parameter.name), context.params.get(str(parameter.name))
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if parameter is first or name in _NOT_TOLD or not given:
            continue
        if value == parameter.get_default(context):
            continue
        words = _in_words(value)
        if isinstance(parameter, click.Option):
            words = f"{_OTHER_WORDS.get(name, name.replace('_', ' '))} {words}".rstrip()
        told.append(words)
    return ", ".join(filter(None, told))


def _in_words(value: object) -> str:
    """Return the value of an option; of a data set or a file only what it is called."""
    if isinstance(value, tuple):
        return ", ".join(map(_in_words, value))
    if isinstance(value, Path):
        return value.resolve().name
    return "" if value is True else str(value)


def check_level(level: float) -> None:
    """Check a significance level.

    Raises:
        InputError: It is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise InputError(f"--level must be between 0 and 1, such as 0.05, got {level:g}")


def tell_unlabelled(dataset: "Dataset", features: Sequence[int], options: ResultOptions) -> None:
    """Say how the features of a printed table get names, where some have none.

    Args:
        dataset: Whose features they are.
        features: In the order of the table; the first ones are those shown.
        options: What was asked for.
    """
    labels = dataset.feature_labels()
    shown = list(dict.fromkeys(int(feature) for feature in features))[: max(options.show, 1)]
    nameless = [str(feature) for feature in shown if not labels.get(feature)]
    if nameless and not (options.as_json or options.as_csv):
        command = f"interp-embed label {shlex.quote(dataset.location)}"
        click.secho(
            f"\n{len(nameless)} of these features have no label. To look for one:\n"
            f"  {command} --features {','.join(nameless)}",
            err=True,
            fg="yellow",
        )
