import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from interp_embed.errors import InputError
from interp_embed.records import Estimate
from interp_embed.stats import (
    StratumEffect,
    adjusted_effect,
    demean_within,
    inverse_frequency_weights,
    joint_regression,
    stratified_effect,
    weighted_difference,
)
from interp_embed.stats.strata import _reversal


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    strata = rng.integers(0, 4, 300)
    concept = (rng.random(300) < 0.2 + 0.15 * strata).astype(float)
    target = concept + 2.0 * strata + rng.normal(size=300) * (1 + concept)
    return concept, target, strata


def numbers(estimate):
    return [estimate.value, estimate.low, estimate.high, estimate.p]


def test_demeaning_and_weights_by_hand():
    np.testing.assert_allclose(demean_within([1, 3, 10, 20], list("aabb")), [-1, 1, -5, 5])
    np.testing.assert_allclose(demean_within([[1, 0], [3, 4]], ["a", "a"]), [[-1, -2], [1, 2]])
    np.testing.assert_allclose(inverse_frequency_weights(list("aaab")), [2 / 3, 2 / 3, 2 / 3, 2])


def test_a_weighted_difference_by_hand():
    estimate = weighted_difference([1, 1, 0, 0], [1, 4, 0, 1], [2, 1, 1, 1])

    assert estimate.value == pytest.approx(1.5)
    assert estimate.n == 4


def test_equal_weights_change_nothing(data):
    concept, target, _ = data
    for groups in (None, np.arange(300) // 6):
        plain = joint_regression(concept[:, None], target, groups=groups)[0]
        weighted = weighted_difference(concept, target, np.full(300, 7.0), groups=groups)
        assert numbers(weighted) == pytest.approx(numbers(plain))


def test_rows_of_weight_0_are_not_there(data):
    concept, target, strata = data
    weights = inverse_frequency_weights(strata)
    weights[strata == 2] = 0.0
    rest = strata != 2

    assert numbers(weighted_difference(concept, target, weights)) == pytest.approx(
        numbers(weighted_difference(concept[rest], target[rest], weights[rest]))
    )


def test_within_is_the_regression_with_a_dummy_for_each_stratum(data):
    concept, target, strata = data
    dummies = np.eye(4)[strata]

    effect = stratified_effect(concept, target, strata).within

    fit = sm.OLS(target, np.column_stack([concept, dummies])).fit(cov_type="HC3", use_t=True)
    assert effect.value == pytest.approx(fit.params[0])
    assert effect.p == pytest.approx(fit.pvalues[0])
    assert (effect.low, effect.high) == pytest.approx(tuple(fit.conf_int()[0]))
    groups = np.arange(300) // 6
    fit = sm.OLS(target, np.column_stack([concept, dummies])).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    clustered = stratified_effect(concept, target, strata, groups=groups).within
    assert clustered.p == pytest.approx(fit.pvalues[0])


def test_strata_that_confound_reverse_the_overall_effect():
    # The concept is frequent where the target is low, but raises it everywhere.
    concept = np.array([1] * 9 + [0] * 1 + [1] * 1 + [0] * 9, dtype=float)
    target = np.array([1.0, 2.0, 1.5] * 3 + [0.5] + [9.5] + [8.0, 9.0, 8.5] * 3)
    effect = stratified_effect(concept, target, [0] * 10 + [1] * 10)

    assert effect.overall.value < -4
    assert effect.within.value == pytest.approx(1.0)


def test_cochrans_q_by_hand():
    # Each side of each stratum: two values, 1 apart, variance 1/2: each effect has variance 1/2.
    concept = [1, 1, 0, 0] * 2
    target = [1.5, 2.5, 0.5, 1.5, 3.5, 4.5, 0.5, 1.5]
    effect = stratified_effect(concept, target, list("aaaabbbb"))

    assert [s.effect.value for s in effect.strata] == pytest.approx([1.0, 3.0])
    assert [s.df for s in effect.strata] == pytest.approx([2.0, 2.0])
    assert effect.cochran_q == pytest.approx(2 * (1 + 1))
    # Two strata: Welch's t on the difference 2 with variance 1 and 4 degrees of freedom.
    assert effect.p_interaction == pytest.approx(0.1161165, abs=1e-6)
    assert effect.p_reversal == 1.0


def test_the_reversal_test_has_the_critical_values_of_its_paper():
    # Gail and Simon 1985, table 1, 5 %: 2.71 for two strata, 4.23 for three, 5.43 for four.
    for k, critical in ((2, 2.71), (3, 4.23), (4, 5.43)):
        least = 2 * stats.norm.sf(math.sqrt(critical))
        strata = [StratumEffect(0, Estimate(1.0, 0.5, 1.5, least, 9), 9.0)]
        strata += [StratumEffect(0, Estimate(-1.0, -1.1, -0.9, 1e-9, 9), 9.0)] * (k - 1)
        assert _reversal(strata) == pytest.approx(0.05, abs=0.0005)

    rng = np.random.default_rng(0)
    concept = np.tile([1.0, 0.0], 2000)
    strata = np.repeat([0, 1], 2000)
    target = rng.normal(size=4000) + concept * np.where(strata == 0, 0.1, -0.1)
    effect = stratified_effect(concept, target, strata)
    weaker = max(s.effect.p for s in effect.strata)
    assert effect.p_reversal == pytest.approx(weaker / 2)


def test_a_planted_reversal_is_found_where_the_overall_effect_shows_nothing():
    rng = np.random.default_rng(0)
    found = reversed_ = overall = 0
    for _ in range(50):
        strata = rng.integers(0, 4, 600)
        concept = (rng.random(600) < 0.3).astype(float)
        sign = np.array([1.0, 1.0, -1.0, -1.0])[strata]
        target = sign * concept + strata + rng.normal(size=600) * (1 + concept)
        effect = stratified_effect(concept, target, strata)
        found += effect.p_interaction < 0.05
        reversed_ += effect.sign_reversal
        overall += effect.overall.p < 0.05

    assert found >= 45
    assert reversed_ >= 45
    assert overall <= 8


def test_equal_effects_are_rarely_called_different():
    rng = np.random.default_rng(1)
    interaction = reversal = 0
    for _ in range(80):
        strata = rng.integers(0, 5, 200)
        concept = (rng.random(200) < 0.3).astype(float)
        target = 0.3 * concept + strata + rng.normal(size=200) * (1 + concept)
        effect = stratified_effect(concept, target, strata)
        interaction += effect.p_interaction < 0.05
        reversal += effect.sign_reversal

    assert interaction / 80 < 0.1
    assert reversal / 80 < 0.05


def test_strata_that_cannot_be_judged_are_counted_not_dropped_silently(data):
    concept, target, strata = data
    concept = np.where(strata == 3, 1.0, concept)
    names = [f"s{s}" for s in strata]
    names[0] = "alone"

    effect = stratified_effect(concept, target, names)

    unknown = {s.stratum for s in effect.strata if math.isnan(s.effect.p)}
    assert unknown == {"s3", "alone"}
    assert effect.df == 2
    assert effect.note == "2 of 5 strata could not be judged"
    single = stratified_effect(concept, target, ["a"] * 300)
    assert math.isnan(single.p_interaction)
    assert not single.sign_reversal
    nothing = stratified_effect((strata == 1).astype(float), target, strata)
    assert math.isnan(nothing.within.value)


def test_a_concept_that_only_follows_length_is_explained_away():
    rng = np.random.default_rng(0)
    length = rng.normal(size=500)
    concept = (length + rng.normal(size=500) > 0).astype(float)
    effect = adjusted_effect(concept, length + rng.normal(size=500), length[:, None])

    assert effect.explained_away
    assert effect.explained_share == pytest.approx(1.0, abs=0.15)
    own = adjusted_effect(concept, concept + rng.normal(size=500), length[:, None])
    assert not own.explained_away
    assert own.change.low < 0.0 < own.change.high


def test_the_error_of_the_change_is_that_of_the_bootstrap():
    rng = np.random.default_rng(0)
    other = rng.normal(size=(400, 2))
    concept = (other[:, 0] + rng.normal(size=400) > 0).astype(float)
    target = concept + other @ [0.5, 0.5] + rng.normal(size=400) * (1 + concept)

    def slopes(rows):
        plain = np.column_stack([np.ones(rows.size), concept[rows]])
        wide = np.column_stack([plain, other[rows]])
        first = np.linalg.lstsq(plain, target[rows])[0][1]
        return np.linalg.lstsq(wide, target[rows])[0][1] - first

    changes = [slopes(rng.integers(0, 400, 400)) for _ in range(1500)]
    effect = adjusted_effect(concept, target, other)

    assert effect.change.value == pytest.approx(slopes(np.arange(400)))
    assert effect.change.value == pytest.approx(effect.adjusted.value - effect.plain.value)
    width = effect.change.high - effect.change.low
    assert width / (2 * 1.966) == pytest.approx(np.std(changes), rel=0.08)


def test_the_change_by_groups_ignores_repeated_rows():
    rng = np.random.default_rng(0)
    other = rng.normal(size=(100, 1))
    concept = (other[:, 0] + rng.normal(size=100) > 0).astype(float)
    target = concept + other[:, 0] + rng.normal(size=100)
    once = adjusted_effect(concept, target, other)

    five = adjusted_effect(
        np.repeat(concept, 5),
        np.repeat(target, 5),
        np.repeat(other, 5, axis=0),
        groups=np.repeat(np.arange(100), 5),
    )

    assert five.change.high - five.change.low == pytest.approx(
        once.change.high - once.change.low, rel=0.1
    )


def test_a_covariate_that_is_the_concept_leaves_nothing_to_estimate(data):
    concept, target, _ = data
    effect = adjusted_effect(concept, target, concept[:, None])

    assert math.isnan(effect.adjusted.value)
    assert math.isnan(effect.change.value)
    assert not effect.explained_away
    assert "determined by covariates" in effect.note


def test_bad_input_is_refused(data):
    concept, target, strata = data
    with pytest.raises(InputError, match="weights must be >= 0, got -1"):
        weighted_difference(concept, target, np.full(300, -1.0))
    with pytest.raises(InputError, match="0 rows with a weight above 0"):
        weighted_difference(concept, target, np.zeros(300))
    with pytest.raises(InputError, match="1 of 300 labels of strata are missing"):
        stratified_effect(concept, target, [None] + ["a"] * 299)
    with pytest.raises(InputError, match="strata must have one value for each of 300 rows"):
        stratified_effect(concept, target, strata[1:])
    with pytest.raises(InputError, match="no covariates"):
        adjusted_effect(concept, target, np.empty((300, 0)))
    with pytest.raises(InputError, match="all 300 rows are in one group"):
        adjusted_effect(concept, target, strata[:, None], groups=np.zeros(300))
    with pytest.raises(InputError, match="one group"):
        stratified_effect(concept, target, strata, groups=np.zeros(300))
