"""Whether anything in the texts predicts the target, before anything is spent on finding out."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from interp_embed.errors import InputError
from interp_embed.hypotheses.corpus import Corpus
from interp_embed.records import Signal, TargetKind
from interp_embed.stats import crossfit_score, demean_within, prediction_test

NUMBERS: frozenset[TargetKind] = frozenset(("numeric", "count", "ordinal"))
"""Kinds of target that are scored by R2; the others by AUC."""
_LEVEL = 0.05
_MAX_ROWS = 5_000
_MAX_ROWS_WIDE = 2_000
"""Documents that are looked at, where embeddings are wider than documents are many."""
_DRAWS = 499
_DRAWS_OF_SEVERAL = 199


def measure_signal(discover: Corpus, *, kind: TargetKind, seed: int = 0) -> Signal:
    """Return how well the dense embeddings predict the target out of fold, and whether by chance.

    Several classes, and the strata where there are any, are looked at together: the p-value is of
    the best predicted of them, against the best of as many that mean nothing. The score of
    several classes is their mean AUC. Groups, and the two texts of a pair, are kept together in
    the folds and in what chance is drawn from.

    Args:
        discover: Documents that may be read; up to 5,000 of them are.
        kind: Of the target.
        seed: Of the folds, of the draws, and of the documents looked at.
    """
    corpus = _sample(discover, seed)
    columns = corpus.target.reshape(len(corpus), -1)
    tested = np.log1p(columns) if kind == "count" else columns
    if corpus.strata is not None:
        tested = np.hstack([tested, *_by_stratum(tested, corpus.strata)])
    result = prediction_test(
        corpus.embeddings,
        tested,
        groups=corpus.groups,
        by_sign=corpus.strata is not None,
        n_draws=_DRAWS if tested.shape[1] == 1 else _DRAWS_OF_SEVERAL,
        seed=seed,
    )
    metric: Literal["r2", "auc"] = "r2" if kind in NUMBERS else "auc"
    scores = np.array([_score(corpus, column, metric, seed) for column in columns.T])
    known = scores[np.isfinite(scores)]
    return Signal(
        metric=metric,
        score=float(known.mean()) if known.size else float("nan"),
        p=result.p,
        found=result.p <= _LEVEL,
        n=len(discover),
    )


def _score(
    corpus: Corpus, column: NDArray[np.float64], metric: Literal["r2", "auc"], seed: int
) -> float:
    """Return the out-of-fold score; NaN for a class that is all in one group or in none."""
    try:
        return crossfit_score(
            corpus.embeddings, column, metric=metric, groups=corpus.groups, seed=seed
        )
    except InputError:
        return float("nan")


def _by_stratum(
    columns: NDArray[np.float64], strata: NDArray[np.int64]
) -> list[NDArray[np.float64]]:
    within = demean_within(columns, strata)
    parts = [within * (strata == number)[:, None] for number in np.unique(strata)]
    return [part[:, part.std(axis=0) > 0] for part in parts]


def _sample(corpus: Corpus, seed: int) -> Corpus:
    """Return whole groups, drawn at random, of as many documents as are looked at."""
    n, d_in = corpus.embeddings.shape
    most = _MAX_ROWS if d_in <= _MAX_ROWS_WIDE else _MAX_ROWS_WIDE
    if n <= most:
        return corpus
    groups, numbers = np.unique(corpus.groups, return_inverse=True)
    place = np.random.default_rng(seed).permutation(len(groups))[numbers]
    sizes = np.cumsum(np.bincount(place))
    kept = np.flatnonzero(sizes[place] <= max(most, int(sizes[0])))
    return corpus.take(kept)
