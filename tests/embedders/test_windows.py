from hypothesis import given
from hypothesis import strategies as st

from interp_embed.embedders.windows import Token, cut_windows


def tokens(words):
    """Tokens one character long; ``words`` holds the number of tokens of each word."""
    flat = [word for word, n in enumerate(words) for _ in range(n)]
    return [Token(i, i + 1, word) for i, word in enumerate(flat)]


def test_a_document_that_fits_is_one_window_of_all_its_characters():
    (window,) = cut_windows(tokens([1, 1]), room=2, overlap=1, n_chars=9)

    assert (window.start, window.end, window.n_tokens) == (0, 9, 2)


def test_windows_overlap_and_end_between_words():
    windows = cut_windows(tokens([2, 2, 2, 2]), room=5, overlap=1, n_chars=8)

    assert [(w.start, w.end) for w in windows] == [(0, 4), (2, 6), (4, 8)]


@given(st.lists(st.integers(1, 9), max_size=40), st.integers(1, 12), st.data())
def test_every_token_is_in_a_window_and_no_window_is_too_large(words, room, data):
    overlap = data.draw(st.integers(0, room - 1))
    own = tokens(words)

    windows = cut_windows(own, room=room, overlap=overlap, n_chars=len(own))

    assert {i for w in windows for i in range(w.start, w.end)} == set(range(len(own)))
    assert all(w.n_tokens <= max(room, 1) for w in windows)
