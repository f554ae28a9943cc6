"""An answer store for people: counts by model, and one table of all that was asked and answered."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from interp_embed._files import write_atomically
from interp_embed.errors import InputError

COLUMNS = ("text", "concept", "value", "model", "answered_at", "request", "answer")

_ROWS_AT_ONCE = 2_000
_ROWS = """
SELECT text, concept, value, model, answered_at, request, answer FROM verdicts_readable
UNION ALL
SELECT NULL, NULL, NULL, model, strftime('%Y-%m-%dT%H:%M:%SZ', created_at, 'unixepoch'),
       request, text
FROM calls WHERE key NOT IN (SELECT call_key FROM verdicts)
"""
_MODELS = """
SELECT provider, model, count(*), total(prompt_tokens), total(completion_tokens),
       total(coalesce(reported_cost_usd, cost_usd)),
       sum(reported_cost_usd IS NULL AND cost_usd IS NULL)
FROM calls GROUP BY provider, model ORDER BY provider, model
"""


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """What one model was asked."""

    provider: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    unpriced: int
    """Calls whose price is not known; they are not part of ``cost_usd``."""


@dataclass(frozen=True, slots=True)
class StoreSummary:
    """What an answer store holds."""

    path: str
    calls: int
    verdicts: int
    documents_and_concepts: int
    """Different texts that verdicts are on or about."""
    models: tuple[ModelSummary, ...]
    """By provider and name."""

    @property
    def cost_usd(self) -> float:
        """What all calls cost whose price is known."""
        return sum(model.cost_usd for model in self.models)


def summarise(connection: sqlite3.Connection, path: str) -> StoreSummary:
    """Return what a store holds."""
    models = tuple(
        ModelSummary(provider, model, calls, int(prompt), int(completion), cost, unpriced)
        for provider, model, calls, prompt, completion, cost, unpriced in connection.execute(
            _MODELS
        )
    )
    (verdicts,) = connection.execute("SELECT count(*) FROM verdicts").fetchone()
    (texts,) = connection.execute("SELECT count(*) FROM texts").fetchone()
    return StoreSummary(path, sum(model.calls for model in models), verdicts, texts, models)


def write_readable(connection: sqlite3.Connection, path: Path) -> int:
    """Write ``COLUMNS`` to a ``.jsonl`` or ``.parquet`` file and return the number of rows.

    Raises:
        InputError: The name ends otherwise, or the file cannot be written.
    """
    writers = {".jsonl": _write_jsonl, ".parquet": _write_parquet}
    write = writers.get(path.suffix)
    if write is None:
        raise InputError(f"answers are written to .jsonl or .parquet, but got {path.name!r}")
    counted = [0]

    def count(temporary: Path) -> None:
        counted[0] = write(temporary, _batches(connection))

    try:
        write_atomically(path, count)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}); choose another place"
        ) from error
    return counted[0]


def _batches(connection: sqlite3.Connection) -> Iterator[list[tuple[str | int | None, ...]]]:
    cursor = connection.execute(_ROWS)
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        yield [tuple(_shown(value) for value in row) for row in rows]


def _shown(value: str | bytes | int | None) -> str | int | None:
    """Return a text that every program can read: a lone surrogate is written out."""
    if isinstance(value, bytes):
        text = value.decode("utf-8", "surrogatepass")
        return text.encode("utf-8", "backslashreplace").decode()
    return value


def _write_jsonl(path: Path, batches: Iterator[list[tuple[str | int | None, ...]]]) -> int:
    n_rows = 0
    with path.open("w", encoding="utf-8") as file:
        for rows in batches:
            n_rows += len(rows)
            for row in rows:
                record = dict(zip(COLUMNS, row, strict=True))
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return n_rows


def _write_parquet(path: Path, batches: Iterator[list[tuple[str | int | None, ...]]]) -> int:
    kinds = {"value": pa.int8()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    n_rows = 0
    with pq.ParquetWriter(path, schema) as writer:
        for rows in batches:
            n_rows += len(rows)
            columns = zip(COLUMNS, zip(*rows, strict=True), strict=True)
            writer.write_table(pa.table({name: list(column) for name, column in columns}, schema))
    return n_rows
