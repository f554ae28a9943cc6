"""A question becomes features that can be read and edited."""

import json
import math

import numpy as np
import pytest

from interp_embed.analysis import FeatureQuery, LabelIndex, find_features, rank_weights
from interp_embed.errors import InputError
from interp_embed.llm import ScriptedLLM

LABELS = {
    0: "expresses gratitude towards someone",
    3: 'mentions "thanks", "gratitude"',
    5: "complains about waiting for a table",
    7: 'mentions at least 2 of "soup", "bread", "menu"',
    9: "asks a question",
}


def answering(*, phrases=("thanks someone",), keep=(2, 1)):
    """A model that gives phrases, and keeps labels by number."""

    def answer(request):
        if request.kind.startswith("keyphrases"):
            return json.dumps({"concepts": list(phrases)})
        return json.dumps({"numbers": list(keep)})

    return ScriptedLLM(answer)


@pytest.fixture
def index():
    return LabelIndex(LABELS)


def test_the_nearest_labels_become_features_with_weights_by_rank(index):
    query = find_features("expresses gratitude", index)

    assert query.features == (0, 3)
    assert query.weights == pytest.approx((1.0, math.exp(-0.5 / 0.2)))
    assert query.text == "expresses gratitude"
    assert query.labels[1] == LABELS[3]


def test_weights_follow_the_published_formula():
    np.testing.assert_allclose(rank_weights(4, temperature=0.5), np.exp(-np.arange(4) / 4 / 0.5))
    assert rank_weights(0).shape == (0,)
    assert (rank_weights(1000, temperature=0.001) > 0).all()


def test_given_phrases_widen_the_search(index):
    narrow = find_features("expresses gratitude", index)
    wide = find_features("expresses gratitude", index, keyphrases=["soup"])

    assert set(wide.features) > set(narrow.features)
    assert wide.keyphrases == ("expresses gratitude", "soup")


def test_a_model_gives_phrases_and_keeps_what_is_relevant(index):
    llm = answering(phrases=("soup",), keep=(3,))

    query = find_features("expresses gratitude", index, llm=llm)

    assert query.keyphrases == ("expresses gratitude", "soup")
    assert len(query) == 1
    assert query.source == "labels ranked by scripted"
    assert "LABELS:\n1. " in llm.requests[-1].messages[-1].content


def test_where_the_model_fails_the_ranking_by_similarity_stands_and_it_is_said(index):
    query = find_features("expresses gratitude", index, llm=ScriptedLLM(lambda _: "%%%"))

    assert query.features == (0, 3)
    assert "gave no phrases" in query.note
    assert "were not ranked" in query.note
    assert query.note in query.summary()


def test_a_model_that_finds_nothing_relevant_ends_the_search(index):
    with pytest.raises(InputError, match="none of the 2 nearest labels relevant"):
        find_features("gratitude", index, llm=answering(keep=()))


def test_numbers_that_were_not_shown_are_left_out(index):
    query = find_features("gratitude", index, llm=answering(keep=(2, 2, 99, 0)))

    assert len(query) == 1


def test_a_query_that_matches_nothing_says_so_and_names_the_nearest():
    with pytest.raises(InputError, match="no label of 5 matches 'zebra'; the nearest are"):
        find_features("zebra", LABELS)


def test_features_without_labels_have_to_be_labelled_first():
    with pytest.raises(InputError, match="have no labels.*label them"):
        find_features("gratitude", {})


def test_edits_return_a_new_query_in_order_of_weight(index):
    query = find_features("expresses gratitude", index)

    assert query.drop(0).features == (3,)
    assert query.add(9, 0.5).features == (0, 9, 3)
    assert query.add(9).weights[1] == 1.0
    assert query.reweight({3: 2.0}).features == (3, 0)
    assert query.reweight(temperature=1.0).weights[1] == pytest.approx(math.exp(-0.5))
    assert query.first(1).features == (0,)
    assert query.features == (0, 3)


def test_features_can_be_given_by_number():
    query = FeatureQuery.of(np.array([4, 2]), labels={4: "soup"})

    assert query.labels == ("soup", "feature 2")
    assert query.weights == (1.0, 1.0)
    assert FeatureQuery.of([4, 2], temperature=0.2).weights[1] < 0.1
    assert FeatureQuery.of([4, 2], weights=[1, 3]).features == (2, 4)


def test_the_record_tells_itself(index):
    query = find_features("expresses gratitude", index).add(9, label="<b>")

    assert list(query.to_frame().columns) == ["feature", "label", "weight", "similarity"]
    assert json.loads(json.dumps(query.to_json()))["features"][-1]["similarity"] is not None
    assert "&lt;b&gt;" in query._repr_html_()
    assert "stands for 3 features" in query.summary()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda q: FeatureQuery.of([]), "at least one feature"),
        (lambda q: FeatureQuery.of([-1]), "an index from 0"),
        (lambda q: FeatureQuery.of([1, 1]), "feature 1 is in the query twice"),
        (lambda q: FeatureQuery.of([1], weights=[0.0]), "must be above 0"),
        (lambda q: FeatureQuery.of([1], weights=[math.nan]), "must be above 0"),
        (lambda q: FeatureQuery.of([1], weights=[1, 2]), "2 weights for 1 features"),
        (lambda q: q.drop(77), "feature 77 is not in the query"),
        (lambda q: q.drop(0, 3), "at least one feature"),
        (lambda q: q.add(0), "feature 0 is in the query twice"),
        (lambda q: q.reweight({77: 1.0}), "feature 77 is not in the query"),
        (lambda q: q.reweight(temperature=0), "temperature must be above 0"),
        (lambda q: q.first(0), "n must be at least 1"),
        (lambda q: q.check_features(2), "feature 3 of the query is out of range.*2 features"),
        (lambda q: find_features("soup", LABELS, k=0), "k must be at least 1"),
        (lambda q: find_features("soup", LABELS, keep=0), "keep must be at least 1"),
        (lambda q: find_features(" ", LABELS), "is empty"),
    ],
)
def test_bad_input_is_refused(index, make, message):
    query = find_features("expresses gratitude", index)

    with pytest.raises(InputError, match=message):
        make(query)
