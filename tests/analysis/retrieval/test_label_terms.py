"""Labels are compared with phrases term by term, less how near their terms are to anything."""

from types import MappingProxyType

import numpy as np
import pytest

from interp_embed.analysis import LabelIndex, find_features
from interp_embed.analysis.retrieval.label_terms import TermIndex, label_terms
from interp_embed.errors import InputError


class LetterEmbedder:
    """A vector of letter counts; what is near can be worked out by hand."""

    identity = MappingProxyType({"kind": "letters"})
    d_in = 7
    chunk_size = 64
    is_slow = False

    def fit(self, documents):
        return self

    def embed(self, documents, *, progress=None):
        vectors = [[text.count(letter) for letter in "abcxyz"] + [0.01] for text in documents]
        return np.array(vectors, np.float32)


def test_a_rule_has_its_words_as_terms_and_a_sentence_is_one():
    assert label_terms('mentions "soup", "cold food"') == ("soup", "cold food")
    assert label_terms('words ending in "ing", "ed"') == ("ing", "ed")
    assert label_terms("asks a question") == ("asks a question",)


def test_similarity_is_the_mean_over_terms_of_the_nearest_phrase():
    index = TermIndex(['mentions "xxx", "yyy"', 'mentions "xxx", "zzz"'], embedder=LetterEmbedder())

    found = index.compare(["xxx", "yyy"])

    np.testing.assert_allclose(found.similarity, [1.0, 0.5], atol=0.01)
    assert found.margin[0] > found.margin[1]


def test_phrases_find_labels_most_of_whose_terms_are_near_them():
    labels = {4: 'mentions "xxx", "zzz"', 7: 'mentions "xxx", "xxy"', 9: 'mentions "zzz"'}
    index = LabelIndex(labels, embedder=LetterEmbedder())

    query = find_features("bbb", index, keyphrases=["xxx"], min_similarity=0.7)

    assert query.features[0] == 7
    assert len(find_features("bbb", index, keyphrases=["xxx"], k=1)) == 1


def test_terms_are_not_compared_without_an_embedder_and_k_is_at_least_1():
    with pytest.raises(InputError, match="give an embedder"):
        LabelIndex({0: "soup"}).compare_terms(["soup"])
    with pytest.raises(InputError, match="k must be at least 1"):
        find_features("soup", {0: "soup"}, keyphrases=["bread"], k=0)
