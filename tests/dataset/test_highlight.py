import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from interp_embed.dataset.highlight import firing_spans, mark


def test_neighbouring_tokens_are_marked_as_one():
    text = "They waited in line."
    span = np.array([[0, 4], [4, 8], [8, 11], [11, 14], [14, 19], [19, 20]], np.int32)

    spans = firing_spans(span, np.array([0, 2, 1, 0, 3, 0], np.float32))

    assert spans == [(4, 11), (14, 19)]
    assert mark(text, spans) == "They <<waited>> in <<line>>."


def test_tokens_of_one_character_and_empty_spans_are_marked_once():
    span = np.array([[0, 0], [0, 1], [0, 1], [1, 2]], np.int32)  # an emoji in two tokens

    spans = firing_spans(span, np.array([1, 1, 1, 0], np.float32))

    assert mark("😀!", spans) == "<<😀>>!"


def test_markers_can_be_chosen():
    assert mark("a b", [(0, 1)], "[", "]") == "[a] b"


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30))))
def test_without_its_marks_a_text_is_the_text_again(text, spans):
    clean = text.replace("\x01", "").replace("\x02", "")
    ordered = sorted((min(a, b), max(a, b)) for a, b in spans)
    marked = mark(clean, ordered, "\x01", "\x02")
    assert marked.replace("\x01", "").replace("\x02", "") == clean
