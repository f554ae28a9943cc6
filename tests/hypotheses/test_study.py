from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from interp_embed.errors import InputError, MissingExtraError
from interp_embed.hypotheses import StudySettings, find_hypotheses
from interp_embed.report import run_record
from interp_embed.report.frame import hypotheses_csv

TINY = StudySettings(n=6, features=12, active=2, max_epochs=60)


def significant(run):
    return [found for found in run.study.hypotheses if found.significant]


def documents_of(run):
    return [
        example
        for found in run.study.hypotheses
        for example in (*found.top_examples, *found.contrast_examples)
    ]


def test_planted_concepts_are_found_in_the_right_direction(planted_run):
    direction = {
        word: found.coefficient.value > 0
        for found in significant(planted_run)
        for word in ("umbrella", "poodle", "violin", "pepper", "velvet", "lantern", "ladder")
        if f'"{word}"' in found.hypothesis
    }

    expected = {"umbrella": True, "poodle": False, "violin": True, "pepper": False}
    assert direction.items() >= expected.items()
    assert len(direction) <= len(expected) + 1  # one of twenty is found by chance


def test_the_record_accounts_for_every_row_and_every_hypothesis(planted_run):
    study = planted_run.study

    assert study.rows.read == 400
    assert study.rows.discover + study.rows.confirm + len(study.rows.dropped) == 400
    assert study.tested <= study.shown == len(study.hypotheses) <= study.tried
    assert study.tried <= study.ledger[0].n_kept
    assert study.tested == sum(np.isfinite(found.coefficient.p) for found in study.hypotheses)
    assert min(study.scores.ceiling, study.scores.hypotheses) > 0.5 > study.scores.floor
    assert study.scores.n == study.rows.confirm
    assert study.settings["embedder"] == {"kind": "given"}
    assert study.target_kind == "numeric"


def test_the_same_seed_gives_the_same_study_and_another_seed_another_split(planted, planted_run):
    again = planted.study()
    other = planted.study(settings=replace(TINY, seed=1))

    assert run_record(again.study) == run_record(planted_run.study)
    assert hypotheses_csv(again.study) == hypotheses_csv(planted_run.study)
    assert again.origin == planted_run.origin
    assert other.origin != planted_run.origin


def test_examples_are_discover_documents_of_the_users_table(planted, planted_run):
    for example in documents_of(planted_run):
        assert planted.texts[example.row] == example.text


def test_unusable_rows_are_listed_with_their_reason_and_everything_stays_aligned(planted):
    texts, target = list(planted.texts), list(planted.target)
    groups = [f"author {i // 2}" for i in range(400)]
    texts[0], texts[7], texts[9], texts[30] = None, "", " \n\t", 3.5
    target[11], target[12], target[13] = None, float("nan"), float("inf")
    groups[20], groups[21], groups[22] = None, float("nan"), " "
    embeddings = planted.embeddings.copy()
    embeddings[[0, 7, 11, 20]] = np.nan  # rows that take no part need no vector

    run = planted.study(texts=texts, target=target, groups=groups, embeddings=embeddings)

    dropped = {drop.row: drop.reason for drop in run.study.rows.dropped}
    assert dropped == {
        0: "text is missing",
        7: "text is empty",
        9: "text is only white space",
        11: "target is missing",
        12: "target is missing",
        13: "target is infinite",
        20: "group is missing",
        21: "group is missing",
        22: "group is missing",
        30: "text is of type float, not a string",
    }
    assert run.study.rows.discover + run.study.rows.confirm == 390
    assert any("rows were left out: group is missing" in told for told in run.study.warnings)
    examples = documents_of(run)
    assert {example.row for example in examples}.isdisjoint(dropped)
    assert all(texts[example.row] == example.text for example in examples)
    words = " ".join(found.hypothesis for found in significant(run))
    assert all(word in words for word in ("umbrella", "poodle", "violin", "pepper"))


def test_pandas_columns_with_any_index_and_missing_groups_are_taken(planted):
    index = np.arange(400)[::-1]
    groups = pd.Series([f"g{i // 3}" for i in range(400)], index=index, dtype="string")
    groups.iloc[5] = pd.NA

    run = planted.study(
        texts=pd.Series(planted.texts, index=index),
        target=pd.Series(planted.target, index=index),
        groups=groups,
    )

    assert [(drop.row, drop.reason) for drop in run.study.rows.dropped] == [(5, "group is missing")]


def test_groups_and_duplicates_are_never_on_both_sides(planted, monkeypatch):
    """A spy at the seam between splitting and testing sees what each side held."""
    seen = {}
    from interp_embed.hypotheses import steps

    def spy(candidates, confirm, activations, *, discover, **settings):
        seen["confirm"], seen["discover"] = confirm, discover
        return original(candidates, confirm, activations, discover=discover, **settings)

    original = steps.evaluate_candidates
    monkeypatch.setattr(steps, "evaluate_candidates", spy)
    texts = list(planted.texts)
    texts[200:230] = [text.upper() for text in texts[:30]]  # copies but for their letter case
    groups = [f"author {i % 90}" for i in range(400)]

    run = planted.study(texts=texts, groups=groups)

    sides = [set(seen[side].rows.tolist()) for side in ("discover", "confirm")]
    assert sorted(sides[0] | sides[1]) == list(range(400))
    assert not sides[0] & sides[1]
    assert not {groups[row] for row in sides[0]} & {groups[row] for row in sides[1]}
    assert all((row in sides[0]) == (row + 200 in sides[0]) for row in range(30))
    assert run.study.rows.n_duplicates >= 30
    assert run.study.settings["standard_errors"] == "cluster-robust by group"


def test_a_shuffled_target_gives_hardly_any_significant_hypothesis(planted):
    held = tested = 0
    for seed in range(2):
        shuffled = np.random.default_rng(seed).permutation(planted.target).tolist()
        run = planted.study(target=shuffled)
        held, tested = held + len(significant(run)), tested + run.study.tested

    assert tested >= 4
    assert held <= 1


def test_a_binary_target_in_words_is_understood(planted):
    target = ["1" if value > 0 else "-1" for value in planted.target]

    study = planted.study(target=target).study

    assert (study.target_kind, study.scores.metric) == ("binary", "auc")
    assert '"1" is 1, "-1" is 0' in study.target_note
    assert any(found.significant for found in study.hypotheses)


def test_tfidf_needs_no_model(planted):
    study = find_hypotheses(
        planted.texts,
        planted.target,
        embedder="tfidf",
        settings=replace(TINY, features=16),
        ledger=None,
        progress=False,
    ).study

    assert study.settings["embedder"]["kind"] == "tfidf"
    assert len(study.hypotheses) >= 1


def test_given_embeddings_need_no_embedder(planted):
    planted.study(embedder="no such embedder")


def test_lists_and_float64_embeddings_are_taken_as_they_are(planted, planted_run):
    run = planted.study(embeddings=planted.embeddings.astype(np.float64).tolist())

    assert hypotheses_csv(run.study) == hypotheses_csv(planted_run.study)


def test_arguments_are_left_as_they_were(planted):
    texts, target, groups = list(planted.texts), list(planted.target), list(range(400))
    embeddings = planted.embeddings.copy()

    planted.study(texts=texts, target=target, groups=groups, embeddings=embeddings)

    assert (texts, target, groups) == (planted.texts, planted.target, list(range(400)))
    np.testing.assert_array_equal(embeddings, planted.embeddings)


def test_fewer_hypotheses_than_asked_for_are_explained(planted):
    study = planted.study(settings=replace(TINY, n=12, granularities=1, repeats=1)).study

    assert len(study.hypotheses) < 12
    assert any("12 hypotheses were asked for" in told for told in study.warnings)


CLASSES = ["red", "green", "blue", "grey"]
RARE = ["red"] * 10 + ["green", "blue", "grey"] * 130


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texts": []}, "there are 0 texts but 400 values"),
        ({"texts": "one text"}, "texts must be a column or list of strings, got one str"),
        ({"texts": [None] * 400}, r"but 0 of 400 rows are usable \(400 x text is missing\)"),
        ({"texts": [" "] * 400}, "0 of 400 rows are usable .*white space"),
        ({"texts": ["equal"] * 400}, "all 400 usable documents are the same text, 'equal'"),
        ({"texts": list(range(400))}, "400 x text is of type int, not a string"),
        ({"target": [1.0] * 399}, "there are 400 texts but 399 values"),
        ({"target": [1.0] * 400}, "'target' is constant"),
        ({"target": ["yes"] * 400}, "'target' is constant: all 400 usable rows"),
        ({"target": [None] * 400}, "no usable value in 400 rows"),
        ({"target": [float("nan")] * 400}, "no usable value in 400 rows"),
        ({"target": RARE}, "has 4 classes.*positive='green'"),
        ({"target": CLASSES * 100, "positive": "rad"}, "did you mean 'red'"),
        ({"target": [{"a": 1}] * 400}, "holds a dict in row 0"),
        ({"target": [1] * 10 + [0] * 390}, "10 of one class and 390 of the other.*at least 20"),
        ({"groups": [1] * 399}, "there are 400 texts but 399 values in column 2"),
        ({"groups": ["all"] * 400}, "all 400 rows are in one group"),
        ({"groups": ["one"] * 390 + list(range(10))}, "one group holds 39. of 400 rows"),
        ({"groups": [None] * 400}, "400 x group is missing"),
        ({"groups": [["a"]] * 400}, "groups must be plain labels, but row 0 holds a list"),
        ({"groups": [np.arange(2)] * 400}, "groups must be plain labels, but row 0 holds"),
        ({"embeddings": np.ones((399, 4))}, r"one row for each of the 400 documents.*\(399, 4\)"),
        ({"embeddings": np.ones(400)}, r"shape is \(400,\)"),
        ({"embeddings": np.ones((400, 4))}, "all 2.. rows of embeddings are equal"),
        ({"embeddings": [["a"] * 4] * 400}, "embeddings must hold numbers"),
        ({"settings": StudySettings(features=300, n=5)}, "300 features cannot be learned from 2"),
        ({"settings": StudySettings(n=200)}, "200 hypotheses were asked for.*the SAE has 64"),
        ({"settings": StudySettings(confirm_share=0.01)}, "each side needs at least 25"),
        ({"embeddings": None, "embedder": "minilmm"}, "did you mean 'minilm'"),
    ],
)
def test_what_cannot_bear_a_study_is_refused_with_the_reason(planted, change, message):
    with pytest.raises(InputError, match=message):
        planted.study(**change)


def test_embeddings_that_are_not_finite_name_the_rows(planted):
    embeddings = planted.embeddings.copy()
    embeddings[[3, 5]] = np.nan
    texts = [None, *planted.texts[1:]]

    with pytest.raises(InputError, match="2 of 399 rows of embeddings are not finite.*row 3, 5"):
        planted.study(texts=texts, embeddings=embeddings)


def test_a_ragged_list_of_embeddings_is_refused(planted):
    with pytest.raises(InputError, match="embeddings cannot be read as a matrix"):
        planted.study(embeddings=[[1.0], [1.0, 2.0]] * 200)


def test_too_few_documents_are_refused_with_the_count(planted):
    with pytest.raises(InputError, match="at least 100 usable documents.*but 99 of 99"):
        planted.study(
            texts=planted.texts[:99],
            target=planted.target[:99],
            embeddings=planted.embeddings[:99],
        )


def test_errors_are_all_of_this_library():
    assert issubclass(InputError, ValueError)
    assert issubclass(MissingExtraError, ImportError)
