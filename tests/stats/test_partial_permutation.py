import numpy as np
import pytest

from interp_embed.errors import InputError
from interp_embed.stats import joint_regression, partial_permutation_test

N = 120
NOTHING = np.empty((N, 0))


def few(n_present, *, seed=0):
    column = np.zeros(N)
    column[np.random.default_rng(seed).choice(N, n_present, replace=False)] = 1
    return column


def test_the_worked_example_by_hand():
    """3 of 3 against 0 of 3: 2 of the 20 ways to choose three rows are as extreme."""
    test = partial_permutation_test(
        [1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0], np.empty((6, 0)), n_permutations=4000
    )

    assert test.p == pytest.approx(0.1, abs=0.03)


def test_with_many_rows_it_agrees_with_the_robust_t_test():
    rng = np.random.default_rng(1)
    columns = rng.standard_normal((N, 3))
    target = columns @ [0.2, 1.0, -1.0] + rng.standard_normal(N)

    test = partial_permutation_test(columns[:, 0], target, columns[:, 1:])

    expected = joint_regression(columns, target)[0]
    assert test.p == pytest.approx(expected.p, abs=0.01)


def test_what_other_columns_explain_is_not_found():
    rng = np.random.default_rng(2)
    held = (rng.random(N) < 0.3).astype(float)
    column = np.where(rng.random(N) < 0.1, 1 - held, held)
    target = 2 * held + rng.standard_normal(N)

    assert partial_permutation_test(column, target, NOTHING).p < 0.001
    assert partial_permutation_test(column, target, held[:, None]).p > 0.05


@pytest.mark.parametrize("share", [None, 0.1])
def test_ten_rows_of_a_skewed_or_rare_outcome_reject_as_often_as_stated(share):
    """HC3 rejects a tenth (skewed) to a third (rare) of these nulls at .05."""
    robust = exact = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        target = rng.exponential(size=N) ** 2 if share is None else (rng.random(N) < share) * 1.0
        column = few(10, seed=seed)
        robust += joint_regression(column[:, None], target)[0].p <= 0.05
        exact += partial_permutation_test(column, target, NOTHING, n_permutations=299).p <= 0.05

    assert robust / 150 > 0.09
    assert exact / 150 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 150)


def test_targets_are_exchanged_within_strata_only():
    """Of pairs in which one text alone has it and always wins: 2 ** -9 is the least one side."""
    pairs = np.repeat(np.arange(9), 2)
    column = np.tile([1.0, -1.0], 9)

    test = partial_permutation_test(
        column, np.tile([1.0, 0.0], 9), np.empty((18, 0)), strata=pairs, n_permutations=9999
    )

    assert test.p == pytest.approx(2 * 2**-9, rel=0.5)


def test_a_column_that_others_determine_has_no_p_and_says_why():
    column = few(10)

    test = partial_permutation_test(column, np.arange(N), 3 * column[:, None] + 1)

    assert np.isnan(test.p)
    assert "determine" in test.note


def test_a_missing_value_is_refused():
    with pytest.raises(InputError, match="target"):
        partial_permutation_test(few(10), np.full(N, np.nan), NOTHING)
