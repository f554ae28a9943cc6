import re
import time

import numpy as np
import pytest

from interp_embed.errors import InputError
from interp_embed.interpret import (
    FeatureTokens,
    KeywordAnnotator,
    WordIndex,
    label_from_tokens,
    measure_label,
    rule_spans,
    top_contexts,
)

NOUNS = ["table", "river", "window", "garden", "market", "engine", "letter", "pepper", "corner"]
STEMS = ["wait", "walk", "talk", "paint", "jump", "burn", "call", "push", "rain", "climb", "cook"]
VERBS = [stem + ending for stem in STEMS for ending in ("ing", "ed", "s", "")]
NUMBERS = [str(number) for number in range(1980, 2010)]
OTHER = [
    "queue",
    "waited",
    "not",
    "never",
    "cold",
    "food",
    "cold food",
    "cold food",
    "king",
    "sing",
    "red",
    "42nd",
]
TOKEN = re.compile(r"\w+|[^\w\s]")


def write(n=400, seed=0):
    rng = np.random.default_rng(seed)
    documents = []
    for _ in range(n):
        words = rng.choice([*NOUNS, *NOUNS, *VERBS, *OTHER, *NUMBERS], 30).tolist()
        words = [word + str(rng.choice(["", "", "", ",", "!", "."])) for word in words]
        documents.append(" ".join(words))
    return documents


DOCUMENTS = write()


def fire(chosen, *, documents=DOCUMENTS, cut=lambda begin, end: (begin, end), seed=0):
    """The tokens for which ``chosen(text, previous text)`` holds, as spans ``cut`` from them."""
    rng = np.random.default_rng(seed)
    rows, spans = [], []
    for row, text in enumerate(documents):
        before = ""
        for match in TOKEN.finditer(text):
            if chosen(match.group(), before):
                rows.append(row)
                spans.append(cut(*match.span()))
            before = match.group()
    activation = rng.uniform(0.5, 2, len(rows)).astype(np.float32)
    return FeatureTokens(np.array(rows, int), np.array(spans, np.int32).reshape(-1, 2), activation)


@pytest.fixture(scope="module")
def index():
    return WordIndex(DOCUMENTS)


@pytest.mark.parametrize(
    ("chosen", "label"),
    [
        (lambda t, _: t == "queue", 'mentions "queue"'),
        (lambda t, before: (before, t) == ("cold", "food"), 'mentions "cold food"'),
        (lambda t, _: t == "cold", 'mentions "cold"'),
        (lambda t, _: t == "!", 'punctuation "!"'),
        (lambda t, _: t[0].isdigit(), "numbers"),
    ],
)
def test_a_feature_on_given_words_is_named_by_them(index, chosen, label):
    found = label_from_tokens(index, fire(chosen), 7)

    assert found.label.text == label
    assert (found.label.feature, found.label.source) == (7, "token words")
    assert found.label.n_examples == 400
    assert found.coverage == pytest.approx(1, abs=1e-6)
    assert found.precision == pytest.approx(1)


def test_several_words_are_named_strongest_first(index):
    tokens = fire(lambda t, _: t in ("queue", "king", "river"))
    text = np.array(
        [DOCUMENTS[d][a:b] for d, (a, b) in zip(tokens.document, tokens.span, strict=True)]
    )
    scale = np.select([text == "river", text == "king"], [4, 2], 1)
    tokens = FeatureTokens(tokens.document, tokens.span, tokens.activation * scale)

    assert label_from_tokens(index, tokens, 0).label.text == 'mentions "river", "king", "queue"'


def test_a_part_of_many_words_is_named_by_the_ending(index):
    tokens = fire(lambda t, _: t.endswith("ing"), cut=lambda a, b: (b - 3, b))

    found = label_from_tokens(index, tokens, 0)

    assert found.label.text == 'words ending in "ing"'
    assert (found.coverage, found.precision) == (pytest.approx(1), 1)


def test_the_beginning_of_words_is_named(index):
    tokens = fire(lambda t, _: t.startswith("wa"), cut=lambda a, b: (a, a + 2))

    text = label_from_tokens(index, tokens, 0).label.text

    assert text in ('words beginning with "wa"', 'words beginning with "wal", "wai"') or (
        set(re.findall(r'"(\w+)"', text)) <= {word for word in [*VERBS, *OTHER] if word[:2] == "wa"}
    )


def test_a_feature_on_what_follows_a_word_is_named_by_that_word(index):
    found = label_from_tokens(index, fire(lambda _, b: b in ("not", "never")), 0)

    assert set(found.label.text.removeprefix("the word after ").split(", ")) == {
        '"not"',
        '"never"',
    }
    assert found.coverage > 0.4  # signs stand after these words, too


def test_spaces_before_a_word_belong_to_its_token(index):
    tokens = fire(lambda t, _: t == "queue", cut=lambda a, b: (max(a - 1, 0), b))

    assert label_from_tokens(index, tokens, 0).label.text == 'mentions "queue"'


def test_features_that_fire_by_chance_have_no_label(index):
    rng = np.random.default_rng(3)
    for share in (0.002, 0.05, 0.3, 0.8, 1.1):
        tokens = fire(lambda *_, share=share: rng.random() < share)

        assert label_from_tokens(index, tokens, 0).label is None, share


def test_a_feature_that_never_fires_has_no_label_and_no_context(index):
    found = label_from_tokens(index, fire(lambda *_: False), 0)

    assert (found.label, found.coverage, found.contexts) == (None, 0.0, ())


def test_coverage_is_the_share_of_activation_named(index):
    rng = np.random.default_rng(1)
    tokens = fire(lambda t, _: t == "queue" or rng.random() < 0.01)
    text = np.array(
        [DOCUMENTS[d][a:b] for d, (a, b) in zip(tokens.document, tokens.span, strict=True)]
    )

    found = label_from_tokens(index, tokens, 0)

    assert found.label.text == 'mentions "queue"'
    expected = tokens.activation[text == "queue"].sum() / tokens.activation.sum()
    assert found.coverage == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "chosen",
    [
        lambda t, _: t in ("queue", "king"),
        lambda t, _: t.endswith("ing") and len(t) > 3,
        lambda _, before: before in ("not", "never"),
        lambda t, _: t == "!",
    ],
)
def test_labels_hold_on_documents_they_were_not_made_from(index, chosen):
    label = label_from_tokens(index, fire(chosen), 0).label.text
    others = write(200, seed=9)
    fires = np.zeros(200, bool)
    fires[fire(chosen, documents=others).document] = True

    fidelity = measure_label(label, others, fires)

    assert fidelity.n == 200
    assert fidelity.precision > 0.9
    assert fidelity.recall > 0.9


def test_keyword_labels_are_those_the_keyword_annotator_reads(index):
    label = label_from_tokens(index, fire(lambda t, _: t == "queue"), 0).label.text

    assert KeywordAnnotator().annotate(["a queue", "none"], [label]).verdicts.tolist() == [[1], [0]]
    assert rule_spans("a queue", label) == ((2, 7),)


def test_contexts_show_the_strongest_places_once():
    documents = ["one two three", "one\n two three", "four two"]
    tokens = FeatureTokens(
        np.array([0, 0, 1, 2]),
        np.array([[4, 7], [0, 3], [5, 8], [5, 8]]),
        np.array([3.0, 9.0, 8.0, 1.0], np.float32),
    )

    contexts = top_contexts(documents, tokens, n=5, width=4)

    assert [c.window for c in contexts] == ["<<one>> two", "ne <<two>> thr", "our <<two>>"]
    assert [c.activation for c in contexts] == [9.0, 8.0, 1.0]
    assert (contexts[1].document, contexts[1].span) == (1, (5, 8))
    assert len(top_contexts(documents, tokens, n=1)) == 1


def test_languages_without_spaces_and_emoji_do_no_harm():
    documents = ["\u8c22\u8c22\u4f60 \u597d", "😀 \u597d", "tr\u00e8s \u597d 😀"] * 5
    tokens = fire(lambda t, _: t == "\u597d", documents=documents)

    assert label_from_tokens(WordIndex(documents), tokens, 0).label.text == 'mentions "\u597d"'
    emoji = fire(lambda t, _: t == "😀", documents=documents)
    assert label_from_tokens(WordIndex(documents), emoji, 0).label.text == 'punctuation "😀"'


def test_line_breaks_are_named():
    documents = ["one\ntwo\nthree", "four five\nsix"] * 5
    places = [(d, m.span()) for d, text in enumerate(documents) for m in re.finditer("\n", text)]
    tokens = FeatureTokens(
        np.array([d for d, _ in places]), np.array([s for _, s in places]), np.ones(15, np.float32)
    )

    found = label_from_tokens(WordIndex(documents), tokens, 0)

    assert found.label.text == 'punctuation "line break"'
    assert rule_spans("a\nb", found.label.text) == ((1, 2),)


@pytest.mark.parametrize(
    ("document", "span", "activation", "message"),
    [
        ([0], [[0, 999]], [1.0], "not inside its document"),
        ([0], [[5, 2]], [1.0], "not inside"),
        ([400], [[0, 2]], [1.0], "there are 400"),
        ([-1], [[0, 2]], [1.0], "but there are"),
        ([0], [[0, 2]], [0.0], "above 0"),
        ([0], [[0, 2]], [np.nan], "above 0"),
        ([0, 1], [[0, 2]], [1.0], "one document, span and activation each"),
    ],
)
def test_tokens_that_are_not_in_the_documents_are_refused(
    index, document, span, activation, message
):
    tokens = FeatureTokens(np.array(document), np.array(span), np.array(activation))

    with pytest.raises(InputError, match=message):
        label_from_tokens(index, tokens, 0)


def test_documents_without_words_are_refused():
    for documents in ([], ["", "!!"]):
        with pytest.raises(InputError, match="labels need words"):
            WordIndex(documents)


@pytest.mark.slow
def test_thousands_of_features_are_labelled_in_minutes():
    documents = [text * 8 for text in write(2000, seed=2)]  # 240 words each
    index = WordIndex(documents)
    rng = np.random.default_rng(0)
    spans = [(d, *m.span()) for d, text in enumerate(documents) for m in TOKEN.finditer(text)]
    places = np.array(spans)
    begun = time.process_time()
    for feature in range(64):
        own = places[rng.random(len(places)) < 0.008]
        tokens = FeatureTokens(own[:, 0], own[:, 1:], rng.random(len(own)) + 0.1)
        label_from_tokens(index, tokens, feature)

    # Three times what a quiet machine takes: CPU time grows with what else runs beside.
    assert time.process_time() - begun < 64 * 60 / 4096 * 3
