"""What features are compared with: the target, rid of what is held fixed, in one column or more."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from interp_embed.errors import InputError
from interp_embed.hypotheses.corpus import Corpus
from interp_embed.hypotheses.units import other_text
from interp_embed.records import TargetKind
from interp_embed.stats import demean_within

_MIN_STRATUM = 20
"""Documents below which a stratum has no column of its own."""
_NOTHING_LEFT = 1e-6
"""Share of a column's spread below which the covariates leave nothing of it."""


def screening_columns(
    corpus: Corpus, *, kind: TargetKind, control_length: bool = True
) -> NDArray[np.float64]:
    """Return columns such that a feature matters if it goes with any of them.

    Targets of one column: that (ranks for an ordinal target, log(1 + count) for counts); several
    classes: one column each. Covariates and the logarithm of the length are taken out by least
    squares. With strata also each column less the mean of its stratum, and for each stratum of at
    least 20 documents that column, 0 outside it. The correlation of a feature with the latter is
    its correlation inside the stratum, times the root of the stratum's share: strata compete on
    how certain their effect is, so that one of 10 documents does not fill the ranks by chance.

    Args:
        corpus: Discover documents.
        kind: Of the target.
        control_length: Whether length is taken out.

    Returns:
        Shape (n_documents, n_columns), none constant; standardised where there are several.

    Raises:
        InputError: The covariates determine the target.
    """
    raw = _on_its_scale(corpus.target.reshape(len(corpus), -1), kind)
    columns = _residuals(raw, fixed_columns(corpus, control_length=control_length))
    if corpus.strata is not None:
        columns = np.hstack([columns, *_by_stratum(columns, corpus.strata)])
    spread = columns.std(axis=0)
    limit = _NOTHING_LEFT * np.max(raw.std(axis=0), initial=1e-300)
    if not (spread > limit).any():
        raise InputError(
            "nothing of the target is left on the discover documents once the covariates are held "
            "fixed: they determine it; leave out the covariate that is the target in other words"
        )
    columns, spread = columns[:, spread > limit], spread[spread > limit]
    return columns if columns.shape[1] == 1 else columns / spread


def fixed_columns(corpus: Corpus, *, control_length: bool) -> NDArray[np.float64]:
    """Return what is held fixed in screening: covariates and log length, shape (n, n_columns).

    Those of a text of a pair are measured against those of the other.
    """
    parts = [] if corpus.covariates is None else [less_other(corpus.covariates, corpus.pairs)]
    if control_length:
        length = np.log1p([len(document) for document in corpus.documents])
        parts.append(less_other(length, corpus.pairs)[:, None])
    return np.hstack(parts) if parts else np.empty((len(corpus), 0))


def less_other(values: NDArray[np.float64], pairs: NDArray[np.int64] | None) -> NDArray[np.float64]:
    """Return each text's value less that of the other text of its pair; as given without pairs.

    [5, 3] of one pair -> [2, -2]

    Args:
        values: Shape (n_documents,) or (n_documents, n_columns).
        pairs: Number of each document's pair, two documents each.
    """
    return values if pairs is None else values - values[other_text(pairs)]


def _on_its_scale(columns: NDArray[np.float64], kind: TargetKind) -> NDArray[np.float64]:
    if kind == "count":
        return np.log1p(columns)
    if kind == "ordinal":
        return np.asarray(rankdata(columns, axis=0), np.float64)
    return columns


def _residuals(columns: NDArray[np.float64], fixed: NDArray[np.float64]) -> NDArray[np.float64]:
    if not fixed.shape[1]:
        return columns
    centred = fixed - fixed.mean(axis=0)
    spread = centred.std(axis=0)
    design = np.column_stack([np.ones(len(fixed)), centred / np.where(spread > 0, spread, 1.0)])
    weights = np.linalg.lstsq(design, columns, rcond=None)[0]
    # About the old mean: the screening compares differences, and a reader knows the scale.
    return np.asarray(columns - design @ weights + columns.mean(axis=0))


def _by_stratum(
    columns: NDArray[np.float64], strata: NDArray[np.int64]
) -> list[NDArray[np.float64]]:
    within = demean_within(columns, strata)
    sizes = np.bincount(strata)
    own = [within * (strata == number)[:, None] for number in np.flatnonzero(sizes >= _MIN_STRATUM)]
    return [within, *own]
