"""What the numbers of each analysis mean, in words."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

HEADINGS = {
    "diff": "What differs",
    "trend": "What changes",
    "correlate": "What occurs together",
    "cluster": "Clusters",
    "search": "Search",
    "duplicates": "Copies and near-copies",
}
_SECOND = {
    "diff.verified": "Verified on held-out documents",
    "correlate.linked": "Set apart: pairs that are linked trivially",
}
_MEANINGS = {
    "diff": "Difference of the shares of documents in which a feature fires, in percentage points, "
    "with its 95 % interval",
    "diff.verified": "Difference of the shares of held-out documents that have the concept, in "
    "percentage points, with its 95 % interval",
    "trend": "Change of the share of documents in which a feature fires from the first group to "
    "the last, in percentage points, with its 95 % interval",
    "correlate.columns": "NPMI of a feature with a category, or its correlation with a number, "
    "with its 95 % interval: 0 is none",
    "correlate": "NPMI with its 95 % interval: 0 as often together as by chance, 1 always, "
    "\u22121 never",
}
_ASSOCIATION = (
    "Association, not cause.",
    "What differs or occurs together goes together in these documents. Why it does, the counts "
    "cannot say: length, topic and source are the usual reasons.",
)
_LABELS = (
    "Labels.",
    "A label is a short text about a feature, not the feature: read the documents behind a row "
    "before you quote its label.",
)
_READING: dict[str, tuple[tuple[str, str], ...]] = {
    "diff": (
        _ASSOCIATION,
        (
            "q.",
            "The p-value corrected for every feature that was tested, not only for those shown: of "
            "the findings with q below 0.05 at most about one in twenty is expected to be false.",
        ),
        (
            "Length.",
            "A long document has more chances to make a feature fire. Where lengths differ, repeat "
            "with --match-length.",
        ),
        _LABELS,
    ),
    "trend": (
        _ASSOCIATION,
        (
            "Tau and shape.",
            "Tau is the rank correlation of firing with the order of the groups. The shape says "
            "whether the rates rise or fall throughout; a trend that is not monotone went both "
            "ways.",
        ),
        (
            "q.",
            "The p-value corrected for every feature that was tested.",
        ),
        _LABELS,
    ),
    "correlate.columns": (
        _ASSOCIATION,
        (
            "Two scales.",
            "With a category the association is NPMI: how much more often the feature fires there "
            "than by chance, from \u22121 to 1. With a number it is the correlation of firing with "
            "it. Compare values of one column with each other only.",
        ),
        (
            "q.",
            "The p-value corrected for every feature and category tested, of all columns.",
        ),
        _LABELS,
    ),
    "correlate": (
        _ASSOCIATION,
        (
            "NPMI.",
            "How much more often two features fire in one document than by chance, on a scale from "
            "\u22121 to 1. It rewards rare coincidences: mind the number of documents with both "
            "and the interval.",
        ),
        (
            "Trivial pairs.",
            "Two features of one word, or nearly the same direction, occur together by "
            "construction; they are set apart.",
        ),
        _LABELS,
    ),
    "cluster": (
        (
            "Any cut is a choice.",
            "Clustering always returns clusters. Stability is how much of a cluster comes back "
            "when documents are left out: above 0.75 it is solid, below 0.5 read nothing into it.",
        ),
        (
            "Found again.",
            "Of a cluster's documents that took no part in its description, the share that comes "
            "back when only the descriptions are known: the features that fire more inside or, "
            "read by a language model, their labels or the names of the clusters.",
        ),
        _LABELS,
    ),
    "search": (
        (
            "Score.",
            "Orders the hits of one query: it is not comparable between queries and says nothing "
            "about how many documents have the property.",
        ),
        _LABELS,
    ),
    "duplicates": (
        (
            "Near-copies.",
            "Texts that share most of their word sequences, or are linked by such. Keep one of "
            "each group before you count, or keep a group on one side of a split. More than 50 "
            "slightly different copies of one text are not found: what so many share counts as "
            "boilerplate.",
        ),
    ),
}
_QUOTED = re.compile(r"(?<!\w)'.*?'(?!\w)|(?<!\w)\".*?\"(?!\w)|\u201c.*?\u201d")
_NOTE_KEYS = ("warnings", "warning", "notes", "note")


def second_heading(name: str, key: str) -> str:
    """Return the heading of an analysis's second table."""
    return _SECOND.get(f"{name}.{key}", key.replace("_", " ").capitalize())


def drawn_meaning(name: str, result: Mapping[str, Any]) -> str:
    """Say what the drawn numbers are, and which way is which."""
    text = _MEANINGS.get(name, "")
    names = result.get("names")
    if name.startswith("diff") and isinstance(names, list) and len(names) == 2:
        text += f"; to the right: more in \u201c{names[0]}\u201d than in \u201c{names[1]}\u201d"
    return f"{text}." if text else ""


def group_names(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the headings that groups give to columns."""
    names = result.get("names")
    if isinstance(names, list) and len(names) == 2:
        return {"rate_first": str(names[0]), "rate_second": str(names[1])}
    levels = result.get("level_names")
    if isinstance(levels, list) and levels:
        return {"first_rate": str(levels[0]), "last_rate": str(levels[-1])}
    return {}


def notes(result: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a user should mind."""
    found: list[str] = []
    for part in (result, *(one for one in result.values() if isinstance(one, Mapping))):
        for key in _NOTE_KEYS:
            value = part.get(key)
            found += [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(f"{str(text)[:1].upper()}{str(text)[1:]}" for text in found if text)


def sentences(summary: str, said: Sequence[str]) -> tuple[str, ...]:
    """Return a summary as its first sentence and the rest, without what is said elsewhere."""
    text = summary
    for note in said:
        for form in (f"{note[:1].upper()}{note[1:]}.", note):
            text = text.replace(form, "", 1)
    end = text.find("\n") if "\n" in text else _first_end(text)
    first, rest = text[:end], text[end:]
    return tuple(part for part in (first.strip(), *map(str.strip, rest.split("\n"))) if part)


def _first_end(text: str) -> int:
    """Return where the first sentence ends: a full stop inside of quotes ends none."""
    quotes = [found.span() for found in _QUOTED.finditer(text)]
    for stop in re.finditer(r"\. ", text):
        if not any(begin < stop.start() < end for begin, end in quotes):
            return stop.start() + 1
    return len(text)


def reading(name: str, result: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return how the numbers are to be read: what each is, then what that means."""
    matched = name == "diff" and result.get("match_length")
    return tuple(one for one in _READING.get(name, ()) if not (matched and one[0] == "Length."))


def facts(result: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the settings and counts of an analysis as lines: every value that is no table.

    What is not set has none.
    """
    lines: list[tuple[str, str]] = []
    for key, value in result.items():
        if key in _NOTE_KEYS or key in ("summary", "kind") or value in (None, ""):
            continue
        if isinstance(value, Mapping) and all(_is_plain(one) for one in value.values()):
            if len(value) <= 40:
                lines += [(f"{key}.{inner}", _written(one)) for inner, one in value.items()]
        elif _is_plain(value):
            lines.append((key, _written(value)))
    return tuple(lines)


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return len(value) <= 12 and all(isinstance(one, str | int | float) for one in value)
    return value is None or isinstance(value, str | int | float | bool)


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
