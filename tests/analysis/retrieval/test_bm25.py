"""Words are scored by BM25, as one computes it by hand."""

import math
import unicodedata

import numpy as np
import pytest

from interp_embed.analysis.retrieval.bm25 import BM25Index
from interp_embed.analysis.retrieval.words import search_stems

TEXTS = ["soup soup bread", "soup", "bread wine olive cheese", ""]


def by_hand(query, texts):
    """The formula of the docstring, k1 = 1.5 and b = .75, one document after another."""
    split = [search_stems(text) for text in texts]
    mean = sum(map(len, split)) / len(split)
    scores = []
    for words in split:
        total = 0.0
        for word in query:
            having = sum(word in other for other in split)
            rarity = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
            count = words.count(word)
            longer = 1.5 * (1 - 0.75 + 0.75 * len(words) / mean)
            total += rarity * count * 2.5 / (count + longer)
        scores.append(total)
    return scores


def test_scores_are_those_of_the_formula():
    scores = BM25Index(TEXTS).scores("soups, wine and more wine")

    np.testing.assert_allclose(scores, by_hand(["soup", "win"], TEXTS), rtol=1e-6)
    # "soup" is in 2 of 4 documents of 2 words on average; the first says it twice in 3.
    first = math.log(1 + 2.5 / 2.5) * 2 * 2.5 / (2 + 1.5 * (0.25 + 0.75 * 1.5))
    assert scores[0] == pytest.approx(first)
    assert scores[3] == 0


def test_an_empty_corpus_of_words_scores_nothing():
    assert BM25Index(["", "?!"]).scores("soup").tolist() == [0, 0]


@pytest.mark.parametrize("word", ["café", "naïveté", "İstanbul", "Straße", "ΟΔΟΣ"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_word_is_found_however_its_letters_are_stored(word, form):
    index = BM25Index([unicodedata.normalize(form, word), "soup"])

    for asked in ("NFC", "NFD"):
        scores = index.scores(unicodedata.normalize(asked, word))
        assert scores[0] > 0
        assert scores[1] == 0
