import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.interpret import KeywordAnnotator, KeywordLabeller, KeywordRule, label_spans

FILLER = [f"w{letter}{other}" for letter in "abcdefgh" for other in "ijklm"]
WORD = st.text(alphabet="abcdefgh\u00e9\u597d", min_size=1, max_size=6)


def write(n=300, *, words=("umbrella",), share=0.2, seed=0):
    """Documents of chance words; some have a planted word. Returns them and which have it."""
    rng = np.random.default_rng(seed)
    has = rng.random(n) < share
    documents = []
    for present in has:
        text = rng.choice(FILLER, 8).tolist()
        if present:
            text.insert(int(rng.integers(8)), str(rng.choice(list(words))))
        documents.append(" ".join(text))
    return documents, has


def column(fires):
    return csr_matrix(np.asarray(fires, np.float32)[:, None])


@given(st.lists(WORD, min_size=1, max_size=6, unique=True), st.data())
def test_a_rule_reads_back_from_its_own_text(words, data):
    rule = KeywordRule(tuple(words), data.draw(st.integers(1, len(words))))

    assert KeywordRule.parse(rule.text) == rule


def test_letter_case_of_a_label_does_not_matter():
    assert KeywordRule.parse('mentions "Cold Food"') == KeywordRule(("cold food",))


@pytest.mark.parametrize(
    "label",
    [
        "",
        "mentions",
        "mentions cold",
        'mentions ""',
        'mentions "cold" or not "hot"',
        'does not mention "cold"',
        'mentions "cold", "hot" in anger',
        'mentions at least 3 of "cold", "hot"',
        'mentions at least 0 of "cold"',
        'mentions at least 2 of "cold", "Cold"',
        f'mentions at least {"9" * 9000} of "cold"',
        'mentions "three words here"',
        'mentions "cold, food"',
        'mentions "!!!"',
        'mentions "<script>alert(1)</script>"',
        'MENTIONS "cold"',
        "talks about the weather",
        "mentions " + '"a' * 20_000,
    ],
)
def test_a_label_that_states_no_rule_is_not_guessed_at(label):
    assert KeywordRule.parse(label) is None

    answer = KeywordAnnotator().annotate(["cold and hot", "neither"], [label])

    assert np.isnan(answer.verdicts).all()
    assert set(answer.reasons) == {(0, 0), (1, 0)}
    assert "not of the form" in answer.reasons[0, 0]
    assert label_spans("cold and hot", label) == ()


def test_verdicts_by_hand():
    documents = ["Cold food!", "cold, food", "COLD", "", "\U0001f600 c\u00f3ld"]
    concepts = ['mentions "cold food"', 'mentions at least 2 of "cold", "food"', "is sad"]

    answer = KeywordAnnotator().annotate(documents, concepts)

    assert answer.concepts == tuple(concepts)
    np.testing.assert_array_equal(answer.verdicts[:, :2], [[1, 1], [0, 1], [0, 0], [0, 0], [0, 0]])
    assert np.isnan(answer.verdicts[:, 2]).all()
    assert {column for _, column in answer.reasons} == {2}


def test_a_verdict_depends_on_the_text_of_the_label_alone():
    documents, _ = write(40)
    concepts = ['mentions "umbrella"', 'mentions "wai", "wbj"']

    one = KeywordAnnotator().annotate(documents, concepts).verdicts
    other = KeywordAnnotator().annotate(documents[::-1], concepts[::-1]).verdicts

    np.testing.assert_array_equal(one, other[::-1, ::-1])


def test_the_planted_word_is_found_and_nothing_else():
    documents, has = write()

    label = KeywordLabeller(documents).label(column(has), 0)

    assert label.text == 'mentions "umbrella"'
    assert (label.feature, label.source, label.n_examples) == (0, "keywords", 300)


def test_synonyms_become_one_rule():
    documents, has = write(600, words=("umbrella", "parasol", "awning"))

    rule = KeywordRule.parse(KeywordLabeller(documents).label(column(has), 0).text)

    assert rule.least == 1
    assert set(rule.terms) >= {"umbrella", "parasol", "awning"}
    assert len(rule.terms) <= 5


def test_features_that_fire_by_chance_get_labels_that_agree_with_nothing():
    """Chance words do fit a little; on other documents they must be seen to fit nothing."""
    documents, _ = write(800)
    fires = np.random.default_rng(1).random((800, 40)) < 0.2
    labeller = KeywordLabeller(documents[:400])
    labels = [labeller.label(csr_matrix(fires[:400].astype(float)), i) for i in range(40)]

    agreement = []
    for i, label in enumerate(labels):
        if label is not None:
            said = KeywordAnnotator().annotate(documents[400:], [label.text]).verdicts[:, 0]
            agreement.append(np.corrcoef(said, fires[400:, i])[0, 1])

    assert abs(np.mean(agreement)) < 0.05
    assert np.max(np.abs(agreement)) < 0.2


@pytest.mark.parametrize("fires", [np.zeros(300), np.ones(300)])
def test_a_feature_that_never_or_always_fires_has_no_label(fires):
    documents, _ = write()

    assert KeywordLabeller(documents).label(column(fires), 0) is None


def test_documents_without_shared_words_are_refused():
    with pytest.raises(InputError, match="need documents, but got none"):
        KeywordLabeller([])
    with pytest.raises(InputError, match="no word occurs in 5 of the 20 documents"):
        KeywordLabeller([f"unique{i}" for i in range(20)])


def test_spans_are_what_the_label_names():
    text = "The umbrella, an Umbrella stand."

    spans = label_spans(text, 'mentions "umbrella", "umbrella stand"')

    assert [text[a:b] for a, b in spans] == ["umbrella", "Umbrella stand"]
