"""Analyses as one page that needs no network, no script and no second file."""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interp_embed.records import Estimate, Example
from interp_embed.report.analysis_columns import (
    Column,
    Row,
    Table,
    cell,
    interval,
    leading_rows,
    table_key,
    table_of,
)
from interp_embed.report.analysis_evidence import own_evidence, row_key
from interp_embed.report.analysis_record import record_stem
from interp_embed.report.analysis_wording import (
    HEADINGS,
    drawn_meaning,
    facts,
    group_names,
    notes,
    reading,
    second_heading,
    sentences,
)
from interp_embed.report.drawing import Axis, Mark, forest_axis, place
from interp_embed.report.excerpts import Excerpt, excerpt
from interp_embed.report.page import page_environment
from interp_embed.report.scales import minus

_SHOWN_ROWS = 40
_FAMILY_SHOWN = 4
_UNDER_LABEL = ("feature",)
"""Columns that a page writes under the label."""
_TEXTS = ("text", "central")
"""Columns with documents: cut and marked."""
_JOINED = ("matched", "features")
"""Columns with labels, joined."""
_PARTS = 3


@dataclass(frozen=True, slots=True)
class CellView:
    """A cell of a table."""

    text: str
    interval: str
    is_number: bool
    heads: bool
    """Whether it names the row."""
    excerpt: Excerpt | None = None


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """A document behind a row."""

    excerpt: Excerpt
    caption: str


@dataclass(frozen=True, slots=True)
class RowView:
    """A row of a table: its cells, its place on the axis, and the documents behind it."""

    cells: tuple[CellView, ...]
    holds: bool
    mark: Mark | None
    direction: str
    number: str
    """Of the feature, to look it up by."""
    relatives: tuple[str, ...]
    """Features that fire in the same documents."""
    evidence: tuple[EvidenceView, ...]


@dataclass(frozen=True, slots=True)
class TableView:
    """A table of a section."""

    heading: str
    columns: tuple[Column, ...]
    rows: tuple[RowView, ...]
    n_all: int
    """Rows there are, shown or not."""
    axis: Axis | None
    ticks: tuple[tuple[float, str], ...]
    tests: bool
    """Whether some of its rows may not hold up."""
    meaning: str
    """What the drawn numbers are."""
    left_out: str
    """How many rows are not shown, and where they are."""


@dataclass(frozen=True, slots=True)
class SectionView:
    """An analysis on the page."""

    name: str
    stem: str
    """What its files are called, and where the page links to."""
    title: str
    about: str
    """What tells it from other runs of the analysis; empty if nothing is said."""
    sentences: tuple[str, ...]
    tables: tuple[TableView, ...]
    set_apart: tuple[TableView, ...]
    picture: str
    """A data URI; empty if there is none."""
    notes: tuple[str, ...]
    reading: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    command: str


def render_analyses(
    records: Sequence[Mapping[str, Any]], pictures: Mapping[str, bytes] | None = None
) -> str:
    """Return a page with a section for each record: self-contained, without scripts, escaped.

    Documents, labels and names are hostile input: all text is escaped, control characters are
    replaced visibly, and the page forbids itself to load anything. Nothing is computed here.

    Args:
        records: As :func:`analysis_record` makes them.
        pictures: SVG by the name of the record's files without their ending, such as ``diff``;
            shown as images, in which no script runs.
    """
    drawn = pictures or {}
    sections = [_section(record, drawn.get(record_stem(record))) for record in records]
    return page_environment().get_template("analyses.html").render(sections=sections)


def _section(record: Mapping[str, Any], picture: bytes | None) -> SectionView:
    name, result = record["analysis"], record["result"]
    main = _table(name, record["rows"], record, heading="")
    others = [
        _table(f"{name}.{key}", rows, record, heading=second_heading(name, key))
        for key, rows in record["tables"].items()
        if rows
    ]
    apart = tuple(view for view in others if view.heading.startswith("Set apart"))
    encoded = "" if picture is None else base64.b64encode(picture).decode("ascii")
    return SectionView(
        name=name,
        stem=record_stem(record),
        title=HEADINGS[name],
        about=record.get("about", ""),
        sentences=sentences(record["summary"], notes(result)),
        tables=(*(view for view in others if view not in apart), main),
        set_apart=apart,
        picture=f"data:image/svg+xml;base64,{encoded}" if encoded else "",
        notes=notes(result),
        reading=reading(table_key(name, record["rows"]), result),
        facts=facts(result),
        command=record.get("command", ""),
    )


def _table(
    name: str, rows: Sequence[dict[str, Any]], record: Mapping[str, Any], *, heading: str
) -> TableView:
    table = table_of(name, rows)
    is_main = name == record["analysis"]
    leading, n_held = leading_rows(table, rows)
    shown = (leading if is_main else rows)[:_SHOWN_ROWS]
    columns = tuple(one for one in table.columns if one.key not in _UNDER_LABEL)
    if len(columns) < len(table.columns) and columns[0].key != "label":
        columns = table.columns
    column = next((one for one in table.columns if one.drawn), None)
    evidence = record["evidence"] or own_evidence(record["result"])
    axis = None if column is None else forest_axis([_estimate(column, row) for row in shown])
    return TableView(
        heading=heading,
        columns=_named(columns, group_names(record["result"])),
        rows=tuple(
            _row(columns, table.holds, row, rows, axis, evidence, is_search=name == "search")
            for row in shown
        ),
        axis=axis,
        ticks=() if axis is None or column is None else _ticks(axis, column),
        tests=bool(table.holds),
        n_all=record.get("n_table_rows", {}).get(name.rpartition(".")[2], len(rows)),
        meaning="" if column is None else drawn_meaning(table_key(name, rows), record["result"]),
        left_out=_left_out(record, table, n_shown=len(shown), n_held=n_held) if is_main else "",
    )


def _named(columns: tuple[Column, ...], names: Mapping[str, str]) -> tuple[Column, ...]:
    return tuple(
        Column(one.key, names.get(one.key, one.heading), one.kind, one.low, one.high, one.drawn)
        for one in columns
    )


def _row(
    columns: tuple[Column, ...],
    holds: str,
    row: Row,
    rows: Sequence[Row],
    axis: Axis | None,
    evidence: Mapping[str, Any],
    *,
    is_search: bool,
) -> RowView:
    column = next((one for one in columns if one.drawn), None)
    estimate = None if column is None else _estimate(column, row)
    shown = evidence.get(row_key(row), [])
    return RowView(
        cells=tuple(
            _cell(one, row, first=at == 0, spans=_spans(shown) if is_search else ())
            for at, one in enumerate(columns)
        ),
        holds=bool(row.get(holds, True)) if holds else True,
        mark=None if estimate is None or axis is None else place(estimate, axis),
        direction="none" if estimate is None else "up" if estimate.value > 0 else "down",
        number=_number(columns[0], row),
        relatives=_relatives(row, rows),
        evidence=() if is_search else tuple(_evidence(one) for one in shown),
    )


def _number(first: Column, row: Row) -> str:
    """Return the feature a row is of, where its label does not say it."""
    named = f"feature {row.get('feature')}"
    return named if first.key == "label" and cell(first, row) != named else ""


def _spans(shown: Sequence[Mapping[str, Any]]) -> tuple[tuple[int, int], ...]:
    return tuple((start, end) for one in shown[:1] for start, end in one["spans"])


def _cell(column: Column, row: Row, *, first: bool, spans: tuple[tuple[int, int], ...]) -> CellView:
    text = cell(column, row)
    parts = text.split("; ") if column.key in _JOINED else []
    if len(parts) > _PARTS:
        text = "; ".join([*parts[:_PARTS], "…"])  # a label may hold a semicolon: not counted
    shown = excerpt(Example(0, text, 0.0, spans)) if column.key in _TEXTS else None
    return CellView(text, interval(column, row), column.kind != "text", first, shown)


def _evidence(one: Mapping[str, Any]) -> EvidenceView:
    spans = tuple((start, end) for start, end in one["spans"])
    where = [] if one["row"] is None else [f"row {one['row']}"]
    caption = " · ".join([*where, *filter(None, [one["note"]])])
    return EvidenceView(excerpt(Example(0, one["text"], 0.0, spans)), caption)


def _relatives(row: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the labels of the other features of a row's family."""
    family = row.get("family", -1)
    if family is None or family == -1:
        return ()
    label = Column("label", "", "text")
    others = [cell(label, one) for one in rows if one.get("family") == family and one is not row]
    more = len(others) - _FAMILY_SHOWN
    return tuple(others[:_FAMILY_SHOWN] + ([f"{more} more"] if more > 0 else []))


def _estimate(column: Column, row: Row) -> Estimate:
    value, low, high, p = (
        math.nan if found is None else float(found)
        for found in (row.get(key) for key in (column.key, column.low, column.high, "p"))
    )
    return Estimate(value, low, high, p, int(row.get("n") or 0))


def _ticks(axis: Axis, column: Column) -> tuple[tuple[float, str], ...]:
    factor = 100 if column.kind == "points" else 1
    return tuple((axis.x(tick), minus(f"{round(factor * tick, 9):g}")) for tick in axis.ticks)


def _left_out(record: Mapping[str, Any], table: Table, *, n_shown: int, n_held: int) -> str:
    file, n_all = f"{record_stem(record)}.csv", record.get("n_rows", len(record["rows"]))
    if table.holds and n_held == 0 and n_shown > 0:
        some = f": these are the first {n_shown:,} of {n_all:,}" if n_all > n_shown else ""
        return f"None holds up after correction{some}."
    if n_all <= n_shown:
        return ""
    if not table.holds:
        return f"The first {n_shown:,} of {n_all:,} rows; all are in {file}."
    rest = "; these are the first of those that hold up" if n_held > n_shown else ""
    return f"All {n_all:,} that were tested are in {file}{rest}."
