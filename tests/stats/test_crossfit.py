import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score, roc_auc_score

from interp_embed.errors import InputError
from interp_embed.stats import crossfit_gain, crossfit_predictions, crossfit_score, fit_ridge
from interp_embed.stats.crossfit import _PENALTIES, _influence, _ridge_weights


def test_a_target_that_is_linear_in_the_design_is_predicted():
    rng = np.random.default_rng(0)
    design = rng.normal(size=(200, 3))
    target = design @ [1.0, -2.0, 0.5] + 7.0

    assert crossfit_score(design, target, metric="r2") > 0.999


@pytest.mark.parametrize("n_columns", [3, 40, 200])
def test_pure_noise_scores_at_most_zero_on_average(n_columns):
    rng = np.random.default_rng(n_columns)
    scores = [
        crossfit_score(rng.normal(size=(120, n_columns)), rng.normal(size=120), metric="r2")
        for _ in range(20)
    ]

    assert np.mean(scores) <= 0.0
    assert np.mean(scores) > -0.2


def test_noise_has_an_auc_about_one_half():
    # Predictions of different folds compared with each other would lie well below one half.
    rng = np.random.default_rng(0)
    scores = [
        crossfit_score(rng.normal(size=(100, 2)), rng.integers(0, 2, 100), metric="auc")
        for _ in range(60)
    ]

    assert np.mean(scores) == pytest.approx(0.5, abs=0.03)


def test_a_column_that_separates_the_classes_has_auc_1():
    target = np.tile([0.0, 1.0], 30)

    assert crossfit_score(target[:, None] * 3, target, metric="auc") == 1.0


@pytest.mark.parametrize("shape", [(60, 5), (30, 50), (40, 40)])
def test_the_penalty_and_weights_are_those_of_scikit_learn(shape):
    rng = np.random.default_rng(0)
    columns = rng.normal(size=shape)
    columns -= columns.mean(axis=0)
    target = columns[:, 0] + rng.normal(size=shape[0])
    target -= target.mean()

    expected = RidgeCV(alphas=_PENALTIES * shape[0]).fit(columns, target)

    np.testing.assert_allclose(_ridge_weights(columns, target), expected.coef_, atol=1e-8)


def test_groups_are_never_on_both_sides_of_a_fold():
    # Each group has a target of its own, and columns that tell the group: only leakage predicts.
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 10)
    design = np.eye(40)[groups]
    target = rng.normal(size=40)[groups]

    assert crossfit_score(design, target, metric="r2") > 0.9
    assert crossfit_score(design, target, metric="r2", groups=groups) <= 0.0


def test_the_same_seed_gives_the_same_score():
    rng = np.random.default_rng(0)
    design, target = rng.normal(size=(60, 4)), rng.normal(size=60)

    scores = [crossfit_score(design, target, metric="r2", seed=seed) for seed in (1, 1, 2)]

    assert scores[0] == scores[1] != scores[2]


def test_constant_and_repeated_columns_predict_nothing_more():
    rng = np.random.default_rng(0)
    column = rng.normal(size=(100, 1))
    target = column[:, 0] + rng.normal(size=100)
    wide = np.column_stack([column, column, np.full(100, 0.1), np.zeros(100)])

    assert crossfit_score(wide, target, metric="r2") == pytest.approx(
        crossfit_score(column, target, metric="r2"), abs=0.01
    )
    assert crossfit_score(np.ones((100, 2)), target, metric="r2") <= 0.0


def test_what_cannot_be_scored_is_refused_with_the_numbers():
    design, target = np.ones((20, 1)), np.arange(20.0)
    with pytest.raises(InputError, match="9 rows in 9 groups are too few for 5 folds"):
        crossfit_score(design[:9], target[:9], metric="r2")
    with pytest.raises(InputError, match="20 rows in 4 groups are too few for 5 folds"):
        crossfit_score(design, target, metric="r2", groups=np.arange(20) // 5)
    with pytest.raises(InputError, match="same value in all 20 rows"):
        crossfit_score(design, np.ones(20), metric="r2")
    with pytest.raises(InputError, match="must be 0 or 1"):
        crossfit_score(design, target, metric="auc")
    with pytest.raises(InputError, match="only 1 of 20 rows, in 1 group, have the target 1"):
        crossfit_score(design, target == 3, metric="auc")
    with pytest.raises(InputError, match='metric must be "r2" or "auc"'):
        crossfit_score(design, target, metric="accuracy")
    with pytest.raises(InputError, match="no columns"):
        crossfit_score(np.empty((20, 0)), target, metric="r2")
    with pytest.raises(InputError, match="n_folds must be at least 2"):
        crossfit_score(design, target, metric="r2", n_folds=1)
    with pytest.raises(InputError, match="20 of 20 values of design are NaN"):
        crossfit_score(design * np.nan, target, metric="r2")


@pytest.mark.parametrize("metric", ["r2", "auc"])
def test_a_gain_is_the_difference_of_the_two_scores_and_is_found(metric):
    rng = np.random.default_rng(0)
    column, length = rng.normal(size=(400, 1)), rng.normal(size=(400, 1))
    target = column[:, 0] + length[:, 0] + rng.normal(size=400)
    target = (target > 0).astype(float) if metric == "auc" else target

    found = crossfit_gain(column, target, length, metric=metric)

    both = crossfit_score(np.hstack([length, column]), target, metric=metric)
    assert found.baseline == crossfit_score(length, target, metric=metric)
    assert found.gain.value == pytest.approx(both - found.baseline)
    assert found.gain.low > 0.0
    assert found.p_gain < 1e-6


@pytest.mark.parametrize("metric", ["r2", "auc"])
def test_useless_columns_rarely_gain(metric):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(60 if metric == "r2" else 25):
        length = rng.normal(size=(120, 1))
        target = length[:, 0] + rng.normal(size=120)
        target = (target > 0).astype(float) if metric == "auc" else target
        found.append(crossfit_gain(rng.normal(size=(120, 5)), target, length, metric=metric))

    assert np.mean([gain.gain.value for gain in found]) < 0.0
    assert np.mean([gain.p_gain < 0.05 for gain in found]) <= 0.1


@pytest.mark.parametrize("metric", ["r2", "auc"])
def test_the_error_of_a_score_is_that_of_the_bootstrap(metric):
    rng = np.random.default_rng(0)
    prediction = rng.normal(size=300)
    target = prediction + rng.normal(size=300)
    if metric == "auc":
        target = (target > 0).astype(float)
    folds = np.zeros(300, dtype=np.int64)

    def score(rows):
        if metric == "auc":
            return roc_auc_score(target[rows], prediction[rows])
        return r2_score(target[rows], prediction[rows])

    draws = [score(rng.integers(0, 300, 300)) for _ in range(300)]
    parts = _influence(target, prediction, folds, metric=metric)

    assert parts.sum() == pytest.approx(0.0, abs=1e-9)
    assert np.sqrt((parts**2).sum()) == pytest.approx(np.std(draws), rel=0.15)


def test_repeating_every_row_by_groups_does_not_shrink_a_gains_interval():
    rng = np.random.default_rng(0)
    column, length = rng.normal(size=(100, 1)), rng.normal(size=(100, 1))
    target = column[:, 0] + length[:, 0] + rng.normal(size=100)
    once = crossfit_gain(column, target, length, metric="r2").gain

    five = crossfit_gain(
        np.repeat(column, 5, axis=0), np.repeat(target, 5), np.repeat(length, 5, axis=0),
        metric="r2", groups=np.repeat(np.arange(100), 5),
    ).gain  # fmt: skip

    assert five.high - five.low == pytest.approx(once.high - once.low, rel=0.15)


def test_a_ridge_fit_predicts_new_rows_in_the_units_of_its_columns():
    rng = np.random.default_rng(0)
    design = rng.normal(size=(200, 3)) * [1.0, 100.0, 0.01] + [0.0, 5_000.0, 1.0]
    design = np.column_stack([design, np.full(200, 3.0)])  # a constant column gets no weight
    target = 2.0 * design[:, 0] + 0.03 * design[:, 1] + 7.0

    fit = fit_ridge(design[:150], target[:150])

    assert r2_score(target[150:], fit.predict(design[150:])) > 0.999
    assert fit.weights[3] == 0.0
    np.testing.assert_allclose(fit.predict(design), design @ fit.weights + fit.intercept, rtol=1e-6)


def test_out_of_fold_predictions_are_those_that_are_scored():
    rng = np.random.default_rng(0)
    design = rng.normal(size=(120, 5))
    target = design[:, 0] + rng.normal(size=120)

    predicted = crossfit_predictions(design, target, n_folds=4, seed=2)

    expected = crossfit_score(design, target, metric="r2", n_folds=4, seed=2)
    assert r2_score(target, predicted) == pytest.approx(expected, abs=1e-12)


def test_a_ridge_fit_without_columns_is_refused():
    with pytest.raises(InputError, match="no columns to predict from"):
        fit_ridge(np.empty((10, 0)), np.arange(10.0))
