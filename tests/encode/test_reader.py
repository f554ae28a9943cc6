import logging

import numpy as np
import pytest

from interp_embed.encode import ReaderEncoder
from interp_embed.errors import InputError


def row(pooled, i, values):
    entries = slice(pooled.start[i], pooled.start[i + 1])
    return dict(zip(pooled.feature[entries].tolist(), values[entries].tolist(), strict=True))


def test_documents_are_pooled_over_their_counted_tokens(letter_reader, letter_sae):
    encoded = ReaderEncoder(letter_reader, letter_sae).encode(["abba!", "c"], tokens="none")

    assert row(encoded.pooled, 0, encoded.pooled.maximum) == {0: 1, 1: 2}
    assert row(encoded.pooled, 0, encoded.pooled.count) == {0: 2, 1: 2}
    assert row(encoded.pooled, 0, encoded.pooled.peak) == {0: 0, 1: 1}
    assert encoded.pooled.n_counted.tolist() == [4, 1]
    assert encoded.tokens is None


def test_a_long_document_is_pooled_over_all_its_pieces(letter_reader, letter_sae):
    encoded = ReaderEncoder(letter_reader, letter_sae).encode(
        ["aaaaaaaaab", "b", "abcabcabc"], tokens="all"
    )

    assert row(encoded.pooled, 0, encoded.pooled.count) == {0: 9, 1: 1}
    assert row(encoded.pooled, 0, encoded.pooled.peak) == {0: 0, 1: 9}
    tokens = encoded.tokens
    assert tokens.token_start.tolist() == [0, 10, 11, 20]
    assert tokens.feature.tolist() == [0] * 9 + [1, 1] + [0, 1, 2] * 3
    assert np.diff(tokens.start).tolist() == [1] * 20


def test_documents_that_cannot_be_read_keep_their_place_with_the_reason(letter_reader, letter_sae):
    encoded = ReaderEncoder(letter_reader, letter_sae).encode(
        ["", "ab", None, "!!", "b"], tokens="peaks"
    )

    assert encoded.pooled.errors[0] == "text is empty"
    assert encoded.pooled.errors[2] == "text is missing"
    assert "none of its tokens counts" in encoded.pooled.errors[3]
    assert row(encoded.pooled, 1, encoded.pooled.maximum) == {0: 1, 1: 2}
    assert row(encoded.pooled, 4, encoded.pooled.maximum) == {1: 2}
    assert encoded.tokens.token_start.tolist() == [0, 0, 2, 2, 4, 5]


def test_one_document_that_breaks_the_model_costs_no_other(letter_reader, letter_sae, caplog):
    with caplog.at_level(logging.WARNING):
        encoded = ReaderEncoder(letter_reader, letter_sae).encode(
            ["ab", "#", "c", "abcdefg"], tokens="none"
        )

    assert encoded.pooled.errors == (None, "the model failed: the model cannot run #", None, None)
    assert row(encoded.pooled, 3, encoded.pooled.count) == dict.fromkeys(range(7), 1)
    assert "run one by one" in caplog.text


def test_a_model_that_fails_on_every_document_is_not_the_documents_fault(letter_reader, letter_sae):
    with pytest.raises(RuntimeError, match="cannot run #"):
        ReaderEncoder(letter_reader, letter_sae).encode(["#", "##"], tokens="none")


def test_batching_does_not_change_anything(letter_sae, letter_reader):
    documents = ["abc", "z", "hello", "worldwide", "!x", "qq"]
    other = type(letter_reader)(batch=5, piece=100)

    one = ReaderEncoder(letter_reader, letter_sae).encode(documents, tokens="all")
    two = ReaderEncoder(other, letter_sae).encode(documents, tokens="all")

    for name in ("start", "feature", "maximum", "peak", "total", "count", "n_counted"):
        np.testing.assert_array_equal(getattr(one.pooled, name), getattr(two.pooled, name))
    for name in ("token_start", "span", "counted", "start", "feature", "value"):
        np.testing.assert_array_equal(getattr(one.tokens, name), getattr(two.tokens, name))


def test_progress_counts_every_document_once(letter_reader, letter_sae):
    seen = []
    ReaderEncoder(letter_reader, letter_sae).encode(
        ["ab", "", "#", "c"], tokens="none", progress=lambda n, tokens: seen.append(n)
    )
    assert sum(seen) == 4


def test_an_sae_of_another_width_is_refused(letter_reader, letter_sae):
    letter_sae.d_in = 27
    with pytest.raises(InputError, match="width 26, but the SAE reads width 27"):
        ReaderEncoder(letter_reader, letter_sae)
