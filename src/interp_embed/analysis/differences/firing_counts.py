"""In how many documents features fire, without a copy of the activations."""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from interp_embed.analysis.documents import EncodedDocuments

_ENTRIES = 4_000_000
"""Stored activations looked at at once, about 100 MB of temporary arrays."""


def count_firing(
    documents: EncodedDocuments, part: NDArray[np.int64] | None = None, n_parts: int = 1
) -> NDArray[np.int64]:
    """Return in how many documents of each part each feature fires, shape (n_parts, n_features).

    Args:
        documents: Of which only the activations and cuts are read.
        part: Part of each document from 0, -1 for none, shape (n_documents,); None: all in one.
        n_parts: How many parts there are.
    """
    n_features = documents.n_features
    counts = np.zeros(n_parts * n_features, np.int64)
    for start, stop in _row_blocks(documents.activations):
        features, rows = _firing_entries(documents, start, stop)
        if part is None:
            counts += np.bincount(features, minlength=counts.size)
            continue
        of_entry = part[rows]
        kept = of_entry >= 0
        places = of_entry[kept] * n_features + features[kept]
        counts += np.bincount(places, minlength=counts.size)
    return counts.reshape(n_parts, n_features)


def count_together(
    first: EncodedDocuments,
    second: EncodedDocuments,
    rows_first: NDArray[np.int64],
    rows_second: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return in how many pairs of documents each feature fires in both, shape (n_features,).

    Args:
        first: Holds the first document of each pair.
        second: Holds the second one.
        rows_first: Place of each pair's first document, shape (n_pairs,).
        rows_second: Place of its second document.
    """
    counts = np.zeros(first.n_features, np.int64)
    stored = first.activations.indptr[rows_first + 1] - first.activations.indptr[rows_first]
    cuts = np.searchsorted(np.cumsum(stored), np.arange(_ENTRIES, stored.sum() + 1, _ENTRIES))
    bounds = np.unique([0, *cuts.tolist(), len(rows_first)])
    for start, stop in itertools.pairwise(bounds):
        one = fires_in(first, rows_first[start:stop])
        both = one.multiply(fires_in(second, rows_second[start:stop])).tocsr()
        counts += np.bincount(both.indices, minlength=counts.size)
    return counts


def fires_in(documents: EncodedDocuments, rows: NDArray[np.int64]) -> csr_matrix:
    """Return 1 where a feature fires in some documents, float32, shape (n_rows, n_features)."""
    strong = above_cuts(documents, rows)
    strong.data = np.ones_like(strong.data)
    return strong


def above_cuts(documents: EncodedDocuments, rows: NDArray[np.int64]) -> csr_matrix:
    """Return the activations of some documents, those that do not count as firing left out.

    Args:
        documents: Of which only the activations and cuts are read.
        rows: Places of documents, shape (n_rows,).
    """
    chosen = documents.activations[rows]
    cuts = documents.cuts
    above = chosen.data > (0.0 if cuts is None else cuts[chosen.indices])
    if not above.all():
        starts = np.concatenate([[0], np.cumsum(above)])[chosen.indptr]
        parts = chosen.data[above], chosen.indices[above], starts
        chosen = csr_matrix(parts, chosen.shape)
    return chosen


def fires_in_both(
    first: EncodedDocuments,
    second: EncodedDocuments,
    rows_first: NDArray[np.int64],
    rows_second: NDArray[np.int64],
) -> csr_matrix:
    """Return 1 where a feature fires, the documents of the first set above those of the second."""
    parts = [fires_in(first, rows_first), fires_in(second, rows_second)]
    return csr_matrix(vstack(parts, format="csr", dtype=np.float32))


def _row_blocks(matrix: csr_matrix) -> Iterator[tuple[int, int]]:
    """Yield ranges of documents with a bounded number of stored activations."""
    n = matrix.shape[0]
    start = 0
    while start < n:
        most = int(matrix.indptr[start]) + _ENTRIES
        stop = max(int(np.searchsorted(matrix.indptr, most, side="right")) - 1, start + 1)
        yield start, stop
        start = stop


def _firing_entries(
    documents: EncodedDocuments, start: int, stop: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return feature and document of each activation above its cut, in some documents."""
    matrix, cuts = documents.activations, documents.cuts
    entries = slice(int(matrix.indptr[start]), int(matrix.indptr[stop]))
    features = matrix.indices[entries]
    above = matrix.data[entries] > (0.0 if cuts is None else cuts[features])
    rows = np.repeat(np.arange(start, stop), np.diff(matrix.indptr[start : stop + 1]))
    return features[above].astype(np.int64), rows[above]
