import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_embed.dataset.token_text import token_spans

HEAD = ["<|begin|>", "<|header|>", "user", "<|end|>", "\n\n"]
TAIL = ["<|eot|>", "<|header|>", "assistant", "<|end|>", "\n\n"]


def pieces(text, tokens):
    return [text[a:b] for a, b in token_spans(text, tokens)]


def test_each_token_gets_its_own_characters():
    assert pieces("Cold tea, twice", ["Cold", " tea", ",", " tw", "ice"]) == [
        "Cold",
        " tea",
        ",",
        " tw",
        "ice",
    ]


def test_templates_around_the_text_have_no_place():
    spans = token_spans("user mentions", [*HEAD, "user", " mentions", *TAIL])

    assert spans[5:7].tolist() == [[0, 4], [4, 13]]
    assert (spans[:5] == 0).all()
    assert (spans[7:] == 0).all()


def test_the_last_place_is_taken_where_a_template_holds_the_same_words():
    spans = token_spans("user", [*HEAD, "user", "<|eot|>"])

    assert spans[5].tolist() == [0, 4]
    assert spans[2].tolist() == [0, 0]


def test_space_that_a_template_strips_does_not_matter():
    spans = token_spans("\n  Cold tea \n", [*HEAD, "Cold", " tea", *TAIL])

    assert spans[5:7].tolist() == [[3, 7], [7, 11]]


def test_parts_of_a_character_share_its_place():
    broken = "\ufffd"

    assert pieces("a 😀!", ["a", " " + broken, broken, broken, "!"]) == ["a", *[" 😀"] * 3, "!"]
    assert pieces("谢谢你", ["谢谢", broken, broken]) == ["谢谢", "你", "你"]
    assert pieces("é", ["<s>", broken, broken, "</s>"]) == ["", "é", "é", ""]


def test_a_real_replacement_character_is_a_character():
    assert pieces("a\ufffdb", ["a", "\ufffd", "b"]) == ["a", "\ufffd", "b"]


def test_a_text_cut_off_by_the_reader_is_followed_as_far_as_it_goes():
    assert pieces("one two three four five", [*HEAD, "one", " two", " three", " four"])[5:] == [
        "one",
        " two",
        " three",
        " four",
    ]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Cold tea", ["\u0120Cold", "\u0120tea"]),
        ("Cold tea", ["cold", " tea"]),
        ("Cold tea", [*HEAD, "C"]),
        ("", ["<s>", "a"]),
        ("   ", ["<s>", " "]),
        ("Cold tea", ["", ""]),
        ("Cold", []),
    ],
)
def test_where_tokens_do_not_spell_the_text_no_place_is_guessed(text, tokens):
    spans = token_spans(text, tokens)

    assert spans.shape == (len(tokens), 2)
    assert (spans == 0).all()


@given(st.lists(st.text("ab \u00e9好😀", min_size=1, max_size=4), min_size=1, max_size=8))
def test_tokens_that_spell_the_text_are_found_whole(tokens):
    text = "".join(tokens)
    if not text.strip():
        return

    spans = token_spans(text, [*HEAD, *tokens, *TAIL])

    found = [text[a:b] for a, b in spans if b > a]
    assert "".join(found).strip() == text.strip()


def test_repetitive_texts_are_quick():
    token_spans("a " * 20_000, ["x", *["a "] * 19_999, "y"])
