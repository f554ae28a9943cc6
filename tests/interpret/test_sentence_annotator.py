import hashlib

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interp_embed.embedders import TfidfEmbedder
from interp_embed.errors import InputError
from interp_embed.interpret import ExemplarRule, SentenceAnnotator
from interp_embed.interpret.resemblance import SentenceReader
from interp_embed.records import Label

THEMES = {
    "slow": ["we waited an hour for our table", "the waiter ignored us all evening"],
    "sweet": ["the chocolate cake is heavenly here", "best pie and ice cream in town"],
    "loud": ["the music was far too loud to talk", "noise made my ears ring for days"],
}
FILLER = [
    "we came here on a sunday with friends",
    "the place is near the old station",
    "my brother had picked it from a list",
    "parking is behind the house as always",
    "they take cards and also cash now",
]


class WordEmbedder:
    """Sums a random vector for each word: alike are texts that share words."""

    d_in, chunk_size, is_slow = 48, 1_000, False

    def __init__(self):
        self.identity = {"kind": "words"}
        self._words = {}

    def fit(self, documents):
        return self

    def embed(self, documents, *, progress=None):
        return np.array([self._vector(text) for text in documents], np.float32)

    def _vector(self, text):
        words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
        total = sum((self._word(word) for word in words), np.full(self.d_in, 1e-3))
        return total / np.linalg.norm(total)

    def _word(self, word):
        if word not in self._words:
            self._words[word] = self._draw(word)
        return self._words[word]

    def _draw(self, word):
        digest = hashlib.sha256(word.encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:4], "big")).normal(size=self.d_in)


def write(n, seed):
    """Documents of five sentences; returns them and which have which theme."""
    rng = np.random.default_rng(seed)
    has = rng.random((n, len(THEMES))) < 0.25
    documents = []
    for row in has:
        sentences = rng.choice(FILLER, 3, replace=False).tolist()
        for present, theme in zip(row, THEMES.values(), strict=True):
            if present:
                sentences.insert(int(rng.integers(3)), str(rng.choice(theme)))
        documents.append(". ".join(sentences).capitalize() + ".")
    return documents, has


@pytest.fixture(scope="module")
def annotator():
    return SentenceAnnotator(WordEmbedder(), cache=None)


@pytest.fixture(scope="module")
def discover():
    documents, has = write(300, seed=0)
    return documents, csr_matrix(has.astype(np.float32))


@pytest.fixture(scope="module")
def labels(annotator, discover):
    documents, activations = discover
    labeller = annotator.labeller(documents)
    return [labeller.label(activations, feature) for feature in range(len(THEMES))]


def agreement(verdicts, truth):
    return [float(np.corrcoef(verdicts[:, i], truth[:, i])[0, 1]) for i in range(truth.shape[1])]


def test_labels_are_sentences_of_their_theme(labels):
    for label, theme in zip(labels, THEMES.values(), strict=True):
        sentences = ExemplarRule.parse(label.text).sentences
        assert {sentence.lower().rstrip(".") for sentence in sentences} <= set(theme)
        assert len(label.text) <= 160
        assert label.source == "exemplars"


def test_labels_tell_the_theme_in_documents_never_seen(annotator, discover, labels):
    documents, truth = write(200, seed=1)

    reader = annotator.calibrate(discover[0], labels, discover[1])
    verdicts = reader.annotate(documents, [label.text for label in labels]).verdicts

    assert min(agreement(verdicts, truth)) > 0.8


def test_texts_dealt_to_other_features_tell_nothing(annotator, discover, labels):
    documents, truth = write(200, seed=1)
    dealt = [
        Label(i, labels[(i + 1) % len(labels)].text, "exemplars", 1) for i in range(len(labels))
    ]

    reader = annotator.calibrate(discover[0], dealt, discover[1])
    verdicts = reader.annotate(documents, [label.text for label in dealt]).verdicts

    assert np.mean(agreement(verdicts, truth)) < 0.3


def test_a_verdict_depends_on_the_document_and_its_label_alone(annotator, discover, labels):
    documents, _ = write(40, seed=2)
    texts = [label.text for label in labels]
    reader = annotator.calibrate(discover[0], labels, discover[1])

    whole = reader.annotate(documents, texts).verdicts

    for row in range(0, 40, 7):
        for column, text in enumerate(texts):
            alone = reader.annotate([documents[row]], [text]).verdicts
            assert alone[0, 0] == whole[row, column]


def test_calibrating_twice_gives_the_same_thresholds(annotator, discover, labels):
    first = annotator.calibrate(discover[0], labels, discover[1])
    again = annotator.calibrate(discover[0], labels, discover[1])

    assert first.thresholds == again.thresholds


def test_a_label_in_free_words_is_compared_as_it_stands(annotator, discover):
    documents, truth = write(200, seed=1)
    label = Label(2, "the music was too loud, the noise made my ears ring", "a person", 0)

    reader = annotator.calibrate(discover[0], [label], discover[1])
    verdicts = reader.annotate(documents, [label.text]).verdicts

    assert agreement(verdicts, truth[:, [2]])[0] > 0.8


def test_keyword_labels_are_read_by_their_words(annotator, discover):
    label = Label(0, 'mentions "waited"', "keywords", 1)
    reader = annotator.calibrate(discover[0], [label], discover[1])

    annotations = reader.annotate(["We waited.", "We left.", ""], [label.text])

    assert annotations.verdicts[:2, 0].tolist() == [1, 0]
    assert annotations.reasons == {(2, 0): "the document is empty"}


def test_what_cannot_be_judged_is_missing_with_a_reason(annotator, discover, labels):
    documents, activations = discover
    silent = csr_matrix(activations.shape, dtype=np.float32)
    concepts = [labels[0].text, "something else"]

    reader = annotator.calibrate(documents, labels[:1], silent)
    annotations = reader.annotate(["The waiter ignored us.", "\n"], concepts)

    assert np.isnan(annotations.verdicts).all()
    assert "too few" in annotations.reasons[0, 0]
    assert "not among the labels" in annotations.reasons[0, 1]
    assert annotations.reasons[1, 0] == annotations.reasons[1, 1] == "the document is empty"


def test_pairs_that_are_not_wanted_are_left_out_without_a_reason(annotator, discover, labels):
    reader = annotator.calibrate(discover[0], labels, discover[1])
    only = np.array([[True, False], [False, False]])

    annotations = reader.annotate(
        ["The waiter ignored us.", ""], [label.text for label in labels[:2]], only=only
    )

    assert np.isfinite(annotations.verdicts).tolist() == only.tolist()
    assert annotations.reasons == {}


def test_documents_in_several_batches_get_the_verdicts_of_one(annotator, discover, labels):
    documents, _ = write(30, seed=3)
    many = documents * 70  # 2,100
    texts = [labels[0].text]
    reader = annotator.calibrate(discover[0], labels, discover[1])

    verdicts = reader.annotate(many, texts).verdicts[:, 0].reshape(70, 30)

    assert (verdicts == reader.annotate(documents, texts).verdicts[:, 0]).all()


def test_no_documents_give_no_verdicts(annotator, discover, labels):
    reader = annotator.calibrate(discover[0], labels, discover[1])

    assert reader.annotate([], [labels[0].text]).verdicts.shape == (0, 1)
    assert reader.annotate(["Hello there"], []).verdicts.shape == (1, 0)


def test_words_of_one_document_make_no_label(annotator):
    documents, has = write(300, seed=0)
    rare = [
        f"{text} Zanzibar{i} ignored us loudly." if has[i, 0] else text
        for i, text in enumerate(documents)
    ]
    labeller = annotator.labeller(rare)

    label = labeller.label(csr_matrix(has.astype(np.float32)), 0)

    assert "Zanzibar" not in label.text


def test_scripts_without_spaces_are_labelled_all_the_same(annotator):
    fires = np.arange(60) < 20
    documents = [
        ("店員さんがとても不親切で最悪でした。" if fire else "静かで落ち着いた良いお店ですね。")
        + f"また{i}回目に行きたいと思っています。"
        for i, fire in enumerate(fires)
    ]

    label = annotator.labeller(documents).label(csr_matrix(fires.astype(np.float32)[:, None]), 0)

    assert "店員さんがとても不親切で最悪でした" in label.text


def test_a_feature_that_hardly_ever_fires_gets_no_label(annotator, discover):
    documents, _ = discover
    fires = csr_matrix((np.arange(300) < 4).astype(np.float32)[:, None])

    assert annotator.labeller(documents).label(fires, 0) is None


def test_tfidf_will_do_where_there_is_no_model():
    documents, has = write(300, seed=0)
    new, truth = write(200, seed=1)
    activations = csr_matrix(has.astype(np.float32))
    annotator = SentenceAnnotator(TfidfEmbedder(32))
    labeller = annotator.labeller(documents)
    labels = [labeller.label(activations, feature) for feature in range(3)]

    reader = annotator.calibrate(documents, labels, activations)
    verdicts = reader.annotate(new, [label.text for label in labels]).verdicts

    assert min(agreement(verdicts, truth)) > 0.8


def test_resemblance_is_the_mean_of_the_whole_and_of_the_nearest_sentence():
    documents = ["alpha beta gamma delta. one two three four.", "five six seven eight nine ten."]
    reader = SentenceReader.fit(documents, WordEmbedder(), cache=None)
    read = reader.read(documents)
    asked = reader.read_sentences(["one two three four."])

    degree = read.resemblance(asked)

    nearest = max(float(read.parts[i] @ asked[0]) for i in (0, 1))
    assert nearest == pytest.approx(1, abs=1e-5)
    assert degree[0, 0] == pytest.approx((read.whole[0] @ asked[0] + 1) / 2, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"documents": []}, "activations of 300 documents do not go with 0 documents"),
        (
            {"labels": [Label(7, "x", "a person", 0)]},
            "of feature 7, but there are activations of 3",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(annotator, discover, labels, change, message):
    given = {"documents": discover[0], "labels": labels, "activations": discover[1]} | change

    with pytest.raises(InputError, match=message):
        annotator.calibrate(**given)


def test_labelling_needs_documents_and_their_activations(annotator, discover):
    with pytest.raises(InputError, match="there are no documents"):
        annotator.labeller([])
    with pytest.raises(InputError, match="activations of 300 documents do not go with the 299"):
        annotator.labeller(discover[0][1:]).label(discover[1], 0)
