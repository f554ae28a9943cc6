"""What to mind about a hypothesis is said when it is so, and only then."""

import math

import pytest

from interp_embed.records import ControlledEffect, Estimate, StrataEffects
from interp_embed.report.remarks import remarks

_EFFECT = Estimate(0.1, -0.1, 0.3, 0.4, 90)


def _flags(hypothesis):
    return [remark.flag for remark in remarks(hypothesis, strata_name="venue")]


def test_a_plain_hypothesis_has_nothing_to_mind(make_hypothesis):
    assert _flags(make_hypothesis()) == []


@pytest.mark.parametrize("explained_away", [True, False])
def test_explained_away_is_what_the_record_says(explained_away, make_hypothesis):
    controlled = ControlledEffect(("length",), _EFFECT, 0.99, explained_away)

    flags = _flags(make_hypothesis(controlled=controlled))

    assert flags == ["explained away by length"] * explained_away


@pytest.mark.parametrize(
    ("varies", "turns", "flags"),
    [
        (False, False, []),
        (True, False, ["differs between strata of venue"]),
        (True, True, ["sign turns between strata of venue"]),
    ],
)
def test_strata_are_flagged_by_the_gravest(varies, turns, flags, make_hypothesis):
    strata = StrataEffects((), _EFFECT, 0.01, 0.02, varies, turns)
    assert _flags(make_hypothesis(strata=strata)) == flags


def test_signs_differ_only_if_both_are_certain(make_hypothesis):
    up, down = Estimate(0.3, 0.1, 0.5, 0.01, 90), Estimate(-0.3, -0.5, -0.1, 0.01, 90)
    unsure = Estimate(-0.3, -0.7, 0.1, 0.2, 90)

    both = make_hypothesis(separation=up, coefficient=down)
    one = make_hypothesis(separation=up, coefficient=unsure)

    assert _flags(both) == ["the two effects have opposite signs"]
    assert _flags(one) == []


@pytest.mark.parametrize(
    ("vif", "stability", "flags"),
    [
        (4.9, 0.51, []),
        (math.nan, math.nan, []),
        (math.inf, 0.2, ["overlaps with others", "unstable feature"]),
    ],
)
def test_overlap_and_stability(vif, stability, flags, make_hypothesis):
    assert _flags(make_hypothesis(vif=vif, stability=stability)) == flags
