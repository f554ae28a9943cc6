"""Labels are found by their words and by what they mean."""

import numpy as np
import pytest

from interp_embed.analysis import LabelIndex
from interp_embed.analysis.retrieval.label_search import plain_label
from interp_embed.analysis.retrieval.words import search_stems, stem, stem_spans
from interp_embed.errors import InputError

LABELS = {
    0: 'mentions "thanks", "thank you"',
    3: "expresses gratitude towards someone",
    5: "complains about waiting for a table",
    7: 'mentions at least 2 of "soup", "bread", "menu"',
    9: "asks a question",
}


class TopicEmbedder:
    """Two dimensions of meaning: thanks and food."""

    d_in, chunk_size, is_slow = 3, 10, False

    def __init__(self):
        self.n_embedded = 0
        self.identity = {"kind": "topics"}

    def fit(self, documents):
        return self

    def embed(self, documents, *, progress=None):
        self.n_embedded += len(documents)
        topics = (("thank", "gratitude", "appreciat"), ("soup", "bread", "table", "meal"))
        rows = [[any(w in d.lower() for w in words) for words in topics] for d in documents]
        vectors = np.array([[*row, not any(row)] for row in rows], np.float32)
        return vectors


@pytest.fixture
def index():
    return LabelIndex(LABELS, embedder=TopicEmbedder())


def test_a_word_finds_the_labels_that_have_it_in_any_form():
    found = LabelIndex(LABELS).search("waited").found()

    assert found.features.tolist() == [5]
    assert found.by == ("both",)


def test_meaning_finds_labels_without_a_common_word(index):
    found = index.search("appreciation").found()

    assert set(found.features.tolist()) == {0, 3}
    assert set(found.by) == {"meaning"}


def test_each_match_says_how_it_was_found(index):
    frame = index.search("gratitude", k=5).to_frame().set_index("feature")

    assert frame.loc[3, "by"] == "both"
    assert frame.loc[0, "by"] == "meaning"
    assert frame.loc[9, "by"] == "neither"
    assert list(frame.columns) == ["label", "similarity", "by", "word", "meaning"]


def test_labels_are_embedded_once(index):
    index.search("meal")
    index.search("thanks")

    assert index.embedder.n_embedded == len(LABELS) + 2


def test_without_an_embedder_misspelt_words_are_found_by_their_letters():
    found = LabelIndex(LABELS).search("gratetude").found()

    assert found.features.tolist() == [3]
    assert found.by == ("meaning",)


def test_the_same_text_gives_the_same_order_and_k_may_exceed_the_labels(index):
    first, second = index.search("soup", k=100), index.search("soup", k=100)

    assert len(first) == len(LABELS)
    assert first.features.tolist() == second.features.tolist()
    assert first.features[0] == 7


def test_the_form_of_a_rule_is_not_searched():
    assert plain_label('mentions at least 2 of "soup", "bread"') == "soup, bread"
    assert plain_label('words ending in "ing"') == "ing"
    assert plain_label("numbers") == "numbers"
    assert not LabelIndex(LABELS).search("mentions").word.any()


def test_the_record_tells_itself(index):
    found = index.search("gratitude", k=2)

    assert "label" in found._repr_html_()
    assert "&lt;b&gt;" in LabelIndex({0: "<b> soup"}).search("soup")._repr_html_()
    assert found.to_json()["n_labels"] == 5
    assert "2 of 5 labels match 'gratitude'" in found.summary()
    assert LabelIndex(LABELS).search("zzz").summary() == "None of 5 labels matches 'zzz'."


def test_words_are_cut_to_their_stems():
    assert [stem(w) for w in ("waits", "waited", "waiting", "wait")] == ["wait"] * 4
    assert stem("party") == stem("parties")
    assert stem("hope") == stem("hoping") == stem("hoped")
    assert search_stems("Mentions the waiting, and 2 tables") == ["wait", "tabl"]
    assert stem_spans("No waiting? We waited.", frozenset({"wait"})) == ((3, 10), (15, 21))


@pytest.mark.parametrize("text", ["", "  ", "?!"])
def test_an_empty_query_is_refused(index, text):
    with pytest.raises(InputError, match="is empty"):
        index.search(text)


def test_bad_input_is_refused(index):
    with pytest.raises(InputError, match="k must be at least 1"):
        index.search("soup", 0)
    with pytest.raises(InputError, match="have no labels.*label them"):
        LabelIndex({})
    with pytest.raises(InputError, match="feature 2 has an empty label"):
        LabelIndex({1: "soup", 2: " "})
