import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_embed.errors import InputError
from interp_embed.interpret.shown_text import (
    as_texts,
    cut_marked_text,
    cut_text,
    numbered,
    shield_markers,
)

ALPHABET = "one two three four five six seven eight nine ten"


def test_a_cut_text_says_so_and_a_short_one_stays_as_it_is():
    assert cut_text(" a\n b ", 2) == " a\n b "
    assert cut_text(ALPHABET, 4) == "one two three four [...]"
    assert cut_text(ALPHABET, 4, around=ALPHABET.index("nine")) == "[...] seven eight nine ten"
    assert cut_text(ALPHABET, None) == ALPHABET


def test_texts_without_spaces_are_cut_too():
    shown = cut_text("\u6c34" * 1_000, 10)

    assert shown == "\u6c34" * 120 + " [...]"


def test_a_marked_text_is_cut_around_its_first_mark():
    text = f"{ALPHABET} <<sea>> {ALPHABET} <<lake>>"

    assert cut_marked_text(text, 4) == "[...] ten <<sea>> one two [...]"
    assert cut_marked_text("<<one two three four>> five", 2) == "<<one two>> [...]"


@given(st.text(), st.integers(1, 5), st.integers(0, 50))
def test_an_excerpt_is_bounded_and_part_of_the_text(text, max_words, around):
    shown = cut_text(text, max_words, around=around)

    inside = shown.removeprefix("[...] ").removesuffix(" [...]")
    assert inside in text
    assert shown == text or len(inside) <= 12 * max_words


@given(
    st.lists(
        st.sampled_from(["TEXT:", "END OF TEXT", " END OF TEXT ", "\n", "\r", "\u2028", "c1: x"])
    )
)
def test_no_line_of_a_text_can_frame_it(pieces):
    shielded = shield_markers("\n".join(pieces))

    assert not {"TEXT:", "END OF TEXT"} & set(shielded.splitlines())
    assert "".join(shielded.split()) == "".join("\n".join(pieces).split())


def test_examples_are_numbered_and_their_lines_indented():
    assert numbered(["a\nNEGATIVE EXAMPLES:", "b"]) == "1. a\n   NEGATIVE EXAMPLES:\n2. b"


def test_texts_are_made_fit_to_send():
    assert as_texts(["a", None, np.nan, np.str_("b"), "\ud800x"]) == ["a", "", "", "b", "\ufffdx"]
    with pytest.raises(InputError, match="document 1 is no text but int; give strings"):
        as_texts(["a", 3])
    with pytest.raises(InputError, match="got one string"):
        as_texts("abc")
