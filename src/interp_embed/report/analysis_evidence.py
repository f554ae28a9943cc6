"""The documents behind a row that a result brings itself, in the form in which pages show them."""

from collections.abc import Mapping
from typing import Any

Shown = dict[str, Any]
"""A document: ``row``, ``text``, ``spans``, ``note``."""


def row_key(row: Mapping[str, Any]) -> str:
    """Return what the documents behind a row are found by.

    >>> row_key({"first": 3, "second": 14}), row_key({"feature": 7})
    ('3-14', '7')
    """
    if "first" in row and "second" in row:
        return f"{row['first']}-{row['second']}"
    return str(next((row[name] for name in ("feature", "cluster", "rank") if name in row), ""))


def own_evidence(result: Mapping[str, Any]) -> dict[str, list[Shown]]:
    """Return the documents in a result's JSON by the key of their row; none where it has none."""
    found: dict[str, list[Shown]] = {}
    examples = result.get("examples")
    if isinstance(examples, Mapping):  # of a feature
        found |= {key: [_shown(text) for text in texts] for key, texts in examples.items()}
    if isinstance(examples, list):  # of a pair
        found |= {row_key(one): [_shown(text) for text in one["texts"]] for one in examples}
    for cluster in result.get("clusters") or ():
        central = cluster["central"][1:]  # the first stands in the table
        found[str(cluster["number"])] = [_shown(one["text"], one["position"]) for one in central]
    for hit in result.get("hits") or ():
        spans = [*hit["words"], *(span for match in hit["matches"] for span in match["spans"])]
        found[str(hit["rank"])] = [{**_shown(hit["text"], hit["document"]), "spans": spans}]
    return found


def _shown(text: str, row: int | None = None) -> Shown:
    return {"row": row, "text": text, "spans": [], "note": ""}
