"""Batches on their way, kept in the answer store: what a killed process knew, the next knows."""

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from interp_embed.llm.answers import AnswerStore
from interp_embed.llm.answers_rows import as_sql, as_text
from interp_embed.llm.claims import is_gone, is_here
from interp_embed.records import Json

_COLUMNS = "digest, provider, model, quirks, tokens, n_requests, file_id, batch_id, created_at"
_TAKEN = """
SELECT value FROM json_each(?)
WHERE value IN (SELECT key FROM calls) OR value IN (SELECT key FROM batch_rows)
"""
_CLAIMED = "SELECT key, owner FROM claims WHERE owner != ? AND expires_at > ?"
_TAKE = """
UPDATE batches SET owner = :owner, expires_at = :until WHERE digest = :digest AND owner = :before
"""

_SENDING: set[str] = set()
"""Digests of the batches that this process is sending just now, through whatever store."""


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """One batch, as the store knows it."""

    digest: str
    """Its name here; the provider keeps it as metadata."""
    provider: str
    model: str
    quirks: Mapping[str, Json]
    """How its questions were asked."""
    tokens: float
    """Prompt tokens, estimated."""
    n_requests: int
    created_at: float
    """Seconds since 1970."""
    file_id: str = ""
    batch_id: str = ""
    """The provider's name; empty until it has been created."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One question of a batch whose answer is not stored yet."""

    key: str
    kind: str
    request: str
    """As ``request_json`` writes it."""


class BatchRecords:
    """The batches in an answer store.

    A key is in one batch at most, and leaves it in the transaction that stores its answer
    (``AnswerStore.add``). A batch is on its way as long as it has keys left.
    """

    def __init__(self, store: AnswerStore) -> None:
        self._store = store

    def prepare(
        self, record: BatchRecord, rows: Sequence[BatchRow], *, lease_s: float
    ) -> frozenset[str]:
        """Commit a batch that is about to be sent, and return the keys it may hold.

        A key that is answered, in another batch, or being asked by another process is left out.

        Args:
            record: The batch; ``n_requests`` is counted anew.
            rows: Its questions.
            lease_s: For how long nobody else is to send it.

        Raises:
            StoredFileError: The file cannot be written to: send nothing.
        """
        wanted = {row.key: row for row in rows}
        _SENDING.add(record.digest)
        with self._store.transaction() as connection:
            taken = {key for (key,) in connection.execute(_TAKEN, (json.dumps(list(wanted)),))}
            taken |= _claimed(connection, self._store.owner)
            kept = [row for key, row in wanted.items() if key not in taken]
            if kept:
                batch = (
                    *(record.digest, record.provider, record.model),
                    *(json.dumps(dict(record.quirks)), record.tokens, len(kept)),
                    *(record.file_id, record.batch_id, self._store.owner),
                    *(time.time() + lease_s, record.created_at),
                )
                connection.execute(f"INSERT INTO batches VALUES ({_marks(batch)})", batch)  # noqa: S608
                connection.executemany(
                    "INSERT INTO batch_rows VALUES (?, ?, ?, ?)",
                    [(row.key, record.digest, row.kind, as_sql(row.request)) for row in kept],
                )
        if not kept:
            _SENDING.discard(record.digest)
        return frozenset(row.key for row in kept)

    def save_sent(self, digest: str, *, file_id: str, batch_id: str) -> None:
        """Commit the provider's name of a batch.

        Raises:
            StoredFileError: The file cannot be written to.
        """
        with self._store.transaction() as connection:
            connection.execute(
                "UPDATE batches SET file_id = ?, batch_id = ? WHERE digest = ?",
                (file_id, batch_id, digest),
            )
        _SENDING.discard(digest)

    def take_over(self, digest: str, *, lease_s: float) -> bool:
        """Say that this process sends a batch; False while another one is at it.

        Raises:
            StoredFileError: The file cannot be written to.
        """
        with self._store.transaction() as connection:
            row = connection.execute(
                "SELECT owner, expires_at FROM batches WHERE digest = ?", (digest,)
            ).fetchone()
            if row is None:
                return False
            owner, until = row
            now, mine = time.time(), self._store.owner
            at_it = digest in _SENDING if is_here(owner) else not is_gone(owner)
            if until > now and at_it:
                return False
            wish = {"digest": digest, "owner": mine, "until": now + lease_s, "before": owner}
            return connection.execute(_TAKE, wish).rowcount == 1

    def let_go(self, digest: str) -> None:
        """Leave a batch that has no name yet to whoever comes next.

        Raises:
            StoredFileError: The file cannot be written to.
        """
        _SENDING.discard(digest)
        with self._store.transaction() as connection:
            connection.execute(
                "UPDATE batches SET expires_at = 0 WHERE digest = ? AND owner = ?",
                (digest, self._store.owner),
            )

    def get(self, digest: str) -> BatchRecord | None:
        """Return a batch that is on its way; None if it has no keys left.

        Raises:
            StoredFileError: The file cannot be read.
        """
        found = self._select("digest = ?", (digest,))
        return found[0] if found else None

    def on_their_way(self, provider: str, model: str) -> list[BatchRecord]:
        """Return the batches of a model that have keys left, the oldest first.

        Raises:
            StoredFileError: The file cannot be read.
        """
        return self._select("provider = ? AND model = ?", (provider, model))

    def _select(self, where: str, values: tuple[str, ...]) -> list[BatchRecord]:
        query = (
            f"SELECT {_COLUMNS} FROM batches WHERE {where} AND EXISTS "  # noqa: S608 - constants
            "(SELECT 1 FROM batch_rows WHERE batch = digest) ORDER BY created_at"
        )
        with self._store.reading() as connection:
            found = connection.execute(query, values).fetchall()
        return [_as_record(row) for row in found]

    def digests(self, provider: str, model: str) -> dict[str, str]:
        """Return which batch of a model a key is in, by key.

        Raises:
            StoredFileError: The file cannot be read.
        """
        query = (
            "SELECT key, batch FROM batch_rows JOIN batches ON digest = batch "
            "WHERE provider = ? AND model = ?"
        )
        with self._store.reading() as connection:
            return dict(connection.execute(query, (provider, model)).fetchall())

    def rows(self, digest: str) -> dict[str, BatchRow]:
        """Return the questions of a batch whose answers are not stored yet, by key.

        They are in the order in which they were prepared.

        Raises:
            StoredFileError: The file cannot be read.
        """
        query = "SELECT key, kind, request FROM batch_rows WHERE batch = ? ORDER BY rowid"
        with self._store.reading() as connection:
            found = connection.execute(query, (digest,)).fetchall()
        return {key: BatchRow(key, kind, as_text(request)) for key, kind, request in found}

    def drop(self, keys: Iterable[str]) -> None:
        """Take keys out of their batches: nothing will come of them there.

        Raises:
            StoredFileError: The file cannot be written to.
        """
        with self._store.transaction() as connection:
            connection.executemany("DELETE FROM batch_rows WHERE key = ?", [(key,) for key in keys])

    def forget(self, batch_id: str) -> int:
        """Take all keys out of a batch, so that they are asked anew; it goes on at the provider.

        Args:
            batch_id: The provider's name of it, or the digest.

        Returns:
            How many keys were in it.

        Raises:
            StoredFileError: The file cannot be written to.
        """
        _SENDING.discard(batch_id)
        with self._store.transaction() as connection:
            return connection.execute(
                "DELETE FROM batch_rows WHERE batch IN (SELECT digest FROM batches "
                "WHERE digest = ? OR (batch_id = ? AND batch_id != ''))",
                (batch_id, batch_id),
            ).rowcount


def _as_record(row: Sequence[Json]) -> BatchRecord:
    digest, provider, model, quirks, tokens, n_requests, file_id, batch_id, created_at = row
    return BatchRecord(
        *(digest, provider, model, json.loads(quirks), tokens, n_requests, created_at),
        file_id=file_id,
        batch_id=batch_id,
    )


def _claimed(connection: sqlite3.Connection, owner: str) -> set[str]:
    """Return the keys that other processes are asking just now."""
    claims = connection.execute(_CLAIMED, (owner, time.time())).fetchall()
    gone = {other for other in {other for _, other in claims} if is_gone(other)}
    return {key for key, other in claims if other not in gone}


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
