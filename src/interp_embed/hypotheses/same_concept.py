"""Labels that say the same: in words, or by the documents they are said of."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAME_VERDICTS = 0.8
"""Correlation of verdicts, of either sign, above which two labels count as one concept."""
_SAME_WORDS = 0.8
"""Share of common words (Jaccard) from which two labels may count as one concept ..."""
_ALIKE = 0.5
"""... if their verdicts correlate so much at least."""
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_QUOTED = re.compile(r'"[^"]*"')
_EMPTY = frozenset(
    """
    a an the and or of to in on at for with by from is are be that this it its as such
    mention mentions mentioned mentioning describe describes describing contain contains
    text texts document review reviews use uses using
    """.split()  # noqa: SIM905 - a list of words reads better
)
_NEGATIONS = frozenset(("no", "not", "never", "none", "nothing", "without", "lack", "lacks", "nor"))
_DIRECTED = frozenset(("than", "instead", "rather", "before", "after", "over"))
"""Words that make the order of the others matter."""


@dataclass(frozen=True, slots=True)
class DistinctConcepts:
    """Columns of which no two say the same, and what was merged into each."""

    columns: tuple[int, ...]
    """In the order given."""
    merged: tuple[tuple[int, ...], ...]
    """Columns that say the same as each of them."""

    @property
    def n_merged(self) -> int:
        """How many columns were merged into others."""
        return sum(map(len, self.merged))


def distinct_concepts(
    labels: Sequence[str],
    verdicts: NDArray[Any],
    columns: Sequence[int],
) -> DistinctConcepts:
    """Return the columns that say nothing an earlier one says.

    Two labels say the same if their words are the same but for letter case, punctuation and the
    order of quoted words; or their verdicts nearly are; or their words nearly are and their
    verdicts are alike.

    Args:
        labels: Of all columns.
        verdicts: 1 and 0 (or any numbers), shape (n_documents, n_columns).
        columns: Those to choose from, best first.
    """
    kept: list[int] = []
    merged: list[list[int]] = []
    directions: list[NDArray[np.float64]] = []
    for column in columns:
        direction = unit(verdicts[:, column])
        for place, earlier in enumerate(kept):
            alike = abs(float(direction @ directions[place]))
            if alike >= SAME_VERDICTS or _same_words(labels[earlier], labels[column], alike):
                merged[place].append(column)
                break
        else:
            kept.append(column)
            merged.append([])
            directions.append(direction)
    return DistinctConcepts(tuple(kept), tuple(tuple(columns) for columns in merged))


def normal_words(label: str) -> tuple[str, ...]:
    """Return a label's words as they are compared: quoted ones first, in alphabetical order.

    >>> normal_words('Mentions "Waited", "host"') == normal_words('mentions "host", "waited".')
    True
    """
    quoted = sorted(" ".join(_words(text)) for text in _QUOTED.findall(label))
    return (*quoted, *_words(_QUOTED.sub(" ", label)))


def unit(column: NDArray[Any]) -> NDArray[np.float64]:
    """Return a column centred and of length 1; zeros where it is constant."""
    centred: NDArray[np.float64] = column.astype(np.float64) - column.mean()
    return centred / (float(np.linalg.norm(centred)) or 1.0)


def _words(text: str) -> list[str]:
    return [word.casefold().replace("\u2019", "'") for word in _WORD.findall(text)]


def _same_words(one: str, other: str, alike: float) -> bool:
    first, second = normal_words(one), normal_words(other)
    if first == second:
        return True
    a, b = (frozenset(" ".join(words).split()) for words in (first, second))
    if (a & _NEGATIONS) != (b & _NEGATIONS) or a & _DIRECTED or b & _DIRECTED:
        return False
    a, b = a - _EMPTY, b - _EMPTY
    return bool(a | b) and len(a & b) >= _SAME_WORDS * len(a | b) and alike >= _ALIKE
