"""Every kind of target: the numbers are those of the statistics by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.hypotheses import Candidate, Candidates, EvaluationPlan, evaluate_candidates
from interp_embed.hypotheses import joint as joint_module
from interp_embed.interpret import FeatureExamples
from interp_embed.records import Annotations, Label
from interp_embed.stats import (
    adjust_benjamini_hochberg,
    adjusted_effect,
    fit_model,
    joint_regression,
    preference_effect,
    preference_regression,
    stratified_effect,
    variance_inflation,
    wald_test,
)

N = 240


class Scripted:
    """Answers with the given verdicts."""

    def __init__(self, verdicts):
        self.verdicts = np.asarray(verdicts, np.float32)

    def annotate(self, documents, concepts):
        return Annotations(tuple(concepts), self.verdicts)


@pytest.fixture(autouse=True)
def _few_permutations(monkeypatch):
    monkeypatch.setattr(joint_module, "_PERMUTATIONS", 499)


@pytest.fixture
def judge(make_corpus):
    """Return the evaluation of verdicts, shape (n, n_concepts), of concepts c0, c1, ..."""

    def evaluate(
        verdicts,
        target,
        *,
        groups=None,
        held=None,
        strata=None,
        strata_names=(),
        pairs=None,
        lengths=None,
        **changes,
    ):
        verdicts = np.asarray(verdicts, np.float64)
        n, p = verdicts.shape
        texts = ["x" * int(k) for k in (np.full(n, 20) if lengths is None else lengths)]
        confirm = replace(
            make_corpus(texts, target, first_row=100, groups=groups),
            covariates=None if held is None else np.column_stack(list(held.values())),
            strata=strata,
            pairs=pairs,
        )
        plan = {"kind": "numeric", "control_length": lengths is not None, **changes}
        labels = [Label(i, f"c{i}", "test", 5) for i in range(p)]
        evaluation = evaluate_candidates(
            Candidates(
                tuple(Candidate(one, 1.0, FeatureExamples((), ()), ("like it",)) for one in labels),
                n_screened=9,
                n_labelled=9,
                n_without_label=0,
                n_same_concept=0,
            ),
            confirm,
            csr_matrix(np.nan_to_num(verdicts)),
            discover=make_corpus(["a"], np.asarray(target)[:1]),
            plan=EvaluationPlan(covariates=tuple(held or ()), strata=strata_names, **plan),
            annotator=Scripted(verdicts),
        )
        return evaluation

    return evaluate


def draw(n=N, p=3, *, share=0.4, seed=0):
    return (np.random.default_rng(seed).random((n, p)) < share).astype(float)


def in_order(evaluation):
    return sorted(evaluation.hypotheses, key=lambda found: found.feature)


def p_of(evaluation):
    return [found.p for found in in_order(evaluation)]


@pytest.mark.parametrize(
    ("kind", "family", "effect"),
    [
        ("numeric", "linear", "difference in the target"),
        ("binary", "linear", "difference in the target"),
        ("binary", "logit", "log odds ratio"),
        ("count", "poisson", "log ratio of rates"),
        ("ordinal", "ordered", "log odds ratio of lying higher"),
    ],
)
def test_the_model_is_that_of_the_kind_with_covariates_held_fixed(judge, kind, family, effect):
    rng = np.random.default_rng(1)
    verdicts, price = draw(), rng.standard_normal(N)
    lengths = rng.integers(10, 90, N)
    latent = 0.6 * verdicts[:, 0] + 0.5 * price + rng.standard_normal(N)
    target = {
        "numeric": latent,
        "binary": (latent > 0.5).astype(float),
        "count": rng.poisson(np.exp(0.4 * latent)).astype(float),
        "ordinal": np.clip(np.round(latent), -1, 2),
    }[kind]

    evaluation = judge(
        verdicts, target, kind=kind, model=family, held={"price": price}, lengths=lengths
    )

    design = np.column_stack([np.log1p(lengths), price, verdicts])
    expected = fit_model(design, target, family=family)
    found = in_order(evaluation)
    assert [one.coefficient.value for one in found] == pytest.approx(expected.coefficients[2:])
    assert p_of(evaluation) == pytest.approx([one.p for one in expected.estimates[2:]])
    assert [one.q for one in found] == pytest.approx(adjust_benjamini_hochberg(p_of(evaluation)))
    assert [one.vif for one in found] == pytest.approx(variance_inflation(design)[2:])
    assert (evaluation.model.family, evaluation.model.effect) == (family, effect)
    assert evaluation.model.covariates == ("length", "price")
    assert (evaluation.n_tested, evaluation.n_tests, evaluation.model.n) == (3, 3, N)
    assert found[0].controlled.covariates == ("length", "price")
    adjusted = adjusted_effect(verdicts[:, 0], target, design[:, :2])
    assert found[0].controlled.effect == adjusted.adjusted
    assert evaluation.scores.metric == ("auc" if kind == "binary" else "r2")
    assert all(one.note == "" and one.similar == ("like it",) for one in found)


def test_an_effect_that_is_all_length_is_explained_away(judge):
    rng = np.random.default_rng(2)
    has = draw(p=1)
    lengths = np.where(has[:, 0] == 1, 60, 20) + rng.integers(0, 30, N)
    target = 3 * np.log1p(lengths) + 0.5 * rng.standard_normal(N)

    (found,) = judge(has, target, lengths=lengths).hypotheses

    assert found.separation.p < 1e-6
    assert found.controlled.explained_away
    assert found.controlled.explained_share == pytest.approx(1, abs=0.15)
    assert not found.significant


def test_a_concept_that_a_covariate_determines_is_not_tested_and_says_so(judge):
    verdicts = draw()
    target = verdicts[:, 0] + np.random.default_rng(0).standard_normal(N)

    found = in_order(judge(verdicts, target, held={"same": verdicts[:, 0]}))

    assert np.isnan(found[0].p)
    assert "what is held fixed" in found[0].note
    assert np.isfinite([found[1].p, found[2].p]).all()


def test_a_constant_covariate_is_named_as_not_held_fixed(judge):
    verdicts = draw()

    model = judge(
        verdicts, verdicts[:, 0] + draw(p=1, seed=4)[:, 0], held={"one": np.ones(N)}
    ).model

    assert 'not held fixed: "one"' in model.note


def test_several_classes_are_tested_jointly_and_shown_one_by_one(judge):
    rng = np.random.default_rng(5)
    verdicts = draw(p=2)
    lifted = np.where(verdicts[:, [0]] == 1, [0.15, 0.15, 0.7], [0.4, 0.4, 0.2])
    chosen = (rng.random((N, 1)) > lifted.cumsum(axis=1)).sum(axis=1)
    target = np.eye(3)[chosen]

    evaluation = judge(verdicts, target, kind="multiclass", classes=("a", "b", "c"))

    fit = fit_model(verdicts, chosen, family="multinomial")
    assert p_of(evaluation) == pytest.approx([wald_test(fit, [column]).p for column in (0, 1)])
    first = in_order(evaluation)[0]
    assert first.about == "c"
    assert [one.name for one in first.by_class] == ["a", "b", "c"]
    third = joint_regression(verdicts, target[:, 2])[0]
    assert first.coefficient == first.by_class[2].coefficient
    assert first.coefficient.value == pytest.approx(third.value)
    assert first.coefficient.p == pytest.approx(third.p)
    assert first.separation.value == pytest.approx(
        target[verdicts[:, 0] == 1, 2].mean() - target[verdicts[:, 0] == 0, 2].mean()
    )
    p = [one.coefficient.p for found in in_order(evaluation) for one in found.by_class]
    q = [one.q for found in in_order(evaluation) for one in found.by_class]
    assert q == pytest.approx(adjust_benjamini_hochberg(p))
    assert evaluation.model.family == "multinomial"
    assert evaluation.scores.metric == "auc"
    assert evaluation.scores.hypotheses > 0.6
    assert np.isnan(evaluation.detectable)


def test_a_concept_never_seen_in_a_class_falls_back_on_one_against_the_rest_and_says_so(judge):
    rng = np.random.default_rng(6)
    verdicts = draw(p=2)
    chosen = np.where(verdicts[:, 0] == 1, 0, rng.integers(0, 3, N))

    evaluation = judge(verdicts, np.eye(3)[chosen], kind="multiclass", classes=("a", "b", "c"))

    assert '"c0" tell outcomes apart without error' in evaluation.model.note
    assert "Bonferroni" in evaluation.model.note
    assert evaluation.model.family == "linear"
    for found in evaluation.hypotheses:
        assert found.p == pytest.approx(
            min(1, 3 * min(one.coefficient.p for one in found.by_class))
        )


def test_classes_that_concepts_tell_without_error_are_found_whatever_repeats_them(judge):
    """Every document has one of four colours: the fourth says what the other three do."""
    rng = np.random.default_rng(7)
    colour = rng.integers(0, 4, N)
    verdicts = np.column_stack([np.eye(4)[colour], rng.random(N) < 0.4])

    evaluation = judge(
        verdicts, np.eye(4)[colour], kind="multiclass", classes=("red", "blue", "green", "black")
    )

    *colours, noise = in_order(evaluation)
    tested = [found for found in colours if np.isfinite(found.p)]
    assert len(tested) == 3
    for found in tested:
        assert found.significant
        assert found.about == ("red", "blue", "green", "black")[found.feature]
        assert found.separation.value == pytest.approx(1.0)
    (repeated,) = [found for found in colours if not np.isfinite(found.p)]
    assert "other concepts already say the same" in repeated.note
    assert not noise.significant


@pytest.mark.parametrize("model", ["linear", "logit"])
def test_several_labels_have_a_model_each_and_the_smallest_p_times_their_number(judge, model):
    verdicts = draw(p=2)
    target = np.column_stack(
        [draw(p=1, seed=8)[:, 0], (draw(p=1, seed=9)[:, 0] + verdicts[:, 1]) > 0]
    )

    evaluation = judge(
        verdicts, target.astype(float), kind="multilabel", classes=("x", "y"), model=model
    )

    fits = [fit_model(verdicts, target[:, label], family=model) for label in (0, 1)]
    smallest = np.min([[one.p for one in fit.estimates] for fit in fits], axis=0)
    assert p_of(evaluation) == pytest.approx(np.minimum(1, 2 * smallest))
    assert in_order(evaluation)[1].about == "y"
    assert evaluation.model.family == model


def preferred(wins, *, n_pairs=200, seed=0):
    """Return verdicts of both texts of each pair, who is preferred, and the pairs."""
    rng = np.random.default_rng(seed)
    verdicts = (rng.random((n_pairs, 2)) < 0.4).astype(float)
    difference = verdicts[:, 0] - verdicts[:, 1]
    first = rng.random(n_pairs) < 0.5 + (wins - 0.5) * difference
    target = np.column_stack([first, ~first]).astype(float).ravel()
    return verdicts.reshape(-1, 1), target, np.repeat(np.arange(n_pairs), 2)


def test_preferences_compare_the_texts_of_each_pair(judge):
    verdicts, target, pairs = preferred(0.8)

    evaluation = judge(verdicts, target, kind="preference", pairs=pairs, groups=100 + pairs)

    (found,) = evaluation.hypotheses
    difference, wins = verdicts[::2, 0] - verdicts[1::2, 0], target[::2]
    assert found.separation == preference_effect(difference, wins).separation
    expected = preference_regression(difference[:, None], wins).estimates[0]
    assert found.coefficient.value == pytest.approx(expected.value)
    assert found.p == pytest.approx(expected.p)
    assert found.prevalence == pytest.approx(verdicts.mean())
    assert found.significant
    assert evaluation.model.errors == "cluster-robust"
    assert evaluation.scores.hypotheses > 0.6
    assert found.controlled.effect.value == pytest.approx(found.separation.value, abs=0.2)


def test_the_order_of_the_rows_of_pairs_does_not_matter(judge):
    verdicts, target, pairs = preferred(0.8)
    shuffled = np.random.default_rng(3).permutation(len(pairs))

    plain = judge(verdicts, target, kind="preference", pairs=pairs, groups=pairs + 100)
    other = judge(
        verdicts[shuffled],
        target[shuffled],
        kind="preference",
        pairs=pairs[shuffled],
        groups=pairs[shuffled] + 100,
    )

    assert plain.hypotheses[0].coefficient.value == pytest.approx(
        other.hypotheses[0].coefficient.value
    )


def test_a_table_of_chosen_and_rejected_texts_has_a_separation(judge):
    """The first text is always the preferred one: the order carries the answer."""
    verdicts, target, pairs = preferred(0.8)
    chosen_first = np.lexsort([-target, pairs])

    evaluation = judge(
        verdicts[chosen_first],
        target[chosen_first],
        kind="preference",
        pairs=pairs,
        groups=pairs + 100,
    )

    (found,) = evaluation.hypotheses
    difference = verdicts[::2, 0] - verdicts[1::2, 0]
    win_rate = preference_effect(difference, target[::2]).win_rate
    assert found.separation.value == pytest.approx(2 * win_rate.value - 1)
    assert found.separation.p == pytest.approx(win_rate.p)
    assert found.significant


def test_a_missing_verdict_of_either_text_leaves_the_pair_out(judge):
    verdicts, target, pairs = preferred(0.8)
    verdicts[7] = np.nan

    evaluation = judge(verdicts, target, kind="preference", pairs=pairs, groups=pairs + 100)

    (found,) = evaluation.hypotheses
    kept = np.arange(200) != 3
    difference = (verdicts[::2, 0] - verdicts[1::2, 0])[kept]
    expected = preference_regression(difference[:, None], target[::2][kept]).estimates[0]
    assert found.coefficient.value == pytest.approx(expected.value)
    assert (evaluation.n_incomplete, found.n) == (2, 399)


def test_a_text_that_wins_always_gets_its_p_from_permutations(judge):
    verdicts, target, pairs = preferred(1.0)

    evaluation = judge(verdicts, target, kind="preference", pairs=pairs, groups=pairs + 100)

    (found,) = evaluation.hypotheses
    assert found.p == pytest.approx(2 / 500)
    assert "tells outcomes apart without error" in found.note
    assert "permutation" in found.note
    assert "Firth" in evaluation.model.note


def test_pairs_that_are_not_pairs_are_refused_before_anything_is_read(judge):
    verdicts, target, pairs = preferred(0.8)

    with pytest.raises(InputError, match="pair 0 has 1"):
        judge(verdicts[1:], target[1:], kind="preference", pairs=pairs[1:], groups=pairs[1:] + 100)
    with pytest.raises(InputError, match="one text must be preferred"):
        judge(verdicts, np.ones(400), kind="preference", pairs=pairs, groups=pairs + 100)
    with pytest.raises(InputError, match="needs the pair of each document"):
        judge(verdicts, target, kind="preference")


def test_an_effect_that_turns_between_strata_is_found_and_counts_in_the_family(judge):
    rng = np.random.default_rng(7)
    verdicts, strata = draw(p=2), rng.integers(0, 2, N)
    target = verdicts[:, 0] * np.where(strata == 0, 2.0, -2.0) + rng.standard_normal(N)

    evaluation = judge(verdicts, target, strata=strata, strata_names=("north", "south"))

    first, second = in_order(evaluation)
    expected = stratified_effect(verdicts[:, 0], target, strata)
    assert first.strata.p_interaction == pytest.approx(expected.p_interaction)
    assert (first.strata.varies, first.strata.sign_reversal) == (True, True)
    assert not second.strata.varies
    assert [one.name for one in first.strata.effects] == ["north", "south"]
    assert evaluation.n_tests == 4
    p = [first.p, second.p, first.strata.p_interaction, second.strata.p_interaction]
    q = [first.q, second.q, first.strata.q_interaction, second.strata.q_interaction]
    assert q == pytest.approx(adjust_benjamini_hochberg(p))
    fit = joint_regression(np.column_stack([strata == 1, verdicts]).astype(float), target)
    assert first.coefficient.value == pytest.approx(fit[1].value)
    assert evaluation.model.covariates == ("stratum",)


def test_a_stratum_with_few_documents_of_a_concept_is_not_judged_and_is_counted(judge):
    verdicts = draw(p=1)
    strata = np.repeat([0, 1, 2], [110, 110, 20])
    target = verdicts[:, 0] + np.random.default_rng(1).standard_normal(N)

    (found,) = judge(verdicts, target, strata=strata, strata_names=("a", "b", "c")).hypotheses

    assert found.strata.note == "1 of 3 strata could not be judged"
    assert np.isnan(found.strata.effects[2].effect.value)
    assert found.strata.effects[2].effect.n == 20
    assert not found.strata.varies


def test_strata_inside_groups_are_held_fixed_too(judge):
    """Each group is of one stratum, so that a constant for it would rest on that group alone."""
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(40), 6)
    strata = groups // 2
    level = rng.standard_normal(20)[strata] * 3
    verdicts = (rng.random((N, 1)) < 0.2 + 0.5 * (level[:, None] > 0)).astype(float)
    target = level + rng.standard_normal(N)

    evaluation = judge(
        verdicts,
        target,
        strata=strata,
        strata_names=tuple(map(str, range(20))),
        groups=groups + 100,
        clustered=True,
    )

    (found,) = evaluation.hypotheses
    assert found.separation.p < 0.001
    assert found.coefficient.value == pytest.approx(found.strata.within.value)
    assert found.p > 0.01
    assert evaluation.model.covariates == ("stratum",)


def test_concepts_that_occur_together_are_tested_together(judge):
    rng = np.random.default_rng(3)
    first = draw(p=1)[:, 0]
    verdicts = np.column_stack(
        [first, np.where(rng.random(N) < 0.05, 1 - first, first), draw(seed=9)]
    )
    target = 0.35 * verdicts[:, 0] + 0.35 * verdicts[:, 1] + rng.standard_normal(N)

    evaluation = judge(verdicts, target)

    (group,) = evaluation.groups
    assert group.members == ("c0", "c1")
    assert group.p == pytest.approx(wald_test(fit_model(verdicts, target), [0, 1]).p)
    assert group.q == group.p
    assert group.significant
    assert in_order(evaluation)[0].vif > 4


@pytest.mark.parametrize("correction", ["bh", "bonferroni", "holm", "by"])
def test_every_correction_keeps_q_and_decides_significance(judge, correction):
    verdicts = draw(p=4)
    target = (
        0.35 * verdicts[:, 0] + 0.5 * verdicts[:, 1] + np.random.default_rng(1).standard_normal(N)
    )

    plain, other = judge(verdicts, target), judge(verdicts, target, correction=correction)

    assert [one.q for one in in_order(other)] == [one.q for one in in_order(plain)]
    held = sum(one.significant for one in other.hypotheses)
    assert held <= sum(one.significant for one in plain.hypotheses)


def test_what_is_detectable_is_in_the_unit_of_the_target(judge):
    verdicts = draw()
    target = np.random.default_rng(1).standard_normal(N)

    plain, tenfold = judge(verdicts, target), judge(verdicts, 10 * target)
    binary = judge(verdicts, (target > 1).astype(float), kind="binary")

    assert tenfold.detectable == pytest.approx(10 * plain.detectable)
    assert 0.3 < plain.detectable < 0.6
    assert 0.05 < binary.detectable < 0.4
