"""Differences of two groups and trends over ordered ones, through the public analyses (X9, X14)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _validity_documents import firing_documents
from _validity_rows import Row, Sizes, false_share_row, number_row, rate_row, share_row
from interp_embed.analysis import GroupDiff, diff_groups, trend_groups

_RATES = np.array([0.05, 0.1, 0.3, 0.5])
_N_FEATURES, _N_DIFFERENT, _N_SIDE = 300, 5, 1_000
_PERIODS, _N_PERIOD = 6, 400
_RISING = (0.10, 0.14, 0.18, 0.22, 0.26, 0.30)
_HUMPED = (0.10, 0.20, 0.30, 0.30, 0.20, 0.10)
_N_RISING, _N_HUMPED, _N_FLAT = 5, 5, 290


@dataclass(frozen=True)
class Found:
    """What was listed of what was planted."""

    n_found: int
    n_false: int
    share_over_one_point: float
    """Of the features that are alike, those more than one point apart."""


@dataclass(frozen=True)
class Shapes:
    """What trends were said to be."""

    rising: int
    """Of five that rise."""
    turning: int
    """Of five that rise and fall again, said not to be monotone."""
    false: int
    """Flat or humped ones called rising or falling."""


def _count(found: GroupDiff, n_different: int) -> Found:
    listed, gap = found.significant, np.abs(found.rates.difference)
    return Found(
        int(listed[:n_different].sum()),
        int(listed[n_different:].sum()),
        float((gap[n_different:] > 0.01).mean()),
    )


def _rates(n_different: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    base = np.resize(_RATES, _N_FEATURES)
    base[:n_different] = 0.10
    more = np.where(np.arange(_N_FEATURES) < n_different, 0.08, 0.0)
    return base + more, base


def compare(seed: int, *, n_different: int) -> Found:
    """Compare 1,000 documents with 1,000 others."""
    rng = np.random.default_rng([seed, 91])
    sides = [
        firing_documents(rng.random((_N_SIDE, _N_FEATURES)) < rate) for rate in _rates(n_different)
    ]
    return _count(diff_groups(*sides), n_different)


def compare_pairs(seed: int, *, n_different: int) -> Found:
    """Compare two answers to each of 1,000 prompts, which decide much of both."""
    rng = np.random.default_rng([seed, 92])
    prompt = rng.random((_N_SIDE, _N_FEATURES))
    keys = np.arange(_N_SIDE)
    sides = []
    for rate in _rates(n_different):
        own = rng.random((_N_SIDE, _N_FEATURES))
        asked = rng.random((_N_SIDE, _N_FEATURES)) < 0.5
        sides.append(firing_documents(np.where(asked, prompt, own) < rate))
    return _count(diff_groups(*sides, pair_first=keys, pair_second=keys), n_different)


def compare_lengths(seed: int, *, match_length: bool) -> Found:
    """Compare groups of which one writes longer, where long documents have every feature more."""
    rng = np.random.default_rng([seed, 93])
    sides = []
    for mean in (5.2, 4.8):
        tokens = np.exp(rng.normal(mean, 0.4, _N_SIDE)).astype(np.int64) + 1
        rate = np.clip(tokens / 600.0, 0.0, 0.9)[:, None]
        sides.append(firing_documents(rng.random((_N_SIDE, _N_FEATURES)) < rate, tokens))
    return _count(diff_groups(*sides, match_length=match_length), 0)


def compare_authors(seed: int, *, clustered: bool) -> Found:
    """Compare two groups of 25 authors of 40 documents each, who keep to their own ways."""
    rng = np.random.default_rng([seed, 94])
    authors = np.repeat(np.arange(25), 40)
    own = rng.beta(1.0, 3.0, (50, _N_FEATURES))
    sides = [
        firing_documents(rng.random((_N_SIDE, _N_FEATURES)) < own[authors + shift])
        for shift in (0, 25)
    ]
    groups: dict[str, Any] = {}
    if clustered:
        groups = {"groups_first": authors, "groups_second": authors + 25}
    return _count(diff_groups(*sides, **groups), 0)


def _any(found: Sequence[Found]) -> list[bool]:
    return [one.n_false > 0 for one in found]


def diff_rows(sizes: Sizes) -> list[Row]:
    """Return X9: groups that do not differ, groups that do, and what must not look like it."""
    n = max(20, sizes.simulations // 5)
    how = f"{n} runs, {_N_FEATURES} features, 1,000 documents a side, seeds 0 to {n - 1}"
    rows: list[Row] = []
    for name, run in (("documents", compare), ("pairs", compare_pairs)):
        null = sizes.map(partial(run, n_different=0), n)
        planted = sizes.map(partial(run, n_different=_N_DIFFERENT), n)
        n_found = sum(one.n_found for one in planted)
        rows += [
            rate_row(
                "X9",
                f"`diff_groups`, {name} that do not differ: runs with any feature listed",
                _any(null),
                meaning="nothing is listed where there is no difference.",
                how=how,
            ),
            share_row(
                "X9",
                f"`diff_groups`, {name}: eight points more at a base rate of .10, found",
                [True] * n_found + [False] * (n * _N_DIFFERENT - n_found),
                least=0.9,
                meaning=f"a difference of this size is found among {_N_FEATURES} features.",
                how=f"{how}; five features differ",
            ),
            false_share_row(
                "X9",
                f"`diff_groups`, {name}: false among the features listed beside them",
                [one.n_false / max(1, one.n_false + one.n_found) for one in planted],
                meaning="the false discovery rate is what was asked for.",
                how=how,
            ),
        ]
        if run is compare:
            share = float(np.mean([one.share_over_one_point for one in null]))
            rows.append(
                number_row(
                    "X9",
                    "The same by the rule 'more than one point apart': features listed",
                    share,
                    shown=f"{share:.0%}",
                    meaning="what a threshold without a test lists of features that are alike.",
                    how=how,
                )
            )
    return rows + _confounded_rows(sizes, n, how)


def _confounded_rows(sizes: Sizes, n: int, how: str) -> list[Row]:
    lengths = [sizes.map(partial(compare_lengths, match_length=on), n) for on in (True, False)]
    authors = [sizes.map(partial(compare_authors, clustered=on), n) for on in (True, False)]
    shares = [
        float(np.mean([one.n_false for one in found])) / _N_FEATURES
        for found in (lengths[1], authors[1])
    ]
    return [
        rate_row(
            "X9",
            "One group writes longer, length matched: runs with any feature listed",
            _any(lengths[0]),
            meaning="what length explains is not listed when length is held fixed; without "
            f"matching {shares[0]:.0%} of the features are.",
            how=f"{how}; mean lengths differ by half",
        ),
        rate_row(
            "X9",
            "Authors with ways of their own, groups given: runs with any feature listed",
            _any(authors[0]),
            meaning="25 authors a side are 25 witnesses, not 1,000; taken for independent "
            f"documents, {shares[1]:.0%} of the features are listed.",
            how=f"{how}, of 25 authors",
        ),
    ]


def judge(seed: int) -> Shapes:
    """Judge 300 features over six periods of 400 documents."""
    rng = np.random.default_rng([seed, 95])
    periods = np.repeat(np.arange(_PERIODS), _N_PERIOD)
    curves = [_RISING] * _N_RISING + [_HUMPED] * _N_HUMPED
    curves += [(float(_RATES[i % 4]),) * _PERIODS for i in range(_N_FLAT)]
    fires = rng.random((periods.size, len(curves))) < np.array(curves).T[periods]
    shapes = trend_groups(firing_documents(fires), periods, n_resamples=499, seed=seed).shape
    humped = shapes[_N_RISING : _N_RISING + _N_HUMPED]
    return Shapes(
        rising=shapes[:_N_RISING].count("rising"),
        turning=humped.count("not monotone"),
        false=sum(one in ("rising", "falling") for one in shapes[_N_RISING:]),
    )


def group_trend_rows(sizes: Sizes) -> list[Row]:
    """Return X14: features that rise over periods, that rise and fall again, and neither."""
    n = max(5, sizes.simulations // 10)
    found = sizes.map(judge, n)
    how = f"{n} runs, 300 features, 6 periods of 400 documents, seeds 0 to {n - 1}"
    n_rising = sum(one.rising for one in found)
    n_turning = sum(one.turning for one in found)
    return [
        share_row(
            "X14",
            "`trend_groups`: trends of 4 points a period called rising",
            [True] * n_rising + [False] * (n * _N_RISING - n_rising),
            least=0.9,
            meaning="a feature that rises throughout is found, and said to rise.",
            how=how,
        ),
        share_row(
            "X14",
            "`trend_groups`: rises that turn, called not monotone",
            [True] * n_turning + [False] * (n * _N_HUMPED - n_turning),
            least=0.9,
            meaning="a feature that comes and goes is not sold as a trend.",
            how=how,
        ),
        false_share_row(
            "X14",
            "`trend_groups`: flat or turning, among all called rising or falling",
            [one.false / max(1, one.false + one.rising) for one in found],
            meaning="of what is called a trend, hardly any is flat or turns.",
            how=how,
        ),
    ]
