"""How well a label predicts where its feature fires."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interp_embed.errors import InputError
from interp_embed.records import Fidelity
from interp_embed.stats import Interval, wilson_interval

_Z = 1.959963984540054
"""Normal quantile of a 95 % interval."""
_NAN = float("nan")
_UNKNOWN = Interval(_NAN, _NAN)


def measure_fidelity(
    verdicts: ArrayLike, fires: ArrayLike, weights: ArrayLike | None = None
) -> Fidelity:
    """Return precision, recall and F1 of verdicts against where the feature fires.

    verdicts [1, 1, 0, NaN], fires [1, 0, 0, 1] -> precision 0.5, recall 1.0, n 3, n_missing 1

    Args:
        verdicts: An annotator's answers from the label alone, shape (n_documents,): 1, 0 or NaN.
            The documents must not be those the label was made from, or the result flatters.
        fires: Whether the feature is active on each document, shape (n_documents,).
        weights: How many documents of the corpus each stands for, > 0, shape (n_documents,), as
            from ``choose_scoring_documents``; the result is then that of the corpus. The share
            that fires is taken as known, not as estimated from the sample. None for documents as
            they come.

    Returns:
        Precision, recall and F1 with 95 % intervals and counts; NaN where answers are missing
        that are needed.

    Raises:
        InputError: The lengths differ, or a weight is not above 0.

    Source: detection scoring. HypotheSAEs (Movva et al. 2025, arXiv 2502.04382) scores on the
    strongest and the silent documents, which overstates. F1 without weights: Wilson's interval of
    hits among all that were said or fire, turned into F1 (Lam, Gopal and Qian 2023, arXiv
    2309.14621, "indirect"). With weights: Wilson's intervals of the shares said yes to where the
    feature fires and where it is silent, at Kish's effective numbers (1965), joined by Donner and
    Zou's for a ratio (2012, Stat. Methods Med. Res. 21, eq. 9). Kish's number for precision as a
    whole would not do: a few silent documents stand for most of the corpus, and where none of
    them was said, all of the interval's doubt about them is lost.
    """
    answers = np.asarray(verdicts, np.float64)
    truth = np.asarray(fires, bool)
    if answers.shape != truth.shape:
        raise InputError(
            f"{len(answers)} verdicts cannot be compared with {len(truth)} documents; "
            "give one of each a document"
        )
    if weights is not None:
        return _measure_weighted(answers, truth, _check_weights(weights, truth))
    known = np.isfinite(answers)
    said, truth = answers[known] > 0, truth[known]
    hits, n_said, n_fires = int((said & truth).sum()), int(said.sum()), int(truth.sum())
    precision, recall = wilson_interval(hits, n_said), wilson_interval(hits, n_fires)
    jaccard = wilson_interval(hits, n_said + n_fires - hits)
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
        f1_low=2 * jaccard.low / (1 + jaccard.low),
        f1_high=2 * jaccard.high / (1 + jaccard.high),
    )


def _f1(hits: int, n_said_and_fires: int) -> float:
    return 2 * hits / n_said_and_fires if n_said_and_fires else 0.0


@dataclass(frozen=True, slots=True)
class _Share:
    """A weighted share with its interval; NaN where there is nothing to estimate from."""

    value: float
    low: float
    high: float


def _measure_weighted(
    answers: NDArray[np.float64], fires: NDArray[np.bool_], weights: NDArray[np.float64]
) -> Fidelity:
    known = np.isfinite(answers)
    said = answers > 0
    found = _share(said[known & fires], weights[known & fires])
    alarms = _share(said[known & ~fires], weights[known & ~fires])
    n_fires, n_silent = float(weights[fires].sum()), float(weights[~fires].sum())
    if n_fires and n_silent:
        odds = n_silent / n_fires
        false = _Share(odds * alarms.value, odds * alarms.low, odds * alarms.high)
        precision = _inverse_of_one_plus(false, found)
        # F1 = 2 / (1 + (1 + false) / found)
        rest = _inverse_of_one_plus(_Share(1 + false.value, 1 + false.low, 1 + false.high), found)
        f1 = _Share(2 * rest.value, 2 * rest.low, 2 * rest.high)
    else:  # on one side there are no documents at all, so that all that were said count alike
        precision = _share(fires[known & said], weights[known & said])
        f1 = _Share(2 * found.value / (1 + found.value), _NAN, _NAN)
        if known.any() and not n_fires:
            f1 = _Share(0.0, _NAN, _NAN)
    return Fidelity(
        precision=precision.value,
        precision_low=precision.low,
        precision_high=precision.high,
        recall=found.value,
        recall_low=found.low,
        recall_high=found.high,
        f1=f1.value,
        n=int(known.sum()),
        n_missing=int((~known).sum()),
        f1_low=f1.low,
        f1_high=f1.high,
    )


def _share(yes: NDArray[np.bool_], weights: NDArray[np.float64]) -> _Share:
    """Return the weighted share of yes with Wilson's interval at Kish's effective number."""
    if not len(yes):
        return _Share(_NAN, _NAN, _NAN)
    total = float(weights.sum())
    share = float(weights[yes].sum()) / total
    n = total**2 / float((weights**2).sum())
    scale = 1 + _Z**2 / n
    middle = (share + _Z**2 / (2 * n)) / scale
    half = _Z / scale * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return _Share(
        1.0 if yes.all() else share,
        float(middle - half) if yes.any() else 0.0,
        1.0 if yes.all() else float(middle + half),
    )


def _inverse_of_one_plus(above: _Share, below: _Share) -> _Share:
    """Return 1 / (1 + above / below) with the interval from that of the ratio."""
    total = above.value + below.value
    if total == 0:
        return _Share(_NAN, _NAN, _NAN)
    ratio = _ratio_interval(above, below)
    return _Share(below.value / total, 1 / (1 + ratio.high), 1 / (1 + ratio.low))


def _ratio_interval(above: _Share, below: _Share) -> Interval:
    """Return the interval of a ratio of two independent shares (Donner and Zou 2012, eq. 9)."""
    if np.isnan(above.value) or np.isnan(below.value):
        return _UNKNOWN
    product = above.value * below.value
    over_low = above.low * (2 * above.value - above.low)
    over_high = above.high * (2 * above.value - above.high)
    under_low = below.low * (2 * below.value - below.low)
    under_high = below.high * (2 * below.value - below.high)
    root_low = np.sqrt(max(0.0, product**2 - over_low * under_high))
    root_high = np.sqrt(max(0.0, product**2 - over_high * under_low))
    # Multiplied out so that nothing is divided by a difference of nearly equal numbers.
    low = over_low / (product + root_low) if product + root_low > 0 else 0.0
    high = (product + root_high) / under_low if under_low > 0 else np.inf
    return Interval(float(low), float(high))


def _check_weights(weights: ArrayLike, fires: NDArray[np.bool_]) -> NDArray[np.float64]:
    checked = np.asarray(weights, np.float64)
    if checked.shape != fires.shape:
        raise InputError(
            f"{len(fires)} documents need one weight each, but got the shape {checked.shape}"
        )
    if not (np.isfinite(checked).all() and (checked > 0).all()):
        raise InputError("weights must be finite and above 0; leave a document out instead")
    return checked
