"""The file of an answer store: opened, checked, and saved from when it is damaged."""

import logging
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from interp_embed._files import CACHE_VARIABLE
from interp_embed.errors import StoredFileError
from interp_embed.llm.answers_rescue import set_aside
from interp_embed.llm.answers_schema import (
    MIGRATIONS,
    VERSION,
    create_tables,
    migrate,
    read_version,
)

logger = logging.getLogger(__name__)

_MAGIC = b"SQLite format 3\x00"
_OWN_SUFFIXES = (".sqlite", ".sqlite3", ".db")
_NETWORK = frozenset(
    ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gpfs"]
)
_MOUNTS = Path("/proc/mounts")
_DAMAGED = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
_ELSEWHERE = (
    "or keep answers elsewhere: AnswerStore.open(another path), or the environment variable "
    f"{CACHE_VARIABLE}"
)
_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another program has kept it locked for too long: close that program",
    sqlite3.SQLITE_LOCKED: "another program has kept it locked for too long: close that program",
    sqlite3.SQLITE_READONLY: "the file or its folder may not be written to: change its permissions",
    sqlite3.SQLITE_CANTOPEN: "the file or its folder may not be written to: change its permissions",
    sqlite3.SQLITE_PERM: "the file or its folder may not be written to: change its permissions",
    sqlite3.SQLITE_FULL: "the disk is full: make room",
    sqlite3.SQLITE_IOERR: "the disk failed or is full: see that it has room and is connected",
    sqlite3.SQLITE_CORRUPT: "it is damaged: open it again, which saves what can be read of it",
    sqlite3.SQLITE_NOTADB: "it is damaged: open it again, which saves what can be read of it",
}


class _DamagedError(Exception):
    """The file is no whole database."""


def explain(error: sqlite3.Error, path: str) -> StoredFileError:
    """Return the error to raise for one of SQLite's, naming the file and what helps."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    remedy = _REMEDIES.get(code, "see what SQLite says")
    return StoredFileError(
        f"the answer store {path} cannot be used ({error}); {remedy}, {_ELSEWHERE}. "
        "What was stored before is kept"
    )


def open_file(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Return a connection to a store, made, brought up to date or saved from damage if need be.

    Raises:
        StoredFileError: It cannot be used, is none of this library's, or of a later version.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoredFileError(
            f"the folder {path.parent} for the answer store cannot be made "
            f"({error.strerror or error}); choose one that can be written to, {_ELSEWHERE}"
        ) from error
    try:
        return _open_whole(path, busy_timeout_s)
    except _DamagedError:
        pass
    with _repairing(path, busy_timeout_s):
        try:
            return _open_whole(path, busy_timeout_s)  # another process has seen to it
        except _DamagedError as damage:
            _replace(path, str(damage))
        return _open_whole(path, busy_timeout_s)


def on_network(path: Path, mounts: str | None = None) -> str:
    """Return the type of a network file system that a path is on; empty if on none, or unknown.

    Args:
        path: A file, whether it is there or not.
        mounts: What to read the mounted file systems from; None for this machine's.
    """
    if mounts is None:
        if not sys.platform.startswith("linux") or not _MOUNTS.is_file():
            return ""
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    place = path.resolve()
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(fields[1].replace("\\040", " "))
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind if kind in _NETWORK or kind.split(".")[0] == "fuse" else ""


def _open_whole(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    _check_kind(path)
    try:
        connection = _connect(path, busy_timeout_s)
    except sqlite3.Error as error:
        raise explain(error, str(path)) from error
    try:
        _prepare(connection, path, busy_timeout_s)
    except sqlite3.DatabaseError as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            raise _DamagedError(str(error)) from error
        raise explain(error, str(path)) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
    )


def _check_kind(path: Path) -> None:
    """Refuse what is no database, unless it has the name of one: then it is damaged."""
    if path.is_dir():
        raise StoredFileError(
            f"{path} is a folder; an answer store is one file, such as {path / 'answers.sqlite'}"
        )
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except OSError:
        return  # not there, or not readable: SQLite says which
    if start and start != _MAGIC and path.suffix not in _OWN_SUFFIXES:
        raise StoredFileError(
            f"{path} is no answer store (it begins with {start!r}); nothing was changed in it: "
            "choose another file, such as answers.sqlite"
        )


def _prepare(connection: sqlite3.Connection, path: Path, busy_timeout_s: float) -> None:
    version = read_version(connection)
    if version == 0:
        raise StoredFileError(
            f"{path} is an SQLite database, but no answer store of this library; nothing was "
            "changed in it: choose another file, such as answers.sqlite"
        )
    if version is not None and version > VERSION:
        raise StoredFileError(
            f"the answer store {path} was written by a newer interp_embed (format {version}; this "
            f"one knows {VERSION}), and was left as it is; upgrade interp_embed, {_ELSEWHERE}"
        )
    if version is not None:  # reads the whole file: 0.05 s for 4,000 calls and 40,000 verdicts
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise _DamagedError(" ".join(str(verdict).split()))
    _set_journal(connection, path, busy_timeout_s)
    if version is None:
        create_tables(connection)
    elif version < VERSION:
        _migrate(connection, path, version)


def _migrate(connection: sqlite3.Connection, path: Path, version: int) -> None:
    try:
        migrate(connection, version, migrations=MIGRATIONS)
    except KeyError as error:
        raise StoredFileError(
            f"the answer store {path} has format {version}, which this interp_embed cannot bring "
            f"to {VERSION}; it was left as it is: use the version that wrote it, {_ELSEWHERE}"
        ) from error


def _set_journal(connection: sqlite3.Connection, path: Path, busy_timeout_s: float) -> None:
    """Write ahead where that is safe; on network file systems it is not (SQLite, ``wal.html``)."""
    network = on_network(path)
    wanted = "delete" if network else "wal"
    got = _switch_journal(connection, wanted, busy_timeout_s)
    connection.execute(f"PRAGMA synchronous={'NORMAL' if got == 'wal' else 'FULL'}")
    if got != "wal":
        logger.warning(
            "answers are kept in %s, where SQLite cannot write ahead (%s): every one is written "
            "through to the disk, which is slower but as safe",
            path,
            network or f"journal mode {got}",
        )


def _switch_journal(connection: sqlite3.Connection, wanted: str, busy_timeout_s: float) -> str:
    """Change the journal mode, for which SQLite does not wait by itself while others start too."""
    deadline = time.monotonic() + busy_timeout_s
    while True:
        (now,) = connection.execute("PRAGMA journal_mode").fetchone()
        if str(now) == wanted:
            return wanted
        try:
            (got,) = connection.execute(f"PRAGMA journal_mode={wanted}").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return str(got)


def _replace(path: Path, damage: str) -> None:
    try:
        set_aside(path, damage)
    except OSError as error:
        raise StoredFileError(
            f"the answer store {path} is damaged ({damage}) and cannot be renamed "
            f"({error.strerror or error}); close other programs that use it, {_ELSEWHERE}"
        ) from error


@contextmanager
def _repairing(path: Path, busy_timeout_s: float) -> Iterator[None]:
    """Let one process at a time set a damaged file aside; a lock that dies with its process."""
    name = path.with_name(f"{path.name}.repair")
    try:
        with closing(_connect(name, busy_timeout_s)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            yield
    except sqlite3.Error as error:
        raise explain(error, str(path)) from error
