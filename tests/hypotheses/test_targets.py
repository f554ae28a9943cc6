import datetime
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interp_embed.errors import InputError
from interp_embed.hypotheses.targets import understand_target
from interp_embed.records import DroppedDocument

NAN = float("nan")


def understand(values, **settings):
    return understand_target(values, name="y", **settings)


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 5],
        ["1", " 2 ", "5.0"],
        np.array([1.0, 2.0, 5.0], dtype=np.float32),
        pd.Series([1, 2, 5], dtype="Int64"),
        pd.Series(["1", "2", "5"], dtype="category"),
        [Decimal(1), np.int8(2), "5"],
    ],
)
def test_numbers_in_any_form_make_a_numeric_target(values):
    target = understand(values)

    assert target.kind == "numeric"
    assert target.values.tolist() == [1.0, 2.0, 5.0]
    assert target.values.dtype == np.float64
    assert target.note == "numeric: from 1 to 5"
    assert target.dropped == ()
    assert target.classes == ()


@pytest.mark.parametrize(
    ("values", "zero", "one"),
    [
        (["-1", "1"], "-1", "1"),
        ([0, 1], "0", "1"),
        ([False, True], "False", "True"),
        (["no", "yes"], "no", "yes"),
        (["True", "false"][::-1], "false", "True"),
        (["negative", "positive"], "negative", "positive"),
        (["neg", "pos"], "neg", "pos"),
        (["failure", "success"], "failure", "success"),
        (["loss", "win"], "loss", "win"),
        (["absent", "present"], "absent", "present"),
        (["fail", "pass"], "fail", "pass"),
    ],
)
def test_two_values_with_a_known_meaning_are_binary(values, zero, one):
    target = understand(values)

    assert target.kind == "binary"
    assert target.values.tolist() == [0.0, 1.0]
    assert target.classes == (zero, one)
    assert target.note == f'binary: "{one}" is 1, "{zero}" is 0'


def test_of_two_strings_the_later_one_is_1_and_the_note_says_so():
    target = understand(["dog", "cat", "Dog ", "DOG"])

    assert target.values.tolist() == [1.0, 0.0, 1.0, 1.0]
    assert '"dog" is 1, "cat" is 0 (the alphabetically later one is 1' in target.note
    assert "compared without letter case and outer white space" in target.note


def test_positive_turns_two_classes_round():
    target = understand(["dog", "cat"], positive="cat")

    assert target.values.tolist() == [0.0, 1.0]
    assert target.note == 'binary: "cat" is 1, "dog" is 0'
    assert target.classes == ("dog", "cat")


def test_two_numbers_are_binary_unless_they_are_to_stay_numbers():
    binary = understand([1, 5, 5])
    numeric = understand(["1", "5", "5"], kind="numeric")

    assert binary.values.tolist() == [0.0, 1.0, 1.0]
    assert '"5" is 1, "1" is 0 (of two numbers the larger is 1' in binary.note
    assert numeric.values.tolist() == [1.0, 5.0, 5.0]
    assert numeric.kind == "numeric"


def test_equal_numbers_written_differently_are_one_value():
    assert understand(["1", "1.0", "+1", "0", "-0.0"]).values.tolist() == [1, 1, 1, 0, 0]


def test_ratings_with_some_words_between_are_numeric_with_those_missing():
    target = understand(["1", "2", "no majority", "5", "no majority"])

    assert target.kind == "numeric"
    np.testing.assert_array_equal(target.values, [1, 2, NAN, 5, NAN])
    assert target.dropped == (
        DroppedDocument(2, 'target "no majority" is not a number'),
        DroppedDocument(4, 'target "no majority" is not a number'),
    )
    assert target.note == ('numeric: from 1 to 5; 2 left out: target "no majority" is not a number')


def test_missing_values_are_dropped_with_their_reason():
    target = understand([1, None, NAN, pd.NA, "", "  ", math.inf, "-inf", "NA", 2, 3, pd.NaT])

    assert [(d.row, d.reason) for d in target.dropped] == [
        (1, "target is missing"),
        (2, "target is missing"),
        (3, "target is missing"),
        (4, "target is empty"),
        (5, "target is empty"),
        (6, "target is infinite"),
        (7, "target is infinite"),
        (8, 'target "NA" reads as missing'),
        (11, "target is missing"),
    ]
    assert np.flatnonzero(~np.isnan(target.values)).tolist() == [0, 9, 10]
    assert "4 left out: target is missing" in target.note


def test_missing_values_leave_two_classes_binary():
    target = understand(["yes", None, "no"])

    np.testing.assert_array_equal(target.values, [1, NAN, 0])
    assert target.note == 'binary: "yes" is 1, "no" is 0; 1 left out: target is missing'


def test_one_class_against_all_others():
    target = understand(["joy", "Anger", "fear", "JOY", None], positive="joy")

    np.testing.assert_array_equal(target.values, [1, 0, 0, 1, NAN])
    assert target.kind == "binary"
    assert target.classes == ("not joy", "joy")
    assert target.note.startswith('binary: "joy" is 1, the 2 other values are 0')


def test_long_values_are_shortened_in_messages():
    target = understand([1, 2, 3, "x" * 10_000])

    assert len(target.note) < 200
    with pytest.raises(InputError) as caught:
        understand(["x" * 10_000, "y" * 10_000, "z" * 10_000])
    assert len(str(caught.value)) < 600


def test_a_number_can_be_the_class():
    assert understand([1, 2, 3, 3], positive="3").values.tolist() == [0, 0, 1, 1]


def test_a_class_that_is_called_na_can_be_asked_for():
    assert understand(["NA", "EU", "AS"], positive="NA").values.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("values", "settings", "message"),
    [
        ([3, 3, "3.0"], {}, "constant: all 3 usable rows of 3 are '3'"),
        (["yes", None, "YES"], {}, "constant: all 2 usable rows of 3"),
        ([None, ""], {}, "no usable value in 2 rows"),
        ([], {}, "no usable value in 0 rows"),
        (["a", "b", "c", "a"], {}, r"3 classes: 'a' \(2\), 'b' \(1\), 'c' \(1\).*positive='a'"),
        (["0", "1", "unknown"], {}, "3 classes: 2 of 3 values are numbers"),
        (["1", "2", "3", "a", "b", "c", "d"], {}, "7 classes: 3 of 7 values are numbers"),
        ([1, 2, 3], {"kind": "binary"}, r"not binary: it has 3 distinct values \('1' \(1\)"),
        (["yes", "no"], {"kind": "numeric"}, "is not numeric: its values are"),
        (["a", "b", "c"], {"kind": "numeric"}, "3 classes"),
        (["joy", "fear", "x"], {"positive": "joi"}, "no class 'joi'; did you mean 'joy'"),
        (["joy", "joy"], {"positive": "joy"}, "constant"),
        ([1, 2], {"positive": "1", "kind": "numeric"}, "leave out kind"),
        ([1, 2], {"kind": "rank"}, "kind must be one of auto, numeric, binary, count"),
        ([datetime.date(2020, 1, 1), 1], {}, "holds a date in row 0"),
        (pd.to_datetime(pd.Series(["2020-01-01"])), {}, "holds a Timestamp in row 0"),
        ([1, [2]], {}, "holds 1 in row 0, and no list of labels"),
        (["a;b", ["a"]], {}, "holds the text 'a;b' in row 0, between lists"),
        ([{"a": 1}], {}, "holds a dict in row 0"),
        ([1j, 2], {}, "holds a complex in row 0"),
        ("abc", {}, "must be one column"),
        (pd.DataFrame({"a": [1]}), {"kind": "numeric"}, "must be one column"),
        (np.ones((2, 2)), {}, "must be one column"),
    ],
)
def test_what_is_no_target_is_refused(values, settings, message):
    with pytest.raises(InputError, match=message) as caught:
        understand(values, **settings)

    if "kind" not in settings:
        assert "'y'" in str(caught.value)


@settings(deadline=None)
@given(
    st.lists(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.decimals()
        | st.sampled_from(["yes", "no", "1", "0", "NA", " ", "1e999"])
    ),
    st.sampled_from(["auto", "numeric", "binary", "count", "ordinal", "preference"]),
)
def test_any_values_are_understood_row_by_row_or_refused(values, kind):
    try:
        target = understand(values, kind=kind)
    except InputError:
        return

    missing = {d.row for d in target.dropped}
    assert target.values.shape == (len(values),)
    assert set(np.flatnonzero(np.isnan(target.values))) == missing
    assert not np.isinf(target.values).any()
    usable = target.values[~np.isnan(target.values)]
    assert np.unique(usable).size >= 2
    if target.kind in ("count", "ordinal"):
        assert (usable == np.floor(usable)).all()
    if target.kind == "preference":
        assert set(usable) == {0.0, 1.0}
    if target.kind == "binary":
        assert set(usable) == {0.0, 1.0}
        assert len(target.classes) == 2


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b", None]), min_size=2), st.randoms())
def test_the_order_of_rows_does_not_change_their_meaning(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    try:
        target = understand(values)
    except InputError:
        return

    shuffled = understand([values[row] for row in order])

    np.testing.assert_array_equal(shuffled.values, target.values[order])
    assert shuffled.classes == target.classes
