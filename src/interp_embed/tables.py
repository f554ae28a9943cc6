"""Tables of documents: read from files, checked, and reduced to the documents that can be used."""

import codecs
import csv
import difflib
import gzip
import io
import json
import logging
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from interp_embed.errors import InputError
from interp_embed.records import DroppedDocument

logger = logging.getLogger(__name__)

KNOWN_SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet")
"""What ``read_table`` reads; all but Parquet also with ``.gz`` behind."""

_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_INVISIBLE = re.compile(r"[\s\x00\u00ad\u200b-\u200f\u2060\ufeff]*")
_BOMS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents of a table that can be used, and what became of the others."""

    texts: tuple[str, ...]
    """As given, white space included."""
    rows: NDArray[np.int64]
    """Position of each text in the table, from 0, ascending, shape (n_documents,)."""
    dropped: tuple[DroppedDocument, ...]
    """The other rows, in order."""


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return the table in a CSV, TSV, JSON-lines or Parquet file, chosen by its suffix.

    Text files are UTF-8 or carry a byte-order mark. In CSV and TSV a column is numeric if every
    value that is there is a plain number; everything else stays text ("NA", "007", dates), and
    only an empty field is missing. A ``.csv`` file without commas in its first line may use
    semicolons or tabs.

    Args:
        path: A file ending in .csv, .tsv, .txt (separated by tabs), .jsonl or .ndjson, each also
            with .gz, or in .parquet.

    Raises:
        InputError: The file is missing, of another kind, damaged, empty, or not a plain table;
            the message says where.
    """
    file = Path(path).expanduser()
    suffixes = [suffix.lower() for suffix in file.suffixes]
    compressed = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[-2:-1] if compressed else suffixes[-1:])
    _check_file(file)
    if suffix not in KNOWN_SUFFIXES or (compressed and suffix == ".parquet"):
        raise InputError(
            f"{file} has a suffix that is not known; use one of {', '.join(KNOWN_SUFFIXES)} "
            "(all but .parquet also followed by .gz)"
        )
    if suffix == ".parquet":
        table = _read_parquet(file)
    else:
        text = _read_text(file, compressed=compressed)
        if not text.strip():
            raise InputError(f"{file} is empty")
        if suffix in {".jsonl", ".ndjson"}:
            table = _parse_json_lines(text, file)
        else:
            table = _parse_separated(text, file, separator=_separator(text, suffix, file))
    if table.shape[1] == 0:
        raise InputError(f"{file} has {len(table)} rows but no columns")
    if len(table) == 0:
        raise InputError(f"{file} has {table.shape[1]} columns but no rows")
    return table


def require_column(table: pd.DataFrame, name: str, *, purpose: str) -> "pd.Series[Any]":
    """Return a column of a table.

    Args:
        table: Any table.
        name: The column's name.
        purpose: What it is for, to complete "no column … for …", such as ``the text``.

    Raises:
        InputError: There is no such column, or several.
    """
    columns = [str(column) for column in table.columns]
    matching = [place for place, column in enumerate(table.columns) if column == name]
    if len(matching) == 1:
        return table.iloc[:, matching[0]]
    if matching:
        raise InputError(f"{len(matching)} columns are named {name!r}: rename all but one of them")
    raise InputError(
        f"no column {str(name)!r} for {purpose}{_suggestion(str(name), columns)}; "
        f"the columns are: {_shortened(columns)}"
    )


def collect_documents(texts: Iterable[object], *others: Sequence[object]) -> Documents:
    """Return the texts that can be used, with their rows; the others are dropped with a reason.

    ["A cat.", None, "  "] -> texts ("A cat.",), rows [0], dropped: row 1 and row 2

    Args:
        texts: One value for each row of the table: a column, a list, an array.
        others: Other columns of the same table, whose lengths are checked.

    Raises:
        InputError: ``texts`` is a single string, a table or a dict, or lengths differ.
    """
    if isinstance(texts, str | bytes | Mapping | pd.DataFrame):
        raise InputError(
            f"texts must be a column or list of strings, got one {type(texts).__name__}"
        )
    values = list(texts)
    for place, other in enumerate(others, start=1):
        if len(other) != len(values):
            raise InputError(
                f"there are {len(values)} texts but {len(other)} values in column {place} beside "
                "them: both must come from the same rows"
            )
    kept: list[str] = []
    rows: list[int] = []
    dropped: list[DroppedDocument] = []
    for row, value in enumerate(values):
        reason = _why_unusable(value)
        if reason is None:
            kept.append(str(value))
            rows.append(row)
        else:
            dropped.append(DroppedDocument(row, reason))
    return Documents(tuple(kept), np.asarray(rows, dtype=np.int64), tuple(dropped))


def is_missing(value: object) -> bool:
    """Tell whether a table's cell is empty: None, NaN, or pandas' own marks."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _why_unusable(value: object) -> str | None:
    if isinstance(value, str):
        if value == "":
            return "text is empty"
        if _INVISIBLE.fullmatch(value):
            return "text is only white space"
        return None
    if is_missing(value):
        return "text is missing"
    return f"text is of type {type(value).__name__}, not a string"


def _check_file(file: Path) -> None:
    if file.is_file():
        return
    if file.is_dir():
        raise InputError(f"{file} is a folder; name the file in it that holds the table")
    if file.exists():
        raise InputError(f"{file} is not a regular file")
    if not file.parent.is_dir():
        raise InputError(f"{file} does not exist: there is no folder {file.parent}")
    names = sorted(entry.name for entry in file.parent.iterdir() if entry.is_file())
    raise InputError(f"{file} does not exist{_suggestion(file.name, names)}")


def _suggestion(name: str, candidates: Sequence[str]) -> str:
    folded = {candidate.casefold(): candidate for candidate in reversed(candidates)}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""


def _shortened(names: Sequence[str], *, at_most: int = 30) -> str:
    shown = ", ".join(repr(name) for name in names[:at_most])
    return f"{shown} and {len(names) - at_most} more" if len(names) > at_most else shown


def _read_text(file: Path, *, compressed: bool) -> str:
    try:
        content = file.read_bytes()
        if compressed:
            content = gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{file} cannot be decompressed ({error}): it is cut off, damaged, or not gzip"
        ) from error
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error})") from error
    encoding = next((name for mark, name in _BOMS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{file} is not {encoding.removesuffix('-sig').upper()}: byte "
            f"0x{content[error.start]:02x} at position {error.start} (line {line}); "
            "save it as UTF-8, or convert it: iconv -f WINDOWS-1252 -t UTF-8"
        ) from error


def _separator(text: str, suffix: str, file: Path) -> str:
    header = text.lstrip("\r\n").split("\n", 1)[0]
    if suffix == ".tsv":
        return "\t"
    if suffix == ".txt":
        if "\t" in header:
            return "\t"
        raise InputError(
            f"{file} is no table: a .txt file must be separated by tabs, and its first line has "
            "none; save it as .csv, or as .jsonl"
        )
    for separator, name in ((",", "commas"), (";", "semicolons"), ("\t", "tabs")):
        if separator in header:
            if separator != ",":
                logger.info("%s is separated by %s", file, name)
            return separator
    return ","


def _parse_separated(text: str, file: Path, *, separator: str) -> pd.DataFrame:
    # The module's limit on a field's length (131,072) is global and below that of long documents.
    limit = csv.field_size_limit(max(len(text), csv.field_size_limit()))
    try:
        records = _split_records(text, file, separator)
    finally:
        csv.field_size_limit(limit)
    header, *body = records
    names = [name or f"Unnamed: {place}" for place, name in enumerate(header)]
    _check_names(names, file)
    columns = zip(*body, strict=True) if body else ((),) * len(names)
    return pd.DataFrame({name: _typed(values) for name, values in zip(names, columns, strict=True)})


def _split_records(text: str, file: Path, separator: str) -> list[list[str]]:
    """Return the fields of each record, the header first; all have the same number of fields."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    records: list[list[str]] = []
    line = 1
    try:
        for fields in reader:
            is_blank = len(fields) == 0 or (len(fields) == 1 and not fields[0].strip())
            if records and len(fields) != len(records[0]) and not is_blank:
                raise InputError(
                    f"{file}, line {line}: {len(fields)} fields, but the header has "
                    f"{len(records[0])}; put text that contains {separator!r} in double quotes"
                )
            if len(fields) and not (is_blank and records and len(records[0]) > 1):
                records.append(fields)
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{file}, the record that starts in line {line}: {error}; "
            "a double quote inside quoted text must be doubled"
        ) from error
    return records


def _typed(values: Sequence[str]) -> "pd.Series[Any]":
    """Return numbers where every value that is there is a plain number, else text."""
    present = [value.strip() for value in values if value.strip()]
    if present and all(_is_plain_number(value) for value in present):
        whole = len(present) == len(values) and all(map(_INTEGER.fullmatch, present))
        if whole:
            return pd.Series([int(value) for value in values], dtype=np.int64)
        return pd.Series([float(value) if value.strip() else np.nan for value in values])
    return _as_column([value if value else None for value in values])


def _is_plain_number(value: str) -> bool:
    """Tell numbers from codes: "007" and integers no float64 can hold stay text."""
    if len(value) > 25 or not _NUMBER.fullmatch(value):
        return False
    return not _INTEGER.fullmatch(value) or abs(int(value)) <= 2**53


def _as_column(values: Sequence[object]) -> "pd.Series[Any]":
    """Return a column with the type pandas finds, unless that would change the values."""
    if None in values and any(isinstance(value, int) and abs(value) > 2**53 for value in values):
        return pd.Series(values, dtype=object)  # float64 would round such integers
    try:
        return pd.Series(values)
    except UnicodeEncodeError:  # lone surrogates, which JSON can carry, fit no Arrow string
        return pd.Series(values, dtype=object)


def _parse_json_lines(text: str, file: Path) -> pd.DataFrame:
    records: list[dict[str, Any]] = []
    for line, source in enumerate(text.split("\n"), start=1):
        if not source.strip():
            continue
        try:
            record = json.loads(source, object_pairs_hook=_unique_keys)
        except json.JSONDecodeError as error:
            raise InputError(
                f"{file}, line {line} is not JSON: {error.msg} at character {error.colno}"
            ) from error
        except (_RepeatedKeyError, RecursionError, ValueError) as error:
            raise InputError(f"{file}, line {line}: {error}") from error
        if not isinstance(record, dict):
            raise InputError(
                f"{file}, line {line} holds a {type(record).__name__}, not an object: "
                'each line must look like {"text": "…", "target": 1}'
            )
        records.append(record)
    names = list(dict.fromkeys(name for record in records for name in record))
    return pd.DataFrame(
        {name: _as_column([record.get(name) for record in records]) for name in names},
        index=range(len(records)),
    )


class _RepeatedKeyError(ValueError):
    """A JSON object names a key twice."""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        repeated = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise _RepeatedKeyError(f"the key {repeated!r} is there twice")
    return record


def _read_parquet(file: Path) -> pd.DataFrame:
    try:
        stored = pq.read_table(file)
        _check_names([str(name) for name in stored.column_names], file)
        # pandas' own metadata would turn saved index columns into an index, out of sight.
        table: pd.DataFrame = stored.replace_schema_metadata(None).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file} cannot be read as Parquet ({error})") from error
    return table


def _check_names(names: Sequence[str], file: Path) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise InputError(
            f"{file} has several columns named {', '.join(map(repr, repeated))}: rename them"
        )
