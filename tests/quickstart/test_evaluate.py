import numpy as np
import pandas as pd
import pytest

from interp_embed.errors import InputError
from interp_embed.llm.records import CostEstimate, Failure
from interp_embed.quickstart import evaluate_hypotheses
from interp_embed.quickstart.scores import score_concepts, score_together

HYPOTHESES = pd.DataFrame(
    {
        "neuron_idx": [3, 8, 1, 9],
        "interpretation": ["mentions sea", "mentions bread", "mentions nothing", None],
    },
    index=[10, 11, 12, 13],
)


@pytest.fixture(scope="module")
def holdout():
    """Stars that rise with "sea" by 2 and fall with "bread" by 1, noise of 0.5."""
    rng = np.random.default_rng(3)
    sea, bread = rng.random(400) < 0.4, rng.random(400) < 0.3
    noise = [" ".join(f"word{i}" for i in rng.integers(0, 900, 9)) for _ in range(400)]
    texts = [
        f"{'sea ' * int(s)}{'bread ' * int(b)}{n}"
        for s, b, n in zip(sea, bread, noise, strict=True)
    ]
    stars = 3 + 2 * sea - bread + rng.normal(0, 0.5, 400)
    return texts, stars


def test_the_columns_and_metrics_are_those_of_the_notebook_and_of_2_0_1(holdout, rule_llm):
    metrics, frame = evaluate_hypotheses(HYPOTHESES, *holdout, llm=rule_llm)

    assert {
        "hypothesis", "separation_score", "separation_pvalue", "separation_pval",
        "regression_coef", "regression_pval", "feature_prevalence", "q", "n", "missing", "note",
    } <= set(frame.columns)  # fmt: skip
    n_significant, n_tested, threshold = metrics["Significant"]
    assert (n_significant, n_tested, threshold) == (2, 2, 0.05)
    assert frame["hypothesis"].tolist()[:2] == ["mentions sea", "mentions bread"]
    assert frame.index.tolist() == [10, 11, 12, 13]
    sea = frame.loc[10]
    assert sea["regression_coef"] == pytest.approx(2, abs=0.15)
    assert sea["regression_ci_low"] < sea["regression_coef"] < sea["regression_ci_high"]
    assert sea["separation_pvalue"] == sea["separation_pval"] < 1e-10
    assert sea["neuron_idx"] == 3
    assert frame.loc[11, "regression_coef"] == pytest.approx(-1, abs=0.15)
    assert 0.6 < metrics["r2"] < metrics["r2_in_sample"] < 0.95
    assert metrics["n"] == 400


def test_what_cannot_be_tested_is_a_row_that_says_why(holdout, rule_llm):
    _, frame = evaluate_hypotheses(HYPOTHESES, *holdout, llm=rule_llm)

    assert frame.loc[12, "note"] == "in 0 texts; fewer than 5 cannot be tested"
    assert frame.loc[13, "note"] == "no interpretation to test"
    assert np.isnan(frame.loc[13, "separation_score"])
    assert not frame.loc[[12, 13], "significant"].any()


def test_a_missing_interpretation_is_never_asked(holdout, scripted_llm, by_rule):
    def answer(request):
        assert not any(word in request.messages[-1].content for word in ("None", "nan"))
        return by_rule(request)

    evaluate_hypotheses(HYPOTHESES, *holdout, llm=scripted_llm(answer))


def test_equal_hypotheses_keep_their_rows_and_are_tested_once(holdout, rule_llm):
    twice = pd.DataFrame({"interpretation": ["mentions sea", "mentions bread", "mentions sea "]})

    metrics, frame = evaluate_hypotheses(twice, *holdout, llm=rule_llm)

    assert len(frame) == 3
    assert metrics["Significant"][1] == 2
    assert frame.loc[0, "regression_coef"] == frame.loc[2, "regression_coef"]
    assert frame.loc[2, "note"] == "the same words as an earlier row, tested once"


def test_a_missing_verdict_changes_only_its_own_numbers(holdout, scripted_llm, by_rule):
    texts, stars = holdout
    lost = {text for text in texts[:7] if "bread" not in text}

    def answer(request):
        asked = request.messages[-1].content
        if any(text in asked for text in lost):
            return Failure("refused", "no")
        return by_rule(request)

    metrics, frame = evaluate_hypotheses(HYPOTHESES, texts, stars, llm=scripted_llm(answer))

    assert metrics["n_missing_answers"] == 3 * len(lost)
    assert (frame.loc[[10, 11], "missing"] == len(lost)).all()
    assert (frame.loc[[10, 11], "n"] == 400 - len(lost)).all()
    assert frame.loc[10, "regression_coef"] == pytest.approx(2, abs=0.15)


def test_no_answer_at_all_is_a_table_of_nothing(holdout, scripted_llm, capsys):
    llm = scripted_llm(lambda request: Failure("stopped", "the day is over"))

    metrics, frame = evaluate_hypotheses(HYPOTHESES, *holdout, llm=llm)

    assert metrics["Significant"][:2] == (0, 0)
    assert frame["regression_pval"].isna().all()
    assert len(frame) == 4
    assert "1200 of 1200 verdicts are missing" in capsys.readouterr().out
    assert f"{metrics['r2']:.3f}"


def test_two_classes_get_auroc_and_auprc_out_of_sample(holdout, rule_llm):
    texts, stars = holdout
    labels = np.where(stars > 3.4, "1", "-1")

    metrics, frame = evaluate_hypotheses(HYPOTHESES, texts, labels, llm=rule_llm)

    assert 0.85 < metrics["auroc"] < 1
    assert 0.8 < metrics["auprc"] < 1
    assert metrics["auroc_in_sample"] >= metrics["auroc"] - 0.02
    assert frame.loc[10, "separation_score"] > 0.5


def test_labels_that_are_missing_and_a_series_with_any_index(holdout, rule_llm):
    texts, stars = holdout
    labels = pd.Series(stars, index=range(1000, 1400))
    labels.iloc[:10] = np.nan

    metrics, _ = evaluate_hypotheses(HYPOTHESES, texts, labels, llm=rule_llm)

    assert (metrics["n"], metrics["n_left_out"]) == (390, 10)


def test_each_text_is_asked_once(holdout, scripted_llm, by_rule):
    texts, stars = holdout
    asked = []

    def answer(request):
        asked.append(request.messages[-1].content)
        return by_rule(request)

    metrics, _ = evaluate_hypotheses(
        HYPOTHESES, [*texts[:100], *texts[:100]], np.tile(stars[:100], 2),
        llm=scripted_llm(answer),
    )  # fmt: skip

    # Those of the check are asked alone.
    together = [content for content in asked if content.count("mentions") > 1]
    assert len(together) == len(set(together)) <= 100
    assert metrics["n"] == 200
    assert metrics["n_groups"] <= 100


def test_equal_texts_do_not_make_an_effect_surer(rule_llm):
    rng = np.random.default_rng(0)
    present = rng.random(60) < 0.5
    groups, target = np.arange(60), present * 0.3 + rng.normal(size=60)
    verdicts = present[:, None].astype(np.float32)

    once = score_concepts(verdicts, target, groups)
    tenfold = score_concepts(np.repeat(verdicts, 10, 0), target.repeat(10), groups.repeat(10))

    assert tenfold.coefficients[0].p == pytest.approx(once.coefficients[0].p, rel=0.2)


def test_useless_concepts_predict_nothing_out_of_sample():
    rng = np.random.default_rng(0)
    verdicts = (rng.random((200, 20)) < 0.3).astype(np.float32)
    target = rng.normal(size=200)

    metrics = score_together(verdicts, target, np.arange(200), is_binary=False)

    assert metrics["r2"] < 0.02 < 0.05 < metrics["r2_in_sample"]


def test_a_concept_mostly_without_verdicts_does_not_take_the_others_along():
    rng = np.random.default_rng(0)
    verdicts = (rng.random((200, 2)) < 0.5).astype(np.float32)
    target = verdicts[:, 0] + rng.normal(size=200)
    verdicts[:150, 1] = np.nan

    scored = score_concepts(verdicts, target, np.arange(200))

    assert scored.coefficients[0].n == 200
    assert scored.notes[1] == "150 of 200 verdicts are missing: not in the regression"
    assert np.isfinite(scored.separations[1].value)


def test_too_few_texts_give_nan_and_not_a_number_that_is_wrong():
    verdicts = np.array([[1, 0], [0, 1], [1, 1]], np.float32)

    metrics = score_together(verdicts, np.array([1.0, 0, 1]), np.arange(3), is_binary=True)

    assert np.isnan(metrics["r2"])
    assert np.isnan(metrics["auroc"])


def test_a_dry_run_asks_nothing(holdout, scripted_llm, capsys):
    def answer(request):
        raise AssertionError("a dry run asked")

    estimate = evaluate_hypotheses(HYPOTHESES, *holdout, llm=scripted_llm(answer), dry_run=True)

    assert isinstance(estimate, CostEstimate)
    assert estimate.calls >= 400
    assert "Dry run:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("hypotheses", "message"),
    [
        (["mentions sea"], "a table with a column 'interpretation'"),
        (pd.DataFrame({"interpretation": [None, np.nan]}), "none of 2 hypotheses"),
        (pd.DataFrame({"interpretation": [["a", "b"]]}), "with several candidates"),
        (pd.DataFrame({"interpretation": [7]}), "must be a string, but got 7"),
    ],
)
def test_hypotheses_that_are_none_are_refused(holdout, rule_llm, hypotheses, message):
    with pytest.raises(InputError, match=message):
        evaluate_hypotheses(hypotheses, *holdout, llm=rule_llm)
