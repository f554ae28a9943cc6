"""Which features go together with which values of the user's own columns."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from tqdm.auto import tqdm

from interp_embed.analysis.correlations.correlate import default_support
from interp_embed.analysis.correlations.metadata_columns import (
    MAX_CATEGORIES,
    MetadataColumn,
    SkippedColumn,
    read_column,
)
from interp_embed.analysis.correlations.metadata_records import MetadataAssociations
from interp_embed.analysis.differences.sides import as_keys
from interp_embed.analysis.documents import EncodedDocuments
from interp_embed.errors import InputError
from interp_embed.stats import (
    adjust_benjamini_hochberg,
    associate_pairs,
    number_groups,
    point_biserial,
)
from interp_embed.tables import require_column


def correlate_metadata(
    documents: EncodedDocuments,
    columns: Sequence[str] | None = None,
    *,
    min_support: int | None = None,
    min_pairs: int = 5,
    max_q: float = 0.05,
    max_categories: int = MAX_CATEGORIES,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    progress: bool = False,
) -> MetadataAssociations:
    """Return the features associated with values of the user's columns.

    Categories (texts, booleans, lists of texts) are compared by Fisher's exact test and NPMI,
    numbers by the point-biserial correlation and the rank-sum test. One correction covers every
    feature with every category and number of all columns. Missing values are left out and counted.
    Where documents are in groups, p is the larger of this and that over groups, of every test.

    Args:
        documents: Documents with their table.
        columns: Names of columns; None for all. Those that cannot be compared, such as free text
            and keys, are skipped with a reason.
        min_support: Documents in which a feature fires, and that have a category, >= 1; of
            numbers, also documents in which it is silent. None for ``default_support``.
        min_pairs: Documents in which feature and category are together, or expected to be.
        max_q: Largest q listed, in (0, 1].
        max_categories: Different values of a column at most, >= 2.
        groups: Documents of one label (author, parent) are not independent, shape (n_documents,);
            None: all are.
        level: Confidence level of the intervals, in (0, 1).
        progress: Show a bar.

    Raises:
        InputError: There is no table, no such column, nothing to compare, a group is missing or
            the only one, or a setting is out of range.
    """
    frame = _checked(documents, columns, max_q, max_categories)
    support = default_support(len(documents)) if min_support is None else min_support
    if min(support, min_pairs) < 1:
        raise InputError(
            f"min_support and min_pairs must be at least 1, got {support} and {min_pairs}"
        )
    fires = documents.fires()
    of_group = None
    if groups is not None:
        keys = as_keys(groups, documents, what="groups").to_numpy(dtype=object)
        of_group = number_groups(keys, len(documents))
    read = [
        read_column(frame.iloc[:, place], max_categories=max_categories)
        for place in range(frame.shape[1])
    ]
    found = [
        _compare(fires, column, of_group, support, level)
        for column in tqdm(read, disable=not progress, desc="columns")
        if isinstance(column, MetadataColumn)
    ]
    rows = pd.concat(found, ignore_index=True) if found else _no_rows()
    rows["q"] = adjust_benjamini_hochberg(rows["p"].to_numpy(np.float64))
    carried = rows[["n_both", "expected"]].max(axis=1) >= min_pairs
    listed = rows[(rows["q"] <= max_q) & (carried | (rows["kind"] == "number"))]
    listed = listed.sort_values(["p", "column", "feature", "category"], kind="stable")
    skipped = {column.name: column.reason for column in read if isinstance(column, SkippedColumn)}
    return MetadataAssociations(
        rows=listed.reset_index(drop=True),
        labels=documents.labels,
        skipped=skipped,
        n_missing={
            column.name: len(documents) - column.known.size
            for column in read
            if isinstance(column, MetadataColumn)
        },
        n_tests=len(rows),
        n_documents=len(documents),
        n_groups=None if of_group is None else int(of_group.max()) + 1,
        min_support=support,
        max_q=max_q,
        level=level,
    )


def _checked(
    documents: EncodedDocuments,
    columns: Sequence[str] | None,
    max_q: float,
    max_categories: int,
) -> pd.DataFrame:
    if documents.metadata is None:
        raise InputError("these documents have no table; give EncodedDocuments metadata=")
    if len(documents) < 2:
        raise InputError(f"associations need at least two documents, got {len(documents)}")
    if not 0.0 < max_q <= 1.0:
        raise InputError(f"max_q must lie above 0 and at most at 1, got {max_q}")
    if max_categories < 2:
        raise InputError(f"max_categories must be at least 2, got {max_categories}")
    if isinstance(columns, str):
        raise InputError(f"columns must be a list of names; use [{columns!r}]")
    frame = documents.metadata
    if columns is None:
        return frame
    for name in columns:
        require_column(frame, name, purpose="columns")
    return frame[list(dict.fromkeys(columns))]


def _compare(
    fires: csr_matrix,
    column: MetadataColumn,
    of_group: NDArray[np.int64] | None,
    support: int,
    level: float,
) -> pd.DataFrame:
    """Return a row for every test of a column."""
    own = fires if column.known.size == fires.shape[0] else fires[column.known]
    groups = None if of_group is None else of_group[column.known]
    if column.numbers is not None:
        return _with_number(own, column.name, column.numbers, groups, support, level)
    found = associate_pairs(
        own, other=column.holds, min_support=support, max_q=1.0, groups=groups, level=level
    )
    return pd.DataFrame(
        {
            "feature": found.first,
            "column": column.name,
            "category": [column.categories[place] for place in found.second.tolist()],
            "kind": "category",
            "value": found.npmi,
            "low": found.npmi_low,
            "high": found.npmi_high,
            "p_feature_given_category": found.n_both / found.n_second,
            "p_category_given_feature": found.n_both / found.n_first,
            "n_both": found.n_both.astype(np.float64),
            "n_feature": found.n_first,
            "n_category": found.n_second.astype(np.float64),
            "expected": found.expected,
            "n": found.n_documents,
            "p": found.p,
        }
    )


def _with_number(
    fires: csr_matrix,
    name: str,
    numbers: NDArray[np.float64],
    groups: NDArray[np.int64] | None,
    support: int,
    level: float,
) -> pd.DataFrame:
    counts = np.bincount(fires.indices, minlength=fires.shape[1])
    tested = np.flatnonzero(np.minimum(counts, numbers.size - counts) >= support)
    found = point_biserial(fires[:, tested], numbers, groups=groups, level=level)
    return pd.DataFrame(
        {
            "feature": tested,
            "column": name,
            "category": "",
            "kind": "number",
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "p_feature_given_category": np.nan,
            "p_category_given_feature": np.nan,
            "n_both": np.nan,
            "n_feature": counts[tested],
            "n_category": np.nan,
            "expected": np.nan,
            "n": found.n,
            "p": found.p,
        }
    )


def _no_rows() -> pd.DataFrame:
    empty = csr_matrix(np.zeros((2, 0), np.float32))
    return _with_number(empty, "", np.array([0.0, 1.0]), None, 1, 0.95)
