import math

import numpy as np
import pytest

from interp_embed.errors import InputError
from interp_embed.stats import annotator_accuracy, corrected_difference, corrected_prevalence


def planted(rng, *, n=4000, prevalence=0.05, n_gold=200, effect=1.0, by_annotation=True):
    """Annotator of sensitivity and specificity 0.9, gold labels for half yes, half no."""
    truth = (rng.random(n) < prevalence).astype(float)
    right = rng.random(n) < 0.9
    annotation = np.where(right, truth, 1.0 - truth)
    target = effect * truth + rng.normal(size=n)
    gold = np.full(n, np.nan)
    if by_annotation:
        sides = (np.flatnonzero(annotation == side) for side in (0.0, 1.0))
        rows = np.concatenate([rng.choice(s, n_gold // 2, replace=False) for s in sides])
    else:
        rows = rng.choice(n, n_gold, replace=False)
    gold[rows] = truth[rows]
    return annotation, target, gold


def test_accuracy_by_hand():
    # 20 of 100 annotated 1. Gold: 5 of 10 of these have it, 1 of 10 of the others.
    annotation = np.repeat([1.0, 0.0], [20, 80])
    gold = np.full(100, np.nan)
    gold[:10] = [1] * 5 + [0] * 5
    gold[20:30] = [1] + [0] * 9

    accuracy = annotator_accuracy(annotation, gold)

    assert accuracy.ppv.value == 0.5
    assert accuracy.npv.value == 0.9
    assert accuracy.attenuation == pytest.approx(0.4)
    assert accuracy.prevalence.value == pytest.approx(0.18)
    assert accuracy.sensitivity.value == pytest.approx(0.1 / 0.18)
    assert accuracy.specificity.value == pytest.approx(0.72 / 0.82)
    assert (accuracy.ppv.n, accuracy.n_gold, accuracy.prevalence.n) == (10, 20, 100)


def test_prevalence_agrees_with_rogan_and_gladen():
    annotation, _, gold = planted(np.random.default_rng(0), n_gold=600)
    accuracy = annotator_accuracy(annotation, gold)
    sensitivity, specificity = accuracy.sensitivity.value, accuracy.specificity.value

    rate = (annotation.mean() + specificity - 1) / (sensitivity + specificity - 1)

    assert accuracy.prevalence.value == pytest.approx(rate)


def test_a_gold_label_for_every_document_leaves_nothing_to_correct():
    rng = np.random.default_rng(0)
    annotation, _, _ = planted(rng)
    truth = (rng.random(4000) < 0.3).astype(float)
    accuracy = annotator_accuracy(annotation, truth)

    assert accuracy.prevalence.value == pytest.approx(truth.mean())
    assert accuracy.sensitivity.value == pytest.approx(annotation[truth == 1].mean())
    assert accuracy.specificity.value == pytest.approx(1 - annotation[truth == 0].mean())


def test_jeffreys_intervals_are_those_of_the_beta_distribution():
    from scipy import stats

    annotation = np.repeat([1.0, 0.0], 50)
    gold = np.repeat([1.0, 0.0, 0.0], [30, 20, 50])
    accuracy = annotator_accuracy(annotation, gold)

    assert (accuracy.ppv.low, accuracy.ppv.high) == pytest.approx(
        stats.beta.interval(0.95, 30.5, 20.5), abs=0.003
    )
    assert accuracy.npv.high == 1.0
    assert accuracy.npv.low == pytest.approx(stats.beta.ppf(0.025, 50.5, 0.5), abs=0.003)


def test_false_positives_that_outnumber_true_ones_are_named():
    annotation, _, gold = planted(np.random.default_rng(0))

    note = annotator_accuracy(annotation, gold).note

    assert "of the documents annotated 1 do not have the concept" in note
    annotation, _, gold = planted(np.random.default_rng(0), prevalence=0.4)
    assert annotator_accuracy(annotation, gold).note == ""


def test_the_attenuation_is_what_theory_says():
    # Sensitivity and specificity .9: factor .32 at prevalence 5 %, .67 at 20 %.
    rng = np.random.default_rng(0)
    for prevalence, factor in ((0.05, 0.32), (0.2, 0.67)):
        annotation, target, gold = planted(rng, n=200_000, prevalence=prevalence, n_gold=20_000)
        found = corrected_difference(annotation, target, gold)
        assert found.accuracy.attenuation == pytest.approx(factor, abs=0.015)
        assert found.naive.value == pytest.approx(factor, abs=0.03)
        assert found.corrected.value == pytest.approx(1.0, abs=0.08)


def test_a_corrected_difference_by_hand():
    annotation = np.repeat([1.0, 0.0], [200, 200])
    target = np.concatenate([np.tile([0.7, 1.7], 100), np.tile([0.5, 1.5], 100)])
    gold = np.full(400, np.nan)
    gold[:100] = np.repeat([1.0, 0.0], 50)
    gold[200:300] = np.repeat([1.0, 0.0], [10, 90])

    found = corrected_difference(annotation, target, gold)

    assert found.naive.value == pytest.approx(0.2)
    assert found.corrected.value == pytest.approx(0.2 * 0.4 / (0.16 + 0.0034))
    assert found.corrected.p == found.naive.p
    width = found.naive.high - found.naive.low
    assert (found.corrected.high - found.corrected.low) > width / 0.4


def covers(n_runs, seed, **design):
    rng = np.random.default_rng(seed)
    found = [corrected_difference(*planted(rng, **design)).corrected for _ in range(n_runs)]
    known = [estimate for estimate in found if not math.isnan(estimate.low)]
    assert len(known) >= 0.98 * n_runs  # a random sample may hold too few of a rare concept
    inside = [estimate.low <= 1.0 <= estimate.high for estimate in known]
    return np.mean(inside), np.array([estimate.value for estimate in known])


def test_corrected_differences_are_unbiased_and_their_intervals_cover():
    coverage, values = covers(50, seed=0)

    assert 0.86 <= coverage <= 1.0  # binomial: 0.95 -+ 2.9 standard errors
    assert values.mean() == pytest.approx(1.0, abs=3 * values.std() / math.sqrt(50))


@pytest.mark.slow
@pytest.mark.parametrize("by_annotation", [True, False])
def test_intervals_cover_in_93_to_97_of_100_runs(by_annotation):
    coverage, values = covers(500, seed=1, by_annotation=by_annotation)

    # Two standard errors of 500 runs are 2 %.
    assert 0.93 <= coverage <= 0.97
    assert values.mean() == pytest.approx(1.0, abs=3 * values.std() / math.sqrt(500))


def test_corrected_prevalences_cover():
    rng = np.random.default_rng(0)
    inside = np.zeros(2)
    for _ in range(100):
        annotation, _, gold = planted(rng, by_annotation=False)
        estimate = annotator_accuracy(annotation, gold).prevalence
        inside[0] += estimate.low <= 0.05 <= estimate.high
        outside = corrected_prevalence(
            int(rng.binomial(1000, 0.14)), 1000,
            true_positives=int(rng.binomial(100, 0.9)), n_positives=100,
            true_negatives=int(rng.binomial(100, 0.9)), n_negatives=100,
        )  # fmt: skip
        inside[1] += outside.low <= 0.05 <= outside.high

    assert (inside / 100 >= 0.9).all()


def test_rogan_and_gladen_by_hand():
    estimate = corrected_prevalence(
        140, 1000, true_positives=90, n_positives=100, true_negatives=90, n_negatives=100
    )

    assert estimate.value == pytest.approx(0.05)
    assert 0.0 <= estimate.low < 0.05 < estimate.high < 0.15
    perfect = corrected_prevalence(
        0, 1000, true_positives=90, n_positives=100, true_negatives=90, n_negatives=100
    )
    assert perfect.value == 0.0
    for chance in (50, 0):
        useless = corrected_prevalence(
            140, 1000, true_positives=chance, n_positives=100, true_negatives=50, n_negatives=100
        )
        assert math.isnan(useless.value)


def test_an_annotator_not_shown_better_than_chance_is_not_corrected_for():
    rng = np.random.default_rng(0)
    annotation = (rng.random(400) < 0.3).astype(float)
    gold = np.where(rng.random(400) < 0.2, (rng.random(400) < 0.3).astype(float), np.nan)

    found = corrected_difference(annotation, rng.normal(size=400), gold)

    assert math.isnan(found.corrected.value)
    assert "better than chance" in found.note
    assert math.isfinite(found.naive.value)


def test_an_empty_side_has_a_reason():
    found = corrected_difference([1, 1, 0, 0, 0], [1.0, 2, 3, 4, 6], [1, 0] + [np.nan] * 3)

    assert "no document annotated 0 has a gold label" in found.note
    assert math.isnan(found.corrected.value)
    assert math.isnan(found.accuracy.sensitivity.value)
    assert found.accuracy.ppv.value == 0.5
    constant = corrected_difference(
        np.tile([1.0, 0.0], 20), np.tile([1.0, 0.0], 20), np.tile([1.0, 0.0], 20)
    )
    assert "no interval" in constant.note


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="annotation must be 0 or 1"):
        annotator_accuracy([0.5, 1], [1, 0])
    with pytest.raises(InputError, match="gold must be 0 or 1"):
        annotator_accuracy([0, 1], [2, 0])
    with pytest.raises(InputError, match="none of 2 documents has a gold label"):
        annotator_accuracy([0, 1], [np.nan, np.nan])
    with pytest.raises(InputError, match="gold must have one value for each of 2 rows"):
        annotator_accuracy([0, 1], [1])
    with pytest.raises(InputError, match="got 5 of 4"):
        corrected_prevalence(5, 4, true_positives=1, n_positives=1, true_negatives=1, n_negatives=1)
