"""Labels and annotations: facts that are added later, in files that are never rewritten."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from interp_embed.errors import InputError, StoredFileError
from interp_embed.records import Label
from interp_embed.store.files import READ_ERRORS, DataFiles, parquet_bytes
from interp_embed.store.sealed import read_sealed, seal

LABEL_SCHEMA = pa.schema(
    [
        pa.field("feature", pa.int32(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("n_examples", pa.int64(), nullable=False),
        pa.field("score", pa.float64()),
    ]
)
ANNOTATION_SCHEMA = pa.schema(
    [
        pa.field("document", pa.int32(), nullable=False),
        pa.field("concept", pa.string(), nullable=False),
        pa.field("annotator", pa.string(), nullable=False),
        pa.field("verdict", pa.int8()),
        pa.field("reason", pa.string(), nullable=False),
    ]
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RECORD = re.compile(r"part-(\d{6})\.json")
_FILE = re.compile(r"part-\d{6}-[0-9a-f]{8}\.parquet")
_TRIES = 1000


@dataclass(frozen=True, slots=True)
class StoredLabel:
    """A label as it was stored."""

    label: Label
    score: float | None
    """How well it did, where that was measured: such as an F1, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class StoredAnnotation:
    """An annotator's verdict on one document and concept."""

    document: int
    concept: str
    annotator: str
    """Who said so: a model's name and prompt, a person."""
    verdict: int | None
    """1, 0, or None where the answer is missing."""
    reason: str = ""
    """Why the answer is missing; may be empty where it is not."""


def append_table(files: DataFiles, folder: str, table: pa.Table) -> None:
    """Add a table to a folder, behind all that is there.

    Raises:
        StoredFileError: It could not be written.
    """
    data = parquet_bytes(table.schema, [table], dictionaries=_text_columns(table.schema))
    for _ in range(_TRIES):
        numbers = [number for number, _ in _records(files, folder)]
        number = max(numbers, default=-1) + 1
        name = files.write(folder, number, data)
        record = {
            "file": name.rpartition("/")[2],
            "size": data.size,
            "rows": table.num_rows,
        }
        if files.location.put_if_absent(f"{folder}/part-{number:06d}.json", seal(record)):
            return
        files.location.delete(name)  # another writer took the number
    raise StoredFileError(f"{files.location.describe(folder)} is written to by too many at once")


def load_tables(files: DataFiles, folder: str, schema: pa.Schema) -> pa.Table:
    """Return all that was added to a folder, oldest first.

    Raises:
        StoredFileError: A file is damaged.
    """
    tables = []
    for _, name in _records(files, folder):
        where = files.location.describe(name)
        record = read_sealed(files.location, name)
        file, size, rows = record.get("file"), record.get("size"), record.get("rows")
        is_named = isinstance(file, str) and _FILE.fullmatch(file)
        if not is_named or type(size) is not int or type(rows) is not int:
            raise StoredFileError(f"{where} does not make sense: it must name a file and its size")
        parquet = files.open(f"{folder}/{file}", size, rows, schema)
        try:
            tables.append(parquet.read(use_threads=False))
        except READ_ERRORS as error:
            where = files.location.describe(f"{folder}/{file}")
            raise StoredFileError(f"{where} cannot be read as Parquet ({error})") from error
    return pa.concat_tables(tables) if tables else schema.empty_table()


def names_in(files: DataFiles, folder: str) -> list[str]:
    """Return the names under which something was added."""
    return [
        e.name for e in files.location.entries(folder) if e.is_folder and _NAME.fullmatch(e.name)
    ]


def file_names(files: DataFiles, folder: str) -> set[str]:
    """Return the names of the data files in a folder that its records refer to."""
    return {
        f"{folder}/{read_sealed(files.location, n).get('file')}" for _, n in _records(files, folder)
    }


def check_name(name: str) -> str:
    """Return a name that may become a folder's.

    Raises:
        InputError: It holds other characters than letters, digits, dots, hyphens and underscores.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"name {name!r} cannot be used: take letters, digits, '.', '-' and '_', at most 64, a "
            "letter or digit first"
        )
    return name


def label_table(
    labels: Sequence[Label], scores: Mapping[int, float] | None, n_features: int
) -> pa.Table:
    """Return labels as a table.

    Raises:
        InputError: A feature does not exist, or a score is not a finite number.
    """
    for label in labels:
        _check_number(label.feature, n_features, "feature")
    stored = [None if scores is None else scores.get(label.feature) for label in labels]
    if any(score is not None and not np.isfinite(score) for score in stored):
        raise InputError("a score must be a finite number; leave it out where there is none")
    columns: list[Sequence[object]] = [
        [label.feature for label in labels],
        [label.text for label in labels],
        [label.source for label in labels],
        [label.n_examples for label in labels],
        stored,
    ]
    return _to_table(columns, LABEL_SCHEMA)


def latest_labels(table: pa.Table, n_features: int, where: str) -> dict[int, StoredLabel]:
    """Return the label that was added last, by feature, ascending."""
    found = {}
    for row in _rows(table, where):
        label = Label(row["feature"], row["text"], row["source"], row["n_examples"])
        found[label.feature] = StoredLabel(label, row["score"])
    if found and (min(found) < 0 or max(found) >= n_features):
        raise StoredFileError(f"{where} holds labels of features that do not exist")
    return dict(sorted(found.items()))


def annotation_table(annotations: Sequence[StoredAnnotation], n_documents: int) -> pa.Table:
    """Return annotations as a table.

    Raises:
        InputError: A document does not exist, a verdict is not 1, 0 or None, or a missing one has
            no reason.
    """
    for annotation in annotations:
        _check_number(annotation.document, n_documents, "document")
        if annotation.verdict not in (1, 0, None):
            raise InputError(f"a verdict is 1, 0 or None, got {annotation.verdict!r}")
        if annotation.verdict is None and not annotation.reason:
            raise InputError(f"document {annotation.document}: a missing verdict needs a reason")
    names = ANNOTATION_SCHEMA.names
    columns = [[getattr(annotation, name) for annotation in annotations] for name in names]
    return _to_table(columns, ANNOTATION_SCHEMA)


def latest_annotations(
    table: pa.Table, n_documents: int, where: str
) -> dict[tuple[int, str, str], StoredAnnotation]:
    """Return the annotation that was added last, by document, concept and annotator."""
    found = {}
    for row in _rows(table, where):
        annotation = StoredAnnotation(**row)
        if not 0 <= annotation.document < n_documents or annotation.verdict not in (1, 0, None):
            raise StoredFileError(f"{where} holds an annotation that cannot be: {annotation}")
        found[annotation.document, annotation.concept, annotation.annotator] = annotation
    return found


def _records(files: DataFiles, folder: str) -> list[tuple[int, str]]:
    names = [entry.name for entry in files.location.entries(folder)]
    matched = [_RECORD.fullmatch(name) for name in names]
    return [(int(match[1]), f"{folder}/{match[0]}") for match in matched if match]


def _rows(table: pa.Table, where: str) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = table.to_pylist()
    except READ_ERRORS as error:  # text that is not UTF-8
        raise StoredFileError(f"{where} holds text that cannot be read ({error})") from error
    return rows


def _to_table(columns: Sequence[Sequence[object]], schema: pa.Schema) -> pa.Table:
    try:
        arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    except (pa.ArrowException, UnicodeEncodeError, TypeError, OverflowError) as error:
        raise InputError(f"a value is of another type than its field has ({error})") from error
    for array, field in zip(arrays, schema, strict=True):
        if array.null_count and not field.nullable:
            raise InputError(f"{field.name} must not be None")
    return pa.table(arrays, schema=schema)


def _check_number(number: object, n: int, what: str) -> None:
    if not isinstance(number, int | np.integer) or not 0 <= number < n:
        raise InputError(f"{what} {number!r} is out of range: there are {n}, from 0 to {n - 1}")


def _text_columns(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if field.type == pa.string()]
