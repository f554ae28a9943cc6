"""What the table of each analysis shows, and how its cells are written."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from interp_embed.plots.characters import visible
from interp_embed.report.scales import MISSING, minus
from interp_embed.report.wording import number, percent, probability, significant_digits

Row = Mapping[str, Any]
CellKind = Literal["text", "count", "share", "points", "number", "score", "probability", "yes"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, as people read it."""

    key: str
    """Name in the frame."""
    heading: str
    kind: CellKind
    low: str = ""
    """Column with the lower end of its interval."""
    high: str = ""
    drawn: bool = False
    """Whether a page draws it with its interval."""
    optional: bool = False
    """Whether a table without it is whole; it is then left out where no row has a value."""


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of an analysis."""

    columns: tuple[Column, ...]
    holds: str = ""
    """Column that tells which rows hold up after correction; empty: all do."""


_FEATURE = Column("feature", "Feature", "count", optional=True)
_LABEL = Column("label", "What it responds to", "text")
_Q = Column("q", "q", "probability")
_N = Column("n", "Documents", "count", optional=True)
_SUPPORT = Column("support", "Fires in", "count", optional=True)
_DIFFERENCE = Column("difference", "Difference", "points", "low", "high", drawn=True)
_RATES = (
    Column("rate_first", "First", "share"),
    Column("rate_second", "Second", "share"),
)

_LISTED = 6
_LABELLED = {"label": "feature", "first_label": "first", "second_label": "second"}
"""Columns with labels, and those with the features they are of."""

TABLES: dict[str, Table] = {
    "diff": Table((_LABEL, _FEATURE, _DIFFERENCE, *_RATES, _Q, _SUPPORT), "significant"),
    "diff.verified": Table(
        (
            Column("concept", "Concept, read in held-out documents", "text"),
            _DIFFERENCE,
            *_RATES,
            _Q,
            _N,
            Column("fidelity_f1", "Fidelity F1", "number", optional=True),
            Column("source", "Named by", "text", optional=True),
        ),
        "holds",
    ),
    "trend": Table(
        (
            _LABEL,
            _FEATURE,
            Column("shape", "Shape", "text"),
            Column("change", "Change", "points", "low", "high", drawn=True),
            Column("first_rate", "First", "share"),
            Column("last_rate", "Last", "share"),
            Column("tau", "Tau", "number"),
            _Q,
            _SUPPORT,
        ),
        "significant",
    ),
    "correlate": Table(
        (
            Column("first_label", "First", "text"),
            Column("second_label", "Second", "text"),
            Column("npmi", "NPMI", "number", "low", "high", drawn=True),
            Column("p_second_given_first", "P(second | first)", "share"),
            Column("p_first_given_second", "P(first | second)", "share"),
            Column("n_both", "Both", "count"),
            Column("expected", "Expected", "number"),
            _Q,
        )
    ),
    "correlate.columns": Table(
        (
            _LABEL,
            _FEATURE,
            Column("column", "Column", "text"),
            Column("category", "Category", "text", optional=True),
            Column("value", "Association", "number", "low", "high", drawn=True),
            Column("n_both", "Both", "count", optional=True),
            Column("expected", "Expected", "number", optional=True),
            _Q,
            Column("n_feature", "Fires in", "count", optional=True),
        )
    ),
    "correlate.linked": Table(
        (
            Column("first_label", "First", "text"),
            Column("second_label", "Second", "text"),
            Column("linked", "Why it is trivial", "text"),
            Column("npmi", "NPMI", "number"),
            Column("n_both", "Both", "count"),
        )
    ),
    "cluster": Table(
        (
            Column("name", "Cluster", "text"),
            Column("n", "Documents", "count"),
            Column("share", "Share", "share"),
            Column("features", "Fires more inside", "text"),
            Column("stability", "Stability", "number"),
            Column("accuracy", "Found again", "share", "accuracy_low", "accuracy_high"),
            Column("central", "A central document", "text"),
        )
    ),
    "search": Table(
        (
            Column("rank", "Rank", "count"),
            Column("text", "Document", "text"),
            Column("matched", "Features that match", "text", optional=True),
            Column("score", "Score", "score"),
            Column("rank_features", "Rank by features", "count", optional=True),
            Column("rank_meaning", "Rank by meaning", "count", optional=True),
            Column("rank_words", "Rank by words", "count", optional=True),
            Column("document", "Row", "count"),
        )
    ),
    "duplicates": Table(
        (
            Column("text", "The first of them", "text"),
            Column("size", "Documents", "count"),
            Column("n_distinct", "Different texts", "count"),
            Column("documents", "Rows", "text"),
        )
    ),
    "labels": Table(
        (
            Column("feature", "Feature", "count"),
            _LABEL,
            Column("similarity", "Similarity", "number"),
            Column("by", "Found by", "text", optional=True),
        )
    ),
}
"""By analysis; a second table of it behind a dot."""


def table_key(name: str, rows: Sequence[Row]) -> str:
    """Return which table the rows of an analysis make: pairs of features, or with columns."""
    return "correlate.columns" if name == "correlate" and rows and "category" in rows[0] else name


def table_of(name: str, rows: Sequence[Row]) -> Table:
    """Return the columns of an analysis that its rows have; all of an unknown one, as they are."""
    name = table_key(name, rows)
    if name not in TABLES:
        names = list(rows[0]) if rows else []
        return Table(tuple(Column(key, key.replace("_", " "), _kind(rows, key)) for key in names))
    table = TABLES[name]
    if not rows:
        return table
    told = {key for key in rows[0] if any(not _is_missing(row.get(key)) for row in rows)}
    columns = [one for one in table.columns if one.key in (told if one.optional else rows[0])]
    return Table(tuple(columns), table.holds)


def leading_rows(table: Table, rows: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """Return the rows shown first, one of each family, and how many of those hold up.

    They are the rows that hold up; where none does, all.
    """
    leading = [row for row in rows if row.get("leads", True) or row.get("family", -1) == -1]
    held = [row for row in leading if not table.holds or row.get(table.holds)]
    return held or leading, len(held)


def cell(column: Column, row: Row) -> str:
    """Return a cell as text, a dash where nothing is known."""
    value: Any = row.get(column.key)
    if column.key in _LABELLED and not value:
        return f"feature {row.get(_LABELLED[column.key], MISSING)}"
    if _is_missing(value):
        return MISSING
    if isinstance(value, list | tuple):
        more = ", …" if len(value) > _LISTED else ""
        return visible(", ".join(map(str, value[:_LISTED])) + more)
    if column.kind == "text" or isinstance(value, str):
        return visible(str(value))
    if column.kind == "yes":
        return "yes" if value else "no"
    if column.kind == "count":  # ranks that are shared need not be whole
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    if column.kind == "share":
        return percent(float(value))
    if column.kind == "probability":
        return probability(float(value))
    if column.kind == "points":
        return points(float(value))
    if column.kind == "score":
        return number(float(value), decimals=4)
    return significant_digits(float(value), digits=3) if abs(value) >= 100 else number(float(value))


def interval(column: Column, row: Row) -> str:
    """Return the interval beside a cell, such as ``[+1.0, +3.4]``; empty if it is not known."""
    ends = [row.get(column.low), row.get(column.high)] if column.low else [None]
    if any(end is None or math.isnan(end) for end in ends):
        return ""
    if column.kind == "share":
        written = [minus(f"{100 * end:.0f}") for end in ends if end is not None]
    elif column.kind == "points":
        written = [points(end) for end in ends if end is not None]
    else:
        written = [number(end) for end in ends if end is not None]
    return f"[{', '.join(written)}]"


def points(value: float) -> str:
    """Return a difference in shares, in percentage points with its sign, such as ``+3.4``."""
    text = minus(f"{100 * value:.1f}")
    return text if value <= 0 or not text.strip("0.") else f"+{text}"


def _is_missing(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _kind(rows: Sequence[Row], key: str) -> CellKind:
    values = [row[key] for row in rows if row[key] is not None]
    if any(isinstance(value, bool) for value in values):
        return "yes"
    if any(isinstance(value, str | list | dict) for value in values) or not values:
        return "text"
    return "count" if all(float(value).is_integer() for value in values) else "number"
