from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_embed.records import Example
from interp_embed.report.excerpts import FULL_CHARACTERS, clean_spans, excerpt


def _excerpt(text, *spans):
    return excerpt(Example(row=0, text=text, activation=1.0, spans=spans))


def _joined(pieces):
    return "".join(piece.text for piece in pieces)


def _marked(pieces):
    return [piece.text for piece in pieces if piece.marked]


def test_a_short_text_is_shown_whole_with_its_words_marked():
    shown = _excerpt("We waited for the host.", (3, 9), (18, 22))

    assert _joined(shown.pieces) == "We waited for the host."
    assert _marked(shown.pieces) == ["waited", "host"]
    assert shown.full == ()


def test_a_long_text_is_cut_around_its_first_highlights():
    text = "filler " * 100 + "needle " + "filler " * 200 + "thread " + "filler " * 100

    shown = _excerpt(text, (700, 706), (2107, 2113))

    assert _marked(shown.pieces) == ["needle", "thread"]
    assert _joined(shown.pieces).startswith("… ")
    assert _joined(shown.pieces).count("…") == 3
    assert len(_joined(shown.pieces)) < 450
    assert _joined(shown.full) == text
    assert _marked(shown.full) == ["needle", "thread"]


def test_the_full_text_has_a_limit_and_says_so():
    shown = _excerpt("word " * 5000)

    assert shown.n_characters == 25000
    assert FULL_CHARACTERS - 30 < shown.n_full <= FULL_CHARACTERS
    assert _joined(shown.full) == ("word " * 5000)[: shown.n_full] + " …"


@pytest.mark.parametrize(
    ("spans", "cleaned"),
    [
        (((0, 3), (2, 5)), ((0, 5),)),
        (((4, 6), (0, 2)), ((0, 2), (4, 6))),
        (((-5, 2), (8, 99), (50, 60)), ((0, 2), (8, 10))),
        (((3, 3), (5, 4)), ()),
        (((0, 9), (2, 3)), ((0, 9),)),
    ],
)
def test_spans_that_overlap_or_lie_outside_are_put_right(spans, cleaned):
    assert clean_spans(spans, n_characters=10) == cleaned


def test_a_cut_does_not_split_a_drawn_character():
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"

    shown = _joined(_excerpt(family * 300).pieces).removesuffix(" …")

    assert len(shown) % len(family) == 0
    assert shown == family * (len(shown) // len(family))


@given(
    st.text(max_size=40).map(lambda text: text * 30),
    st.lists(st.tuples(st.integers(-9, 1400), st.integers(-9, 1400)), max_size=9),
)
def test_what_is_shown_comes_from_the_text_in_order(text, spans):
    shown = _excerpt(text, *spans)

    position = 0
    for piece in shown.pieces:
        if piece.text.strip() != "…":
            position = text.index(piece.text, position) + len(piece.text)
    assert all(piece.text for piece in shown.pieces)
    assert not any(a.marked and b.marked and a.text == "" for a, b in pairwise(shown.pieces))
    if not shown.full:
        assert _joined(shown.pieces) == text
