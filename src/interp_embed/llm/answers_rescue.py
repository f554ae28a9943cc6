"""What is done with a damaged answer store: kept under another name, and read as far as it goes."""

import logging
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from interp_embed.llm.answers_schema import KEPT_TABLES, create_tables

logger = logging.getLogger(__name__)

_MAX_PROBED = 100_000
"""Rows looked for one by one between two damaged places."""
_MAX_PAGES = 4_000_000


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
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder,
        closing(sqlite3.connect(saved, isolation_level=None)) as target,
    ):
        copy = _readable_copy(path, Path(folder))
        create_tables(target)
        counts = {table: _rescue(copy, table, target) for table in KEPT_TABLES}
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


def _readable_copy(path: Path, folder: Path) -> Path:
    """Copy a file to read from, so that reading changes nothing in it.

    SQLite refuses a file that is shorter than its header says, so zeros stand for what is gone.
    """
    copy = folder / "copy.sqlite"
    shutil.copyfile(path, copy)
    log = path.with_name(f"{path.name}-wal")
    if log.exists():
        shutil.copyfile(log, copy.with_name(f"{copy.name}-wal"))
    with copy.open("r+b") as file:
        header = file.read(32)
        page_size, n_pages = int.from_bytes(header[16:18]), int.from_bytes(header[28:32])
        length = page_size * min(n_pages, _MAX_PAGES)
        if copy.stat().st_size < length:
            file.truncate(length)
    return copy


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
    if not first and not last:
        return  # the root of the table is gone
    for rowid in range(first + 1, min(last or first + _MAX_PROBED, first + _MAX_PROBED)):
        try:
            found = source.execute(f"{select} WHERE rowid = ?", (rowid,)).fetchone()
        except sqlite3.DatabaseError:
            continue
        if found is not None:
            yield found[1:]
