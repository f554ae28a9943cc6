"""How well a label predicts where its feature fires."""

import numpy as np
from numpy.typing import ArrayLike

from interp_embed.errors import InputError
from interp_embed.records import Fidelity
from interp_embed.stats import wilson_interval


def measure_fidelity(verdicts: ArrayLike, fires: ArrayLike) -> Fidelity:
    """Return precision, recall and F1 of verdicts against where the feature fires.

    verdicts [1, 1, 0, NaN], fires [1, 0, 0, 1] -> precision 0.5, recall 1.0, n 3, n_missing 1

    Args:
        verdicts: An annotator's answers from the label alone, shape (n_documents,): 1, 0 or NaN.
            The documents must not be those the label was made from, or the result flatters.
        fires: Whether the feature is active on each document, shape (n_documents,).

    Returns:
        Precision, recall and F1 with their counts; all NaN where every answer is missing.

    Raises:
        InputError: The lengths differ.

    Source: detection scoring. HypotheSAEs (Movva et al. 2025, arXiv 2502.04382) scores on the
    strongest and the silent documents, which overstates; these are documents as they come.
    """
    answers = np.asarray(verdicts, np.float64)
    truth = np.asarray(fires, bool)
    if answers.shape != truth.shape:
        raise InputError(
            f"{len(answers)} verdicts cannot be compared with {len(truth)} documents; "
            "give one of each a document"
        )
    known = np.isfinite(answers)
    said, truth = answers[known] > 0, truth[known]
    hits, n_said, n_fires = int((said & truth).sum()), int(said.sum()), int(truth.sum())
    precision, recall = wilson_interval(hits, n_said), wilson_interval(hits, n_fires)
    return Fidelity(
        precision=hits / n_said if n_said else np.nan,
        precision_low=precision.low,
        precision_high=precision.high,
        recall=hits / n_fires if n_fires else np.nan,
        recall_low=recall.low,
        recall_high=recall.high,
        f1=_f1(hits, n_said + n_fires) if known.any() else np.nan,
        n=int(known.sum()),
        n_missing=int((~known).sum()),
    )


def _f1(hits: int, n_said_and_fires: int) -> float:
    return 2 * hits / n_said_and_fires if n_said_and_fires else 0.0
