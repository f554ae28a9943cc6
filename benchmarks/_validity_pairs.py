"""Pairs of features, differences of two sets, and trends, planted and not (X5, X6, X9, X14)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit

from _validity_rows import Row, Sizes, false_share_row, number_row, rate_row, share_row
from interp_embed.stats import (
    PairAssociations,
    adjust_benjamini_hochberg,
    associate_pairs,
    npmi,
    rate_differences,
    trend_shape,
)

_PLANTED_PAIRS = {(0, 1), (2, 3), (4, 5)}
_N_AUTHORS = 25
_RATES = np.array([0.05, 0.1, 0.3, 0.5])
_N_CONCEPTS, _N_DIFFERENT = 100, 5
_N_RISING, _N_HUMPED, _N_FLAT = 5, 5, 20
_RISING = (0.10, 0.14, 0.18, 0.22, 0.26, 0.30)
_HUMPED = (0.10, 0.20, 0.30, 0.30, 0.20, 0.10)


@dataclass(frozen=True)
class Hits:
    """What was found of what was planted."""

    n_found: int
    n_false: int


@dataclass(frozen=True)
class Trends:
    """What was called monotone."""

    rising: int
    """Of five that rise."""
    humped: int
    """Of five that rise and fall again."""
    flat: int
    """Of twenty without a trend."""
    seen_to_turn: int
    """Of the five humped ones, said not to be monotone."""


@dataclass(frozen=True)
class AuthorsPairs:
    """Pairs of features that authors lean to, each feature by itself."""

    plain: list[bool]
    """Whether p is at most .05, documents taken for independent, of pairs that share no feature."""
    robust: list[bool]
    """The same with authors named."""
    missed: list[bool]
    """Whether 0 is outside their intervals of NPMI."""
    n_false_plain: int
    """Pairs listed besides the planted one."""
    n_false: int
    """The same with authors named."""
    found: bool
    """Whether the planted one is listed then."""


def planted_pairs(seed: int) -> Hits:
    """Search 1,124,250 pairs of features for three planted in ten documents of 1,000."""
    rng = np.random.default_rng([seed, 31])
    rates = 10 ** rng.uniform(-2.7, -0.5, 1_500)
    rates[:6] = 10**-2.7
    fires = rng.random((1_000, 1_500)) < rates
    for first, second in sorted(_PLANTED_PAIRS):
        rows = rng.choice(1_000, 10, replace=False)
        for feature in (first, second):
            fires[rows, feature] |= rng.random(10) < 0.9
    found = associate_pairs(csr_array(fires.astype(np.float32)))
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    return Hits(len(pairs & _PLANTED_PAIRS), len(pairs - _PLANTED_PAIRS))


def pair_rows(sizes: Sizes) -> list[Row]:
    """Return X5: rare planted correlations among a million pairs."""
    n = sizes.pair_seeds
    found = sizes.map(planted_pairs, n)
    n_false = float(np.mean([one.n_false for one in found]))
    how = f"1,000 documents, 1,500 features, pairs in 10 documents at 90 %, seeds 0 to {n - 1}"
    return [
        share_row(
            "X5",
            "Planted pairs found among 1,124,250",
            [True] * sum(one.n_found for one in found)
            + [False] * sum(3 - one.n_found for one in found),
            least=1.0,
            meaning="pairs that occur together in 1 % of the documents are found.",
            how=how,
        ),
        number_row(
            "X5",
            "Pairs listed that were not planted, a run",
            n_false,
            most=1.0,
            shown=f"{n_false:.2f}",
            meaning="an exact test corrected for all pairs lets hardly any coincidence through; "
            "ranking by NPMI alone lists hundreds.",
            how=how,
        ),
    ]


def authors_pairs(seed: int) -> AuthorsPairs:
    """Test the pairs of 40 features that 25 authors of 20 to 40 documents lean to, or not.

    Each author has rates of their own, drawn for each feature by itself; 0 and 1 are together in a
    fifth of all documents besides.
    """
    rng = np.random.default_rng([seed, 36])
    groups = np.repeat(np.arange(_N_AUTHORS), rng.integers(20, 41, _N_AUTHORS))
    rates = expit(-1.6 + 1.2 * rng.standard_normal((_N_AUTHORS, 40)))
    fires = rng.random((groups.size, 40)) < rates[groups]
    fires[:, :2] |= (rng.random(groups.size) < 0.2)[:, None]
    matrix = csr_array(fires.astype(np.float32))
    plain, robust = (associate_pairs(matrix, max_q=1.0, groups=one) for one in (None, groups))
    planted = (robust.first == 0) & (robust.second == 1)
    return AuthorsPairs(
        plain=_apart(plain, plain.p <= 0.05),
        robust=_apart(robust, robust.p <= 0.05),
        missed=_apart(robust, (robust.npmi_low > 0.0) | (robust.npmi_high < 0.0)),
        n_false_plain=int((plain.q <= 0.05).sum()) - 1,
        n_false=int((robust.q[~planted] <= 0.05).sum()),
        found=bool(robust.q[planted][0] <= 0.05),
    )


def _apart(pairs: PairAssociations, hits: NDArray[np.bool_]) -> list[bool]:
    """Return what holds for 2-3, 4-5 and so on, which share no feature."""
    chosen = (pairs.first % 2 == 0) & (pairs.second == pairs.first + 1) & (pairs.first > 0)
    return hits[chosen].tolist()


def author_rows(sizes: Sizes) -> list[Row]:
    """Return X5: pairs of features where documents of one author are alike."""
    n = max(2, sizes.simulations // 10)
    found = sizes.map(authors_pairs, n)
    how = (
        f"{n} runs, 25 authors of 20 to 40 documents, 40 features, log-odds of authors' rates "
        f"with a spread of 1.2, seeds 0 to {n - 1}"
    )
    plain = [hit for one in found for hit in one.plain]
    return [
        number_row(
            "X5",
            "Features that authors lean to, each by itself: pairs with p <= .05, documents taken "
            "for independent",
            float(np.mean(plain)),
            meaning="texts of one author are no independent evidence, and what a test that takes "
            "them for it lists says who wrote, not what goes together.",
            how=how,
        ),
        rate_row(
            "X5",
            "The same with authors named",
            [hit for one in found for hit in one.robust],
            meaning="a p-value means what it says where documents of one author are alike.",
            how=how,
        ),
        rate_row(
            "X5",
            "Their intervals of NPMI that miss 0",
            [hit for one in found for hit in one.missed],
            meaning="the interval is as wide as authors differ.",
            how=how,
        ),
        number_row(
            "X5",
            "Pairs listed that were not planted, a run, documents taken for independent",
            float(np.mean([one.n_false_plain for one in found])),
            meaning="of 780 pairs, corrected for all of them.",
            how=how,
        ),
        rate_row(
            "X5",
            "Runs that list a pair that was not planted, authors named",
            [one.n_false > 0 for one in found],
            meaning="hardly any coincidence of authors passes the correction.",
            how=how,
        ),
        share_row(
            "X5",
            "Pair together in a fifth of the documents of all authors: found",
            [one.found for one in found],
            least=0.8,
            meaning="what does not hang on single authors is still found.",
            how=how,
        ),
    ]


def npmi_rows(sizes: Sizes) -> list[Row]:
    """Return X6: NPMI of counts whose value is known."""
    del sizes
    always, both, rare = np.arange(1, 500), np.arange(1, 30) ** 2, np.array([1_000, 10_000])
    rng = np.random.default_rng(32)
    fires = rng.random((200, 2, 4_000)) < 0.3
    together = fires.all(axis=1).sum(axis=1)
    drawn = npmi(together, fires[:, 0].sum(axis=1), fires[:, 1].sum(axis=1), n=4_000)
    shared = npmi(1, 3, 3, n=rare)
    checks: Sequence[tuple[str, NDArray[np.float64], float, float, str]] = (
        ("never together: -1", npmi(0, always, 500, n=1_000), -1.0, 0.0, "499 counts"),
        ("always together: 1", npmi(always, always, always, n=500), 1.0, 0.0, "499 counts"),
        (
            "independent: 0",
            npmi(both, 30 * np.sqrt(both).astype(int), 30 * np.sqrt(both).astype(int), n=900),
            0.0,
            1e-12,
            "29 counts that are exactly as expected",
        ),
        ("independent, drawn: mean 0", np.array([drawn.mean()]), 0.0, 0.02, "200 pairs, seed 32"),
        (
            "one shared document of 3 and 3: .682 of 1,000, .761 of 10,000",
            shared - [np.log(9e-6) / np.log(1e-3) - 1, np.log(9e-8) / np.log(1e-4) - 1],
            0.0,
            1e-12,
            f"{shared[0]:.3f} and {shared[1]:.3f}",
        ),
    )
    return [
        number_row(
            "X6",
            f"NPMI, {claim}: largest error",
            float(np.abs(values - truth).max()),
            most=slack,
            shown=f"{np.abs(values - truth).max():.1e}",
            meaning="pairs never seen together count as avoiding each other, not as unrelated."
            if truth < 0
            else "the formula holds at values one can check by hand.",
            how=how,
        )
        for claim, values, truth, slack, how in checks
    ]


def compare_sets(seed: int, *, n_different: int) -> Hits:
    """Compare how often 100 concepts occur in two sets of 1,000 documents, by an oracle judge.

    Args:
        seed: Of the documents.
        n_different: Concepts of base rate .10 that the first set has 8 points more often.
    """
    rng = np.random.default_rng([seed, 33])
    base = np.resize(_RATES, _N_CONCEPTS)
    base[:n_different] = 0.10
    more = np.where(np.arange(_N_CONCEPTS) < n_different, 0.08, 0.0)
    counts = (rng.binomial(1_000, base + more), rng.binomial(1_000, base))
    tested = rate_differences(*counts, n_first=1_000, n_second=1_000)
    listed = adjust_benjamini_hochberg(tested.p) <= 0.05
    return Hits(int(listed[:n_different].sum()), int(listed[n_different:].sum()))


def difference_rows(sizes: Sizes) -> list[Row]:
    """Return X9: two sets of documents that do not differ, and two that do."""
    n = sizes.simulations
    null = sizes.map(partial(compare_sets, n_different=0), n)
    planted = sizes.map(partial(compare_sets, n_different=_N_DIFFERENT), n)
    how = f"{n} runs, 100 concepts, 1,000 documents a side, seeds 0 to {n - 1}"
    n_found = sum(one.n_found for one in planted)
    share_false = [one.n_false / max(1, one.n_false + one.n_found) for one in planted]
    return [
        rate_row(
            "X9",
            "Two sets that do not differ: runs with any difference listed",
            [one.n_false > 0 for one in null],
            meaning="nothing is listed where there is no difference, whatever the base rate.",
            how=how,
        ),
        number_row(
            "X9",
            "The same by the rule 'more than one point apart': concepts listed",
            _one_point_rule(n),
            shown=f"{_one_point_rule(n):.0%}",
            meaning="what a threshold without a test lists of concepts that do not differ.",
            how=how,
        ),
        share_row(
            "X9",
            "Eight points more at a base rate of .10: found",
            [True] * n_found + [False] * (n * _N_DIFFERENT - n_found),
            least=0.9,
            meaning="a difference of this size is found among 100 concepts.",
            how=how + "; five concepts differ",
        ),
        false_share_row(
            "X9",
            "False among the differences listed beside them",
            share_false,
            meaning="the false discovery rate is what was asked for.",
            how=how,
        ),
    ]


def _one_point_rule(n: int) -> float:
    rng = np.random.default_rng(34)
    base = np.resize(_RATES, (n, _N_CONCEPTS))
    gap = (rng.binomial(1_000, base) - rng.binomial(1_000, base)) / 1_000
    return float((gap > 0.01).mean())


def judge_trends(seed: int) -> Trends:
    """Judge thirty concepts over six periods of 400 documents."""
    rng = np.random.default_rng([seed, 35])
    periods = np.repeat(np.arange(6), 400)
    flat = ((0.05,) * 6, (0.1,) * 6, (0.3,) * 6, (0.5,) * 6)
    curves = [_RISING] * _N_RISING + [_HUMPED] * _N_HUMPED
    curves += [flat[i % len(flat)] for i in range(_N_FLAT)]
    shapes = [
        trend_shape(
            (rng.random(periods.size) < np.array(curve)[periods]).astype(np.float64),
            periods,
            n_resamples=499,
            seed=seed,
        )
        for curve in curves
    ]
    trend = adjust_benjamini_hochberg(np.array([shape.p_trend for shape in shapes])) <= 0.05
    turns = adjust_benjamini_hochberg(np.array([shape.p_departure for shape in shapes])) <= 0.05
    monotone = trend & ~turns
    humped = slice(_N_RISING, _N_RISING + _N_HUMPED)
    return Trends(
        rising=int(monotone[:_N_RISING].sum()),
        humped=int(monotone[humped].sum()),
        flat=int(monotone[_N_RISING + _N_HUMPED :].sum()),
        seen_to_turn=int(turns[humped].sum()),
    )


def trend_rows(sizes: Sizes) -> list[Row]:
    """Return X14: concepts that rise over periods, that rise and fall again, and neither."""
    n = max(2, sizes.simulations // 10)
    found = sizes.map(judge_trends, n)
    how = f"{n} runs, 6 periods of 400 documents, seeds 0 to {n - 1}; Benjamini-Hochberg over 30"
    n_rising = sum(one.rising for one in found)
    n_turn = sum(one.seen_to_turn for one in found)
    false = [(one.humped + one.flat) / max(1, one.rising + one.humped + one.flat) for one in found]
    return [
        share_row(
            "X14",
            "Trends of 4 points a period called monotone",
            [True] * n_rising + [False] * (n * _N_RISING - n_rising),
            least=0.9,
            meaning="a concept that rises throughout is found, and said to rise.",
            how=how,
        ),
        share_row(
            "X14",
            "Rises that turn, said not to be monotone",
            [True] * n_turn + [False] * (n * _N_HUMPED - n_turn),
            least=0.9,
            meaning="a concept that comes and goes is not sold as a trend.",
            how=how,
        ),
        false_share_row(
            "X14",
            "Not rising, among all called monotone",
            false,
            meaning="of what is called a trend, hardly any is flat or turns.",
            how=how,
        ),
    ]
