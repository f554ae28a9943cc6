import math
from itertools import permutations

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.outliers_influence import variance_inflation_factor

from interp_embed.errors import InputError
from interp_embed.stats import column_condition, shapley_r2, variance_inflation


@pytest.fixture
def design():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) + 5.0


def test_two_columns_of_correlation_six_tenths():
    rows = [
        [1, 1],
        [1, 1],
        [1, 1],
        [1, 1],
        [1, -1],
        [-1, 1],
        [-1, -1],
        [-1, -1],
        [-1, -1],
        [-1, -1],
    ]

    assert variance_inflation(rows) == pytest.approx((1.5625, 1.5625))
    assert column_condition(rows) == pytest.approx(2.0)


def test_inflation_is_that_of_statsmodels(design):
    plain = sm.add_constant(design)

    expected = [variance_inflation_factor(plain, column) for column in range(1, 5)]

    np.testing.assert_allclose(variance_inflation(design), expected)


def test_constant_and_repeated_columns():
    rng = np.random.default_rng(0)
    column = rng.normal(size=20)
    wide = np.column_stack([column, 2 * column + 1, np.full(20, 0.1), rng.normal(size=20)])

    factors = variance_inflation(wide)

    assert factors[0] == factors[1] == math.inf
    assert math.isnan(factors[2])
    assert 1.0 <= factors[3] < 2.0
    assert column_condition(wide[:, [0, 1]]) == math.inf
    assert math.isnan(column_condition(wide))


def test_shares_are_the_gain_averaged_over_all_orders(design):
    target = design @ [1.0, 0.0, -1.0, 0.5] + np.random.default_rng(1).normal(size=60)

    def r2(columns):
        return (
            sm.OLS(target, sm.add_constant(design[:, columns])).fit().rsquared if columns else 0.0
        )

    orders = list(permutations(range(4)))
    expected = np.zeros(4)
    for order in orders:
        for place, column in enumerate(order):
            expected[column] += r2(list(order[: place + 1])) - r2(list(order[:place]))

    shares = shapley_r2(design, target)

    np.testing.assert_allclose(shares, expected / len(orders), atol=1e-10)
    assert shares.sum() == pytest.approx(r2([0, 1, 2, 3]))


def test_shares_by_hand():
    # y = a + b, uncorrelated and of equal variance: half each; a copy of a splits its half.
    a, b = np.array([1.0, 1, -1, -1]), np.array([1.0, -1, 1, -1])

    np.testing.assert_allclose(shapley_r2(np.column_stack([a, b]), a + b), [0.5, 0.5])
    np.testing.assert_allclose(
        shapley_r2(np.column_stack([a, b, a, np.ones(4)]), a + b), [0.25, 0.5, 0.25, 0], atol=1e-12
    )
    assert np.isnan(shapley_r2(np.column_stack([a, b]), np.ones(4))).all()


def test_too_many_columns_are_refused():
    with pytest.raises(InputError, match="13 columns have 2\\*\\*13 subsets"):
        shapley_r2(np.ones((20, 13)), np.arange(20))
