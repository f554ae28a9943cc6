import numpy as np
import pytest

from interp_embed.errors import InputError
from interp_embed.stats import prediction_test


def draw(rng, *, n=150, p=20, effect=0.0):
    columns = rng.standard_normal((n, p))
    return columns, effect * columns[:, 0] + rng.standard_normal(n)


def grouped(rng, *, n=200, n_groups=40):
    """Texts and targets of an author resemble each other, without having to do with each other."""
    groups = rng.integers(0, n_groups, n)
    columns = rng.standard_normal((n_groups, 10))[groups] + 0.5 * rng.standard_normal((n, 10))
    return columns, rng.standard_normal(n_groups)[groups] + rng.standard_normal(n), groups


def rejected(make, *, n_draws=59, runs=120):
    return np.mean([make(np.random.default_rng(s), n_draws).p <= 0.05 for s in range(runs)])


def test_what_predicts_is_found():
    columns, target = draw(np.random.default_rng(0), effect=1.0)

    result = prediction_test(columns, target, n_draws=199)

    assert result.p == 1 / 200
    assert result.correlations[0] == pytest.approx(0.65, abs=0.12)


def test_chance_is_taken_for_a_signal_in_about_one_of_twenty():
    def one(rng, n_draws):
        return prediction_test(*draw(rng), n_draws=n_draws)

    assert rejected(one) <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 120)


def test_groups_that_resemble_themselves_are_no_signal():
    def one(rng, n_draws):
        columns, target, groups = grouped(rng)
        return prediction_test(columns, target, groups=groups, n_draws=n_draws)

    assert rejected(one) <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 120)


def test_the_best_of_several_targets_is_held_against_the_best_by_chance():
    def one(rng, n_draws):
        columns, _ = draw(rng)
        return prediction_test(columns, np.eye(4)[rng.integers(0, 4, 150)], n_draws=n_draws)

    assert rejected(one, runs=80) <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 80)


def test_one_predicted_target_of_several_is_enough():
    rng = np.random.default_rng(1)
    columns, target = draw(rng, effect=0.6)

    result = prediction_test(columns, np.column_stack([rng.standard_normal(150), target]))

    assert result.p <= 0.01
    assert np.argmax(result.correlations) == 1


def test_the_same_seed_gives_the_same_answer():
    columns, target = draw(np.random.default_rng(2), effect=0.1)

    first, again = (prediction_test(columns, target, n_draws=49, seed=3) for _ in range(2))

    assert first == again


@pytest.mark.parametrize(
    ("columns", "target", "settings", "message"),
    [
        (np.ones((8, 2)), np.arange(8.0), {}, "8 rows in 8 groups are too few for 5 folds"),
        (np.ones((50, 2)), np.arange(50.0), {"groups": [0, 1] * 25}, "in 2 groups are too few"),
        (np.ones((50, 2)), np.arange(49.0), {}, "targets must have one value for each of 50"),
        (np.full((50, 2), np.nan), np.arange(50.0), {}, "NaN"),
    ],
)
def test_what_cannot_be_tested_is_refused(columns, target, settings, message):
    with pytest.raises(InputError, match=message):
        prediction_test(columns, target, **settings)
