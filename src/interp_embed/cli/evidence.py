"""The documents that a report shows behind a feature, with the places where it fires."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from interp_embed.errors import InterpEmbedError
from interp_embed.report import Evidence

if TYPE_CHECKING:
    import pandas as pd

    from interp_embed.dataset import Dataset

_MARKS = ("<<", ">>")
_MOST_FEATURES = 20
_PER_FEATURE = 3
_LONGEST = 4_000


def feature_evidence(dataset: "Dataset", features: Sequence[int]) -> dict[str, list[Evidence]]:
    """Return the documents on which some features are strongest, marked, by feature.

    Args:
        dataset: Where to look.
        features: Most important first; the first twenty are shown.
    """
    chosen = [int(feature) for feature in dict.fromkeys(features)][:_MOST_FEATURES]
    values = dataset.to_frame(chosen) if chosen else None
    found: dict[str, list[Evidence]] = {}
    for feature in chosen:
        assert values is not None  # noqa: S101 - for the type checker
        strength = np.nan_to_num(values[f"feature_{feature}"].to_numpy(np.float64))
        rows = [int(row) for row in np.argsort(-strength, kind="stable")[:_PER_FEATURE]]
        fired = [row for row in rows if strength[row] > 0]
        marked = _marked(dataset[fired], feature) if fired else []
        found[str(feature)] = [
            _evidence(row, dataset.text_of(row), text or "")
            for row, text in zip(fired, marked, strict=True)
        ]
    return found


def _marked(view: "Dataset", feature: int) -> list[str | None]:
    """Return texts with the places marked; unmarked where the model that tells them is away."""
    try:
        return view.token_activations(feature)
    except InterpEmbedError:
        return [None] * len(view)


def _evidence(row: int, text: str, marked: str) -> Evidence:
    spans = [span for span in marked_spans(text, marked) if span[1] <= _LONGEST]
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return Evidence(row=row, text=shown, spans=tuple(spans))


def leading_features(frame: "pd.DataFrame") -> list[int]:
    """Return the features of a table that hold up, one of each family, in its order."""
    chosen = frame[frame["significant"]]
    if "leads" in chosen:
        chosen = chosen[chosen["leads"] | (chosen["family"] == -1)]
    return [int(feature) for feature in chosen["feature"]]


def marked_spans(text: str, marked: str) -> tuple[tuple[int, int], ...]:
    """Return where the marks of a marked text stand in the text itself.

    >>> marked_spans("We shall see.", "We <<shall>> see.")
    ((3, 8),)

    A text that differs in more than its marks has none.
    """
    spans: list[tuple[int, int]] = []
    place = at = 0
    begin: int | None = None
    while at < len(marked):
        sign = marked[at : at + 2]
        if sign == _MARKS[begin is not None] and not text.startswith(sign, place):
            if begin is not None:
                spans.append((begin, place))
            begin = place if begin is None else None
            at += 2
        elif place < len(text) and marked[at] == text[place]:
            place, at = place + 1, at + 1
        else:
            return ()
    return tuple(spans) if place == len(text) and begin is None else ()
