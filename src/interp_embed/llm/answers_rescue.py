"""What is done with a damaged answer store: kept under another name, and read as far as it goes."""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from interp_embed.llm.answers_schema import KEPT_TABLES, create_tables

logger = logging.getLogger(__name__)

_MAX_PROBED = 200_000
"""Rows looked for one by one between two damaged places."""


def set_aside(path: Path, damage: str) -> None:
    """Rename a damaged file, and copy what can be read of it into a new one.

    Args:
        path: The file; nobody else may be at work on it.
        damage: What is wrong with it, for the warning.

    Raises:
        OSError: It cannot be renamed.
        sqlite3.Error: The new file cannot be written; the damaged one is then in its place.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    saved = path.with_name(f"{path.name}.saved-{stamp}")
    with closing(sqlite3.connect(saved, isolation_level=None)) as target:
        create_tables(target)
        counts = {table: _rescue(path, table, target) for table in KEPT_TABLES}
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    saved.rename(path)
    logger.warning(
        "the answer store %s was damaged (%s): it is kept as %s, and %d calls and %d verdicts "
        "could be read from it; what is missing will be asked again",
        path,
        damage,
        aside,
        counts["calls"],
        counts["verdicts"],
    )


def _rescue(path: Path, table: str, target: sqlite3.Connection) -> int:
    """Copy the rows of a table that can be read, and return how many they are."""
    columns = [row[1] for row in target.execute(f"PRAGMA table_info({table})")]
    marks = ", ".join("?" * len(columns))
    insert = f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
    select = f"SELECT rowid, {', '.join(columns)} FROM {table}"  # noqa: S608
    before = target.total_changes
    target.execute("BEGIN")
    with closing(sqlite3.connect(path, isolation_level=None)) as source:
        for row in _readable_rows(source, select):
            try:
                target.execute(insert, row)
            except sqlite3.IntegrityError:
                continue  # a damaged value
    target.execute("COMMIT")
    return target.total_changes - before


def _readable_rows(source: sqlite3.Connection, select: str) -> Iterator[tuple[object, ...]]:
    """Yield rows from the front up to the damage, from the back, then one by one in between."""
    first, last = 0, 0
    try:
        for row in source.execute(f"{select} ORDER BY rowid"):
            first = row[0]
            yield row[1:]
    except sqlite3.DatabaseError:
        pass
    else:
        return
    try:
        for row in source.execute(f"{select} WHERE rowid > ? ORDER BY rowid DESC", (first,)):
            last = row[0]
            yield row[1:]
    except sqlite3.DatabaseError:
        pass
    for rowid in range(first + 1, min(last or _MAX_PROBED, first + _MAX_PROBED)):
        try:
            found = source.execute(f"{select} WHERE rowid = ?", (rowid,)).fetchone()
        except sqlite3.DatabaseError:
            continue
        if found is not None:
            yield found[1:]
