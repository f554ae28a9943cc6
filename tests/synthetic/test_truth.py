import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from interp_embed.synthetic import Confounder, CorpusPlan, load_domain
from interp_embed.synthetic.truth import draw_effects, draw_outcome, draw_rows

N = 40_000
CONCEPTS = load_domain("reviews").concept_names


def column(name):
    return CONCEPTS.index(name)


def draw(plan, seed=3, n=N):
    rows = draw_rows(n, plan, CONCEPTS, seed)
    effects = draw_effects(plan, load_domain("reviews"), seed)
    return rows, draw_outcome(rows, plan, CONCEPTS, effects, seed)


def log_odds(share):
    return np.log(share / (1 - share))


def fit(columns, outcome):
    design = np.column_stack([np.ones(len(outcome)), *columns])
    return np.linalg.lstsq(design, outcome, rcond=None)[0]


def test_prevalences_are_met():
    rows, _ = draw(CorpusPlan(prevalence={"noisy": 0.5, "spicy": 0.02, "birthday": 0.0}))

    share = rows.truth.mean(axis=0)

    assert share[column("noisy")] == pytest.approx(0.5, abs=0.01)
    assert share[column("spicy")] == pytest.approx(0.02, abs=0.003)
    assert share[column("birthday")] == 0
    assert share[column("bad_coffee")] == pytest.approx(0.1, abs=0.006)


def test_prevalences_of_zero_and_one_are_exact():
    rows, _ = draw(CorpusPlan(prevalence={"noisy": 1.0, "spicy": 0.0}), n=500)

    assert rows.truth[:, column("noisy")].all()
    assert not rows.truth[:, column("spicy")].any()


@pytest.mark.parametrize("correlation", [0.7, -0.5, 0.0])
def test_latent_correlations_are_met(correlation):
    plan = CorpusPlan(prevalence=0.3, correlations={("noisy", "live_music"): correlation})
    rows, _ = draw(plan)

    together = rows.truth[:, column("noisy")] & rows.truth[:, column("live_music")]

    cut = norm.ppf(0.3)
    expected = multivariate_normal([0, 0], [[1, correlation], [correlation, 1]]).cdf([cut, cut])
    assert together.mean() == pytest.approx(expected, abs=0.01)


def test_numeric_effects_come_back_from_a_regression():
    plan = CorpusPlan(outcome="numeric", effects={"noisy": -1.0, "spicy": 0.5}, noise=0.5)
    rows, outcome = draw(plan)

    fitted = fit([rows.truth[:, column("noisy")], rows.truth[:, column("spicy")]], outcome)

    assert fitted == pytest.approx([3.0, -1.0, 0.5], abs=0.03)


def test_stars_are_whole_numbers_from_one_to_five():
    _, outcome = draw(CorpusPlan(outcome="stars"))

    assert sorted(set(outcome.tolist())) == [1, 2, 3, 4, 5]


def test_binary_effects_are_log_odds_ratios_and_the_answers_balance():
    rows, outcome = draw(CorpusPlan(outcome="binary", effects={"noisy": 1.5}))
    has = rows.truth[:, column("noisy")]

    ratio = log_odds(outcome[has].mean()) - log_odds(outcome[~has].mean())

    assert ratio == pytest.approx(1.5, abs=0.12)
    assert outcome.mean() == pytest.approx(0.5, abs=0.02)


def test_count_effects_are_log_ratios_of_means():
    rows, outcome = draw(CorpusPlan(outcome="count", effects={"noisy": 0.7}))
    has = rows.truth[:, column("noisy")]

    assert np.log(outcome[has].mean() / outcome[~has].mean()) == pytest.approx(0.7, abs=0.03)
    assert outcome[~has].mean() == pytest.approx(3.0, abs=0.05)


def test_multiclass_effects_draw_towards_their_class():
    plan = CorpusPlan(outcome="multiclass", n_classes=3, effects={"noisy": (0.0, 0.0, 2.0)})
    rows, outcome = draw(plan)
    has = rows.truth[:, column("noisy")]

    share = np.exp(2.0) / (2 + np.exp(2.0))  # softmax of (0, 0, 2)
    assert (outcome[has] == 2).mean() == pytest.approx(share, abs=0.03)
    assert (outcome[~has] == 2).mean() == pytest.approx(1 / 3, abs=0.02)


def test_without_effects_ten_of_alternating_sign_are_drawn():
    effects = draw_effects(CorpusPlan(outcome="numeric"), load_domain("reviews"), seed=0)

    assert len(effects) == 10
    assert [value > 0 for value in effects.values()] == [True, False] * 5


def test_group_differences_are_met():
    plan = CorpusPlan(prevalence=0.2, group_differences={"noisy": 0.1, "spicy": -0.1})
    rows, _ = draw(plan)

    in_a, in_b = (rows.truth[rows.group == side].mean(axis=0) for side in (0, 1))

    assert in_b[column("noisy")] == pytest.approx(0.25, abs=0.015)
    assert in_a[column("noisy")] == pytest.approx(0.15, abs=0.015)
    assert (in_b - in_a)[column("spicy")] == pytest.approx(-0.1, abs=0.02)
    assert (in_b - in_a)[column("bad_coffee")] == pytest.approx(0, abs=0.02)


def test_trends_are_met():
    plan = CorpusPlan(
        prevalence=0.3,
        n_periods=4,
        trend={"noisy": 0.1, "spicy": [0.0, 0.2, 0.0, 0.2]},
    )
    rows, _ = draw(plan)

    share = np.array([rows.truth[rows.period == period].mean(axis=0) for period in range(4)])

    assert share[:, column("noisy")] == pytest.approx([0.15, 0.25, 0.35, 0.45], abs=0.02)
    assert share[:, column("spicy")] == pytest.approx([0.3, 0.5, 0.3, 0.5], abs=0.02)


def test_a_confounder_biases_the_naive_effect_and_adjustment_restores_it():
    plan = CorpusPlan(
        outcome="numeric",
        effects={"noisy": 0.2},
        confounder=Confounder(name="rent", concepts={"noisy": 0.6}, outcome=1.0),
    )
    rows, outcome = draw(plan)
    has = rows.truth[:, column("noisy")]

    assert fit([has], outcome)[1] > 0.8
    assert fit([has, rows.confounder], outcome)[1:] == pytest.approx([0.2, 1.0], abs=0.04)
    assert has.mean() == pytest.approx(0.1, abs=0.006)


def test_authors_repeat_themselves():
    plan = CorpusPlan(prevalence=0.3, n_authors=200, author_concepts=0.6)
    rows, _ = draw(plan)

    own = [rows.truth[rows.author == author].mean(axis=0) for author in range(200)]

    assert np.var(own, axis=0).mean() > 10 * 0.3 * 0.7 / (N / 200)
    assert rows.truth.mean() == pytest.approx(0.3, abs=0.02)


def test_authors_add_to_the_outcome_and_write_unequal_amounts():
    plan = CorpusPlan(outcome="numeric", effects={"noisy": 0.0}, n_authors=200, author_outcome=1.0)
    rows, outcome = draw(plan)

    own = [outcome[rows.author == author].mean() for author in range(200)]

    assert np.std(own) == pytest.approx(1.0, abs=0.2)
    amounts = np.bincount(rows.author, minlength=200)
    assert amounts.max() > 3 * np.median(amounts)


def test_copies_point_at_earlier_originals_and_share_their_facts():
    plan = CorpusPlan(
        exact_duplicates=0.1, near_duplicates=0.2, group_differences={"noisy": 0.1}, n_authors=50
    )
    rows, _ = draw(plan, n=1000)
    copies = np.flatnonzero(rows.duplicate_of >= 0)
    origins = rows.duplicate_of[copies]

    assert (len(copies), rows.is_exact.sum()) == (300, 100)
    assert (origins < copies).all()
    assert (rows.duplicate_of[origins] == -1).all()
    assert (rows.truth[copies] == rows.truth[origins]).all()
    assert (rows.group[copies] == rows.group[origins]).all()
    assert (rows.author[copies] != rows.author[origins]).mean() > 0.9
