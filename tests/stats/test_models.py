import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize
from statsmodels.miscmodels.ordinal_model import OrderedModel

from interp_embed.errors import InputError
from interp_embed.stats import fit_model, joint_regression, wald_test


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    design = np.column_stack([rng.random((400, 2)) < 0.4, 3.0 * rng.normal(size=400) + 1])
    latent = design @ [1.0, -0.7, 0.2] + rng.logistic(size=400)
    groups = np.repeat(np.arange(40), 10)
    return design.astype(float), latent, groups


def values(fit):
    return [estimate.value for estimate in fit.estimates]


def errors(fit):
    return np.sqrt(np.diag(fit.covariance))


# --- worked examples


def test_logit_of_one_column_is_the_log_odds_ratio():
    # 3 of 4 against 1 of 4: ln 3 - ln(1/3); error sqrt(1/3 + 1/1 + 1/1 + 1/3).
    fit = fit_model([[1]] * 4 + [[0]] * 4, [1, 1, 1, 0, 1, 0, 0, 0], family="logit")

    assert fit.estimates[0].value == pytest.approx(2 * math.log(3))
    assert errors(fit)[0] == pytest.approx(math.sqrt(8 / 3))
    assert fit.estimates[0].high == pytest.approx(2 * math.log(3) + 1.959964 * math.sqrt(8 / 3))
    assert (fit.estimator, fit.errors, fit.note) == (
        "maximum likelihood",
        "information matrix",
        "",
    )


def test_poisson_of_one_column_is_the_log_ratio_of_means():
    # Means 4 and 2; Pearson (1 + 1) / 4 + (1 + 1) / 2 over 4 - 2 degrees of freedom.
    fit = fit_model([[1], [1], [0], [0]], [3, 5, 1, 3], family="poisson")

    assert fit.estimates[0].value == pytest.approx(math.log(2))
    assert fit.overdispersion == pytest.approx(0.75)
    # HC1: residuals 1, 1 on 8 and 1, 1 on 4: sqrt((2/64 + 2/16) * 4/2)
    assert errors(fit)[0] == pytest.approx(math.sqrt((2 / 64 + 2 / 16) * 2))


def test_multinomial_of_one_column_is_the_log_odds_of_each_level_against_the_first():
    # a: 2 with, 4 without; b: 4, 4; c: 6, 3.
    target = ["a"] * 2 + ["b"] * 4 + ["c"] * 6 + ["a"] * 4 + ["b"] * 4 + ["c"] * 3
    fit = fit_model([[1]] * 12 + [[0]] * 11, target, family="multinomial")

    assert fit.levels == ("a", "b", "c")
    assert fit.of_level("b")[0].value == pytest.approx(math.log((4 / 2) / (4 / 4)))
    assert fit.of_level("c")[0].value == pytest.approx(math.log((6 / 2) / (3 / 4)))
    with pytest.raises(InputError, match=r"there are estimates by level for \('b', 'c'\)"):
        fit.of_level("a")


def test_mcfaddens_r2_by_hand():
    fit = fit_model([[1]] * 4 + [[0]] * 4, [1, 1, 1, 0, 1, 0, 0, 0], family="logit")

    fitted = 6 * math.log(0.75) + 2 * math.log(0.25)
    assert fit.log_likelihood == pytest.approx(fitted)
    assert fit.r2 == pytest.approx(1 - fitted / (8 * math.log(0.5)))


# --- parity


def test_linear_is_the_joint_regression(data):
    design, latent, groups = data
    for labels in (None, groups):
        fit = fit_model(design, latent, groups=labels)
        for ours, theirs in zip(
            fit.estimates, joint_regression(design, latent, groups=labels), strict=True
        ):
            assert [ours.value, ours.low, ours.high, ours.p] == pytest.approx(
                [theirs.value, theirs.low, theirs.high, theirs.p]
            )
    assert fit_model(design, latent).r2 == pytest.approx(
        sm.OLS(latent, sm.add_constant(design)).fit().rsquared
    )


@pytest.mark.parametrize(
    ("family", "model"), [("logit", sm.Logit), ("poisson", sm.Poisson), ("multinomial", sm.MNLogit)]
)
@pytest.mark.parametrize("kind", ["model", "robust", "cluster"])
def test_likelihoods_are_those_of_statsmodels_in_the_columns_own_units(data, family, model, kind):
    design, latent, groups = data
    target = {
        "logit": latent > 0.5,
        "poisson": np.floor(np.abs(latent)),
        "multinomial": np.digitize(latent, [0, 1.5]),
    }[family].astype(float)
    options = {
        "model": {},
        "robust": {"cov_type": "HC0"},
        "cluster": {"cov_type": "cluster", "cov_kwds": {"groups": groups}},
    }[kind]
    expected = model(target, sm.add_constant(design)).fit(disp=0, **options)

    fit = fit_model(
        design,
        target,
        family=family,
        groups=groups if kind == "cluster" else None,
        errors="default" if kind == "cluster" else kind,
    )

    factor = math.sqrt(400 / (400 - expected.params.size)) if kind == "robust" else 1.0
    np.testing.assert_allclose(values(fit), np.asarray(expected.params)[1:].T.ravel(), rtol=1e-5)
    np.testing.assert_allclose(
        errors(fit), np.asarray(expected.bse)[1:].T.ravel() * factor, rtol=1e-4
    )
    assert fit.log_likelihood == pytest.approx(expected.llf)
    assert fit.r2 == pytest.approx(expected.prsquared)
    assert fit.converged
    assert fit.df == (39 if kind == "cluster" else math.inf)


def test_ordered_is_the_proportional_odds_model(data):
    design, latent, groups = data
    target = np.digitize(latent, [-1, 1, 2]) + 1.0
    expected = OrderedModel(target.astype(int), design, distr="logit").fit(method="bfgs", disp=0)

    fit = fit_model(design, target, family="ordered")

    np.testing.assert_allclose(values(fit), expected.params[:3], atol=1e-3)
    np.testing.assert_allclose(errors(fit), expected.bse[:3], rtol=1e-2)
    assert fit.levels == (1.0, 2.0, 3.0, 4.0)
    assert fit.r2 == pytest.approx(expected.prsquared)
    assert fit_model(design, target, family="ordered", groups=groups).errors == "cluster-robust"


def test_an_ordered_fit_maximises_the_likelihood_written_out(data):
    design, latent, _ = data
    target = np.digitize(latent, [0, 1.5])

    def loss(params):
        eta = design @ params[:3]
        cuts = np.array([-np.inf, params[3], params[3] + np.exp(params[4]), np.inf])
        cdf = 1 / (1 + np.exp(-(cuts[None, :] - eta[:, None])))
        return -np.log(np.diff(cdf, axis=1)[np.arange(400), target]).sum()

    found = minimize(loss, np.zeros(5))

    fit = fit_model(design, target, family="ordered")

    np.testing.assert_allclose(values(fit), found.x[:3], atol=2e-3)
    assert fit.log_likelihood == pytest.approx(-found.fun)


# --- separation


def test_separation_is_found_named_and_answered_by_firth():
    # 0 of 5 against 3 of 5: half a case more in each cell, ln(3.5 / 2.5) - ln(0.5 / 5.5).
    design, target = [[1]] * 5 + [[0]] * 5, [1, 1, 1, 0, 0] + [0] * 5

    fit = fit_model(design, target, family="logit")

    assert fit.estimates[0].value == pytest.approx(math.log(3.5 / 2.5) - math.log(0.5 / 5.5))
    assert fit.separated == (0,)
    assert (fit.estimator, fit.errors) == ("Firth", "profile penalised likelihood")
    assert "column" in fit.note
    assert "no finite maximum-likelihood estimate" in fit.note
    assert "Firth" in fit.note
    assert fit.estimates[0].low < 0.0 < fit.estimates[0].value < fit.estimates[0].high < 10.0


def test_without_a_penalty_separation_gives_no_numbers():
    fit = fit_model(
        [[1]] * 5 + [[0]] * 5, [1, 1, 1, 0, 0] + [0] * 5, family="logit", penalty="none"
    )

    assert math.isnan(fit.estimates[0].value)
    assert (fit.estimator, fit.converged, fit.separated) == ("none", False, (0,))
    assert "no values; penalty 'firth' gives finite ones" in fit.note


def test_overlap_by_a_single_row_is_no_separation():
    column = np.array([1.0] * 5 + [0.0] * 5)
    target = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 1])

    assert fit_model(column[:, None], target, family="logit").separated == ()


def test_only_the_columns_that_separate_are_named(data):
    design, latent, _ = data
    rare = np.zeros(400)
    target = (latent > 0.5).astype(float)
    rare[np.flatnonzero(target == 1)[:6]] = 1.0

    fit = fit_model(np.column_stack([design, rare]), target, family="logit")

    assert fit.separated == (3,)
    assert np.isfinite(values(fit)).all()
    plain = fit_model(design, target, family="logit", penalty="firth")
    np.testing.assert_allclose(values(fit)[:3], values(plain), atol=0.15)


@pytest.mark.parametrize("family", ["poisson", "ordered", "multinomial"])
def test_separation_in_other_families_gives_no_numbers_and_names_the_columns(data, family):
    design, latent, _ = data
    target = np.digitize(latent, [0, 1.5])
    rare = np.zeros(400)
    rare[np.flatnonzero(target == 0)[:6]] = 1.0  # always the lowest level, or never a count

    fit = fit_model(np.column_stack([design, rare]), target, family=family)

    assert fit.separated == (3,)
    assert np.isnan(values(fit)).all()
    assert "columns 3 have no finite" in fit.note


def test_a_column_perfect_for_one_middle_level_does_not_separate_an_ordered_target(data):
    design, latent, _ = data
    target = np.digitize(latent, [0, 1.5])
    rare = np.zeros(400)
    rare[np.flatnonzero(target == 1)[:6]] = 1.0

    wide = np.column_stack([design, rare])

    assert fit_model(wide, target, family="ordered").separated == ()
    assert fit_model(wide, target, family="multinomial").separated == (3,)


def test_firth_maximises_likelihood_plus_half_the_log_determinant(data):
    design, latent, _ = data
    design, target = design[:60], (latent[:60] > 0.5).astype(float)
    plain = sm.add_constant(design)

    def loss(beta):
        eta = plain @ beta
        chance = 1 / (1 + np.exp(-eta))
        information = plain.T @ (plain * (chance * (1 - chance))[:, None])
        return -(target @ eta - np.logaddexp(0, eta).sum() + np.linalg.slogdet(information)[1] / 2)

    best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8})
    fit = fit_model(design, target, family="logit", penalty="firth")

    np.testing.assert_allclose(values(fit), best.x[1:], atol=1e-4)
    for column, estimate in enumerate(fit.estimates, start=1):
        for end in (estimate.low, estimate.high):
            free = [place for place in range(4) if place != column]

            def held(rest, end=end, free=free, column=column):
                beta = np.empty(4)
                beta[free], beta[column] = rest, end
                return loss(beta)

            found = minimize(held, best.x[free], method="BFGS")
            assert 2 * (found.fun - best.fun) == pytest.approx(3.841459, abs=2e-3)


def test_ridge_is_the_mode_under_a_normal_prior(data):
    design, latent, _ = data
    target = (latent > 0.5).astype(float)
    scaled = (design - design.mean(0)) / design.std(0)

    def loss(beta):
        eta = beta[0] + scaled @ beta[1:]
        return -(target @ eta - np.logaddexp(0, eta).sum()) + (beta[1:] ** 2).sum() / 2

    best = minimize(loss, np.zeros(4))
    fit = fit_model(design, target, family="logit", penalty="ridge")

    np.testing.assert_allclose(values(fit), best.x[1:] / design.std(0), atol=1e-4)
    np.testing.assert_allclose(
        errors(fit), np.sqrt(np.diag(best.hess_inv))[1:] / design.std(0), rtol=0.05
    )
    assert math.isnan(fit.estimates[0].p)


def test_firth_with_groups_gives_no_interval_where_columns_separate(data):
    design, latent, groups = data
    target = (latent > 0.5).astype(float)
    rare = np.zeros(400)
    rare[np.flatnonzero(target == 1)[:60:10]] = 1.0

    fit = fit_model(np.column_stack([design, rare]), target, family="logit", groups=groups)

    assert math.isfinite(fit.estimates[3].value)
    assert math.isnan(fit.estimates[3].p)
    assert "no interval for separated columns" in fit.note
    plain = fit_model(design, target, family="logit", groups=groups)
    np.testing.assert_allclose(errors(fit)[:3], errors(plain), rtol=0.1)


# --- what cannot be estimated


@pytest.mark.parametrize("family", ["linear", "logit", "poisson", "ordered", "multinomial"])
def test_columns_that_cannot_be_estimated_are_left_out_and_named(data, family):
    design, latent, _ = data
    target = np.digitize(latent, [0, 1.5])
    target = np.minimum(target, 1) if family == "logit" else target
    wide = np.column_stack([design, np.full(400, 0.1), design[:, 0] + design[:, 2]])

    fit = fit_model(wide, target, family=family)
    plain = fit_model(design, target, family=family)

    np.testing.assert_allclose(fit.coefficients.reshape(-1, 5)[:, :3].ravel(), values(plain))
    assert np.isnan(fit.coefficients.reshape(-1, 5)[:, 3:]).all()
    assert fit.note == "column 3: constant; column 4: a linear combination of earlier columns"
    assert fit.vif[1] == pytest.approx(plain.vif[1], rel=1e-6)
    assert math.isnan(fit.vif[3])
    assert fit.vif[4] == math.inf


def test_a_count_that_rests_on_one_row_has_no_robust_error(data):
    design, latent, _ = data
    target = np.floor(np.abs(latent))
    single = np.zeros(400)
    single[np.argmax(target)] = 1.0

    fit = fit_model(np.column_stack([design, single]), target, family="poisson")

    assert math.isnan(fit.estimates[3].value)
    assert fit.note == "column 3: its coefficient rests on one row or group alone"


def test_a_target_without_residual_claims_no_significance(data):
    design, _, _ = data

    for target in (design @ [1.0, 2.0, 3.0], np.ones(400)):
        for estimate in fit_model(design, target).estimates:
            assert math.isfinite(estimate.value)
            assert math.isnan(estimate.p)


def test_bad_input_is_refused(data):
    design, latent, groups = data
    with pytest.raises(InputError, match="family must be one of linear"):
        fit_model(design, latent, family="probit")
    with pytest.raises(InputError, match="for logit the target must be 0 or 1"):
        fit_model(design, latent, family="logit")
    with pytest.raises(InputError, match="for poisson the target must be whole numbers >= 0"):
        fit_model(design, latent, family="poisson")
    with pytest.raises(InputError, match="the target has the same value in all 400 rows"):
        fit_model(design, np.ones(400), family="logit")
    with pytest.raises(InputError, match="ordered needs a target of 3 levels or more, got 2"):
        fit_model(design, latent > 0, family="ordered")
    with pytest.raises(InputError, match="the target has 400 levels"):
        fit_model(design, latent, family="multinomial")
    with pytest.raises(InputError, match="1 of 400 labels of target are missing"):
        fit_model(design, ["a", None] + ["b"] * 398, family="multinomial")
    with pytest.raises(InputError, match="penalty firth is for the family logit only"):
        fit_model(design, latent, penalty="firth")
    with pytest.raises(InputError, match="errors='model'"):
        fit_model(design, latent > 0, family="logit", groups=groups, errors="model")
    with pytest.raises(InputError, match="penalty ridge has intervals of its own"):
        fit_model(design, latent > 0, family="logit", groups=groups, penalty="ridge")
    with pytest.raises(InputError, match="all 400 rows are in one group"):
        fit_model(design, latent > 0, family="logit", groups=np.zeros(400))
    with pytest.raises(InputError, match="5 rows are too few for a model of 4 coefficients"):
        fit_model(design[:5], latent[:5] > 0, family="logit")
    with pytest.raises(InputError, match="no columns"):
        fit_model(np.empty((10, 0)), np.arange(10))


# --- several columns together


def test_the_wald_test_of_one_column_is_its_own_p(data):
    design, latent, groups = data
    for options in ({}, {"groups": groups}, {"family": "logit"}):
        fit = fit_model(design, (latent > 0).astype(float), **options)
        assert wald_test(fit, [1]).p == pytest.approx(fit.estimates[1].p)


def test_the_wald_test_is_that_of_statsmodels(data):
    design, latent, groups = data
    expected = sm.OLS(latent, sm.add_constant(design)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    contrast = expected.f_test(np.eye(4)[[1, 3]])

    test = wald_test(fit_model(design, latent, groups=groups), [0, 2])

    assert test.statistic == pytest.approx(float(contrast.fvalue))
    assert test.p == pytest.approx(float(contrast.pvalue))
    assert (test.df, test.df_residual) == (2, 39)


def test_of_two_near_copies_neither_counts_alone_but_the_pair_does():
    rng = np.random.default_rng(0)
    first = rng.normal(size=200)
    design = np.column_stack([first, first + 0.02 * rng.normal(size=200), rng.normal(size=200)])
    fit = fit_model(design, first + rng.normal(size=200))

    assert min(fit.estimates[0].p, fit.estimates[1].p) > 0.05
    assert wald_test(fit, [0, 1]).p < 1e-10
    assert min(fit.vif[:2]) > 1000
    assert fit.condition_number > 30


def test_what_cannot_be_tested_together_says_why(data):
    design, latent, groups = data
    wide = np.column_stack([design, np.ones(400)])
    fit = fit_model(wide, latent, groups=groups // 20)

    assert "not estimated" in wald_test(fit, [2, 3]).note
    assert math.isnan(wald_test(fit, [3]).p)
    assert "2 coefficients cannot be tested together on 2 groups" in wald_test(fit, [0, 2]).note
    for bad in ([], [4], [1, 1]):
        with pytest.raises(InputError, match="different indices from 0 to 3"):
            wald_test(fit, bad)


# --- does it hold


def test_firth_intervals_cover_a_rare_concept():
    # 3 of 60 rows have the concept: maximum likelihood is infinite in most samples.
    rng = np.random.default_rng(0)
    column = np.zeros((60, 1))
    column[:3] = 1.0
    chances = 1 / (1 + np.exp(-(-0.5 + 1.0 * column[:, 0])))
    covered = separated = 0
    for _ in range(60):
        fit = fit_model(
            column, (rng.random(60) < chances).astype(float), family="logit", penalty="firth"
        )
        covered += fit.estimates[0].low <= 1.0 <= fit.estimates[0].high
        separated += bool(fit.separated)

    assert separated > 15
    assert 0.9 <= covered / 60 <= 1.0
