"""Data sets that the predecessor saved as pickles, read without running anything in them.

The predecessor wrote one pickle: the table, and for each document a sparse matrix of token
activations. Reading such a file as a program runs whatever its author put there; here it is read
as data (``_inert_pickle``), checked, and handed on as arrays.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.dataset._inert_pickle import MAX_BYTES, read_inert
from interp_embed.dataset._pickled_arrays import (
    BadRecordError,
    describe,
    need,
    read_csr,
    read_plain,
)
from interp_embed.dataset._pickled_frame import read_frame
from interp_embed.dataset.token_text import token_spans
from interp_embed.errors import StoredFileError

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, eq=False)
class PredecessorDataset:
    """What the predecessor saved, checked; n_documents is the length of ``frame``."""

    frame: pd.DataFrame
    """The user's table, a document a row."""
    token_activations: list[csr_matrix | None]
    """Each (n_tokens, n_features), float32 > 0; None where a document failed or was not reached."""
    aggregates: list[Mapping[str, csr_matrix] | None]
    """Activations pooled over tokens as saved, by ``max`` and ``sum``, each (1, n_features)."""
    tokens: list[list[str] | None]
    """Each token's text, decoded one by one; None where it was not saved."""
    field: str
    """The column that holds the documents."""
    description: str | None
    id: str | None
    sae_metadata: Mapping[str, Any]
    """Which SAE it was: plain values."""
    feature_labels: Mapping[int, str]
    n_features: int | None
    """None where no document has activations."""


@dataclass(frozen=True, slots=True, eq=False)
class PredecessorDocument:
    """One document's tokens as the store takes them."""

    text: str
    activations: csr_matrix | None
    """Shape (n_tokens, n_features), or None with a reason in ``error``."""
    span: NDArray[np.int32]
    """Characters [begin, end) of ``text``, shape (n_tokens, 2); empty where not known."""
    counted: NDArray[np.bool_]
    """Whether the token belongs to the text (not to a chat template), shape (n_tokens,)."""
    error: str | None
    """Why there are no activations, in words."""


def read_predecessor_pickle(path: str | Path, *, max_bytes: int = MAX_BYTES) -> PredecessorDataset:
    """Return a data set that the predecessor saved; no code in the file is run.

    Args:
        path: The file.
        max_bytes: Larger files are refused.

    Raises:
        InputError: There is no such file.
        StoredFileError: It is cut off, no data set, names something that no data set needs, or
            holds indices, shapes or values that cannot be.
    """
    path = Path(path)
    content = read_inert(path, max_bytes=max_bytes)
    try:
        return _read_content(content)
    except (BadRecordError, RecursionError, MemoryError, OverflowError) as error:
        raise StoredFileError(
            f"{path} is no usable data set of the predecessor: {error}; the file may be damaged, "
            "or written by a version that is not known"
        ) from error


def iter_documents(dataset: PredecessorDataset) -> Iterator[PredecessorDocument]:
    """Yield each document with its activations, where its tokens stand, and which count.

    Where the saved tokens are one fewer than the rows of activations, the last ones belong
    together: the predecessor cut templates one token apart. Where they differ otherwise, or no
    tokens were saved, no token's place is known: spans are empty and every token counts.
    """
    texts = dataset.frame[dataset.field].tolist()
    for text, matrix, tokens in zip(texts, dataset.token_activations, dataset.tokens, strict=True):
        yield _document(text if isinstance(text, str) else "", matrix, tokens)


def _document(
    text: str, matrix: csr_matrix | None, tokens: list[str] | None
) -> PredecessorDocument:
    if matrix is None:
        none = np.zeros((0, 2), np.int32), np.zeros(0, np.bool_)
        return PredecessorDocument(text, None, *none, "the predecessor saved no activations")
    n = int(matrix.shape[0])
    span = np.zeros((n, 2), np.int32)
    ahead = n - len(tokens) if tokens is not None else -1
    if tokens is not None and ahead in (0, 1):
        span[ahead:] = token_spans(text, tokens)
    placed = np.flatnonzero(span[:, 1] > span[:, 0])
    counted = np.ones(n, np.bool_)
    if len(placed):  # a token without a place between two that have one is part of the text
        counted[: placed[0]] = False
        counted[placed[-1] + 1 :] = False
    return PredecessorDocument(text, matrix, span, counted, None)


def _read_content(content: object) -> PredecessorDataset:
    if not isinstance(content, dict):
        raise BadRecordError(f"it holds {describe(content)}, not a dict with a table in it")
    need("dataset" in content and "field" in content, "it has no 'dataset' and 'field'")
    frame = read_frame(content["dataset"])
    field = content["field"]
    need(isinstance(field, str) and field in frame.columns, f"there is no column {field!r:.80}")
    need(frame.columns.is_unique, "two columns have one name")
    n = len(frame)
    rows = _each(content.get("rows"), n, "rows", read_csr)
    aggregates = _each(content.get("aggregate_activations"), n, "aggregates", _read_aggregate)
    tokens = _each(content.get("tokenized_documents"), n, "tokens", _read_tokens)
    widths = {int(row.shape[1]) for row in rows if row is not None}
    widths |= {int(m.shape[1]) for own in aggregates if own for m in own.values()}
    need(len(widths) <= 1, f"documents have different numbers of features: {sorted(widths)[:5]}")
    n_features = widths.pop() if widths else None
    metadata = read_plain(content.get("sae_metadata") or {})
    need(isinstance(metadata, dict), "what describes the SAE is no dict")
    return PredecessorDataset(
        frame=frame,
        token_activations=rows,
        aggregates=aggregates,
        tokens=tokens,
        field=field,
        description=_text_or_none(content.get("dataset_description"), "description"),
        id=_text_or_none(content.get("id"), "id"),
        sae_metadata=metadata,
        feature_labels=_read_labels(content.get("feature_labels"), n_features),
        n_features=n_features,
    )


def _each(value: object, n: int, what: str, read: Callable[[object], _Item]) -> list[_Item | None]:
    """Return what ``read`` makes of each document's part; None for those never reached."""
    if value is None:
        return [None] * n
    if not isinstance(value, list | tuple):
        raise BadRecordError(f"the {what} are {describe(value)}, not a list")
    need(len(value) <= n, f"there are {len(value)} {what} for {n} documents")
    out: list[_Item | None] = []
    for document, part in enumerate(value):
        try:
            out.append(None if part is None else read(part))
        except BadRecordError as error:
            raise BadRecordError(f"{what} of document {document}: {error}") from error
    return out + [None] * (n - len(out))


def _read_aggregate(value: object) -> Mapping[str, csr_matrix]:
    if not isinstance(value, dict):
        raise BadRecordError(f"{describe(value)} is no dict of matrices")
    need(all(isinstance(name, str) for name in value), "a pool has no name")
    pools = {str(name): read_csr(part) for name, part in value.items() if part is not None}
    need(all(pool.shape[0] == 1 for pool in pools.values()), "a pool is not one row")
    return pools


def _read_tokens(value: object) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(token, str) for token in value):
        raise BadRecordError(f"{describe(value)} is no list of texts")
    return [str(token) for token in value]


def _read_labels(value: object, n_features: int | None) -> dict[int, str]:
    plain = read_plain(value or {})
    if not isinstance(plain, dict):
        raise BadRecordError(f"the labels are {describe(value)}, not a dict")
    labels: dict[int, str] = {}
    for key, text in plain.items():
        if text is None:
            continue
        is_index = isinstance(key, int | np.integer) and not isinstance(key, bool)
        need(is_index or (isinstance(key, str) and key.isdecimal()), f"label of {key!r:.40}")
        need(isinstance(text, str), f"the label of feature {key!r:.40} is no text")
        index = int(key)
        need(0 <= index < (n_features or 2**31), f"there is no feature {index} to label")
        labels[index] = text
    return labels


def _text_or_none(value: object, what: str) -> str | None:
    need(value is None or isinstance(value, str | int), f"the {what} is {describe(value)}")
    return None if value is None else str(value)
