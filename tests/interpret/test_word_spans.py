"""Words are whole in every script, and come in pairs of letters where no spaces part them."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_embed.interpret import label_spans
from interp_embed.interpret.token_rules import FormRule, RuleAnnotator
from interp_embed.interpret.word_index import WordIndex
from interp_embed.interpret.word_spans import word_spans
from interp_embed.interpret.words import find_spans, iter_terms, iter_words, whole_term


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("यह हिन्दी है", ["यह", "हिन्दी", "है"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("اَلْعَرَبِيَّةُ جميلة", ["اَلْعَرَبِيَّةُ", "جميلة"]),
        ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
        ("\u0645\u06cc\u200c\u062e\u0648", ["\u0645\u06cc\u200c\u062e\u0648"]),
        ("cafe\u0301 cre\u0300me", ["cafe\u0301", "cre\u0300me"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("1\ufe0f\u20e3 \u2764\ufe0f ok", ["1", "ok"]),
    ],
)
def test_letters_keep_their_marks(document, expected):
    assert list(iter_words(document)) == expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("東京都は大きい。", ["東京", "京都", "都は", "は大", "大き", "きい"]),
        ("茶", ["茶"]),
        ("AI技術2024年", ["ai", "技術", "2024", "年"]),
        ("ラーメン屋", ["ラー", "ーメ", "メン", "ン屋"]),
        ("ภาษาไทย", ["ภา", "าษ", "ษา", "าไ", "ไท", "ทย"]),
        ("ที่นี่ ๒๕", ["ที่นี่", "๒๕"]),
        ("ភាសាខ្មែរ", ["ភាសា", "សាខ្", "ខ្មែ", "មែរ"]),
        ("don't 東京'x", ["don't", "東京", "x"]),
    ],
)
def test_runs_without_spaces_are_cut_into_pairs_of_letters(document, expected):
    assert list(iter_words(document)) == expected


@given(st.text(alphabet=st.sampled_from("ab1 _'\u2019\u0301\u200d東京ทีはÅß。")))
def test_words_ascend_and_between_them_is_no_letter(document):
    spans = word_spans(document)

    assert spans == sorted(set(spans))
    assert [end for _, end in spans] == sorted(end for _, end in spans)
    inside = {place for start, end in spans for place in range(start, end)}
    assert all(place in inside for place, one in enumerate(document) if one.isalnum())
    assert all(unicodedata.category(document[start])[0] != "M" for start, _ in spans)


def test_pairs_of_words_are_made_across_spaces_only():
    terms = [term.text for term in iter_terms("東京都 タワー")]

    assert terms == ["東京", "京都", "京都 タワ", "タワ", "ワー"]
    assert whole_term("東京") == "東京"


def test_a_word_is_found_whatever_stands_around_it():
    documents = ["今日は東京に行く", "東京都の人口", "京都の寺"]

    read = RuleAnnotator().annotate(documents, ['mentions "東京"'])

    assert read.verdicts[:, 0].tolist() == [1.0, 1.0, 0.0]
    assert find_spans(documents[0], frozenset({"東京"})) == ((3, 5),)
    assert find_spans("東京都", frozenset({"東京", "京都"})) == ((0, 3),)


@pytest.mark.parametrize(
    ("document", "stands"),
    [("東京都の人口", True), ("東京の都", False), ("大東京都庁", True), ("東京", False)],
)
def test_a_longer_run_in_a_label_is_found_as_it_stands(document, stands):
    read = RuleAnnotator().annotate([document], ['mentions "東京都"'])

    assert read.verdicts[0, 0] == stands
    assert bool(label_spans(document, 'mentions "東京都"')) == stands


@pytest.mark.parametrize(
    ("document", "stands"),
    [("AI技術者", True), ("新AI技術", True), ("mai技術", False), ("ai技能", False)],
)
def test_a_run_of_two_scripts_cuts_no_spaced_word(document, stands):
    assert bool(find_spans(document, frozenset({"ai技術"}))) == stands


def test_tokens_belong_to_the_pair_that_they_are():
    index = WordIndex(["東京都 is big"])
    token = [(0, 2), (1, 3), (2, 3), (0, 1), (4, 6), (3, 4)]

    found = index.words_of(np.zeros(len(token), int), np.array(token))

    assert found.tolist() == [0, 1, 1, 0, 2, -1]


def test_a_rule_on_the_word_before_refuses_what_is_never_one_word():
    assert FormRule.parse('the word after "東京"') is not None
    assert FormRule.parse('the word after "東京都"') is None
