import numpy as np
import pandas as pd
import pytest

from interp_embed.errors import InputError
from interp_embed.hypotheses import understand_target

NAN = float("nan")


def understand(values, **settings):
    return understand_target(values, name="y", **settings)


def test_one_value_written_three_ways_is_one_value_and_the_note_says_so():
    target = understand(["Yes", "yes ", "YES", "no", "very  Bad", "Very bad"][:4])
    spaced = understand(["very  Bad", "Very bad", "good"])

    assert target.values.tolist() == [1, 1, 1, 0]
    assert target.classes == ("no", "Yes")
    assert "compared without letter case and outer white space" in target.note
    assert spaced.values.tolist() == [1, 1, 0]


class TestCounts:
    def test_whole_numbers_are_counts_on_request_and_words_missing(self):
        target = understand(["0", 3, "7.0", None, "many"], kind="count")

        assert target.kind == "count"
        np.testing.assert_array_equal(target.values, [0, 3, 7, NAN, NAN])
        assert target.note.startswith("count: whole numbers from 0 to 7; 1 left out")

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ([1, 2, -1], "row 2 holds -1, and counts are whole numbers of at least 0"),
            ([1, 2.5], "row 1 holds 2.5"),
            ([1, 1, 1], "constant"),
            (["a", "b"], "0 distinct numbers, and a count needs at least 2"),
        ],
    )
    def test_what_is_no_count_is_refused(self, values, message):
        with pytest.raises(InputError, match=message):
            understand(values, kind="count")


class TestRanks:
    def test_consecutive_numbers_are_their_own_ranks(self):
        assert understand([3, 1, 2, 5, 4], kind="ordinal").values.tolist() == [3, 1, 2, 5, 4]
        assert understand([0, 1, 2], kind="ordinal").values.tolist() == [0, 1, 2]

    def test_other_numbers_are_ranked_and_the_note_says_how(self):
        target = understand([10, 1, 100, "x"], kind="ordinal")

        np.testing.assert_array_equal(target.values, [2, 1, 3, NAN])
        assert target.note.startswith('ordinal: "1" is 1, "10" is 2, "100" is 3; 1 left out')

    def test_words_are_ranked_in_the_order_given(self):
        target = understand(
            ["low", "High", "mid ", "don't know", None],
            kind="ordinal",
            order=["low", "mid", "high"],
        )

        np.testing.assert_array_equal(target.values, [1, 3, 2, NAN, NAN])
        assert [d.reason for d in target.dropped] == [
            'target "don\'t know" is not in order=',
            "target is missing",
        ]

    @pytest.mark.parametrize(
        ("values", "settings", "message"),
        [
            (["low", "high"], {}, "order is not known: give order= with the lowest first"),
            (["low", "high"], {"order": ["low", "hihg"]}, "no class 'hihg'; did you mean 'high'"),
            (["low", "high"], {"order": ["low", "LOW"]}, "names a value of target 'y' twice"),
            (["low", "high"], {"order": "low"}, "must list the values"),
            (list(range(0, 60, 2)), {}, "30 distinct values, more than 20 ranks"),
        ],
    )
    def test_an_order_that_does_not_fit_is_refused(self, values, settings, message):
        with pytest.raises(InputError, match=message):
            understand(values, kind="ordinal", **settings)

    def test_an_order_without_ranks_is_refused(self):
        with pytest.raises(InputError, match='order= is for kind="ordinal"'):
            understand(["a", "b"], order=["a", "b"])


class TestSeveralClasses:
    def test_three_frequent_classes_in_words_are_told_from_each_other(self):
        target = understand(["b", "A", "c ", "a", None] * 20)

        assert (target.kind, target.classes) == ("multiclass", ("A", "b", "c"))
        assert target.values.shape == (100, 3)
        assert target.values[:4].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]]
        assert np.isnan(target.values[4]).all()
        assert '3 classes, "A" (40), "b" (20), "c" (20), each against all others' in target.note

    def test_positive_still_tells_one_class_from_the_others(self):
        assert understand(["a", "b", "c"] * 20, positive="b").kind == "binary"

    def test_rare_classes_are_left_out_on_request_with_the_reason(self):
        values = ["a"] * 20 + ["b"] * 20 + ["c"] * 20 + ["d"] * 3
        with pytest.raises(InputError, match="4 classes.*multiclass.*fewer than 20"):
            understand(values)

        target = understand(values, kind="multiclass")

        assert target.classes == ("a", "b", "c")
        assert {d.reason for d in target.dropped} == {'class "d" has 3 rows; 20 are needed'}

    def test_numbers_are_classes_only_on_request(self):
        values = ["10", "2", "3"] * 20

        assert understand(values).kind == "numeric"
        assert understand(values, kind="multiclass").classes == ("2", "3", "10")

    def test_two_classes_are_not_several(self):
        with pytest.raises(InputError, match="2 classes of at least 20 rows"):
            understand(["a", "b"] * 30, kind="multiclass")

    def test_more_than_fifty_classes_are_refused(self):
        with pytest.raises(InputError, match="51 classes; at most 50"):
            understand([f"c{i % 51}" for i in range(51 * 20)], kind="multiclass")


class TestLabels:
    def test_lists_of_labels_become_a_column_each_and_an_empty_list_is_no_label(self):
        target = understand([["b", "A"], {"a"}, [], ["b"], None] * 20)

        assert (target.kind, target.classes) == ("multilabel", ("A", "b"))
        assert target.values[:4].tolist() == [[1, 1], [1, 0], [0, 0], [0, 1]]
        assert np.isnan(target.values[4]).all()
        assert target.dropped[0].reason == "target is missing"

    @pytest.mark.parametrize("form", [dict, pd.DataFrame])
    def test_columns_of_0_and_1_are_labels(self, form):
        columns = form({"x": [1, 0, "1", None] * 20, "y": [True, False, False, True] * 20})

        target = understand(columns)

        assert (target.kind, target.classes) == ("multilabel", ("x", "y"))
        assert target.values[:3].tolist() == [[1, 1], [0, 0], [1, 0]]
        assert target.dropped[0].reason == 'label "x" is missing'

    def test_rare_labels_are_left_out_with_a_note(self):
        values = [["a", "b"], ["a"], ["b"], []] * 20
        values[0] = ["rare"]

        target = understand(values)

        assert target.classes == ("a", "b")
        assert 'left out: "rare" (1)' in target.note

    def test_a_single_label_is_a_binary_target(self):
        target = understand([["a"], []] * 20)

        assert (target.kind, target.classes) == ("binary", ("not a", "a"))
        assert target.values.tolist() == [1, 0] * 20

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ([["a"], ["b"]], "no label of target 'y' is on at least 20 of 2 usable rows"),
            ([[]] * 50, "there are no labels"),
            ([["a"]] * 50, "absent from 20: 'a' \\(50\\)"),
            ({"a": [1, 2]}, "column 'a' of target 'y' holds '2' in row 1"),
            ({"a": [1, 0], "b": [1]}, "unequal lengths"),
            ({}, "needs one column for each label"),
            ([["a"], 3], "holds 3 in row 1, and no list"),
        ],
    )
    def test_what_are_no_labels_is_refused(self, values, message):
        with pytest.raises(InputError, match=message):
            understand(values)


class TestPreferences:
    @pytest.mark.parametrize(
        "values",
        [
            [1, 0, 1],
            ["1", "2", "1"],
            [1, -1, 1],
            ["A", "b", "a "],
            ["First", "second", "first"],
            ["model_a", "model_b", "model_a"],
            [True, False, True],
        ],
    )
    def test_known_values_say_which_text_is_preferred(self, values):
        target = understand(values, kind="preference")

        assert (target.kind, target.values.tolist()) == ("preference", [1, 0, 1])
        assert "is the first text preferred" in target.note

    def test_ties_are_dropped_with_the_reason(self):
        target = understand(["a", "b", "Tie", "tie (bothbad)", None], kind="preference")
        signs = understand([1, -1, 0], kind="preference")

        np.testing.assert_array_equal(target.values, [1, 0, NAN, NAN, NAN])
        assert target.dropped[0].reason == 'no preference: target is "Tie"'
        np.testing.assert_array_equal(signs.values, [1, 0, NAN])

    def test_two_other_words_need_to_be_told_apart(self):
        with pytest.raises(InputError, match="which of them means that the first text"):
            understand(["ours", "theirs"], kind="preference")

        target = understand(["ours", "theirs"], kind="preference", positive="theirs")

        assert target.values.tolist() == [0, 1]

    @pytest.mark.parametrize("values", [["a", "a"], ["a", "b", "c"], [0.3, 0.9, 0.7], ["tie"] * 3])
    def test_other_than_two_values_are_refused(self, values):
        with pytest.raises(InputError, match="must hold two values"):
            understand(values, kind="preference")
