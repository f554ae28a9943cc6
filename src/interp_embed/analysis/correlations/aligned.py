"""Two sets of documents laid side by side by a key, such as prompts and their responses."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from interp_embed.analysis.documents import EncodedDocuments
from interp_embed.errors import InputError

_SHOWN = 3


@dataclass(frozen=True, slots=True, eq=False)
class AlignedDocuments:
    """Documents that belong together, row by row, in the order of the first set."""

    first: EncodedDocuments
    second: EncodedDocuments
    n_unmatched_first: int
    """Documents of the first set whose key the second does not have; left out."""
    n_unmatched_second: int


def align_documents(
    first: EncodedDocuments,
    second: EncodedDocuments,
    first_keys: Sequence[Hashable],
    second_keys: Sequence[Hashable],
) -> AlignedDocuments:
    """Return the documents of both sets whose keys match, in one order.

    Args:
        first: Such as prompts.
        second: Such as responses; may be of another SAE.
        first_keys: What tells which belong together, one for each document of ``first``.
        second_keys: The same of ``second``.

    Raises:
        InputError: A key is missing or occurs twice, numbers of keys and documents differ, or no
            key is in both sets.
    """
    one = _checked(first, first_keys, "first")
    two = _checked(second, second_keys, "second")
    places = two.get_indexer(one)
    rows: NDArray[np.int64] = np.flatnonzero(places >= 0).astype(np.int64)
    if not rows.size:
        raise InputError(
            f"no key is in both sets: the first has keys such as {_some(one)}, the second such as "
            f"{_some(two)}"
        )
    return AlignedDocuments(
        first=first.take(rows),
        second=second.take(np.asarray(places[rows], np.int64)),
        n_unmatched_first=len(first) - rows.size,
        n_unmatched_second=len(second) - rows.size,
    )


def _checked(documents: EncodedDocuments, keys: Sequence[Hashable], name: str) -> "pd.Index[Any]":
    if len(keys) != len(documents):
        raise InputError(
            f"{name}_keys has {len(keys)} entries for {len(documents)} documents; give one for each"
        )
    index: pd.Index[Any] = pd.Index(pd.Series(list(keys), dtype=object))
    missing = np.flatnonzero(index.isna())
    if missing.size:
        raise InputError(
            f"{missing.size} of {name}_keys are missing, the first at document {missing[0]}; "
            "leave those documents out"
        )
    twice = index[index.duplicated()].unique()
    if len(twice):
        raise InputError(
            f"{len(twice)} of {name}_keys occur more than once: {_some(twice)}; a key must tell "
            "which documents belong together, so give one for each pair"
        )
    return index


def _some(keys: "pd.Index[Any]") -> str:
    shown = ", ".join(repr(key) for key in keys[:_SHOWN].tolist())
    return shown if len(keys) <= _SHOWN else f"{shown}, ..."
