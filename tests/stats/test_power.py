import math

import numpy as np
import pytest
from scipy import stats

from interp_embed.errors import InputError
from interp_embed.stats import (
    detectable_coefficient,
    detectable_difference,
    detectable_rate_difference,
    joint_regression,
    welch_difference,
)


def test_64_a_side_find_half_a_standard_deviation():
    # Cohen 1988, table 2.4.1: d = 0.5, power .80, two-sided 5 %: 64 a side.
    assert detectable_difference(128, 0.5).value == pytest.approx(0.5, abs=0.002)
    assert detectable_difference(128, 0.5, spread=3.0).value == pytest.approx(1.5, abs=0.006)


def test_the_difference_by_the_noncentral_t():
    found = detectable_difference(1000, 0.05, power=0.9, n_tests=20)

    shift = found.value / math.sqrt(1 / 50 + 1 / 950)
    critical = stats.t.isf(0.05 / 20 / 2, 998)
    power = stats.nct.sf(critical, 998, shift) + stats.nct.cdf(-critical, 998, shift)
    assert power == pytest.approx(0.9, abs=1e-4)
    assert found.level == pytest.approx(0.9975)


def test_a_rise_of_a_rate_by_hand():
    rise = detectable_rate_difference(200, 0.5, 0.5).value

    mean = 0.5 + rise / 2
    pooled = math.sqrt(2 * mean * (1 - mean))
    apart = math.sqrt(0.25 + (0.5 + rise) * (0.5 - rise))
    assert (1.959964 * pooled + 0.841621 * apart) / 10 == pytest.approx(rise, abs=1e-4)


def test_a_half_and_half_column_needs_what_a_t_test_needs():
    assert detectable_coefficient(128, column_spread=0.5).value == pytest.approx(
        detectable_difference(128, 0.5).value, abs=1e-4
    )


def test_collinearity_counts_as_fewer_documents():
    # VIF 4 halves the precision.
    alone, beside = (detectable_coefficient(5000, r2_of_column=r2).value for r2 in (0.0, 0.75))

    assert beside == pytest.approx(2 * alone)


def test_the_stated_power_is_had():
    rng = np.random.default_rng(0)
    effect = detectable_difference(200, 0.2).value
    rate = detectable_rate_difference(300, 0.3, 0.2).value
    slope = detectable_coefficient(100, n_columns=2, r2_of_column=0.36, column_spread=1.0).value
    found = np.zeros(3)
    for _ in range(200):
        found[0] += welch_difference(rng.normal(effect, 1, 40), rng.normal(0, 1, 160)).p < 0.05
        found[1] += (
            stats.chi2_contingency(
                [
                    [a := rng.binomial(90, 0.2 + rate), 90 - a],
                    [b := rng.binomial(210, 0.2), 210 - b],
                ],
                correction=False,
            )[1]
            < 0.05
        )
        other = rng.normal(size=100)
        column = 0.6 * other + 0.8 * rng.normal(size=100)
        target = slope * column + rng.normal(size=100)
        found[2] += joint_regression(np.column_stack([column, other]), target)[0].p < 0.05

    np.testing.assert_allclose(found / 200, 0.8, atol=0.085)


def test_too_few_documents_say_so():
    assert "0 of 10 documents have the concept" in detectable_difference(10, 0.01).note
    assert "even a rise to 1" in detectable_rate_difference(10, 0.2, 0.9).note
    assert math.isnan(detectable_rate_difference(10, 0.2, 0.9).value)
    assert "no degree of freedom" in detectable_coefficient(3, n_columns=2).note


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="prevalence must lie between 0 and 1"):
        detectable_difference(100, 0.0)
    with pytest.raises(InputError, match="power must lie between 0.05 and 1"):
        detectable_difference(100, 0.5, power=0.01)
    with pytest.raises(InputError, match="spread must be above 0"):
        detectable_difference(100, 0.5, spread=-1)
    with pytest.raises(InputError, match="base_rate must lie in"):
        detectable_rate_difference(100, 0.5, 1.0)
    with pytest.raises(InputError, match="r2_of_column in"):
        detectable_coefficient(100, r2_of_column=1.0)
    with pytest.raises(InputError, match="n and n_tests must be at least 1"):
        detectable_coefficient(100, n_tests=0)
