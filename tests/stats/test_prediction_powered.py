import math

import numpy as np
import pytest
import statsmodels.api as sm

from interp_embed.errors import InputError
from interp_embed.stats import dsl_mean, dsl_regression


def planted(rng, *, n=2000, n_gold=400):
    """Annotation errors that follow the target: naive estimates are wrong."""
    truth = (rng.random(n) < 0.3).astype(float)
    other = rng.normal(size=n)
    target = 0.5 * truth + 0.5 * other + rng.normal(size=n)
    false = rng.random(n) < np.where(target > 0.5, 0.4, 0.02)
    annotation = np.where(false, 1.0, truth)
    gold = np.full(n, np.nan)
    rows = rng.choice(n, n_gold, replace=False)
    gold[rows] = truth[rows]
    return annotation, gold, other, target, truth


def test_the_mean_by_hand():
    estimate = dsl_mean([1, 1, 0, 0], [0, np.nan, 0, np.nan])

    assert estimate.value == pytest.approx(0.5 + (-1 + 0) / 2)
    assert estimate.n == 4


def test_known_chances_weight_the_errors():
    # Documents 0, 1 had a chance of 1, the others of 1/4: (1 + 1 + 4 x (-1)) / 4 is added.
    estimate = dsl_mean([0, 0, 1, 1], [1, 1, 0, np.nan], sampling=[1, 1, 0.25, 0.25])

    assert estimate.value == pytest.approx(0.5 + (1 + 1 - 4) / 4)


def test_with_gold_for_all_the_mean_is_theirs():
    rng = np.random.default_rng(0)
    gold = rng.normal(size=50)
    estimate = dsl_mean(rng.normal(size=50), gold)

    assert estimate.value == pytest.approx(gold.mean())
    fit = sm.OLS(gold, np.ones(50)).fit()
    assert (estimate.low, estimate.high) == pytest.approx(tuple(fit.conf_int()[0]))
    grouped = dsl_mean(np.zeros(50), gold, groups=np.arange(50) // 5)
    fit = sm.OLS(gold, np.ones(50)).fit(
        cov_type="cluster", cov_kwds={"groups": np.arange(50) // 5}, use_t=True
    )
    assert (grouped.low, grouped.high) == pytest.approx(tuple(fit.conf_int()[0]))


@pytest.mark.parametrize("family", ["linear", "logit"])
@pytest.mark.parametrize("tune", [True, False])
def test_with_gold_for_all_the_regression_is_theirs(family, tune):
    rng = np.random.default_rng(0)
    annotation, _, other, target, truth = planted(rng, n=300, n_gold=300)
    target = (target > 0).astype(float) if family == "logit" else target
    gold = np.column_stack([truth, other])
    model = {"linear": sm.OLS, "logit": sm.Logit}[family](target, sm.add_constant(gold))
    fit = model.fit(cov_type="HC0", **({"disp": 0} if family == "logit" else {}))

    found = dsl_regression(
        np.column_stack([annotation, other]), target, gold, family=family, tune=tune
    )

    np.testing.assert_allclose([e.value for e in found.estimates], fit.params[1:], rtol=1e-6)
    widths = [(e.high - e.low) / 2 / 1.967984 for e in found.estimates]
    np.testing.assert_allclose(widths, fit.bse[1:] * math.sqrt(300 / 297), rtol=1e-3)


def test_the_untuned_linear_fit_is_least_squares_on_bias_corrected_moments():
    rng = np.random.default_rng(0)
    annotation, gold, other, target, _ = planted(rng)
    plain = np.column_stack([np.ones(2000), annotation, other])
    known = ~np.isnan(gold)
    better = plain[known].copy()
    better[:, 1] = gold[known]
    squares = plain.T @ plain + 5 * (better.T @ better - plain[known].T @ plain[known])
    along = plain.T @ target + 5 * ((better - plain[known]).T @ target[known])

    found = dsl_regression(plain[:, 1:], target, np.column_stack([gold, other]), tune=False)

    np.testing.assert_allclose(
        [e.value for e in found.estimates], np.linalg.solve(squares, along)[1:]
    )
    assert (found.weight, found.n_gold, found.note) == (1.0, 400, "")


def slopes(design, target, family):
    model = {"linear": sm.OLS, "logit": sm.Logit}[family](target, sm.add_constant(design))
    return model.fit(**({"disp": 0} if family == "logit" else {})).params[1:]


@pytest.mark.parametrize("family", ["linear", "logit"])
def test_errors_that_follow_the_target_bias_the_naive_fit_only(family):
    def draw(seed, n):
        annotation, gold, other, target, truth = planted(np.random.default_rng(seed), n=n)
        target = (target > 0).astype(float) if family == "logit" else target
        return np.column_stack([annotation, other]), gold, target, truth

    columns, _, target, truth = draw(99, 200_000)
    goal = slopes(np.column_stack([truth, columns[:, 1]]), target, family)[0]
    naive, corrected, inside = [], [], 0
    for seed in range(60):
        columns, gold, target, _ = draw(seed, 2000)
        found = dsl_regression(
            columns, target, np.column_stack([gold, columns[:, 1]]), family=family
        )
        naive.append(slopes(columns, target, family)[0])
        corrected.append(found.estimates[0].value)
        inside += found.estimates[0].low <= goal <= found.estimates[0].high

    assert np.mean(naive) - goal > 0.2
    assert np.mean(corrected) == pytest.approx(goal, abs=4 * np.std(corrected) / math.sqrt(60))
    assert inside / 60 >= 0.87


def test_a_useful_annotator_narrows_the_interval_and_a_useless_one_is_ignored():
    rng = np.random.default_rng(0)
    truth = (rng.random(4000) < 0.3).astype(float)
    target = truth + rng.normal(size=4000)
    gold = np.where(rng.random(4000) < 0.05, truth, np.nan)
    known = ~np.isnan(gold)
    good = np.where(rng.random(4000) < 0.02, 1 - truth, truth)
    bad = (rng.random(4000) < 0.3).astype(float)

    def width(annotation, **options):
        found = dsl_regression(annotation[:, None], target, gold[:, None], **options)
        return found.estimates[0].high - found.estimates[0].low, found.weight

    alone = sm.OLS(target[known], sm.add_constant(gold[known])).fit(cov_type="HC1")
    alone_width = 2 * 1.97 * alone.bse[1]
    assert width(good)[0] < 0.7 * alone_width
    assert width(bad)[0] < 1.1 * alone_width
    assert width(bad)[1] < 0.3
    assert width(good)[1] > 0.8


def test_what_has_no_answer_says_why():
    rng = np.random.default_rng(0)
    annotation, gold, _, target, _ = planted(rng, n=300, n_gold=30)
    rare = np.where(np.isnan(gold), np.nan, 0.0)
    found = dsl_regression(np.zeros((300, 1)), target, rare[:, None])
    assert math.isnan(found.estimates[0].value)
    assert "no solution" in found.note
    thin = dsl_regression(annotation[:, None], target, gold[:, None])
    assert "fewer than 20 gold documents on a side" in thin.note
    assert math.isnan(dsl_mean([1, 0, 1], [1, np.nan, np.nan]).low)


def test_bad_input_is_refused():
    rng = np.random.default_rng(0)
    annotation, gold, _, target, _ = planted(rng, n=100, n_gold=20)
    design, gold_design = annotation[:, None], gold[:, None]
    with pytest.raises(InputError, match="family must be linear or logit"):
        dsl_regression(design, target, gold_design, family="poisson")
    with pytest.raises(InputError, match=r"sampling must lie in \(0, 1\]"):
        dsl_regression(design, target, gold_design, sampling=np.zeros(100))
    with pytest.raises(InputError, match="0 gold rows are too few for 1 columns"):
        dsl_regression(design, target, gold_design * np.nan)
    with pytest.raises(InputError, match="none of 100 documents has a gold label"):
        dsl_mean(annotation, gold * np.nan)
    with pytest.raises(InputError, match="for logit the target must be 0 or 1"):
        dsl_regression(design, target, gold_design, family="logit")
    with pytest.raises(InputError, match=r"gold_design must have shape \(100, 1\)"):
        dsl_regression(design, target, np.column_stack([gold, gold]))
