import numpy as np
import pandas as pd
import pytest

from interp_embed.errors import InputError
from interp_embed.llm.records import CostEstimate, Failure
from interp_embed.quickstart import generate_hypotheses, interpret_sae

OPTIONS = {"n_selected_neurons": 6, "n_scoring_examples": 40}


def generate(study, llm, **options):
    return generate_hypotheses(*study.args, llm=llm, **OPTIONS | options)


def test_the_columns_are_those_of_the_notebook_and_of_2_0_1(study, rule_llm):
    frame = generate(study, rule_llm, selection_method="correlation")

    assert list(frame.columns) == [
        "neuron_idx", "source_sae", "source_neuron_idx", "target_correlation", "interpretation",
        "interp_fidelity_score", "f1_fidelity_score", "fidelity_ci_low", "fidelity_ci_high",
        "fidelity_precision", "fidelity_recall",
        "fidelity_n", "fidelity_missing", "note",
    ]  # fmt: skip
    assert len(frame) == 6
    assert frame["neuron_idx"].between(0, 35).all()
    assert set(frame["source_sae"]) <= {"SAE M=24, K=4", "SAE M=12, K=2"}
    second = frame["source_sae"] == "SAE M=12, K=2"
    assert (frame["neuron_idx"] - frame["source_neuron_idx"] == 24 * second).all()
    assert (frame["note"] == "").all()
    assert frame["interpretation"].str.startswith("mentions ").all()
    assert frame["f1_fidelity_score"].between(0, 1).all()


def test_it_prints_what_the_notebook_prints(study, rule_llm, capsys):
    generate(study, rule_llm)

    out = capsys.readouterr().out
    n = len(study.texts)
    for line in (
        f"Embeddings shape: ({n}, 48)",
        f"Activations shape: ({n}, 36)",
        "Step 1: Selecting top 6 predictive neurons",
        "Step 2: Interpreting selected neurons",
        '"1" is 1, "-1" is 0',
    ):
        assert line in out


def test_the_kind_of_labels_does_not_change_the_result(study, rule_llm):
    ones = study.labels == "1"
    expected = generate(study, rule_llm)
    series = pd.Series(study.labels, index=np.arange(len(study.labels))[::-1] * 3)

    for labels in (ones, ones.astype(int), ones.astype(float) * 2 - 1, series, ones.tolist()):
        frame = generate_hypotheses(
            study.texts, labels, study.embeddings, study.saes, llm=rule_llm, **OPTIONS
        )
        pd.testing.assert_frame_equal(frame, expected)


def test_numbers_are_a_regression_and_classification_is_told_from_all(study, rule_llm, capsys):
    stars = np.where(study.labels == "1", 5.0, 1.0)
    stars[3] = 3.0

    frame = generate_hypotheses(
        study.texts, stars, study.embeddings, study.saes, llm=rule_llm, **OPTIONS
    )

    assert "numeric: from 1 to 5" in capsys.readouterr().out
    assert frame["target_separation_score"].abs().max() > 1
    with pytest.raises(InputError, match="3 distinct values"):
        generate_hypotheses(
            study.texts, stars, study.embeddings, study.saes,
            classification=True, llm=rule_llm,
        )  # fmt: skip


def test_rows_that_cannot_be_used_are_left_out_and_counted(study, rule_llm, capsys):
    texts, labels, embeddings = list(study.texts), study.labels.astype(object), study.embeddings
    texts[0], texts[4], texts[9] = None, "", float("nan")
    labels = np.append(labels, np.nan)
    texts.append("a text without a label")
    embeddings = np.vstack([embeddings, np.full(48, np.nan, np.float32)])

    generate_hypotheses(texts, labels, embeddings, study.saes, llm=rule_llm, **OPTIONS)

    out = capsys.readouterr().out
    assert f"Left out 4 of {len(texts)} rows" in out
    assert "2 x text is missing" in out
    assert f"Activations shape: ({len(texts) - 4}, 36)" in out


def test_a_missing_interpretation_is_none_with_its_reason(study, scripted_llm, by_rule):
    asked = []

    def answer(request):
        question = request.messages[-1].content
        if "POSITIVE EXAMPLES:" in question:
            asked.append(question)
            if question in asked[1:2]:
                return Failure("refused", "the model declined")
        return by_rule(request)

    frame = generate(study, scripted_llm(answer))

    (missing,) = np.flatnonzero(frame["interpretation"].isna())
    assert len(frame) == 6
    assert "declined" in frame["note"][missing]
    assert np.isnan(frame["f1_fidelity_score"][missing])
    assert (frame["note"].drop(missing) == "").all()


def test_missing_verdicts_are_counted_and_change_no_other_cell(study, scripted_llm, by_rule):
    def answer(request):
        asked = request.messages[-1].content
        if "TEXT:" in asked and "gifted" in asked.split("TEXT:")[1]:
            return Failure("refused", "the filter stopped it")
        return by_rule(request)

    whole, partial = generate(study, scripted_llm(by_rule)), generate(study, scripted_llm(answer))

    assert partial["fidelity_missing"].sum() > 0
    assert (whole["interpretation"] == partial["interpretation"]).all()
    assert (whole["fidelity_n"] == partial["fidelity_n"] + partial["fidelity_missing"]).all()
    assert partial["f1_fidelity_score"].notna().all()


def test_every_answer_missing_still_gives_every_row(study, scripted_llm):
    frame = generate(study, scripted_llm(lambda request: Failure("stopped", "the day is over")))

    assert len(frame) == 6
    assert frame["interpretation"].isna().all()
    assert frame["note"].str.contains("the day is over").all()


def test_texts_that_are_scored_were_not_shown(study, scripted_llm, by_rule):
    shown, scored = set(), set()

    def answer(request):
        asked = request.messages[-1].content
        for text in study.texts:
            if text in asked:
                (shown if "POSITIVE EXAMPLES:" in asked else scored).add(text)
        return by_rule(request)

    generate(study, scripted_llm(answer))

    assert shown
    assert scored
    assert not shown & scored


def test_nothing_is_scored_where_no_scores_are_wanted(study, rule_llm):
    frame = generate(study, rule_llm, n_scoring_examples=0)

    assert "f1_fidelity_score" not in frame
    assert frame["interpretation"].notna().all()


def test_the_metric_of_choice_names_the_column(study, rule_llm):
    frame = generate(study, rule_llm, scoring_metric="precision")

    assert (frame["precision_fidelity_score"] == frame["fidelity_precision"]).all()
    with pytest.raises(InputError, match="scoring_metric must be one of f1, precision, recall"):
        generate(study, rule_llm, scoring_metric="correlation")


def test_a_dry_run_asks_nothing_and_says_what_it_would_take(study, scripted_llm, capsys):
    def answer(request):
        raise AssertionError("a dry run asked")

    estimate = generate(study, scripted_llm(answer), dry_run=True)

    assert isinstance(estimate, CostEstimate)
    assert estimate.calls >= 6
    assert "Dry run, together, at most:" in capsys.readouterr().out


def test_words_label_and_score_without_a_language_model(study):
    frame = generate(study, None, interpreter_model="keywords", annotator_model="keywords")

    assert frame["interpretation"].str.startswith('mentions "').any()
    assert (frame["fidelity_n"] > 0).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["1", "-1"]}, "texts but 2 labels"),
        ({"embeddings": np.ones((3, 48))}, r"the embeddings have shape \(3, 48\)"),
        ({"sae": []}, "the list of SAEs is empty"),
        ({"sae": "sae"}, "must be what train_sae returned"),
        ({"selection_method": "magic"}, "must be one of separation_score, correlation, lasso"),
        (
            {"n_selected_neurons": 37},
            "n_selected_neurons must be a whole number, 1 to 36, but got 37",
        ),
        ({"labels": np.ones(5)}, "labels"),
        ({"n_scoring_examples": 1}, "at least 2, or 0 for none, but got 1"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_asked(
    study, scripted_llm, change, message
):
    def answer(request):
        raise AssertionError("it asked")

    given = dict(zip(("texts", "labels", "embeddings", "sae"), study.args, strict=True))
    with pytest.raises(InputError, match=message):
        generate_hypotheses(**given | change, llm=scripted_llm(answer))


def test_an_sae_of_other_embeddings_is_refused(study, rule_llm):
    with pytest.raises(InputError, match="48"):
        generate_hypotheses(
            study.texts, study.labels, study.embeddings[:, :20], study.saes, llm=rule_llm
        )


def test_few_and_equal_texts_are_labelled_without_a_score(study, rule_llm):
    frame = generate_hypotheses(
        ["the same comment sent again and again"] * 60, study.labels[:60], study.embeddings[:60],
        study.saes[1], n_selected_neurons=2, llm=rule_llm,
    )  # fmt: skip

    assert frame["f1_fidelity_score"].isna().all()
    assert frame["note"].str.startswith("no fidelity: all 60 rows are in one group").all()


def test_interpret_prints_neurons_with_their_texts(study, rule_llm, capsys):
    frame = interpret_sae(
        study.texts, study.embeddings, study.saes, n_random_neurons=5, print_examples_n=3,
        llm=rule_llm,
    )  # fmt: skip

    out = capsys.readouterr().out
    first = frame.iloc[0]
    told = f"Neuron {first.neuron_idx} (from {first.source_sae}): {first.interpretation}"
    assert told in out
    assert out.count("Top activating examples") == 5
    assert f"1. {first.top_example_1}" in out
    assert len(frame) == 5
    assert list(frame.columns) == [
        "neuron_idx", "source_sae", "source_neuron_idx", "interpretation",
        "top_example_1", "top_example_2", "top_example_3", "note",
    ]  # fmt: skip
    again = interpret_sae(
        study.texts, study.embeddings, study.saes, n_random_neurons=5, llm=rule_llm
    )
    pd.testing.assert_frame_equal(frame, again)


def test_interpret_takes_the_most_active_or_those_named(study, rule_llm):
    counts = (study.saes[0].get_activations(study.embeddings) > 0).sum(axis=0)

    top = interpret_sae(study.texts, study.embeddings, study.saes[0], n_top_neurons=3, llm=rule_llm)
    named = interpret_sae(
        study.texts, study.embeddings, study.saes[0], neuron_indices=np.array([7, 2]),
        n_candidates=2, print_examples_n=0, llm=rule_llm,
    )  # fmt: skip

    assert counts[top["neuron_idx"]].tolist() == sorted(counts)[-3:][::-1]
    assert named["neuron_idx"].tolist() == [7, 2]
    assert "top_example_1" not in named
    assert all(isinstance(cell, list) for cell in named["interpretation"])


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({}, "give exactly one of"),
        ({"n_top_neurons": 2, "neuron_indices": [1]}, "give exactly one of"),
        ({"neuron_indices": [24]}, "neuron 24 is out of range: there are 24 neurons"),
        ({"n_random_neurons": 25}, "must be a whole number, 1 to 24, but got 25"),
    ],
)
def test_interpret_refuses_a_choice_that_cannot_be(study, rule_llm, choice, message):
    with pytest.raises(InputError, match=message):
        interpret_sae(study.texts, study.embeddings, study.saes[0], llm=rule_llm, **choice)


def test_a_dead_neuron_is_a_row_with_a_reason(study, rule_llm):
    weights = study.saes[0].weights
    weights.encoder_bias[5] -= 100
    try:
        frame = interpret_sae(
            study.texts, study.embeddings, weights, neuron_indices=[5], llm=rule_llm
        )
    finally:
        weights.encoder_bias[5] += 100

    assert frame["interpretation"][0] is None
    assert frame["note"][0] == "fires on no text shown"
