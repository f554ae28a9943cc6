"""The data set's header: what was fixed when it was created."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from interp_embed._fingerprint import digest_settings
from interp_embed.errors import InputError, StoredFileError
from interp_embed.records import Json
from interp_embed.store.location import Location
from interp_embed.store.records import Header
from interp_embed.store.rounding import MANTISSA_BITS
from interp_embed.store.sealed import read_sealed, seal

HEADER_FILE = "dataset.json"
FORMAT = "interp_embed dataset"
FORMAT_VERSION = 1
MIGRATIONS: dict[int, Callable[[dict[str, Json]], dict[str, Json]]] = {}
"""By format version: what turns the content of ``dataset.json`` into that of the next version."""

MAX_DOCUMENTS = 2**31 - 1
MAX_FEATURES = 2**26
MAX_SHARDS = 2**20
_APART: dict[str, Json] = {"reload": {}, "description": ""}
"""Keys that do not make two data sets differ, with what they are where a header lacks them."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DOCUMENTS_FILE = re.compile(r"docs/part-\d{6}-[0-9a-f]{8}\.parquet")


@dataclass(frozen=True, slots=True)
class DocumentsFile:
    """One file of the table of documents."""

    name: str
    first: int
    """Its first document."""
    n_documents: int
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Opened:
    """All that ``dataset.json`` says."""

    header: Header
    documents: tuple[DocumentsFile, ...]
    """In order, without gaps."""
    json_columns: tuple[str, ...]
    """Columns of the user's table that are kept as JSON text."""
    created_by: Mapping[str, Json]


def check_header(header: Header) -> None:
    """Check a header that is about to be written.

    Raises:
        InputError: A value is out of range or of another type.
    """
    wrong = _fault(_values(header))
    if wrong:
        raise InputError(f"the header cannot be used: {wrong}")


def differences(ours: Header, stored: Header) -> list[str]:
    """Return in words where two headers differ."""
    here, there = _values(ours), _values(stored)
    return [
        f"{name} is {_short(here[name])} here, {_short(there[name])} there"
        for name in here
        if name not in _APART
        and digest_settings({name: here[name]}) != digest_settings({name: there[name]})
    ]


def header_bytes(opened: Opened) -> bytes:
    """Return the content of ``dataset.json``."""
    content = {
        "format": FORMAT,
        **_values(opened.header),
        "documents": [asdict(file) for file in opened.documents],
        "json_columns": list(opened.json_columns),
        "created_by": dict(opened.created_by),
    }
    return seal(content)


def read_header(location: Location) -> Opened:
    """Return what ``dataset.json`` says, brought to this version's form and checked.

    Raises:
        StoredFileError: It is missing, damaged, of a later format, or does not make sense.
    """
    where = location.describe(HEADER_FILE)
    if location.size(HEADER_FILE) is None:
        raise StoredFileError(f"{where} does not exist: there is no data set at this place")
    content = _APART | _migrate(read_sealed(location, HEADER_FILE), where)
    try:
        values = {field.name: content[field.name] for field in fields(Header)}
        documents, json_columns = content["documents"], content["json_columns"]
        created_by = content["created_by"]
    except KeyError as error:
        raise StoredFileError(f"{where} lacks the key {error}: it is damaged") from error
    wrong = _fault(values) or _fault_of_documents(documents, values["n_documents"])
    if not wrong and not _is_list_of(json_columns, str):
        wrong = "json_columns is not a list of names"
    if not wrong and not isinstance(created_by, dict):
        wrong = "created_by is not an object"
    if wrong:
        raise StoredFileError(f"{where} does not make sense: {wrong}")
    files = tuple(DocumentsFile(**file) for file in documents)
    return Opened(Header(**values), files, tuple(json_columns), created_by)


def _values(header: Header) -> dict[str, Json]:
    values = {field.name: getattr(header, field.name) for field in fields(Header)}
    for name in ("source", "reload"):
        if isinstance(values[name], Mapping):
            values[name] = dict(values[name])
    return values


def _migrate(content: dict[str, Json], where: str) -> dict[str, Json]:
    version = content.get("format_version")
    if content.get("format") != FORMAT or type(version) is not int or version < 0:
        raise StoredFileError(f"{where} is not the header of a data set of this library")
    if version > FORMAT_VERSION:
        raise StoredFileError(
            f"{where} has format version {version}, this library reads up to {FORMAT_VERSION}: "
            "install a newer version of interp-embed"
        )
    while version < FORMAT_VERSION:
        if version not in MIGRATIONS:
            raise StoredFileError(f"{where} has format version {version}, which is not known")
        content = MIGRATIONS[version](content)
        version += 1
    return {**content, "format_version": FORMAT_VERSION}


def _fault(values: Mapping[str, Any]) -> str:
    limits = {
        "n_documents": MAX_DOCUMENTS,
        "n_features": MAX_FEATURES,
        "rows_per_shard": MAX_DOCUMENTS,
    }
    for name, most in limits.items():
        if type(values[name]) is not int or not 1 <= values[name] <= most:
            return f"{name} must be a whole number from 1 to {most}, got {_short(values[name])}"
    n_shards = -(-values["n_documents"] // values["rows_per_shard"])
    if n_shards > MAX_SHARDS:
        return f"{n_shards} shards are too many, at most {MAX_SHARDS}: raise rows_per_shard"
    if not isinstance(values["text_field"], str):
        return f"text_field must be a column's name, got {_short(values['text_field'])}"
    digest = values["documents_digest"]
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        return f"documents_digest must be 64 hexadecimal digits, got {_short(digest)}"
    if values["tokens"] not in ("all", "peaks", "none"):
        return f"tokens must be all, peaks or none, got {_short(values['tokens'])}"
    if values["precision"] not in tuple(MANTISSA_BITS):
        return f"precision must be full, half or bf16, got {_short(values['precision'])}"
    if values["format_version"] != FORMAT_VERSION:
        return f"format_version must be {FORMAT_VERSION}, got {_short(values['format_version'])}"
    if not isinstance(values["description"], str):
        return f"description must be text, got {_short(values['description'])}"
    for name in ("source", "reload"):
        if not isinstance(values[name], Mapping):
            return f"{name} must be a mapping, got {_short(values[name])}"
        try:
            digest_settings(dict(values[name]))
        except (TypeError, ValueError, RecursionError) as error:
            return f"{name} must be JSON-like ({error})"
    return ""


def _fault_of_documents(files: object, n_documents: int) -> str:
    if not _is_list_of(files, dict):
        return "documents is not a list of files"
    assert isinstance(files, list)  # noqa: S101 - for the type checker
    first = 0
    for file in files:
        if set(file) != {field.name for field in fields(DocumentsFile)}:
            return f"documents has an entry with the keys {sorted(map(str, file))}"
        if not isinstance(file["name"], str) or not _DOCUMENTS_FILE.fullmatch(file["name"]):
            return f"documents names a file {_short(file['name'])}"
        numbers = (file["first"], file["n_documents"], file["size"])
        if any(type(n) is not int for n in numbers) or min(numbers[1:]) < 1 or numbers[0] != first:
            return f"documents has impossible numbers for {file['name']}"
        first += file["n_documents"]
    if first != n_documents:
        return f"n_documents is {n_documents}, but its files hold {first}"
    return ""


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
