import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_embed.interpret import FormRule, RuleAnnotator, measure_label, rule_spans, states_rule

TEXT = "He was Walking, not waiting; 3rd of the king's men!\nRe-do it 2026..."


@pytest.mark.parametrize(
    ("label", "found"),
    [
        ('words ending in "ing"', ["Walking", "waiting"]),
        ('words beginning with "wa"', ["was", "Walking", "waiting"]),
        ('the word after "not", "of"', ["waiting", "the"]),
        ('punctuation "!"', ["!"]),
        ('punctuation ".", "..."', ["..."]),
        ('punctuation "line break"', ["\n"]),
        ("numbers", ["3rd", "2026"]),
        ('mentions "men"', ["men"]),
        ("is about walking", []),
    ],
)
def test_what_a_rule_names_by_hand(label, found):
    assert [TEXT[a:b] for a, b in rule_spans(TEXT, label)] == found


@given(
    st.sampled_from(["ending", "beginning", "after"]),
    st.lists(st.text("abc\u00e9", min_size=1, max_size=4), min_size=1, max_size=5, unique=True),
)
def test_a_rule_reads_back_from_its_own_text(form, parts):
    rule = FormRule(form, tuple(parts))

    assert FormRule.parse(rule.text) == rule


def test_signs_read_back_from_their_names():
    rule = FormRule("punctuation", ("!", "\n", '"'))

    assert rule.text == 'punctuation "!", "line break", "quotation mark"'
    assert FormRule.parse(rule.text) == rule


@pytest.mark.parametrize(
    "label",
    [
        "",
        "words ending in",
        'words ending in ""',
        'words ending in "two words"',
        'words ending in "!"',
        'words ending in "ing" or so',
        'punctuation "word"',
        'punctuation " "',
        "the word after not",
        'the word after "not" "never"',
        'punctuation "' + '"a' * 20_000,
    ],
)
def test_a_label_that_states_no_rule_is_not_guessed_at(label):
    assert FormRule.parse(label) is None
    assert not states_rule(label)

    answer = RuleAnnotator().annotate(["waiting!"], [label])

    assert np.isnan(answer.verdicts).all()
    assert "not a rule on words or signs" in answer.reasons[0, 0]


def test_rules_of_all_kinds_are_judged_side_by_side():
    concepts = ['mentions "cold"', "numbers", 'words ending in "ing"', "is sad"]

    answer = RuleAnnotator().annotate(["cold 3", "raining", ""], concepts)

    np.testing.assert_array_equal(answer.verdicts[:, :3], [[1, 1, 0], [0, 0, 1], [0, 0, 0]])
    assert np.isnan(answer.verdicts[:, 3]).all()
    assert {column for _, column in answer.reasons} == {3}


def test_the_fidelity_of_a_label_by_hand():
    fidelity = measure_label("numbers", ["3", "a 4", "b", "c"], [True, False, True, False])

    assert (fidelity.precision, fidelity.recall, fidelity.n) == (0.5, 0.5, 4)
