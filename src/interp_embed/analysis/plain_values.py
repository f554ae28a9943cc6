"""Results as JSON and HTML hold them."""

import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from interp_embed.records import Estimate, Json

MOST_CHARACTERS = 300
"""Of a text in a record for reports."""


def plain(value: object) -> Json:
    """Return a value as JSON holds it: NaN and infinities as None, arrays as lists."""
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Estimate):
        parts = {name: getattr(value, name) for name in ("value", "low", "high", "p", "n")}
        return {name: plain(part) for name, part in parts.items()}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int) else str(value)


def rows_of(frame: pd.DataFrame) -> list[dict[str, Json]]:
    """Return a table's rows as plain dicts."""
    return [plain(row) for row in frame.to_dict("records")]


def short_text(text: str) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 3]}..."


def quoted(text: str) -> str:
    """Return a name, query or beginning of a text as it is quoted in a sentence.

    It stands between the plainest marks that are not in it, nothing in it written another way but
    line ends and characters that cannot be seen.

    tone, don't, says "don't" -> 'tone', "don't", “says "don't"”
    """
    seen = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
    if "'" not in seen:
        return f"'{seen}'"
    return f'"{seen}"' if '"' not in seen else f"\u201c{seen}\u201d"


def as_html(title: str, sentences: Iterable[str], *frames: pd.DataFrame) -> str:
    """Return a result as a notebook shows it, everything in it escaped."""
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    tables = "".join(_table(frame) for frame in frames if len(frame))
    return f"<div><h4>{escape(title)}</h4>{said}{tables}</div>"


def _table(frame: pd.DataFrame) -> str:
    rounded: dict[str, Any] = {
        str(name): column.map("{:.3g}".format) if column.dtype.kind == "f" else column
        for name, column in frame.items()
    }
    return str(pd.DataFrame(rounded).to_html(index=False, escape=True, border=0))
