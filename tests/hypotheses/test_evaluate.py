from dataclasses import asdict

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interp_embed.errors import SealedRowsError
from interp_embed.hypotheses import Candidate, Candidates, EvaluationPlan, evaluate_candidates
from interp_embed.interpret import FeatureExamples
from interp_embed.records import Annotations, Label
from interp_embed.stats import (
    adjust_benjamini_hochberg,
    adjust_bonferroni,
    joint_regression,
    welch_difference,
)

N = 80


class Scripted:
    """Answers with a given column for each concept."""

    def __init__(self, columns):
        self.columns = columns

    def annotate(self, documents, concepts):
        verdicts = np.column_stack([self.columns[concept] for concept in concepts])
        return Annotations(tuple(concepts), verdicts.astype(np.float32))


def candidates(*texts):
    return Candidates(
        candidates=tuple(
            Candidate(Label(i, text, "test", 10), 1.0 - i / 10, FeatureExamples((), ()))
            for i, text in enumerate(texts)
        ),
        n_screened=9,
        n_labelled=9,
        n_without_label=0,
        n_same_concept=0,
    )


@pytest.fixture
def case(make_corpus):
    rng = np.random.default_rng(3)
    columns = {
        "strong": rng.random(N) < 0.5,
        "weak": rng.random(N) < 0.5,
        "none": rng.random(N) < 0.5,
    }
    target = 2.0 * columns["strong"] + 0.6 * columns["weak"] + rng.standard_normal(N)
    confirm = make_corpus([f"text {'x' * (i % 7)}" for i in range(N)], target, first_row=1000)
    discover = make_corpus(["a", "b"], [0, 1])
    activations = csr_matrix(np.column_stack(list(columns.values())).astype(float))
    return confirm, discover, activations, columns


def evaluate(case, *, columns=None, confirm=None, **changes):
    own, discover, activations, usual = case
    columns = columns or usual
    plan = {"kind": "numeric", "control_length": False, **changes}
    return evaluate_candidates(
        candidates(*columns),
        confirm or own,
        activations[:, [i % 3 for i in range(len(columns))]],
        discover=plan.pop("discover", discover),
        plan=EvaluationPlan(**plan),
        annotator=Scripted(columns),
    )


def by_text(evaluation):
    return {found.hypothesis: found for found in evaluation.hypotheses}


def test_the_numbers_are_those_of_the_statistics_by_hand(case):
    confirm, _, _, columns = case

    found = by_text(evaluate(case))

    strong, y, has = found["strong"], confirm.target, columns["strong"]
    assert strong.separation.value == pytest.approx(y[has].mean() - y[~has].mean())
    assert strong.separation == welch_difference(y[has], y[~has])
    joint = joint_regression(np.column_stack(list(columns.values())).astype(float), y)
    for text, expected in zip(columns, joint, strict=True):
        assert asdict(found[text].coefficient) == pytest.approx(asdict(expected))
    q = adjust_benjamini_hochberg([one.p for one in joint])
    assert [found[text].q for text in columns] == pytest.approx(q.tolist())
    assert strong.prevalence == pytest.approx(has.mean())
    assert (strong.fidelity.f1, strong.n, strong.selection_score) == (1.0, N, 1.0)
    assert strong.significant
    assert not found["none"].significant


def test_most_certain_first(case):
    p = [found.coefficient.p for found in evaluate(case).hypotheses]

    assert p == sorted(p)


@pytest.mark.parametrize("correction", ["bh", "bonferroni"])
def test_significance_follows_the_correction_asked_for(case, correction):
    evaluation = evaluate(case, correction=correction)

    adjust = {"bh": adjust_benjamini_hochberg, "bonferroni": adjust_bonferroni}[correction]
    p = [found.coefficient.p for found in evaluation.hypotheses]
    significant = [found.significant for found in evaluation.hypotheses]
    assert significant == (adjust(p) <= 0.05).tolist()


def test_a_level_just_below_q_makes_it_insignificant(case):
    weak = by_text(evaluate(case))["weak"]

    assert by_text(evaluate(case, level=weak.q * 1.01))["weak"].significant
    assert not by_text(evaluate(case, level=weak.q * 0.99))["weak"].significant


def test_a_rare_or_common_concept_is_not_tested_and_says_so(case):
    rare, common = np.zeros(N), np.ones(N)
    rare[:4], common[:4] = 1, 0
    evaluation = evaluate(case, columns={"rare": rare, **case[3], "common": common})

    found = by_text(evaluation)
    assert evaluation.n_tested == 3
    assert "in 4 confirm documents; fewer than 5" in found["rare"].note
    assert "absent from 4 confirm documents" in found["common"].note
    for text in ("rare", "common"):
        assert np.isnan([found[text].coefficient.p, found[text].q]).all()
        assert not found[text].significant
    assert {one.hypothesis for one in evaluation.hypotheses[-2:]} == {"rare", "common"}
    plain = by_text(evaluate(case))
    assert all(found[text].q == pytest.approx(plain[text].q) for text in plain)


def test_the_same_concept_twice_is_not_tested_twice(case):
    columns = case[3]
    evaluation = evaluate(case, columns={**columns, "again": columns["strong"]})

    found = by_text(evaluation)
    assert evaluation.n_tested == 3
    assert np.isnan(found["again"].coefficient.p)
    assert "other concepts already say the same" in found["again"].note
    assert not found["again"].significant
    assert found["strong"].significant


def test_missing_verdicts_reduce_n_and_are_not_counted_as_no(case):
    confirm, _, _, columns = case
    holed = columns["strong"].astype(float)
    holed[:6] = np.nan
    evaluation = evaluate(case, columns={**columns, "strong": holed})

    found, plain = by_text(evaluation), by_text(evaluate(case))
    y, has = confirm.target[6:], columns["strong"][6:]
    assert found["strong"].n == N - 6
    assert found["strong"].separation == welch_difference(y[has], y[~has])
    assert found["strong"].prevalence == pytest.approx(has.mean())
    assert found["strong"].fidelity.n_missing == 6
    assert found["strong"].coefficient.n == N - 6
    assert evaluation.n_incomplete == 6
    for text in ("weak", "none"):
        assert found[text].separation == plain[text].separation
        assert found[text].n == N


def test_a_concept_the_annotator_cannot_judge_is_untested_and_spoils_no_other(case):
    columns = case[3]
    evaluation = evaluate(case, columns={**columns, "mute": np.full(N, np.nan)})

    found, plain = by_text(evaluation), by_text(evaluate(case))
    assert (evaluation.n_tested, evaluation.n_incomplete) == (3, 0)
    assert (found["mute"].n, found["mute"].significant) == (0, False)
    assert np.isnan([found["mute"].prevalence, found["mute"].fidelity.f1]).all()
    assert found["mute"].note
    assert all(found[text].coefficient == plain[text].coefficient for text in plain)


def test_scores_rank_what_carries_the_target_above_length(case):
    scores = evaluate(case).scores

    assert (scores.metric, scores.n) == ("r2", N)
    assert scores.hypotheses > 0.3 > scores.floor


def test_a_binary_target_is_scored_by_auc(case, make_corpus):
    confirm = case[0]
    yes = make_corpus(confirm.documents, confirm.target > 1.0, first_row=1000)

    scores = evaluate(case, confirm=yes, kind="binary").scores

    assert scores.metric == "auc"
    assert scores.hypotheses > 0.7


def test_groups_make_the_errors_cluster_robust(case, make_corpus):
    confirm = case[0]
    grouped = make_corpus(
        confirm.documents, confirm.target, first_row=1000, groups=5000 + np.arange(N) // 4
    )

    plain = by_text(evaluate(case, confirm=grouped))["strong"].coefficient
    clustered = by_text(evaluate(case, confirm=grouped, clustered=True))["strong"].coefficient

    assert clustered.value == pytest.approx(plain.value)
    assert clustered.low != plain.low


def test_rows_and_groups_that_were_searched_cannot_confirm(case, make_corpus):
    with pytest.raises(SealedRowsError, match="cannot confirm them, such as row 1000"):
        evaluate(case, discover=make_corpus(["a"], [0], first_row=1000))
    with pytest.raises(SealedRowsError, match="on both sides of the split"):
        evaluate(case, discover=make_corpus(["a"], [0], groups=[1003]))
