import numpy as np
import pytest

from interp_embed.errors import InputError
from interp_embed.synthetic import Confounder, CorpusPlan, plant_pairs


def test_the_preference_follows_the_difference_in_concepts():
    plan = CorpusPlan(prevalence=0.3, effects={"noisy": -2.0}, filler=0.0)
    pairs = plant_pairs(1200, plan=plan, seed=1)
    noisy = pairs.concepts.index("noisy")

    difference = pairs.truth_a[:, noisy].astype(int) - pairs.truth_b[:, noisy]

    only_first = pairs.preference[difference == 1].mean()
    assert only_first == pytest.approx(1 / (1 + np.exp(2)), abs=0.08)
    assert pairs.preference[difference == 0].mean() == pytest.approx(0.5, abs=0.06)


def test_group_differences_set_the_two_sides_apart():
    plan = CorpusPlan(prevalence=0.3, group_differences={"spicy": 0.2})
    pairs = plant_pairs(800, plan=plan)
    spicy = pairs.concepts.index("spicy")

    assert pairs.truth_a[:, spicy].mean() == pytest.approx(0.2, abs=0.05)
    assert pairs.truth_b[:, spicy].mean() == pytest.approx(0.4, abs=0.05)


def test_pairs_are_whole_and_the_same_again():
    first, again = (plant_pairs(30, domain="comments", seed=3) for _ in range(2))

    assert len(first.texts_a) == len(first.texts_b) == len(first.preference) == 30
    assert first.texts_a == again.texts_a
    assert (first.preference == again.preference).all()
    assert len(first.effects) == 10


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (CorpusPlan(outcome="stars"), "leave outcome None, got 'stars'"),
        (CorpusPlan(near_duplicates=0.1), "near_duplicates does not apply to pairs"),
        (CorpusPlan(confounder=Confounder()), "confounder does not apply to pairs"),
    ],
)
def test_knobs_that_pairs_do_not_have_are_refused(plan, message):
    with pytest.raises(InputError, match=message):
        plant_pairs(10, plan=plan)
