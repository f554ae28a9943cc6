import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_embed.interpret.words import find_spans, informative_terms, iter_terms, whole_term


def terms(document):
    return [term.text for term in iter_terms(document)]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("Cold food, sadly", ["cold", "cold food", "food", "sadly"]),
        ("COLD\n food", ["cold", "cold food", "food"]),
        ("don't don\u2019t", ["don't", "don't don't", "don't"]),
        ("snake_case x", ["snake", "case", "case x", "x"]),
        ("\U0001f600 fine \U0001f600\U0001f600", ["fine"]),
        ("\u597d\u5403\u3002\u597d", ["\u597d\u5403", "\u597d"]),
        ("Stra\u00dfe", ["strasse"]),
        ("", []),
        ("!?", []),
        ("'quoted'", ["quoted"]),
    ],
)
def test_words_and_pairs_of_neighbours_come_in_order(document, expected):
    assert terms(document) == expected


def test_stop_words_and_digits_are_left_out_and_negations_kept():
    told = informative_terms("the food was not cold in 2019")

    assert "not cold" in told
    assert "not" in told
    assert not {"the", "was", "in", "2019", "the food", "food was", "in 2019"} & set(told)


def test_spans_do_not_overlap_and_hold_the_words():
    document = "Cold food. The FOOD! cold food cold"

    spans = find_spans(document, frozenset({"cold food", "food", "food cold"}))

    assert [document[start:end] for start, end in spans] == ["Cold food", "FOOD", "cold food cold"]


@given(st.text(), st.sets(st.sampled_from(["a", "b", "a b", "\u00df", "ss", "don't"])))
def test_any_text_gives_terms_and_spans_inside_it(document, wanted):
    for term in iter_terms(document):
        assert 0 <= term.start < term.end <= len(document)
        assert '"' not in term.text
    spans = find_spans(document, frozenset(wanted))
    ends = [0, *(place for span in spans for place in span), len(document)]
    assert ends == sorted(ends)
    assert bool(spans) == bool(wanted & set(terms(document)))


@pytest.mark.parametrize("text", ["cold, food", "three words here", "!", "", " cold", "a_b"])
def test_what_is_no_word_or_pair_is_no_term(text):
    assert whole_term(text) is None
