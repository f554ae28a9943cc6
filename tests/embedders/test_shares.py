import json
import shutil

import numpy as np
import pytest

from interp_embed._model_files import find_model
from interp_embed.embedders import SentenceEmbedder, TfidfEmbedder
from interp_embed.embedders.shares import TokenVectors, feature_shares, token_vectors
from interp_embed.errors import InputError

TEXTS = [
    "The soup was cold.",
    "We waited an hour, the host was rude, and nobody apologised. " * 12,
    "😀 tr\u00e8s bien, 谢谢!",
    "def add(a, b):\n    return a + b\n\n\t# done",
    "ok",
    "A very long story about rain and hail. " * 60,
]
ENCODER = np.random.default_rng(0).standard_normal((16, 384)).astype(np.float32)


def sums(tokens, values):
    return np.stack(
        [values[a:b].sum(0) for a, b in zip(tokens.start, tokens.start[1:], strict=False)]
    )


def check_sums(embedder, texts=TEXTS, tolerance=1e-4):
    vectors = embedder.embed(texts)
    tokens = token_vectors(embedder, texts)

    np.testing.assert_allclose(sums(tokens, tokens.vectors), vectors, atol=tolerance)
    shares = feature_shares(tokens, ENCODER)
    np.testing.assert_allclose(sums(tokens, shares), vectors @ ENCODER.T, atol=tolerance)
    return tokens


def words(tokens, texts, document=0):
    own = tokens.span[tokens.start[document] : tokens.start[document + 1]]
    return [texts[document][a:b] for a, b in own]


def test_shares_sum_to_what_the_encoder_makes_of_the_embedding(minilm):
    check_sums(minilm)


def test_shares_in_8_bit_integers_sum_to_the_embedding_that_was_used(minilm_int8):
    check_sums(minilm_int8)


def test_spans_point_to_the_words(minilm):
    tokens = token_vectors(minilm, TEXTS)

    assert words(tokens, TEXTS) == ["", "The", "soup", "was", "cold", ".", ""]
    assert words(tokens, TEXTS, 2)[1:4] == ["😀", "tr\u00e8s", "bien"]
    assert words(tokens, TEXTS, 3)[1:5] == ["def", "add", "(", "a"]
    assert tokens.n_documents == len(TEXTS)
    assert tokens.span.shape == (len(tokens.vectors), 2)


def test_the_word_that_makes_a_document_what_it_is_has_the_largest_share(minilm):
    soup = minilm.embed(["soup"])
    tokens = token_vectors(minilm, ["We went out and the soup came late."])

    shares = feature_shares(tokens, soup)[:, 0]

    assert words(tokens, ["We went out and the soup came late."])[int(shares.argmax())] == "soup"


def test_windows_of_a_long_document_are_counted_once(minilm):
    pooled = SentenceEmbedder.load(long="pool", threads=1, precision="float32")

    tokens = check_sums(pooled)

    own = tokens.span[tokens.start[5] : tokens.start[6]]
    inside = own[own[:, 1] > own[:, 0]]
    assert len(inside) == 9 * 60  # eight words and a full stop
    assert (inside[1:, 0] >= inside[:-1, 1]).all()
    assert inside[-1, 1] == len(TEXTS[5]) - 1


def test_a_prompt_has_a_part_but_no_place(minilm):
    prompted = SentenceEmbedder.load(prompt="query: ", threads=1, precision="float32")

    tokens = check_sums(prompted, ["Cold soup"])

    assert words(tokens, ["Cold soup"]) == ["", "", "", "Cold", "soup", ""]


def test_places_count_the_characters_given_even_where_surrogates_are_joined(minilm):
    text = "\ud83d\ude00 cold \ud800 soup"

    tokens = check_sums(minilm, [text])

    assert words(tokens, [text])[1:3] == ["\ud83d\ude00", "cold"]
    assert words(tokens, [text])[-2] == "soup"


@pytest.fixture(scope="module")
def copy_of_minilm(tmp_path_factory):
    folder = find_model("minilm").folder

    def change(**pooling):
        copy = tmp_path_factory.mktemp("model") / "copy"
        shutil.copytree(folder, copy)
        path = copy / "1_Pooling" / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | pooling))
        return copy

    return change


@pytest.mark.parametrize("long", ["truncate", "pool"])
def test_models_run_by_sentence_transformers_have_shares_too(minilm, copy_of_minilm, long):
    copy = copy_of_minilm(pooling_mode_mean_tokens=False, pooling_mode_mean_sqrt_len_tokens=True)
    embedder = SentenceEmbedder.load(str(copy), device="cpu", threads=1, long=long)

    tokens = check_sums(embedder, TEXTS[:4])

    assert words(tokens, TEXTS) == ["", "The", "soup", "was", "cold", ".", ""]


def test_models_that_do_not_average_are_refused(minilm, copy_of_minilm):
    copy = copy_of_minilm(pooling_mode_mean_tokens=False, pooling_mode_cls_token=True)
    embedder = SentenceEmbedder.load(str(copy), device="cpu", threads=1)

    with pytest.raises(InputError, match="not the mean of its tokens"):
        token_vectors(embedder, ["The soup was cold."])


def test_embedders_without_tokens_are_refused(hashing):
    with pytest.raises(InputError, match="TfidfEmbedder does not make its vectors by averaging"):
        token_vectors(TfidfEmbedder(), ["The soup was cold."])
    with pytest.raises(InputError, match="HashingEmbedder"):
        token_vectors(hashing(), ["The soup was cold."])


def test_what_cannot_be_used_is_refused(minilm):
    tokens = token_vectors(minilm, ["Soup"])

    with pytest.raises(InputError, match="documents are not texts or are empty"):
        token_vectors(minilm, ["Soup", " "])
    with pytest.raises(InputError, match=r"shape \(n_selected, 384\)"):
        feature_shares(tokens, np.zeros((2, 3)))
    with pytest.raises(InputError, match="got \\(384,\\)"):
        feature_shares(tokens, np.zeros(384))


def test_no_documents_have_no_tokens(minilm):
    tokens = token_vectors(minilm, [])

    assert isinstance(tokens, TokenVectors)
    assert tokens.start.tolist() == [0]
    assert tokens.vectors.shape == (0, 384)
