"""An analysis as plain values: what a report shows of it, and where it came from."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from interp_embed._files import read_json
from interp_embed._fingerprint import digest_text
from interp_embed.errors import StoredFileError
from interp_embed.plots.characters import visible
from interp_embed.records import Json

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

ANALYSES = ("diff", "trend", "correlate", "cluster", "search", "duplicates")
"""In the order in which a report shows them."""
ANALYSIS_FORMAT = "interp-embed analysis"
_VERSION = 1
_MOST_ROWS = 200
_LONGEST_TEXT = 4_000
_LONGEST_STEM = 60
_EXTRA_FRAMES = {"verified": "verified_frame", "linked": "linked_frame"}
"""Second tables by name, and the method of a result that makes each."""


class Analysis(Protocol):
    """What every result of an analysis can say of itself."""

    def to_frame(self) -> "pd.DataFrame":
        """Return its table."""

    def summary(self) -> str:
        """Return what was found, in sentences."""

    def to_json(self) -> dict[str, Json]:
        """Return everything as plain values."""

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw it."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A document that shows what a row of the table stands for."""

    row: int
    """Position of the document in its data set."""
    text: str
    spans: tuple[tuple[int, int], ...] = ()
    """Characters to be marked."""
    note: str = ""


def analysis_record(
    result: Analysis,
    name: str,
    *,
    about: str = "",
    command: str = "",
    evidence: Mapping[str, Sequence[Evidence]] | None = None,
) -> dict[str, Json]:
    """Return a result as a dict of plain JSON values, which :func:`render_analyses` shows.

    Args:
        result: Of an analysis.
        name: One of :data:`ANALYSES`.
        about: What tells this run from others of the analysis, such as the query.
        command: What was asked, as it was typed.
        evidence: Documents by the feature (or cluster) they stand for.
    """
    frame = result.to_frame()
    frames = {
        key: getattr(result, method)()
        for key, method in _EXTRA_FRAMES.items()
        if hasattr(result, method) and getattr(result, key, True) is not None
    }
    record = {
        "format": ANALYSIS_FORMAT,
        "format_version": _VERSION,
        "analysis": name,
        "about": about,
        "command": command,
        "summary": result.summary(),
        "n_rows": len(frame),
        "rows": _rows(frame),
        "tables": {key: _rows(other) for key, other in frames.items()},
        "n_table_rows": {key: len(other) for key, other in frames.items()},
        "evidence": {
            key: [
                {"row": one.row, "text": one.text, "spans": one.spans, "note": one.note}
                for one in shown
            ]
            for key, shown in (evidence or _places(result)).items()
        },
        "result": result.to_json(),
    }
    return plain(record)  # type: ignore[no-any-return]


def run_stem(name: str, about: str = "") -> str:
    """Return what the files of a run are called, without their ending.

    >>> run_stem("search"), run_stem("search", "asks for a refund")
    ('search', 'search-asks-for-a-refund')

    Where the words of ``about`` cannot all be read from it, it ends in a digest of them.
    """
    if not about:
        return name
    about = visible(about)  # as records hold it
    slug = "-".join(re.findall(r"[a-z0-9_]+(?:\.[0-9]+)*", about.casefold()))
    room = _LONGEST_STEM - len(name)
    if len(slug) <= room and slug == re.sub(r", ?| ", "-", about.casefold()):
        return f"{name}-{slug}"
    return "-".join(filter(None, [name, slug[:room].rstrip("-"), digest_text(about)[:6]]))


def record_stem(record: Mapping[str, Any]) -> str:
    """Return what the files of a record are called."""
    return run_stem(record["analysis"], record.get("about", ""))


def read_analysis(path: Path) -> dict[str, Any]:
    """Return a record as it was written.

    Raises:
        StoredFileError: The file is missing, damaged, of a later version, or something else.
    """
    record = read_json(path)
    if not isinstance(record, dict) or record.get("format") != ANALYSIS_FORMAT:
        raise StoredFileError(f"{path} is not an analysis of interp-embed; choose another folder")
    version = record.get("format_version")
    if version != _VERSION:
        raise StoredFileError(
            f"{path} has format version {version}, this library reads {_VERSION}: run the analysis "
            "again, or install another version of interp-embed"
        )
    lacking = {"analysis", "summary", "rows", "tables", "evidence", "result"} - set(record)
    if lacking or record["analysis"] not in ANALYSES:
        raise StoredFileError(f"{path} does not make sense; run the analysis again")
    return record


def json_text(record: Mapping[str, Json]) -> str:
    """Return a record as the text of a JSON file."""
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: object) -> Any:  # noqa: ANN401 - JSON is any
    """Return plain JSON values: NumPy's made Python's, NaN made None, half characters shown."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {visible(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | np.ndarray | set | frozenset):
        return [plain(item) for item in value]
    return None if value != value else visible(str(value))


def _rows(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    kept = frame.head(_MOST_ROWS)
    return [
        {str(key): _cut(value) for key, value in row.items()} for row in kept.to_dict("records")
    ]


def _cut(value: object) -> object:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"{value[:_LONGEST_TEXT]}…"
    return value


def _places(result: Analysis) -> dict[str, list[Evidence]]:
    """Return the places marked in the hits of a search: its JSON cuts texts shorter than pages."""
    hits = getattr(result, "hits", ())[:_MOST_ROWS]
    return {
        str(hit.rank): [
            Evidence(hit.document, "", tuple(one for one in hit.spans if one[1] <= _LONGEST_TEXT))
        ]
        for hit in hits
    }
