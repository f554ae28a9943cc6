"""Which features fire more often in one group of documents than in another."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats as scipy_stats

from interp_embed.analysis.differences.families import MOST_GROUPED, Families, find_families
from interp_embed.analysis.differences.firing_counts import above_cuts
from interp_embed.analysis.differences.rate_comparison import (
    CORRECTIONS,
    RateComparison,
    check_testing,
    compare_counts,
    compare_rates,
)
from interp_embed.analysis.differences.records import GroupDiff
from interp_embed.analysis.differences.sides import Names, Sides, oppose
from interp_embed.analysis.documents import EncodedDocuments
from interp_embed.analysis.plain_values import short_text
from interp_embed.errors import InputError
from interp_embed.records import Estimate
from interp_embed.stats import welch_difference

Correction = Literal["bh", "by", "bonferroni", "holm"]

_NAN = float("nan")
_WITH_EXAMPLES = 30
_EXAMPLES = 2


def diff_groups(  # noqa: PLR0913 - the two groups' keys, and what is done with them
    first: EncodedDocuments,
    second: EncodedDocuments,
    *,
    names: Names = ("first", "second"),
    pair_first: ArrayLike | None = None,
    pair_second: ArrayLike | None = None,
    groups_first: ArrayLike | None = None,
    groups_second: ArrayLike | None = None,
    strata_first: ArrayLike | None = None,
    strata_second: ArrayLike | None = None,
    match_length: bool = False,
    min_support: int = 10,
    level: float = 0.05,
    correction: Correction = "bh",
) -> GroupDiff:
    """Return how often each feature fires in two groups of documents, and which differ.

    Independent documents: score test (Fisher's where counts are small), Newcombe interval. Pairs
    of one key: McNemar's test and the paired interval. Documents in groups: a t-test whose
    uncertainty comes from how much groups differ.

    With ``match_length`` documents of like length are compared. Independent ones: within up to 40
    strata of length (Mantel-Haenszel difference); strata without documents of one side are left
    out. Pairs: those whose lengths differ by at most a quarter, by McNemar; where these are fewer
    than 50 or a fifth of all, strata, without regard to pairs, which is conservative. A note tells
    what was left out.

    Args:
        first: Documents of one group, of the same SAE and pooling as ``second``.
        second: Documents of the other.
        names: What the groups are called.
        pair_first: A key for each document, such as the prompt it answers; each key at most once.
        pair_second: Keys of the second group; documents whose key the other lacks are left out.
        groups_first: Documents of one label (author, parent) are not independent.
        groups_second: Of the second group; an author may be in both.
        strata_first: What is held fixed, such as the decade: only documents of one label are
            compared (Mantel-Haenszel difference); not with pairs or ``match_length``.
        strata_second: Of the second group.
        match_length: Whether length is held fixed.
        min_support: Features that fire in fewer documents, of both groups together, are not
            tested.
        level: Significance level after correction, in (0, 1).
        correction: Over all features tested: Benjamini-Hochberg, Benjamini-Yekutieli, Bonferroni
            or Holm.

    Raises:
        InputError: The groups were not made in the same way, one is empty, keys are missing, given
            twice or match nothing, or a setting is out of range.

    Source: Jiang et al. 2025, arXiv 2512.10092, section 3.1. There any difference above 0.03 is
    listed, without a test.
    """
    check_testing(min_support, level, correction)
    sides = oppose(
        first,
        second,
        names=names,
        pair_first=pair_first,
        pair_second=pair_second,
        groups_first=groups_first,
        groups_second=groups_second,
        strata_first=strata_first,
        strata_second=strata_second,
        match_length=match_length,
    )
    plain_sides = sides
    if sides.strata is not None or match_length:  # length itself is told of all documents
        plain_sides = oppose(
            first, second, names=names, pair_first=pair_first, pair_second=pair_second
        )
    rates = compare_rates(sides)
    q = correct_supported(rates, min_support, correction)
    found = GroupDiff(
        names=names,
        rates=rates,
        q=q,
        families=_no_families(len(q)),
        labels={**second.labels, **first.labels},
        n_first=len(sides.rows_first),
        n_second=len(sides.rows_second),
        paired=sides.paired,
        level=level,
        correction=correction,
        min_support=min_support,
        length=_length_difference(plain_sides),
        tokens=_mean_tokens(plain_sides),
        matched_tokens=_mean_tokens(sides) if match_length else None,
        notes=(*sides.notes, *_notes(q, min_support)),
    )
    return add_families(found, sides)


def diff_counts(
    counts_first: ArrayLike,
    counts_second: ArrayLike,
    *,
    n_first: int,
    n_second: int,
    names: Names = ("first", "second"),
    labels: Mapping[int, str] | None = None,
    min_support: int = 10,
    level: float = 0.05,
    correction: Correction = "bh",
) -> GroupDiff:
    """Return the same from counts alone, such as those kept with a stored data set.

    Documents are taken for independent; families and lengths are not known.

    Args:
        counts_first: Documents of the first group in which each feature fires, shape
            (n_features,).
        counts_second: Of the second group.
        n_first: Documents of the first group, >= 1.
        n_second: Documents of the second, >= 1.
        names: What the groups are called.
        labels: What features respond to.
        min_support: As in ``diff_groups``; also level and correction.
        level: Significance level.
        correction: Over all features tested.

    Raises:
        InputError: A count is above its n, the counts are of different numbers of features, or a
            group is empty.
    """
    check_testing(min_support, level, correction)
    first, second = np.asarray(counts_first), np.asarray(counts_second)
    if first.shape != second.shape or first.ndim != 1:
        raise InputError(
            f"counts of shapes {first.shape} and {second.shape} are not of the same features; "
            "give one number for each feature on both sides"
        )
    for n, name in zip((n_first, n_second), names, strict=True):
        if n < 1:
            raise InputError(f"{name!r} has no documents; a difference needs some on both sides")
    rates = compare_counts(first, second, n_first=n_first, n_second=n_second)
    q = correct_supported(rates, min_support, correction)
    significant = np.nan_to_num(q, nan=2.0) <= level
    return GroupDiff(
        names=names,
        rates=rates,
        q=q,
        families=Families(np.full(len(q), -1), significant),
        labels=labels or {},
        n_first=n_first,
        n_second=n_second,
        paired=False,
        level=level,
        correction=correction,
        min_support=min_support,
        length=Estimate(_NAN, _NAN, _NAN, _NAN, n_first + n_second),
        tokens=(_NAN, _NAN),
        notes=_notes(q, min_support),
    )


def correct_supported(
    rates: RateComparison, min_support: int, correction: str
) -> NDArray[np.float64]:
    """Return p corrected over the features with enough support; NaN for the others."""
    tested = rates.support >= min_support
    return CORRECTIONS[correction](np.where(tested, rates.p, np.nan))


def add_families(found: GroupDiff, sides: Sides) -> GroupDiff:
    """Return the result with redundant features grouped and examples of the strongest."""
    ranked = found.ranked()
    significant = ranked[found.significant[ranked]].tolist()
    families = find_families(sides, significant, found.rates.difference)
    notes = found.notes
    if len(significant) > MOST_GROUPED:
        told = f"only the {MOST_GROUPED} largest differences were grouped into families"
        notes = (*notes, told)
    leaders = [feature for feature in significant if families.leads[feature]][:_WITH_EXAMPLES]
    examples = _examples(sides, leaders, found.rates.difference)
    return replace(found, families=families, examples=examples, notes=notes)


def _examples(
    sides: Sides, features: list[int], difference: NDArray[np.float64]
) -> dict[int, tuple[str, ...]]:
    """Return texts in which features are strongest, of the group that has them more often."""
    shown: dict[int, tuple[str, ...]] = {}
    for documents, rows, sign in (
        (sides.first, sides.rows_first, 1.0),
        (sides.second, sides.rows_second, -1.0),
    ):
        chosen = [feature for feature in features if difference[feature] * sign > 0]
        if not chosen:
            continue
        strong = above_cuts(documents, rows)[:, chosen].tocsc()
        for place, feature in enumerate(chosen):
            entries = slice(strong.indptr[place], strong.indptr[place + 1])
            best = np.argsort(-strong.data[entries], kind="stable")[:_EXAMPLES]
            found = rows[strong.indices[entries][best]].tolist()
            shown[feature] = tuple(short_text(documents.texts[row]) for row in found)
    return shown


def _no_families(n_features: int) -> Families:
    return Families(np.full(n_features, -1), np.zeros(n_features, np.bool_))


def _notes(q: NDArray[np.float64], min_support: int) -> tuple[str, ...]:
    if np.isfinite(q).any():
        return ()
    return (f"no feature fires in {min_support} documents, so that nothing was tested",)


def _mean_tokens(sides: Sides) -> tuple[float, float]:
    tokens, weights = sides.tokens, sides.weights()
    return float(tokens[0] @ weights[0]), float(tokens[1] @ weights[1])


def _length_difference(sides: Sides) -> Estimate:
    """Return mean tokens of the first less those of the second; of pairs, of their differences."""
    first, second = sides.tokens
    if not sides.paired:
        return welch_difference(first, second)
    gaps = first - second
    value, n = float(gaps.mean()), len(gaps)
    if n < 2 or np.ptp(gaps) == 0.0:
        return Estimate(value, _NAN, _NAN, _NAN, n)
    test = scipy_stats.ttest_1samp(gaps, 0.0)
    bounds = test.confidence_interval(0.95)
    return Estimate(value, float(bounds.low), float(bounds.high), float(test.pvalue), n)
