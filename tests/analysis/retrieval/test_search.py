"""Documents with a property are found by features, meaning and words, and it is said why."""

import json

import numpy as np
import pytest
from scipy.sparse import csc_matrix, csr_matrix

from interp_embed.analysis import EncodedDocuments, FeatureQuery, Searcher
from interp_embed.errors import InputError
from interp_embed.llm import ScriptedLLM

TEXTS = [
    "Thanks a lot for the soup!",
    "The bread was fine.",
    "Many thanks, really, many thanks.",
    "I appreciate it.",
    "The soup was cold.",
    "Nothing to see here.",
]
LABELS = {0: "expresses thanks", 1: "mentions food", 3: "soup that is cold"}
ACTIVATIONS = np.array(
    [
        [1.0, 5.0, 0, 0],
        [0.0, 9.0, 0, 0],
        [2.0, 0.0, 0, 0],
        [0.5, 0.0, 0, 0],
        [0.0, 4.0, 0, 1],
        [0.0, 0.0, 0, 0],
    ],
    np.float32,
)


class TopicEmbedder:
    """Three dimensions of meaning: thanks, food, and the rest."""

    d_in, chunk_size, is_slow = 3, 10, False

    def __init__(self):
        self.identity = {"kind": "topics"}

    def fit(self, documents):
        return self

    def embed(self, documents, *, progress=None):
        topics = (("thank", "appreciat"), ("soup", "bread", "food"))
        rows = [[any(w in d.lower() for w in words) for words in topics] for d in documents]
        return np.array([[*row, 0.1] for row in rows], np.float32)


def searcher(**changes):
    parts = {
        "activations": csr_matrix(ACTIVATIONS), "labels": LABELS, "embedder": TopicEmbedder(),
    }  # fmt: skip
    return Searcher(TEXTS, **(parts | changes))


def test_activations_count_in_units_of_their_90th_percentile():
    scores = searcher().rank(FeatureQuery.of([0, 1], weights=[1, 0.5]), use=["features"])

    thanks = np.quantile([1.0, 2.0, 0.5], 0.9)
    food = np.quantile([5.0, 9.0, 4.0], 0.9)
    np.testing.assert_allclose(
        scores.scores["features"],
        [1 / thanks + 2.5 / food, 4.5 / food, 2 / thanks, 0.5 / thanks, 2 / food, -np.inf],
        rtol=1e-6,
    )


def test_rankings_are_fused_and_each_hit_has_its_rank_in_each():
    found = searcher().search("expresses thanks", k=3)

    assert {hit.document for hit in found.hits} == {0, 2, 3}
    best = found.hits[0]
    assert best.document == 2
    assert best.ranks["features"] == 1
    assert best.score == pytest.approx(sum(1 / (60 + rank) for rank in best.ranks.values()))
    assert found.used == ("features", "meaning", "words")


def test_documents_without_any_feature_of_the_query_are_not_ranked_by_features():
    found = searcher().search(FeatureQuery.of([0]), k=100)

    assert [hit.document for hit in found.hits] == [2, 0, 3]
    assert found.n_ranked == {"features": 3}
    assert found.used == ("features",)


def test_a_hit_says_which_features_matched_and_where():
    located = searcher(locate=lambda document, feature: [(0, 6)] if feature == 0 else [])

    hit = located.search("thanks for food", use=["features"], k=1).hits[0]

    match = next(match for match in hit.matches if match.feature == 0)
    assert match.label == "expresses thanks"
    assert match.contribution == pytest.approx(match.weight * match.activation)
    assert sum(m.contribution for m in hit.matches) == pytest.approx(hit.score, rel=1e-5)
    assert match.spans == ((0, 6),)


def test_words_of_the_query_are_found_in_any_form():
    hit = searcher().search("thanking", use=["words"], k=1).hits[0]

    assert [hit.text[start:end] for start, end in hit.words] == ["thanks", "thanks"]


def test_a_query_can_be_edited_and_searched_again():
    search = searcher()
    found = search.search("thanks and cold soup", use=["features"], k=10)

    again = search.search(found.features.drop(0).reweight({3: 5.0}), use=["features"], k=1)

    assert again.hits[0].document == 4
    assert 0 not in again.features.features


def test_columns_can_be_read_one_at_a_time_from_elsewhere():
    by_feature, asked = csc_matrix(ACTIVATIONS), []

    def column(feature):
        asked.append(feature)
        inside = slice(by_feature.indptr[feature], by_feature.indptr[feature + 1])
        return by_feature.indices[inside], by_feature.data[inside]

    lazy = searcher(activations=None, column=column, n_features=4)

    assert lazy.search("expresses thanks").to_json() == (
        searcher().search("expresses thanks").to_json()
    )
    assert set(asked) == {0}


def test_a_query_that_matches_no_label_is_ranked_by_the_others_and_it_is_said():
    found = searcher().search("rhinoceros", k=2)

    assert found.n_ranked == {"meaning": 6, "words": 0}
    assert "Not ranked by features: no label of 3 matches 'rhinoceros'" in found.notes[0]


def test_a_query_that_matches_no_label_fails_where_only_features_are_asked():
    with pytest.raises(InputError, match="no label of 3 matches 'zzz'; the nearest are"):
        searcher(embedder=None).search("zzz", use=["features"])


def test_an_unlabelled_data_set_is_searched_by_what_there_is_or_by_features_given():
    search = searcher(labels=None)

    assert "label them first" in search.search("thanks").notes[0]
    assert search.search(FeatureQuery.of([0])).hits[0].document == 2
    with pytest.raises(InputError, match="label them first"):
        search.search("thanks", use=["features"])


def test_a_model_ranks_labels_and_the_first_hits():
    def answer(request):
        if request.kind.startswith("keyphrases"):
            return '{"concepts": ["food"]}'
        if request.kind.startswith("rank_labels"):
            return '{"numbers": [1]}'
        return '{"numbers": [3, 1]}'

    llm = ScriptedLLM(answer)
    plain = searcher().search("thanks for the soup", k=6)
    found = searcher().search("thanks for the soup", k=6, llm=llm)

    assert found.reranked_by == "scripted"
    assert [hit.rank_before for hit in found.hits][:2] == [3, 1]
    assert sorted(hit.document for hit in found.hits) == sorted(hit.document for hit in plain.hits)
    assert [hit.rank for hit in found.hits] == [1, 2, 3, 4, 5, 6]
    assert len(found.features) == 1


def test_where_the_model_fails_the_order_stands_and_it_is_said():
    found = searcher().search("thanks", k=3, llm=ScriptedLLM(lambda _: "%%%"))

    assert [hit.document for hit in found.hits] == [
        hit.document for hit in searcher().search("thanks", k=3).hits
    ]
    assert found.reranked_by == ""
    assert any("did not order the hits" in note for note in found.notes)


def test_the_same_search_gives_the_same_bytes():
    first, second = (json.dumps(searcher().search("soup").to_json()) for _ in range(2))

    assert first == second


def test_the_record_tells_itself():
    found = Searcher([*TEXTS, f"{'x ' * 300}<b>thanks</b>"], embedder=TopicEmbedder()).search(
        "thanks", k=10
    )

    frame = found.to_frame()
    assert list(frame.columns) == [
        "rank", "document", "score", "rank_features", "rank_meaning", "rank_words", "matched",
        "text",
    ]  # fmt: skip
    assert frame["rank_features"].isna().all()
    assert "&lt;b&gt;<mark>thanks</mark>&lt;/b&gt;" in found._repr_html_()
    assert all(len(hit["text"]) <= 300 for hit in found.to_json()["hits"])
    assert "of 7 documents for 'thanks'" in found.summary()


def test_documents_tied_at_the_top_are_ranked_however_many_they_are():
    copies = Searcher(["Thanks for the soup."] * 6, embedder=TopicEmbedder())

    found = copies.search("thanks", use=["meaning", "words"], k=3, depth=4)

    assert [hit.document for hit in found.hits] == [0, 1, 2]
    assert found.hits[0].score == pytest.approx(2 / (60 + 3.5))


def test_hits_without_features_are_not_drawn():
    with pytest.raises(InputError, match="no features made these hits"):
        searcher().search("thanks", use=["words"]).plot()


def test_what_made_the_hits_can_be_drawn():
    search = searcher()
    found = search.search("thanks for the cold soup", k=4)

    assert "score by features" in found.plot().get_xlabel()
    assert len(found.features.plot().get_yticks()) == 3
    assert len(search.labels.search("soup").plot().get_yticks()) == 3
    assert len(found.plot().get_yticks()) == 4


def test_encoded_documents_keep_their_position_in_the_data_set():
    documents = EncodedDocuments(
        texts=TEXTS,
        activations=csr_matrix(ACTIVATIONS),
        n_tokens=np.full(6, 5),
        labels=LABELS,
        rows=np.arange(6) * 10,
    )

    assert Searcher.of(documents).search(FeatureQuery.of([0])).hits[0].document == 20


def test_one_document_and_features_that_never_fire_are_no_error():
    one = Searcher(["Thanks."], activations=csr_matrix((1, 4), dtype=np.float32), labels=LABELS)

    assert one.search("thanks").hits[0].document == 0
    nothing = one.search(FeatureQuery.of([0, 3]))
    assert nothing.hits == ()
    assert "No document of 1 was found" in nothing.summary()
    assert one.search("thanks").hits[0].matches == ()


def test_more_hits_than_documents_are_all_there_are():
    assert len(searcher().search("thanks", k=1_000)) == 6


def test_vectors_of_zeros_are_not_ranked_by_meaning():
    vectors = np.eye(6, 3, dtype=np.float32)

    found = searcher(vectors=vectors).search("thanks", use=["meaning"], k=10)

    assert found.n_ranked == {"meaning": 3}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: searcher().search(""), "the query is empty"),
        (lambda: searcher().search("?!"), "the query is empty"),
        (lambda: searcher().search("soup", k=0), "k must be at least 1"),
        (lambda: searcher().search("soup", depth=0), "depth must be at least 1"),
        (lambda: searcher().search("soup", keep=0), "keep must be above 0"),
        (lambda: searcher().search("soup", temperature=0), "temperature must be above 0"),
        (lambda: searcher().search("soup", use=["smell"]), "no ranking 'smell'"),
        (lambda: searcher().search("soup", use="words"), r"give \['words'\]"),
        (lambda: searcher(embedder=None).search("soup", use=["meaning"]), "no embedder"),
        (lambda: searcher(words=False).search("soup", use=["words"]), "turned off"),
        (lambda: searcher().search("the", use=["words"]), "no word to look up"),
        (lambda: searcher().search(FeatureQuery.of([1]), use=["words"]), "without a text"),
        (
            lambda: searcher().search(FeatureQuery.of([0, 4])),
            "feature 4 of the query is out of range: the data set has 4 features",
        ),
        (lambda: Searcher([]), "no documents"),
        (lambda: Searcher(["a"], words=False).search("a"), "nothing to rank by"),
        (lambda: Searcher(["a"], activations=csr_matrix((2, 3))), "activations of 2 documents"),
        (lambda: Searcher(["a"], activations=csr_matrix([[np.nan]])), "must be finite"),
        (lambda: Searcher(["a"], activations=csr_matrix([[-1.0]])), "must be finite"),
        (lambda: Searcher(["a"], column=lambda f: None), "give n_features"),
        (lambda: searcher(vectors=np.ones((2, 3))), "one row for each of 6 documents"),
        (
            lambda: searcher(vectors=np.where(np.eye(6, 3) > 0, np.nan, 1.0)),
            "3 of 6 vectors hold NaN",
        ),
        (
            lambda: searcher(vectors=np.ones((6, 2))).search("soup", use=["meaning"]),
            "must be 2 finite numbers",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
