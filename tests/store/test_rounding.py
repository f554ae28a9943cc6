import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_embed.store import round_mantissa

positive = st.floats(0, float(np.finfo(np.float32).max), width=32, exclude_min=True)


@given(st.lists(positive, min_size=1))
def test_half_agrees_with_float16_where_float16_can_hold_it(values):
    values = np.array(values, np.float32)
    inside = (values > 6.2e-5) & (values < 65_000)

    rounded = round_mantissa(values, "half")

    expected = values[inside].astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(rounded[inside], expected)


@given(st.lists(positive, min_size=1), st.sampled_from(["full", "half", "bf16"]))
def test_positive_and_finite_values_stay_so_and_rounding_twice_changes_nothing(values, precision):
    rounded = round_mantissa(np.array(values, np.float32), precision)

    assert np.all(np.isfinite(rounded))
    assert np.all(rounded > 0)
    np.testing.assert_array_equal(round_mantissa(rounded, precision), rounded)


@pytest.mark.parametrize(
    ("value", "precision", "expected"),
    [
        (1 + 2**-11, "half", 1.0),  # a tie: to even
        (1 + 3 * 2**-11, "half", 1 + 2**-9),
        (1 + 2**-8, "bf16", 1.0),
        (3.4028235e38, "half", 2.0**127 * (2 - 2**-10)),
        (0.0, "half", 0.0),
        (1 / 3, "full", np.float32(1 / 3)),
    ],
)
def test_worked_examples(value, precision, expected):
    assert round_mantissa(np.array([value], np.float32), precision)[0] == np.float32(expected)


def test_the_values_given_are_not_changed():
    values = np.array([1 / 3], np.float32)

    round_mantissa(values, "bf16")

    assert values[0] == np.float32(1 / 3)
