import numpy as np
import pytest

from interp_embed.embedders import TfidfEmbedder, embed_documents
from interp_embed.errors import InputError

CORPUS = [
    f"{subject} {verb} {place}"
    for subject in ("the old cook", "a young guest", "our tired host")
    for verb in ("waited at", "complained about", "praised")
    for place in ("the kitchen door", "the cold soup", "the quiet terrace")
]


def test_vectors_have_length_one_and_like_texts_are_near():
    vectors = embed_documents(CORPUS, TfidfEmbedder(8).fit(CORPUS), progress=False)

    assert vectors.shape == (27, 8)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[26]


def test_the_same_corpus_and_seed_give_the_same_vectors():
    first, second = (TfidfEmbedder(8).fit(CORPUS) for _ in range(2))

    np.testing.assert_allclose(first.embed(CORPUS), second.embed(CORPUS), atol=1e-6)
    assert first.identity == second.identity
    assert first.identity != TfidfEmbedder(8).fit(CORPUS[1:]).identity
    assert first.identity != TfidfEmbedder(8, seed=1).fit(CORPUS).identity


def test_a_tiny_corpus_gets_fewer_dimensions_and_is_told(caplog):
    embedder = TfidfEmbedder(256).fit(["red apples", "green apples", "red pears"])

    assert embedder.d_in <= 3
    assert "not 256" in caplog.text
    assert embedder.embed(["red"]).shape == (1, embedder.d_in)


def test_a_document_of_unknown_words_is_the_zero_vector():
    vectors = TfidfEmbedder(4).fit(CORPUS).embed(["zzz qqq"])

    np.testing.assert_array_equal(vectors, 0)


def test_embedding_before_fitting_is_an_error():
    with pytest.raises(InputError, match="call fit"):
        embed_documents(CORPUS, TfidfEmbedder(), progress=False)


def test_a_corpus_without_words_is_an_error():
    with pytest.raises(InputError, match="no usable words in 2 documents"):
        TfidfEmbedder().fit(["!", "?"])
