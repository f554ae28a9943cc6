"""Every answer that was paid for, on disk as it arrives: SQLite, readable without this library."""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from interp_embed._files import cache_root
from interp_embed._fingerprint import digest_text
from interp_embed.errors import InputError
from interp_embed.llm.answers_file import explain, open_file
from interp_embed.llm.answers_readable import StoreSummary, summarise, write_readable
from interp_embed.llm.answers_rows import StoredCall, TokenRatio, as_call, as_row, as_sql
from interp_embed.llm.answers_schema import create_tables
from interp_embed.llm.claims import claim_owner, is_gone
from interp_embed.records import Json

__all__ = ["FILE_NAME", "AnswerStore", "StoredCall", "TokenRatio"]

FILE_NAME = "answers.sqlite"

_MEMORY = ":memory:"
_CHUNK = 500
_ADD = """
INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO NOTHING
"""
_FIND = "SELECT calls.* FROM json_each(?) AS wanted JOIN calls ON calls.key = wanted.value"
_CLAIM = """
INSERT INTO claims VALUES (:key, :owner, :until)
ON CONFLICT (key) DO UPDATE SET owner = :owner, expires_at = :until
WHERE claims.expires_at <= :now OR claims.owner IN (:owner, :gone)
"""
_VERDICTS = """
SELECT verdicts.document, verdicts.concept, verdicts.value
FROM json_each(:documents) AS d CROSS JOIN json_each(:concepts) AS c CROSS JOIN verdicts
ON verdicts.judge = :judge AND verdicts.document = d.value AND verdicts.concept = c.value
"""
_ADD_VERDICT = "INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_ADD_TEXT = "INSERT INTO texts VALUES (?, ?) ON CONFLICT DO NOTHING"
_LEARN = """
INSERT INTO quirks VALUES (?, ?, ?, ?)
ON CONFLICT (provider, model, name) DO UPDATE SET value = excluded.value
"""
_RATIO = """
SELECT count(*), sum(prompt_tokens), sum(estimated_tokens), avg(completion_tokens)
FROM calls WHERE model = ? AND kind = ? AND prompt_tokens > 0 AND estimated_tokens > 0
"""
_FORGET = "DELETE FROM calls WHERE key IN (SELECT value FROM json_each(?))"
_FORGET_VERDICTS = "DELETE FROM verdicts WHERE call_key IN (SELECT value FROM json_each(?))"


class AnswerStore:
    """Calls, verdicts and what was learned of servers; safe for threads and for processes.

    Every answer is a transaction of its own. A kill of the process loses nothing that was added;
    loss of power may lose the last few. After a fork the child opens the file again by itself.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path | None, busy_timeout_s: float
    ) -> None:
        self._file = path
        self._busy_timeout_s = busy_timeout_s
        self._connection: sqlite3.Connection | None = connection
        self._inherited: list[sqlite3.Connection] = []
        self._pid = os.getpid()
        self._owner = claim_owner()
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path | str | None = None, *, busy_timeout_s: float = 30.0) -> Self:
        """Open a store, making it if it is not there; None for the user's own.

        The user's own is ``answers.sqlite`` in ``$INTERP_EMBED_CACHE`` or the platform's cache
        folder. A damaged file is renamed, never deleted, and what can be read of it goes on in a
        new one, with a logged warning.

        Args:
            path: The file.
            busy_timeout_s: How long to wait for another program's lock.

        Raises:
            StoredFileError: It cannot be made or written to, is no answer store, or was written by
                a newer version of this library; it is left as it is.
        """
        file = cache_root() / FILE_NAME if path is None else Path(path).expanduser().absolute()
        return cls(open_file(file, busy_timeout_s), file, busy_timeout_s)

    @classmethod
    def in_memory(cls) -> Self:
        """Return a store that is gone with the process."""
        connection = sqlite3.connect(_MEMORY, isolation_level=None, check_same_thread=False)
        create_tables(connection)
        return cls(connection, None, 0.0)

    @property
    def path(self) -> str:
        """Where it is, or ``:memory:``."""
        return _MEMORY if self._file is None else str(self._file)

    @property
    def owner(self) -> str:
        """Who this is to other processes, for claims."""
        if self._pid != os.getpid():
            self._adopt()
        return self._owner

    def find(self, keys: Sequence[str]) -> dict[str, StoredCall]:
        """Return the calls that are stored, by key.

        Raises:
            StoredFileError: The file cannot be read.
        """
        found: dict[str, StoredCall] = {}
        with self.reading() as connection:
            for chunk in _chunks(keys):
                for row in connection.execute(_FIND, (json.dumps(chunk),)):
                    found[row[0]] = as_call(row)
        return found

    def add(self, call: StoredCall) -> bool:
        """Commit a call; False if one with this key is there, which then stays.

        A claim on its key has served and is given up, and so has its place in a batch.

        Raises:
            StoredFileError: It could not be written: stop before more answers are paid for.
        """
        row = as_row(call)
        with self.transaction() as connection:
            added = connection.execute(_ADD, row).rowcount == 1
            connection.execute("DELETE FROM claims WHERE key = ?", (call.key,))
            connection.execute("DELETE FROM batch_rows WHERE key = ?", (call.key,))
        return added

    def claim(self, key: str, lease_s: float) -> bool:
        """Say that this process is asking; False while another one's claim has not run out.

        One's own claim is renewed. The claim of a process of this machine that is gone counts as
        run out.

        Raises:
            StoredFileError: The file cannot be written to.
        """
        with self.transaction() as connection:
            row = connection.execute("SELECT owner FROM claims WHERE key = ?", (key,)).fetchone()
            now = time.time()
            wish = {"key": key, "owner": self.owner, "until": now + lease_s, "now": now}
            wish["gone"] = row[0] if row is not None and is_gone(row[0]) else self.owner
            return connection.execute(_CLAIM, wish).rowcount == 1

    def release(self, key: str) -> None:
        """Give a claim of one's own up.

        Raises:
            StoredFileError: The file cannot be written to.
        """
        with self.transaction() as connection:
            connection.execute("DELETE FROM claims WHERE key = ? AND owner = ?", (key, self.owner))

    def verdicts(
        self, judge: str, documents: Sequence[str], concepts: Sequence[str]
    ) -> dict[tuple[int, int], bool]:
        """Return what a judge has said, by (document, concept).

        Args:
            judge: Digest of all that makes a verdict: model, prompt, parameters, policy.
            documents: Whole texts, which may occur more than once.
            concepts: In words, likewise.

        Returns:
            Verdicts by position in both; what is not stored is not in it.

        Raises:
            StoredFileError: The file cannot be read.
        """
        rows, columns = _positions(documents), _positions(concepts)
        found: dict[tuple[int, int], bool] = {}
        with self.reading() as connection:
            for chunk in _chunks(list(rows)):
                wanted = {"judge": judge, "documents": json.dumps(chunk)}
                wanted["concepts"] = json.dumps(list(columns))
                for document, concept, value in connection.execute(_VERDICTS, wanted):
                    for row in rows[document]:
                        for column in columns[concept]:
                            found[row, column] = bool(value)
        return found

    def add_verdicts(
        self, judge: str, document: str, verdicts: Mapping[str, bool], *, call: str
    ) -> None:
        """Commit verdicts on one document by concept; earlier ones stay.

        Args:
            judge: As in :meth:`verdicts`.
            document: The whole text.
            verdicts: True or False by concept; a missing one is left out, not False.
            call: Key of the call they were read from.

        Raises:
            InputError: A verdict is neither True nor False.
            StoredFileError: The file cannot be written to.
        """
        wrong = {
            concept: value for concept, value in verdicts.items() if value not in (True, False)
        }
        if wrong:
            raise InputError(
                f"a verdict must be True or False, but got {wrong}; leave missing ones out"
            )
        if not verdicts:
            return
        sha = digest_text(document)
        texts = {sha: document} | {digest_text(concept): concept for concept in verdicts}
        now = time.time()
        rows = [
            (judge, sha, digest_text(concept), int(value), call, now)
            for concept, value in verdicts.items()
        ]
        with self.transaction() as connection:
            connection.executemany(_ADD_TEXT, [(key, as_sql(text)) for key, text in texts.items()])
            connection.executemany(_ADD_VERDICT, rows)

    def quirks(self, provider: str, model: str) -> dict[str, Json]:
        """Return what was learned of a server.

        Raises:
            StoredFileError: The file cannot be read.
        """
        select = "SELECT name, value FROM quirks WHERE provider = ? AND model = ? ORDER BY name"
        with self.reading() as connection:
            rows = connection.execute(select, (provider, model)).fetchall()
        return {name: json.loads(value) for name, value in rows}

    def learn(self, provider: str, model: str, quirks: Mapping[str, Json]) -> None:
        """Commit what was learned of a server; the newest stays.

        Raises:
            StoredFileError: The file cannot be written to.
        """
        rows = [(provider, model, name, json.dumps(value)) for name, value in quirks.items()]
        if rows:
            with self.transaction() as connection:
                connection.executemany(_LEARN, rows)

    def token_ratio(self, model: str, kind: str) -> TokenRatio:
        """Return calls seen, prompt tokens per estimated one, completion tokens a call.

        Raises:
            StoredFileError: The file cannot be read.
        """
        with self.reading() as connection:
            calls, billed, estimated, completion = connection.execute(
                _RATIO, (model, kind)
            ).fetchone()
        if not calls:
            return TokenRatio(0, 1.0, 0.0)
        return TokenRatio(calls, billed / estimated, float(completion or 0.0))

    def forget(self, keys: Iterable[str]) -> int:
        """Delete calls and the verdicts read from them, so that they are asked again.

        Returns:
            How many calls were there.

        Raises:
            StoredFileError: The file cannot be written to.
        """
        deleted = 0
        with self.transaction() as connection:
            for chunk in _chunks(list(keys)):
                connection.execute(_FORGET_VERDICTS, (json.dumps(chunk),))
                deleted += connection.execute(_FORGET, (json.dumps(chunk),)).rowcount
        return deleted

    def summary(self) -> StoreSummary:
        """Return how many calls and verdicts there are, and what each model's cost.

        Raises:
            StoredFileError: The file cannot be read.
        """
        with self.reading() as connection:
            return summarise(connection, self.path)

    def export(self, path: Path | str) -> int:
        """Write every verdict, and every call without one, to ``.jsonl`` or ``.parquet``.

        The columns: text, concept, value, model, answered_at, request, answer.

        Returns:
            The number of rows.

        Raises:
            InputError: The file's name ends otherwise, or it cannot be written.
            StoredFileError: The store cannot be read.
        """
        with self.reading() as connection:
            return write_readable(connection, Path(path).expanduser())

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
            self._connection = None
            self._pid = os.getpid()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give this thread the connection, and SQLite's errors a meaning."""
        if self._pid != os.getpid():
            self._adopt()
        with self._lock:
            if self._connection is None:
                raise InputError(f"the answer store {self.path} has been closed; open it again")
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise explain(error, self.path) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give this thread the connection for changes that are made wholly or not at all."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _adopt(self) -> None:
        """Open the file anew in a forked child: SQLite forbids using the parent's connection."""
        self._lock = threading.RLock()
        self._owner = claim_owner()
        self._pid = os.getpid()
        if self._file is not None and self._connection is not None:
            self._inherited.append(self._connection)  # closing it would drop the parent's locks
            self._connection = open_file(self._file, self._busy_timeout_s)


def _chunks(keys: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), _CHUNK):
        yield list(keys[start : start + _CHUNK])


def _positions(texts: Sequence[str]) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = {}
    for position, text in enumerate(texts):
        positions.setdefault(digest_text(text), []).append(position)
    return positions
