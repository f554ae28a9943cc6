"""Copies and near-copies of a corpus are reported."""

import json

import numpy as np
import pytest

from interp_embed.analysis import find_duplicates
from interp_embed.errors import InputError

LONG = (
    "The soup was cold and the waiter was rude to all of us, so we left before the main "
    "course came and never looked back at that place again."
)
TEXTS = [
    "The end.",
    LONG,
    "the  END",
    "Another",
    LONG.replace("again", "ever again"),
    LONG.upper(),
    "One more, short.",
]


def test_copies_and_near_copies_are_grouped_and_counted():
    found = find_duplicates(TEXTS)

    assert [group.documents for group in found.groups] == [(1, 4, 5), (0, 2)]
    assert (found.n_exact, found.n_near, found.n_copies) == (2, 1, 3)
    assert found.share == pytest.approx(3 / 7)
    assert found.groups[0].n_distinct == 2
    assert not found.groups[0].exact
    assert found.groups[1].exact


def test_one_of_each_is_kept():
    found = find_duplicates(TEXTS)

    assert found.keep.tolist() == [0, 1, 3, 6]
    assert find_duplicates([TEXTS[row] for row in found.keep]).n_copies == 0


def test_a_higher_threshold_finds_fewer():
    assert find_duplicates(TEXTS, threshold=1.0).n_near == 0


def test_texts_that_differ_are_no_copies():
    found = find_duplicates(["one", "two", "three"])

    assert found.groups == ()
    assert found.summary() == "None of 3 documents is a copy or a near-copy of another."
    assert found.keep.tolist() == [0, 1, 2]


def test_the_record_tells_itself():
    found = find_duplicates([*TEXTS, "<b>bold</b>", "<b>bold</b>"])

    assert list(found.to_frame().columns) == [
        "group", "size", "n_distinct", "exact", "documents", "text",
    ]  # fmt: skip
    assert "4 of 9 documents (44.4%) repeat an earlier one: 3 word by word, 1 nearly" in (
        found.summary()
    )
    assert json.loads(json.dumps(found.to_json()))["n_kept"] == 5
    assert "&lt;b&gt;" in found._repr_html_()


def test_one_document_and_missing_ones_are_fine():
    assert find_duplicates(["alone"]).n_copies == 0
    assert find_duplicates([None, "x", np.nan]).groups[0].documents == (0, 2)


def test_the_largest_groups_are_drawn_with_their_texts():
    axes = find_duplicates([*TEXTS, "", ""]).plot()

    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0].startswith("The soup was cold")
    assert labels[0].endswith("…")
    assert labels[1:] == ["The end.", "(empty)"]
    with pytest.raises(InputError, match="nothing to draw"):
        find_duplicates(["one", "two"]).plot()


def test_texts_of_one_template_and_those_of_a_word_are_no_copies():
    filled = [
        f"Dear customer, your order of {n} {n + 1} {n + 2} parts is on its way to you now."
        for n in range(0, 300, 5)
    ]

    assert find_duplicates(filled).n_near == 0
    assert find_duplicates(["soup", "soups", "s", "", "?", "!"]).n_copies == 0


@pytest.mark.parametrize(
    ("texts", "threshold", "message"),
    [
        ([], 0.8, "no documents"),
        ("one string", 0.8, "got one string"),
        (["a"], 0.0, "above 0"),
        ([3], 0.8, "document 0 is no text"),
    ],
)
def test_bad_input_is_refused(texts, threshold, message):
    with pytest.raises(InputError, match=message):
        find_duplicates(texts, threshold=threshold)
