"""A table on the terminal: as wide as the window, numbers to the right."""

import shutil
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from interp_embed.report.analysis_columns import Column
    from interp_embed.report.analysis_record import Analysis

_LEAST_TEXT = 14
_WIDEST_TEXT = 120
_LONGEST_HEADING = 36
_GAP = "  "


def print_sentences(text: str) -> None:
    """Print sentences, wrapped to the window."""
    width = min(shutil.get_terminal_size((120, 24)).columns, _WIDEST_TEXT)
    for line in text.splitlines():
        click.echo(textwrap.fill(line, width, break_on_hyphens=False))


def print_table(found: "Analysis", name: str, *, n_rows: int) -> None:
    """Print the first rows of a result that hold up, and say what is left out."""
    from interp_embed.report.analysis_record import analysis_record

    record: dict[str, Any] = analysis_record(found, name)
    for key, heading in (("verified", "On held-out documents"), ("linked", "Set apart as trivial")):
        rows = record["tables"].get(key)
        if rows and n_rows:
            click.secho(f"\n{heading}", bold=True)
            kept = rows[: n_rows if key == "verified" else 3]
            print_rows(kept, f"{name}.{key}", record["result"])
            if key == "linked" and len(rows) > 3:
                click.echo(f"… and {len(rows) - 3:,} more")
    if n_rows and record["rows"]:
        click.echo()
        _print_main(record, name, n_rows)


def _print_main(record: dict[str, Any], name: str, n_rows: int) -> None:
    from interp_embed.report.analysis_columns import leading_rows, table_of

    table = table_of(name, record["rows"])
    leading, n_held = leading_rows(table, record["rows"])
    if table.holds and n_held == 0:
        click.echo("None holds up after correction; the first of those tested:")
    shown = leading[:n_rows]
    print_rows(shown, name, record["result"])
    if record["n_rows"] > len(shown):
        click.echo(f"{len(shown):,} of {record['n_rows']:,} rows; --csv prints all of them")


def print_rows(rows: Sequence[dict[str, Any]], name: str, result: dict[str, Any]) -> None:
    """Print rows below their headings."""
    from interp_embed.report.analysis_columns import cell, interval, table_of
    from interp_embed.report.analysis_wording import group_names

    columns, names = table_of(name, rows).columns, group_names(result)
    table = [[_cut(names.get(one.key, one.heading), _LONGEST_HEADING) for one in columns]]
    for row in rows:
        cells = [f"{cell(one, row)} {interval(one, row)}".strip() for one in columns]
        table.append([" ".join(text.split()) for text in cells])
    widths = _widths(table, columns)
    for number, line in enumerate(table):
        texts = [
            _cut(text, width).ljust(width) if column.kind == "text" else text.rjust(width)
            for text, width, column in zip(line, widths, columns, strict=True)
        ]
        click.secho(_GAP.join(texts).rstrip(), bold=number == 0)


def _widths(table: Sequence[Sequence[str]], columns: "Sequence[Column]") -> list[int]:
    """Return widths that fit the window; columns of text give way, the widest first."""
    widths = [max(len(line[place]) for line in table) for place in range(len(columns))]
    spare = shutil.get_terminal_size((120, 24)).columns - len(_GAP) * (len(columns) - 1)
    texts = [place for place, column in enumerate(columns) if column.kind == "text"]
    while texts and sum(widths) > spare:
        widest = max(texts, key=lambda place: widths[place])
        if widths[widest] <= _LEAST_TEXT:
            break
        widths[widest] -= 1
    return widths


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
