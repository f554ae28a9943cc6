"""What an annotator's errors do to rates and effects, and the correction by a gold sample."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from interp_embed.errors import InputError
from interp_embed.records import Estimate
from interp_embed.stats._checks import check_level, check_same_length, finite_vector
from interp_embed.stats.intervals import Interval, welch_difference

_NAN = float("nan")
_DRAWS = 20_000


@dataclass(frozen=True, slots=True)
class AnnotatorAccuracy:
    """How an annotator errs, from the documents that have a gold label."""

    sensitivity: Estimate
    """Share of documents with the concept that are annotated 1; ``n`` counts gold labels."""
    specificity: Estimate
    """Share of documents without the concept that are annotated 0."""
    ppv: Estimate
    """Share of the annotated 1 that have the concept."""
    npv: Estimate
    """Share of the annotated 0 that do not."""
    prevalence: Estimate
    """Share of all documents with the concept, corrected; ``n`` counts all documents."""
    annotated: float
    """Share of all documents annotated 1."""
    attenuation: float
    """ppv + npv - 1: what is left of a difference in means if errors ignore the target."""
    n_gold: int
    note: str
    """When false positives outnumber true ones, or a gold side is empty; empty if neither."""


@dataclass(frozen=True, slots=True)
class CorrectedDifference:
    """A difference in target means between documents with and without a concept."""

    naive: Estimate
    """By the annotations as they are."""
    corrected: Estimate
    """With annotation errors taken out; its p is the naive one, as both are 0 together."""
    accuracy: AnnotatorAccuracy
    note: str
    """Why there is no corrected interval; empty if there is one."""


def corrected_prevalence(
    n_annotated: int,
    n: int,
    *,
    true_positives: int,
    n_positives: int,
    true_negatives: int,
    n_negatives: int,
    level: float = 0.95,
) -> Estimate:
    """Return the prevalence that a rate of annotations and a separate validation study imply.

    (rate + specificity - 1) / (sensitivity + specificity - 1): 140 of 1000 annotated, 90 of 100
    and 90 of 100 right -> (0.14 - 0.1) / 0.8 = 0.05.

    For a gold sample of the documents themselves ``annotator_accuracy`` is the one to take.

    Args:
        n_annotated: Documents annotated 1, of ``n``.
        n: Documents annotated.
        true_positives: Annotated 1 among ``n_positives`` documents known to have the concept.
        n_positives: See above.
        true_negatives: Annotated 0 among ``n_negatives`` documents known not to have it.
        n_negatives: See above.
        level: Confidence level in (0, 1).

    Returns:
        Value and interval cut to [0, 1]; NaN where the annotator is no better than chance or a
        count is 0. There is no p.

    Raises:
        InputError: A count is negative or above its total.

    Source: Rogan and Gladen 1978, American J. Epidemiology 107, 71-76; interval by Lang and
    Reiczigel 2014, Preventive Veterinary Medicine 113, 13-22.
    """
    check_level(level)
    pairs = ((n_annotated, n), (true_positives, n_positives), (true_negatives, n_negatives))
    for count, total in pairs:
        if not 0 <= count <= total:
            raise InputError(f"counts must lie between 0 and their total, got {count} of {total}")
    unknown = Estimate(_NAN, _NAN, _NAN, _NAN, n)
    if min(total for _, total in pairs) == 0:
        return unknown
    rate, sensitivity, specificity = (count / total for count, total in pairs)
    if sensitivity + specificity <= 1.0:
        return unknown
    value = (rate + specificity - 1.0) / (sensitivity + specificity - 1.0)
    z = float(stats.norm.ppf(0.5 + level / 2.0))
    m = n + z**2
    p = (n_annotated + z**2 / 2.0) / m
    se, sp = (true_positives + 1) / (n_positives + 2), (true_negatives + 1) / (n_negatives + 2)
    if se + sp <= 1.0:
        return unknown
    middle = (p + sp - 1.0) / (se + sp - 1.0)
    of_se, of_sp = se * (1.0 - se) / (n_positives + 2), sp * (1.0 - sp) / (n_negatives + 2)
    shift = 2.0 * z**2 * (middle * of_se - (1.0 - middle) * of_sp)
    variance = p * (1.0 - p) / m + middle**2 * of_se + (1.0 - middle) ** 2 * of_sp
    reach = z * np.sqrt(variance) / (se + sp - 1.0)
    low, high, value = np.clip([middle + shift - reach, middle + shift + reach, value], 0.0, 1.0)
    return Estimate(float(value), float(low), float(high), _NAN, n)


def annotator_accuracy(
    annotation: ArrayLike, gold: ArrayLike, *, level: float = 0.95
) -> AnnotatorAccuracy:
    """Return sensitivity, specificity and the corrected prevalence from a gold sample.

    Of 100 documents 20 are annotated 1; gold labels of 10 of these say 5 yes, of 10 others 1 yes
    -> ppv 0.5, npv 0.9, prevalence 0.5 x 0.2 + 0.1 x 0.8 = 0.18, sensitivity 0.1 / 0.18 = 0.56.

    Which documents have a gold label may depend on the annotation (as many annotated 1 as 0 is
    a good choice: with a rare concept most gold labels of a random sample are wasted), and on
    nothing else; for other designs see ``dsl_mean``. The values are those of maximum likelihood,
    with which Rogan and Gladen's formula agrees exactly. Intervals are quantiles of 20,000 draws
    from Beta distributions with 1/2 added to each count (fixed seed), which hold up with few
    errors seen.

    Args:
        annotation: 0 or 1, shape (n,); leave out documents without one before.
        gold: 0, 1, or NaN where there is no gold label, shape (n,).
        level: Confidence level in (0, 1).

    Returns:
        NaN in all that rests on an empty side (no gold label among those annotated 1, or 0).

    Raises:
        InputError: Values are not of these kinds, or there are no documents or gold labels.

    Source: Tenenbein 1970, JASA 65, 1350-1361 (double sampling); intervals after Brown, Cai and
    DasGupta 2001, Statistical Science 16, 101-133 (Jeffreys).
    """
    check_level(level)
    verdicts, known, truth = _read(annotation, gold)
    n, n_yes = verdicts.size, int(verdicts.sum())
    counts = _Counts(
        n=n,
        n_yes=n_yes,
        gold_yes=int((known & (verdicts == 1.0)).sum()),
        right_yes=int((known & (verdicts == 1.0) & (truth == 1.0)).sum()),
        gold_no=int((known & (verdicts == 0.0)).sum()),
        right_no=int((known & (verdicts == 0.0) & (truth == 0.0)).sum()),
    )
    return _accuracy(counts, level)


def corrected_difference(
    annotation: ArrayLike, target: ArrayLike, gold: ArrayLike, *, level: float = 0.95
) -> CorrectedDifference:
    """Return the difference in target means a faultless annotator would have found.

    The naive difference over a = ppv + npv - 1, times a^2 / (a^2 + variance of a), which takes
    out the bias of dividing by an estimate. With ppv 0.5 and npv 0.9 only 0.4 of a difference is
    left: a naive 0.2 -> 0.5; with gold labels of 100 annotated 1 and 100 annotated 0 the variance
    is 0.25 / 100 + 0.09 / 100, and the value 0.49.

    Right where, among documents with the concept and among those without, the annotator errs
    without regard to the target. Where it may not (errors more frequent in long texts, and the
    target too), ``dsl_regression`` needs no such condition and pays with wider intervals.

    Args:
        annotation: 0 or 1, shape (n,).
        target: Shape (n,).
        gold: 0, 1, or NaN where there is no gold label, shape (n,); which documents have one may
            depend on the annotation and on nothing else.
        level: Confidence level in (0, 1).

    Returns:
        The interval is of draws of the naive difference (Welch's t) over draws of the
        attenuation; NaN, with a note, where the attenuation's own interval reaches 0 (gold
        labels do not show the annotator to be better than chance), and where Welch's has none.

    Raises:
        InputError: Values are not of these kinds, or there are no documents or gold labels.

    Source: Aigner 1973, J. Econometrics 1, 49-59 (misclassified binary regressor).
    """
    check_level(level)
    accuracy = annotator_accuracy(annotation, gold, level=level)
    verdicts, known, truth = _read(annotation, gold)
    values = finite_vector(target, name="target")
    check_same_length(verdicts.size, values, name="target")
    present, absent = values[verdicts == 1.0], values[verdicts == 0.0]
    naive = welch_difference(present, absent, level=level)
    unknown = Estimate(_NAN, _NAN, _NAN, naive.p, naive.n)
    if not np.isfinite(accuracy.attenuation):
        return CorrectedDifference(naive, unknown, accuracy, accuracy.note)
    if not np.isfinite(naive.p):
        note = "the naive difference has no interval: too few documents on a side, or no spread"
        return CorrectedDifference(naive, unknown, accuracy, note)
    rng = np.random.default_rng(0)
    yes, no = known & (verdicts == 1.0), known & (verdicts == 0.0)
    left = _beta(rng, int((yes & (truth == 1.0)).sum()), int(yes.sum()))
    left = left + _beta(rng, int((no & (truth == 0.0)).sum()), int(no.sum())) - 1.0
    if np.quantile(left, 0.5 - level / 2.0) <= 0.0:
        note = "gold labels do not show the annotator to be better than chance: no correction"
        return CorrectedDifference(naive, unknown, accuracy, note)
    first, second = present.var(ddof=1) / present.size, absent.var(ddof=1) / absent.size
    df = (first + second) ** 2 / (first**2 / (present.size - 1) + second**2 / (absent.size - 1))
    error = float(np.sqrt(first + second))
    draws = (naive.value + error * rng.standard_t(df, _DRAWS)) / left
    low, high = np.quantile(draws, [0.5 - level / 2.0, 0.5 + level / 2.0])
    a = accuracy.attenuation
    value = naive.value * a / (a**2 + _attenuation_variance(accuracy))
    corrected = Estimate(value, float(low), float(high), naive.p, naive.n)
    return CorrectedDifference(naive, corrected, accuracy, "")


@dataclass(frozen=True)
class _Counts:
    n: int
    n_yes: int
    """Annotated 1."""
    gold_yes: int
    """Of these, with a gold label; the next: of these, rightly annotated."""
    right_yes: int
    gold_no: int
    right_no: int


def _read(
    annotation: ArrayLike, gold: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    verdicts = finite_vector(annotation, name="annotation")
    try:
        truth = np.asarray(gold, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"gold must hold 0, 1 and NaN only ({error})") from error
    check_same_length(verdicts.size, truth, name="gold")
    known = ~np.isnan(truth)
    for values, name in ((verdicts, "annotation"), (truth[known], "gold")):
        if not np.isin(values, (0.0, 1.0)).all():
            raise InputError(f"{name} must be 0 or 1 wherever it is given")
    if not known.any():
        raise InputError(f"none of {verdicts.size} documents has a gold label")
    return verdicts, known, truth


def _attenuation_variance(accuracy: AnnotatorAccuracy) -> float:
    sides = (accuracy.ppv, accuracy.npv)
    return sum(side.value * (1.0 - side.value) / side.n for side in sides)


def _beta(rng: np.random.Generator, successes: int, n: int) -> NDArray[np.float64]:
    return rng.beta(successes + 0.5, n - successes + 0.5, _DRAWS)


def _accuracy(counts: _Counts, level: float) -> AnnotatorAccuracy:
    n_gold = counts.gold_yes + counts.gold_no
    rate = counts.n_yes / counts.n
    rng = np.random.default_rng(0)
    q = _beta(rng, counts.n_yes, counts.n)
    ppv, npv = (
        _beta(rng, counts.right_yes, counts.gold_yes),
        _beta(rng, counts.right_no, counts.gold_no),
    )
    found = _Rates.of(
        counts.right_yes / counts.gold_yes if counts.gold_yes else _NAN,
        counts.right_no / counts.gold_no if counts.gold_no else _NAN,
        rate,
    )
    drawn = _Rates.of(ppv, npv, q)

    def estimate(value: object, draws: object, n: int) -> Estimate:
        point = float(np.asarray(value))
        if np.isnan(point):
            return Estimate(_NAN, _NAN, _NAN, _NAN, n)
        ends = _quantiles(np.asarray(draws), level)
        # The middle of the draws is not the estimate: an end at 0 or 1 must not pass it.
        return Estimate(point, min(ends.low, point), max(ends.high, point), _NAN, n)

    return AnnotatorAccuracy(
        sensitivity=estimate(found.sensitivity, drawn.sensitivity, n_gold),
        specificity=estimate(found.specificity, drawn.specificity, n_gold),
        ppv=estimate(found.ppv, drawn.ppv, counts.gold_yes),
        npv=estimate(found.npv, drawn.npv, counts.gold_no),
        prevalence=estimate(found.prevalence, drawn.prevalence, counts.n),
        annotated=rate,
        attenuation=float(np.asarray(found.ppv)) + float(np.asarray(found.npv)) - 1.0,
        n_gold=n_gold,
        note=_note(counts),
    )


@dataclass(frozen=True)
class _Rates:
    ppv: NDArray[np.float64]
    npv: NDArray[np.float64]
    prevalence: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    specificity: NDArray[np.float64]

    @classmethod
    def of(cls, ppv: ArrayLike, npv: ArrayLike, rate: ArrayLike) -> "_Rates":
        """Return the rates that follow from those among the annotated 1 and 0."""
        p, m, q = (np.asarray(value, dtype=np.float64) for value in (ppv, npv, rate))
        prevalence = p * q + (1.0 - m) * (1.0 - q)
        with np.errstate(divide="ignore", invalid="ignore"):
            return cls(
                ppv=p,
                npv=m,
                prevalence=prevalence,
                sensitivity=p * q / prevalence,
                specificity=m * (1.0 - q) / (1.0 - prevalence),
            )


def _quantiles(draws: NDArray[np.float64], level: float) -> Interval:
    low, high = np.quantile(draws, [0.5 - level / 2.0, 0.5 + level / 2.0])
    return Interval(float(low), float(high))


def _note(counts: _Counts) -> str:
    if not counts.gold_yes or not counts.gold_no:
        side = 1 if not counts.gold_yes else 0
        return f"no document annotated {side} has a gold label: nothing can be corrected"
    if 2 * counts.right_yes < counts.gold_yes:
        share = 1.0 - counts.right_yes / counts.gold_yes
        return (
            f"{share:.0%} of the documents annotated 1 do not have the concept: false positives "
            "outnumber true ones, and an effect of the annotations is mostly theirs"
        )
    return ""
