"""Questions that name a common axis are put into phrases without a model."""

import pytest

from interp_embed.analysis import LabelIndex, Searcher, find_features
from interp_embed.analysis.retrieval.common_axes import COMMON_AXES, find_axis
from interp_embed.errors import InputError
from interp_embed.llm import ScriptedLLM

LABELS = {0: 'mentions "terrible"', 1: 'mentions "soup"', 2: 'mentions "wonderful", "great"'}


@pytest.fixture
def index():
    return LabelIndex(LABELS)


@pytest.mark.parametrize(
    ("query", "axis"),
    [
        ("sentiment", "sentiment"),
        ("by Sentiment", "sentiment"),
        ("mood of the writer", "emotion"),
        ("the tone of the texts", "tone"),
        ("emotions", "emotion"),
        ("past, present or future", "tense"),
        ("level of formality", "style"),
        ("point of view", "person"),
    ],
)
def test_synonyms_and_words_around_an_axis_find_it(query, axis):
    assert find_axis(query).name == axis


@pytest.mark.parametrize(
    "query", ["topic", "complains about the tone", "a long wait", "style of the furniture", "the"]
)
def test_other_questions_name_no_axis(query):
    assert find_axis(query) is None


def test_every_name_belongs_to_one_axis_and_every_axis_has_10_to_25_phrases():
    for axis in COMMON_AXES:
        assert all(find_axis(name) is axis for name in axis.names)
        assert 10 <= len(axis.phrases) <= 25
        assert len(set(axis.phrases)) == len(axis.phrases)
        assert all(axis.phrases)


def test_an_axis_finds_labels_on_all_its_sides_and_says_whose_phrases_they_are(index):
    query = find_features("sentiment", index)

    assert set(query.features) == {0, 2}
    assert "terrible" in query.keyphrases
    assert "phrases for 'sentiment' are from the built-in list" in query.note
    assert query.note in query.summary()


def test_labels_that_name_what_they_are_about_need_no_phrases():
    labels = {0: "negative sentiment: complaints", 1: "names of animals", 2: "formal style"}

    query = find_features("sentiment", labels)

    assert query.features == (0,)
    assert query.keyphrases == ("sentiment",)
    assert query.note == ""


def test_without_an_embedder_built_in_phrases_match_words_and_no_runs_of_letters():
    labels = {0: 'mentions "waste"', 1: 'mentions "inferior"', 2: 'mentions "pleasing"'}

    assert set(find_features("sentiment", labels).features) == {0, 2}


def test_phrases_of_the_user_or_of_a_model_replace_the_built_in_ones(index):
    llm = ScriptedLLM(lambda _: '{"concepts": ["soup"], "numbers": [1]}')

    own = find_features("sentiment", index, keyphrases=["soup"])
    told = find_features("sentiment", index, llm=llm)

    assert own.keyphrases == told.keyphrases == ("sentiment", "soup")
    assert own.features == told.features == (1,)
    assert own.note == told.note == ""


def test_a_search_is_for_one_side_and_takes_no_phrases_for_an_axis():
    searcher = Searcher(["Soup", "Terrible soup"], n_features=3, column=None, labels=LABELS)

    assert searcher.search("sentiment").features is None
    with pytest.raises(InputError, match="no label of 3 matches"):
        find_features("sentiment", LABELS, common_axes=False)


@pytest.mark.parametrize(
    ("keyphrases", "message"),
    [("soup, bread", "one string"), (["soup", " "], "keyphrase is empty"), ([3], "no text: 3")],
)
def test_phrases_that_are_none_are_refused(index, keyphrases, message):
    with pytest.raises(InputError, match=message):
        find_features("food", index, keyphrases=keyphrases)
