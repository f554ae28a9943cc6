import pytest
from transformers import CanineTokenizer

from interp_embed.errors import InputError
from interp_embed.readers.tokens import TextTokenizer, check_text, readable, require_fast

ODD_TEXTS = {
    "emoji": "soup 😀👩‍👩‍👧 cold",
    "right to left": "the שלום and مرحبا end",
    "combining": "cafe\u0301 nai\u0308ve",
    "NUL": "a\x00b",
    "CRLF": "one\r\ntwo\r\n",
    "white space around": "  soup  \n",
    "Chinese": "谢谢, 海和山",
}


def spans_cover(tokens, text):
    covered = set()
    for begin, end in tokens.span.tolist():
        assert 0 <= begin <= end <= len(text)
        covered |= set(range(begin, end))
    return all(i in covered for i, c in enumerate(text) if not c.isspace())


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
@pytest.mark.parametrize("prefix_space", [False, True])
def test_spans_of_byte_level_tokens_cover_the_text(tokenizer_maker, text, prefix_space):
    tokens = TextTokenizer(tokenizer_maker(prefix_space=prefix_space)).encode(text)

    assert spans_cover(tokens, text)


def test_every_token_of_a_character_has_the_whole_character(tokenizer_maker):
    tokens = TextTokenizer(tokenizer_maker()).encode("a😀b")

    assert tokens.span.tolist() == [[0, 1], *[[1, 2]] * 4, [2, 3]]


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_spans_of_real_tokenizers_cover_the_text(real_models, text):
    from interp_embed.readers.tokens import load_tokenizer

    tokens = load_tokenizer(real_models / "stories260K").encode(text)

    assert spans_cover(tokens, text)


def test_word_pieces_of_minilm_have_exact_spans(minilm_folder):
    from interp_embed.readers.tokens import load_tokenizer

    text = "Très unbelievable\r\n😀 soup"
    tokens = load_tokenizer(minilm_folder).encode(text)

    assert [text[begin:end] for begin, end in tokens.span] == ["Très", "unbelievable", "😀", "soup"]


def test_nothing_is_cut_off_or_padded(minilm_folder):
    from interp_embed.readers.tokens import load_tokenizer

    tokenizer = load_tokenizer(minilm_folder)  # its files say: truncate and pad to 128

    assert len(tokenizer.encode("soup " * 6000).ids) == 6000
    assert len(tokenizer.encode("soup").ids) == 1


def test_names_of_special_tokens_in_a_document_are_plain_characters(tokenizer_maker):
    tokenizer = TextTokenizer(tokenizer_maker())

    assert not set(tokenizer.encode("a </s> <|end|> b").ids.tolist()) & tokenizer.special_ids
    assert set(tokenizer.encode_template("<|end|>").ids.tolist()) < tokenizer.special_ids


def test_the_tokenizers_own_wrapping_is_found(tokenizer_maker):
    wrapping = TextTokenizer(tokenizer_maker(wrap=True)).own_wrapping()

    assert (wrapping.prefix, wrapping.suffix) == ((6,), (7,))


def test_slow_tokenizers_are_refused():
    with pytest.raises(
        InputError, match=r"of toy is CanineTokenizer, a slow one: .*tokenizer\.json"
    ):
        require_fast(CanineTokenizer(), "toy")


def test_lone_surrogates_are_replaced_one_for_one():
    assert readable("a\ud83d\ude00b😀") == "a\ufffd\ufffdb😀"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, r"missing \(None\)"),
        (float("nan"), "float nan"),
        (7, "int 7"),
        ("", "is empty"),
        (" \n\t", "only white space"),
    ],
)
def test_what_is_not_text_is_named(document, message):
    with pytest.raises(InputError, match=message):
        check_text(document, "the document")
