import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from interp_embed.errors import InputError
from interp_embed.stats import preference_effect, preference_regression


def numbers(estimate):
    return [estimate.value, estimate.low, estimate.high, estimate.p]


def test_a_win_rate_by_hand():
    effect = preference_effect([1, 1, -1, 0, -1], [1, 0, 0, 1, 0])

    assert effect.win_rate.value == 0.75
    assert effect.win_rate.n == 4
    assert effect.win_rate.p == pytest.approx(10 / 16)  # 0, 1, 3 or 4 of 4
    assert effect.separation.value == pytest.approx(0.5)
    assert (effect.n_pairs, effect.n_first, effect.n_second) == (5, 2, 2)
    assert effect.preferred_first == pytest.approx(0.4)


def test_exchanging_the_answers_of_any_pairs_changes_no_win_rate():
    rng = np.random.default_rng(0)
    difference, preference = rng.integers(-1, 2, 300), rng.integers(0, 2, 300)
    groups = rng.integers(0, 40, 300)
    swap = rng.random(300) < 0.5
    swapped = np.where(swap, -difference, difference), np.where(swap, 1 - preference, preference)
    for labels in (None, groups):
        plain = preference_effect(difference, preference, groups=labels)
        other = preference_effect(*swapped, groups=labels)
        assert numbers(plain.win_rate) == numbers(other.win_rate)
    columns = np.column_stack([difference, rng.integers(-1, 2, 300)])
    fit = preference_regression(columns, preference)
    other = preference_regression(np.where(swap[:, None], -columns, columns), swapped[1])
    for ours, theirs in zip(fit.estimates, other.estimates, strict=True):
        assert numbers(ours) == pytest.approx(numbers(theirs))


@pytest.mark.parametrize("clustered", [False, True])
def test_null_labels_are_rejected_as_often_as_stated(clustered):
    # The predecessor's test rejects every one of these.
    rng = np.random.default_rng(0)
    rejected = np.zeros(3)
    runs = np.array([150, 150, 20])  # the logit takes longer
    for run in range(150):
        prompts = np.repeat(np.arange(100), 4)
        difference = rng.choice([-1, 0, 1], size=400, p=[0.2, 0.6, 0.2])
        if clustered:  # one sign a prompt, and preferences that agree within it
            difference = np.repeat(rng.choice([-1, 0, 1], size=100), 4)
        taste = rng.random(100) if clustered else np.full(100, 0.5)
        preference = (rng.random(400) < taste[prompts]).astype(float)
        groups = prompts if clustered else None
        effect = preference_effect(difference, preference, groups=groups)
        rejected[:2] += [effect.win_rate.p < 0.05, effect.separation.p < 0.05]
        if run < 20:
            fit = preference_regression(difference[:, None], preference, groups=groups)
            rejected[2] += fit.estimates[0].p < 0.05

    # X8: 3 to 7 %, with two standard errors of the runs; the exact test is a little conservative.
    slack = 2 * np.sqrt(0.05 * 0.95 / runs)
    assert (rejected / runs >= 0.03 - slack).all()
    assert (rejected / runs <= 0.07 + slack).all()


def test_a_liking_for_the_first_place_moves_the_win_rate_only():
    rng = np.random.default_rng(0)
    difference = rng.choice([-1, 0, 1], size=4000, p=[0.1, 0.4, 0.5])
    effect = preference_effect(difference, (rng.random(4000) < 0.65).astype(float))

    assert effect.win_rate.p < 1e-6
    assert effect.separation.p > 0.05
    assert "separation does not" in effect.note


def test_a_planted_preference_is_found_with_its_size():
    rng = np.random.default_rng(0)
    difference = rng.choice([-1, 0, 1], size=2000)
    chance = 0.5 + 0.15 * difference
    effect = preference_effect(difference, (rng.random(2000) < chance).astype(float))

    assert effect.win_rate.low < 0.65 < effect.win_rate.high
    assert effect.win_rate.p < 1e-6
    assert effect.separation.value == pytest.approx(0.3, abs=0.06)


def test_the_clustered_error_is_that_of_a_regression_on_a_constant():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 30, 200)
    difference, preference = rng.choice([-1, 1], 200), rng.integers(0, 2, 200)
    wins = (difference * (2 * preference - 1) > 0).astype(float)

    effect = preference_effect(difference, preference, groups=groups).win_rate

    fit = sm.OLS(wins - 0.5, np.ones(200)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    assert effect.p == pytest.approx(fit.pvalues[0])
    assert (effect.low - 0.5, effect.high - 0.5) == pytest.approx(tuple(fit.conf_int()[0]))


def test_bradley_terry_of_one_concept_is_the_log_of_wins_over_losses():
    difference = [1] * 60 + [-1] * 40 + [0] * 20
    preference = [1] * 45 + [0] * 15 + [0] * 30 + [1] * 10 + [1] * 13 + [0] * 7
    fit = preference_regression(np.reshape(difference, (-1, 1)), preference)

    assert fit.estimates[0].value == pytest.approx(math.log(75 / 25))
    # By pair: information 100 x 3/16.
    error = (fit.estimates[0].high - fit.estimates[0].value) / stats.t.ppf(0.975, 119)
    assert error == pytest.approx(math.sqrt(16 / 300), rel=0.01)


def test_no_difference_and_one_group_have_reasons():
    assert preference_effect([0, 0, 0], [1, 0, 1]).note == "no pair differs in the concept"
    lone = preference_effect([1, 1, -1, 1], [1, 0, 0, 1], groups=["p"] * 4)
    assert lone.win_rate.value == 0.75
    assert math.isnan(lone.win_rate.p)
    assert "one group" in lone.note
    one = preference_effect([1], [1])
    assert one.win_rate.p == 1.0
    assert math.isnan(one.separation.value)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="difference must be -1, 0 or 1"):
        preference_effect([0.5], [1])
    with pytest.raises(InputError, match="preference must be 1 where A is preferred"):
        preference_effect([1], [0.5])
    with pytest.raises(InputError, match="preference must have one value"):
        preference_effect([1, 0], [1])
    with pytest.raises(InputError, match="no ties"):
        preference_regression(np.ones((9, 1)), np.full(9, 0.5))
