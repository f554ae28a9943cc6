import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_embed.interpret.sentences import MAX_CHARS, MAX_PIECES, split_sentences


def test_each_sentence_is_a_piece():
    text = 'The soup was cold. "Sorry," said the host!  We left?\nNever again…'

    assert split_sentences(text) == [
        "The soup was cold.",
        '"Sorry," said the host! We left?',
        "Never again…",
    ]


def test_a_short_sentence_goes_with_its_neighbour():
    assert split_sentences("Yum! The pancakes are great. Go.") == [
        "Yum! The pancakes are great. Go."
    ]


def test_a_number_or_a_name_with_a_point_in_it_is_not_cut():
    assert split_sentences("We paid 12.50 at example.com for it") == [
        "We paid 12.50 at example.com for it"
    ]


def test_a_long_sentence_is_cut_at_pauses():
    pieces = split_sentences(", ".join(["the room was small and dark"] * 20))

    assert len(pieces) > 2
    assert all(len(piece) <= MAX_CHARS for piece in pieces)
    assert all(piece.endswith((",", "dark")) or piece.startswith("and") for piece in pieces)


def test_a_word_longer_than_a_piece_stays_whole():
    assert split_sentences("a" * 1_000) == ["a" * 1_000]


def test_sentences_without_spaces_between_them_are_told_apart():
    text = "このお店の料理はとても美味しかったです。店員さんもとても親切でした。"

    assert len(split_sentences(text)) == 2


def test_all_of_a_long_document_is_read_in_a_bounded_number_of_pieces():
    text = " ".join(f"This is sentence number {i}." for i in range(1_000))

    pieces = split_sentences(text)

    assert len(pieces) == MAX_PIECES
    assert " ".join(pieces) == text


@pytest.mark.parametrize("text", ["", "  ", "\n\n \t"])
def test_a_blank_document_has_no_sentences(text):
    assert split_sentences(text) == []


@given(st.text(alphabet="ab .,!?\n\"'-。", max_size=700))
def test_no_word_is_lost_and_no_piece_is_blank(text):
    pieces = split_sentences(text)

    assert all(piece.strip() for piece in pieces)
    letters = [character for character in text if character in "ab"]
    assert [character for piece in pieces for character in piece if character in "ab"] == letters
