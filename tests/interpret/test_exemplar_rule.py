import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_embed.interpret import ExemplarRule
from interp_embed.interpret.exemplar_rule import quotable

SENTENCE = st.text(alphabet="ab \n\"'“”,.", max_size=30).map(quotable).filter(bool)


@given(st.lists(SENTENCE, min_size=1, max_size=4))
def test_a_rule_reads_back_from_its_own_text(sentences):
    rule = ExemplarRule(tuple(sentences))

    assert ExemplarRule.parse(rule.text) == rule


def test_a_sentence_with_quotes_and_line_breaks_becomes_one_that_can_be_quoted():
    assert quotable('They said\n  "no"  and “never”.') == "They said 'no' and 'never'."


@pytest.mark.parametrize(
    "label",
    [
        "",
        "resembles",
        "resembles the soup",
        'resembles ""',
        'resembles " "',
        'resembles "a" or "b"',
        'resembles "a" "b"',
        'resembles "a", ',
        'does not resemble "a"',
        'mentions "a"',
    ],
)
def test_other_texts_state_no_rule(label):
    assert ExemplarRule.parse(label) is None
