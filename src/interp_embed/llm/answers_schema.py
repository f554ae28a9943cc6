"""The tables of an answer store, and how stores of earlier versions are brought up to date."""

import sqlite3
from collections.abc import Callable, Mapping

VERSION = 2
"""Version of the tables below; raised with every change to them."""

_BATCHES = """
CREATE TABLE IF NOT EXISTS batches (
    digest TEXT PRIMARY KEY,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    quirks TEXT NOT NULL,
    tokens REAL NOT NULL,
    n_requests INTEGER NOT NULL,
    file_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    expires_at REAL NOT NULL,
    created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS batch_rows (
    key TEXT PRIMARY KEY, batch TEXT NOT NULL, kind TEXT NOT NULL, request TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS batch_rows_by_batch ON batch_rows (batch);
"""
"""Batches sent to a provider, and of their questions those whose answer is not stored yet."""

TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    kind TEXT NOT NULL,
    request TEXT NOT NULL,
    text TEXT NOT NULL,
    finish_reason TEXT NOT NULL,
    refusal TEXT NOT NULL,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    cached_tokens INTEGER,
    reasoning_tokens INTEGER,
    reported_cost_usd REAL,
    estimated_tokens INTEGER NOT NULL,
    cost_usd REAL,
    attempts INTEGER NOT NULL,
    latency_s REAL NOT NULL,
    created_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS calls_by_kind ON calls (model, kind);
CREATE TABLE IF NOT EXISTS texts (sha TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS verdicts (
    judge TEXT NOT NULL,
    document TEXT NOT NULL,
    concept TEXT NOT NULL,
    value INTEGER NOT NULL CHECK (value IN (0, 1)),
    call_key TEXT NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (judge, document, concept)
);
CREATE TABLE IF NOT EXISTS claims (
    key TEXT PRIMARY KEY, owner TEXT NOT NULL, expires_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS quirks (
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (provider, model, name)
);
CREATE VIEW IF NOT EXISTS verdicts_readable AS
SELECT documents.text AS text, concepts.text AS concept, verdicts.value AS value,
       calls.model AS model,
       strftime('%Y-%m-%dT%H:%M:%SZ', verdicts.created_at, 'unixepoch') AS answered_at,
       calls.request AS request, calls.text AS answer,
       verdicts.judge AS judge, verdicts.call_key AS call_key
FROM verdicts
LEFT JOIN texts AS documents ON documents.sha = verdicts.document
LEFT JOIN texts AS concepts ON concepts.sha = verdicts.concept
LEFT JOIN calls ON calls.key = verdicts.call_key;
"""
"""Documents and concepts are known by the SHA-256 of their whole text."""

KEPT_TABLES = ("calls", "texts", "verdicts", "quirks", "batches", "batch_rows")
"""What is saved from a damaged file; claims concern only runs that are going on."""

Migration = Callable[[sqlite3.Connection], None]


def _create(connection: sqlite3.Connection, tables: str) -> None:
    for statement in tables.split(";\n"):
        connection.execute(statement)


def _add_batches(connection: sqlite3.Connection) -> None:
    _create(connection, _BATCHES)


MIGRATIONS: Mapping[int, Migration] = {1: _add_batches}
"""From each earlier version to the next; each runs within the transaction that also notes it."""


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the tables that are not there; two processes may do so at once."""
    connection.execute("BEGIN IMMEDIATE")
    _create(connection, _BATCHES + TABLES)
    connection.execute(
        "INSERT INTO meta VALUES ('version', ?) ON CONFLICT (name) DO NOTHING", (str(VERSION),)
    )
    connection.execute("COMMIT")


def read_version(connection: sqlite3.Connection) -> int | None:
    """Return the version of a store; 0 where a database is no answer store, None if it is empty."""
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if not names:
        return None
    if not {"meta", "calls"} <= names:
        return 0
    row = connection.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
    return int(row[0]) if row is not None and str(row[0]).isdecimal() else 0


def migrate(
    connection: sqlite3.Connection,
    version: int,
    *,
    migrations: Mapping[int, Migration] = MIGRATIONS,
    target: int = VERSION,
) -> None:
    """Bring a store from an earlier version to ``target``, wholly or not at all.

    Raises:
        KeyError: There is no way from one of the versions in between.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in range(version, target):
            migrations[step](connection)
        connection.execute("UPDATE meta SET value = ? WHERE name = 'version'", (str(target),))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
