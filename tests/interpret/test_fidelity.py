import numpy as np
import pytest

from interp_embed.errors import InputError
from interp_embed.interpret import measure_fidelity
from interp_embed.stats import wilson_interval


def test_the_numbers_by_hand():
    fidelity = measure_fidelity([1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0])

    assert fidelity.precision == fidelity.recall == fidelity.f1 == pytest.approx(2 / 3)
    expected = wilson_interval(2, 3)
    assert (fidelity.precision_low, fidelity.precision_high) == (expected.low, expected.high)
    assert (fidelity.n, fidelity.n_missing) == (6, 0)


def test_missing_verdicts_are_left_out_not_counted_as_no():
    fidelity = measure_fidelity([1, 1, 0, np.nan], [1, 0, 0, 1])

    assert (fidelity.precision, fidelity.recall) == (0.5, 1.0)
    assert fidelity.f1 == pytest.approx(2 / 3)
    assert (fidelity.n, fidelity.n_missing) == (3, 1)


def test_what_cannot_be_estimated_is_nan():
    never_said = measure_fidelity([0, 0], [1, 0])
    never_fires = measure_fidelity([1, 0], [0, 0])
    all_missing = measure_fidelity([np.nan, np.nan], [1, 0])

    assert np.isnan(never_said.precision)
    assert (never_said.recall, never_said.f1) == (0.0, 0.0)
    assert np.isnan(never_fires.recall)
    assert np.isnan([all_missing.precision, all_missing.recall, all_missing.f1]).all()
    assert (all_missing.n, all_missing.n_missing) == (0, 2)


def test_other_lengths_are_refused():
    with pytest.raises(InputError, match="3 verdicts cannot be compared with 2 documents"):
        measure_fidelity([1, 0, 1], [1, 0])


def test_the_f1_interval_is_that_of_hits_among_all_said_or_firing():
    fidelity = measure_fidelity([1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0])

    hits = wilson_interval(2, 4)  # f1 = 2 j / (1 + j)
    assert fidelity.f1_low == pytest.approx(2 * hits.low / (1 + hits.low))
    assert fidelity.f1_high == pytest.approx(2 * hits.high / (1 + hits.high))
    assert fidelity.f1_low < fidelity.f1 < fidelity.f1_high
    assert np.isnan(measure_fidelity([0, 0], [0, 0]).f1_low)


def test_weights_bring_the_share_of_silent_documents_back():
    verdicts, fires = [1, 1, 1, 0, 1, 0, 0, 0], [1, 1, 1, 1, 0, 0, 0, 0]

    found = measure_fidelity(verdicts, fires, [1] * 4 + [10] * 4)

    # 3 of 4 found; of 40 silent ones, 10 are said
    assert found.recall == 0.75
    assert found.precision == pytest.approx(3 / 13)
    assert found.f1 == pytest.approx(6 / 17)
    assert (found.n, found.n_missing) == (8, 0)
    for name in ("precision", "recall", "f1"):
        low, high = getattr(found, f"{name}_low"), getattr(found, f"{name}_high")
        assert 0 <= low < getattr(found, name) < high <= 1


def test_equal_weights_change_no_estimate():
    verdicts, fires = [1, 1, 0, 0, 1, 0, np.nan], [1, 1, 1, 0, 0, 0, 0]

    plain = measure_fidelity([1, 1, 0, 0, 1, 0], fires[:6])
    weighted = measure_fidelity(verdicts[:6], fires[:6], [2.0] * 6)

    assert weighted.precision == pytest.approx(plain.precision)
    assert weighted.recall == plain.recall
    assert weighted.recall_low == pytest.approx(plain.recall_low)
    assert weighted.f1 == pytest.approx(plain.f1)


def test_a_missing_verdict_does_not_shrink_its_side_of_the_corpus():
    whole = measure_fidelity([1, 0, 1, 0, 1, 0], [1, 1, 0, 0, 0, 0], [1, 1, 5, 5, 5, 5])
    partly = measure_fidelity([1, 0, 1, 0, np.nan, np.nan], [1, 1, 0, 0, 0, 0], [1, 1, 5, 5, 5, 5])

    assert partly.precision == pytest.approx(whole.precision)
    assert partly.n_missing == 2


def test_no_false_alarm_in_few_silent_documents_is_no_proof_of_precision():
    verdicts, fires = [1] * 50 + [0] * 50, [1] * 50 + [0] * 50

    rare = measure_fidelity(verdicts, fires, [2.0] * 50 + [198.0] * 50)

    # up to 7 % of 9,900 silent documents may be said, next to 100 that fire
    assert rare.precision == 1
    assert rare.precision_low == pytest.approx(0.12, abs=0.01)


def test_what_cannot_be_estimated_with_weights_is_nan():
    never_fires = measure_fidelity([1, 0], [0, 0], [3, 3])
    never_said = measure_fidelity([0, 0], [1, 0], [3, 3])
    silent_missing = measure_fidelity([1, np.nan], [1, 0], [3, 3])
    nothing = measure_fidelity([], [], [])

    assert (never_fires.precision, never_fires.f1) == (0, 0)
    assert np.isnan(never_fires.recall)
    assert (never_said.recall, never_said.f1) == (0, 0)
    assert np.isnan([never_said.precision, never_said.precision_low]).all()
    assert silent_missing.recall == 1
    assert np.isnan([silent_missing.precision, silent_missing.f1, silent_missing.f1_low]).all()
    assert np.isnan([nothing.precision, nothing.recall, nothing.f1]).all()


def test_bad_weights_are_refused():
    with pytest.raises(InputError, match=r"2 documents need one weight each, .* shape \(1,\)"):
        measure_fidelity([1, 0], [1, 0], [1])
    with pytest.raises(InputError, match="above 0"):
        measure_fidelity([1, 0], [1, 0], [1, 0])


@pytest.mark.parametrize(
    ("density", "found", "alarms"), [(0.05, 0.8, 0.02), (0.05, 0.3, 0.1), (0.2, 0.9, 0.02)]
)
def test_weighted_intervals_hold_what_they_promise(density, found, alarms):
    rng = np.random.default_rng(0)
    fires = np.arange(100) < 50
    weights = np.where(fires, density, 1 - density) * 20
    hits, wrong = density * found, (1 - density) * alarms
    precision, f1 = hits / (hits + wrong), 2 * hits / (hits + wrong + density)
    held = np.zeros(2)
    for _ in range(400):
        verdicts = rng.random(100) < np.where(fires, found, alarms)
        measured = measure_fidelity(verdicts, fires, weights)
        held += [
            measured.precision_low <= precision <= measured.precision_high,
            measured.f1_low <= f1 <= measured.f1_high,
        ]

    assert (held / 400 > 0.915).all()
