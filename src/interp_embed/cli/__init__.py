"""The command line: thin calls of the Python interface; the only place that prints.

Commands are imported when they are run, so that ``--help`` answers at once.
"""

import importlib
import sys
from typing import Any

import click

from interp_embed.errors import InterpEmbedError

_COMMANDS = {
    "demo": ("interp_embed.cli.demo", "Find planted concepts in made-up reviews; needs nothing."),
    "hypotheses": (
        "interp_embed.cli.hypotheses",
        "Find and test named concepts that predict a column of your table.",
    ),
    "info": ("interp_embed.cli.info", "Show versions, offline models and the cache folder."),
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
        module, summary = _COMMANDS[cmd_name]
        if ctx.resilient_parsing or _asks_for_overview():
            return click.Command(cmd_name, short_help=summary, help=summary)
        command: click.Command = importlib.import_module(module).command
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own type
        """Run the command; errors made for the user are shown without a traceback."""
        try:
            return super().invoke(ctx)
        except InterpEmbedError as error:
            click.secho(f"Error: {error}", err=True, fg="red")
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo(
                "\nInterrupted. Embeddings made so far are kept: the same command goes on from "
                "there.",
                err=True,
            )
            ctx.exit(130)


def _asks_for_overview() -> bool:
    return not any(argument in _COMMANDS for argument in sys.argv[1:])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="interp-embed", prog_name="interp-embed")
def main() -> None:
    """Text data sets as interpretable embeddings, and findings from them that hold up.

    \b
    Try:      interp-embed demo
    Your own: interp-embed hypotheses reviews.csv --text review --target stars --out report
    """  # noqa: D301 - \b keeps lines apart in the help
