"""The command line: thin calls of the Python interface; the only place that prints.

Commands are imported when they are run, so that ``--help`` answers at once.
"""

import difflib
import errno
import importlib
import warnings
from typing import Any

import click

from interp_embed.errors import InterpEmbedError, Interrupted

_COMMANDS = {
    "demo": ("interp_embed.cli.demo", "Find planted concepts in made-up reviews; needs nothing."),
    "hypotheses": (
        "interp_embed.cli.hypotheses",
        "Find and test named concepts that predict a column of your table.",
    ),
    "table": ("interp_embed.cli.table", "Print a finished study's effects as a table for a paper."),
    "encode": ("interp_embed.cli.encode", "Turn a table of texts into feature activations."),
    "label": ("interp_embed.cli.label", "Name the features of a data set, by words or by an LLM."),
    "top": ("interp_embed.cli.top", "Show the documents on which a feature is strongest."),
    "info": ("interp_embed.cli.info", "Show what is in a data set, or what is installed."),
    "diff": ("interp_embed.cli.diff", "Show what differs between two groups of documents."),
    "trend": ("interp_embed.cli.trend", "Show what changes over years or versions."),
    "correlate": ("interp_embed.cli.correlate", "Show which features occur together."),
    "cluster": ("interp_embed.cli.cluster", "Put documents into named clusters."),
    "search": ("interp_embed.cli.search", "Find documents by a property, features by a label."),
    "duplicates": ("interp_embed.cli.duplicates", "List copies and near-copies in a corpus."),
    "convert": ("interp_embed.cli.convert", "Convert a pickle of the first interp_embed."),
}


class _LazyGroup(click.Group):
    """A group that knows its commands by name and imports only the one that is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of that name."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(_COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a name that is none is answered with those there are."""
        if args and args[0] not in _COMMANDS and not ctx.resilient_parsing:
            close = difflib.get_close_matches(args[0].casefold(), _COMMANDS, n=1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(
                f"No such command {args[0]!r}.{meant} The commands are: {', '.join(_COMMANDS)}."
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own type
        """Run the command; errors made for the user are shown without a traceback."""
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except InterpEmbedError as error:
            click.secho(f"Error: {error}", err=True, fg="red")
            ctx.exit(1)
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of our output has gone: click ends quietly
                raise
            where = f"{error.filename}: " if error.filename else ""
            click.secho(f"Error: {where}{error.strerror or error}", err=True, fg="red")
            ctx.exit(1)
        except Interrupted as stop:
            click.echo(f"\nInterrupted. {stop}.", err=True)
            ctx.exit(130)
        except KeyboardInterrupt:
            click.echo(
                "\nInterrupted. What is done is kept: the same command goes on from there "
                "(encode: with --resume).",
                err=True,
            )
            ctx.exit(130)


def _show_warning(
    message: Warning | str, category: type[Warning], *_: object, **__: object
) -> None:
    """Print what a user should mind, without the line of code it came from."""
    if issubclass(category, UserWarning):
        click.secho(f"Note: {message}", err=True, fg="yellow")


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="interp-embed", prog_name="interp-embed")
def main() -> None:
    """Text data sets as interpretable embeddings, and findings from them that hold up.

    \b
    Try:      interp-embed demo
    Your own: interp-embed hypotheses reviews.csv --text review --target stars --out report
              interp-embed encode reviews.csv --text review --out features
              interp-embed diff features --by stars --first 1 --second 5 --out findings
    """  # noqa: D301 - \b keeps lines apart in the help
