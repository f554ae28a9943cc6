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
