import math

import numpy as np
import pytest
import statsmodels.api as sm

from interp_embed.errors import InputError
from interp_embed.stats import joint_regression


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    design = (rng.random((120, 3)) < 0.4).astype(float)
    target = 2.0 * design[:, 0] - design[:, 1] + rng.normal(size=120) * (1 + design[:, 0])
    return design, target


def is_unknown(estimate):
    return all(map(math.isnan, (estimate.value, estimate.low, estimate.high, estimate.p)))


def test_one_binary_column_is_the_difference_in_means():
    # Residuals +-1 about the means 1 and 5; leverage 1/2, so HC3 gives each group's mean the
    # variance (1/(1-1/2))^2 * 2 / 2^2 = 2.
    (estimate,) = joint_regression([[0], [0], [1], [1]], [0, 2, 4, 6])

    assert estimate.value == pytest.approx(4.0)
    assert estimate.high - estimate.value == pytest.approx(4.302653 * 2.0, rel=1e-6)
    assert estimate.n == 4


def test_hc3_by_its_formula(data):
    design, target = data

    estimates = joint_regression(design, target)

    x = np.column_stack([np.ones(len(target)), design])
    inverse = np.linalg.inv(x.T @ x)
    residual = target - x @ inverse @ x.T @ target
    leverage = np.diag(x @ inverse @ x.T)
    middle = x.T @ np.diag((residual / (1 - leverage)) ** 2) @ x
    errors = np.sqrt(np.diag(inverse @ middle @ inverse))[1:]
    widths = [(estimate.high - estimate.low) / 2 for estimate in estimates]
    np.testing.assert_allclose(widths, errors * 1.980626, rtol=1e-5)  # t, 116 df


def test_groups_give_statsmodels_cluster_robust_errors(data):
    design, target = data
    groups = np.repeat(np.arange(20), 6)

    estimates = joint_regression(design, target, groups=[f"author {g}" for g in groups])

    fit = sm.OLS(target, sm.add_constant(design)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    np.testing.assert_allclose([e.p for e in estimates], fit.pvalues[1:])
    np.testing.assert_allclose([e.low for e in estimates], fit.conf_int()[1:, 0])


def test_groups_of_one_row_each_are_no_groups(data):
    design, target = data

    assert joint_regression(design, target, groups=np.arange(120)) == joint_regression(
        design, target
    )


def test_repeating_every_row_does_not_shrink_clustered_intervals(data):
    design, target = data
    alone = joint_regression(design, target)

    doubled = joint_regression(
        np.repeat(design, 5, axis=0), np.repeat(target, 5), groups=np.repeat(np.arange(120), 5)
    )

    for once, repeated in zip(alone, doubled, strict=True):
        assert repeated.value == pytest.approx(once.value)
        assert repeated.high - repeated.low == pytest.approx(once.high - once.low, rel=0.1)


def test_columns_that_cannot_be_estimated_are_unknown_and_do_not_disturb_the_others(data):
    design, target = data
    single = np.zeros(120)
    single[7] = 1.0
    wide = np.column_stack(
        [design[:, 0], np.full(120, 0.1), design[:, 1], design[:, 0] - design[:, 1], single,
         design[:, 2], 1 - design[:, 2], np.ones(120) - single]
    )  # fmt: skip

    estimates = joint_regression(wide, target)

    assert [is_unknown(e) for e in estimates] == [False, True, False, True, True, False, True, True]
    clean = joint_regression(design, target)
    for place, expected in zip((0, 2, 5), clean, strict=True):
        assert estimates[place].value == pytest.approx(expected.value)
        assert estimates[place].p == pytest.approx(expected.p)


def test_two_columns_that_differ_in_one_row_leave_the_earlier_one(data):
    design, target = data
    twin = design[:, 0].copy()
    twin[3] = 1 - twin[3]

    first, second = joint_regression(np.column_stack([design[:, 0], twin]), target)

    assert not is_unknown(first)
    assert is_unknown(second)


def test_a_concept_found_in_one_group_only_is_not_called_significant(data):
    design, target = data
    groups = np.repeat(np.arange(20), 6)
    local = np.zeros(120)
    local[[0, 2, 5]] = 1.0

    estimates = joint_regression(np.column_stack([design, local]), target, groups=groups)

    assert [is_unknown(e) for e in estimates] == [False, False, False, True]


def test_a_target_without_residual_claims_no_significance(data):
    design, _ = data

    for target in (design @ [1.0, 2.0, 3.0], np.ones(120)):
        for estimate in joint_regression(design, target):
            assert math.isfinite(estimate.value)
            assert math.isnan(estimate.p)
            assert math.isnan(estimate.low)


def test_the_scale_of_a_column_only_scales_its_coefficient(data):
    design, target = data

    small = joint_regression(design * [1e-9, 1, 1e9], target)

    for estimate, plain, scale in zip(
        small, joint_regression(design, target), (1e-9, 1, 1e9), strict=True
    ):
        assert estimate.value * scale == pytest.approx(plain.value)
        assert estimate.p == pytest.approx(plain.p)


def test_false_positives_are_as_rare_as_stated():
    rng = np.random.default_rng(1)
    rejected = 0
    for _ in range(200):
        design = (rng.random((150, 3)) < 0.2).astype(float)
        target = (rng.random(150) < 0.3).astype(float)
        rejected += sum(e.p < 0.05 for e in joint_regression(design, target))

    assert rejected / 600 < 0.08


def test_bad_input_is_refused(data):
    design, target = data
    with pytest.raises(InputError, match="5 rows are too few for a regression on 3 columns"):
        joint_regression(design[:5], target[:5])
    with pytest.raises(InputError, match="target must have one value for each of 120 rows"):
        joint_regression(design, target[:-1])
    with pytest.raises(InputError, match="all 120 rows are in one group"):
        joint_regression(design, target, groups=np.zeros(120))
    holes = design.copy()
    holes[:4, 1] = np.nan
    with pytest.raises(InputError, match="4 of 360 values of design are NaN"):
        joint_regression(holes, target)


def test_no_columns_give_no_estimates():
    assert joint_regression(np.empty((10, 0)), np.arange(10)) == ()
