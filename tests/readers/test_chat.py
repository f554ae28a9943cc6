import pytest

from interp_embed.errors import InputError
from interp_embed.readers.chat import check_messages, render, tokenize_chat
from interp_embed.readers.tokens import TextTokenizer

CHAT = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "  The soup was cold 😀\n"},
    {"role": "assistant", "content": "user"},
    {"role": "user", "content": "The soup was cold 😀"},
]
# As Qwen 3's: the reasoning at the start of an answer is dropped.
THINK_TEMPLATE = (
    "{%- for m in messages %}{{ '<|head|>' + m['role'] + '\n' }}"
    "{{- m['content'].split('</think>')[-1].lstrip('\n') + '<|end|>\n' }}{%- endfor %}"
)


def counted_text(document):
    """Return what the counted tokens stand for, put together."""
    characters = set()
    for (begin, end), counts in zip(document.span.tolist(), document.counted, strict=True):
        characters |= set(range(begin, end)) if counts else set()
    return "".join(document.text[i] for i in sorted(characters))


@pytest.fixture
def tokenizer(tokenizer_maker, llama_template):
    return TextTokenizer(tokenizer_maker(chat_template=llama_template))


def test_only_contents_count_and_system_turns_do_not(tokenizer):
    document = tokenize_chat(CHAT, tokenizer, roles=None)

    assert document.text == "\n".join(message["content"] for message in CHAT)
    # The template trims; without the white space at its ends, every content counts whole.
    assert counted_text(document) == "The soup was cold 😀userThe soup was cold 😀"


def test_spans_point_at_the_message_they_come_from(tokenizer):
    document = tokenize_chat(CHAT, tokenizer, roles=["assistant"])

    assert counted_text(document) == "user"
    begin = document.span[document.counted][:, 0].min()
    assert begin == sum(len(message["content"]) + 1 for message in CHAT[:2])


def test_template_tokens_have_empty_spans(tokenizer):
    document = tokenize_chat(CHAT[1:2], tokenizer, roles=None)

    empty = document.span[:, 0] == document.span[:, 1]
    assert not document.counted[empty].any()
    assert empty.sum() > 20  # the long header
    assert document.token_ids[0] == 0  # the template's own BOS


def test_a_token_that_straddles_template_and_content_is_cut_to_the_content(tokenizer_maker):
    glued = "{%- for m in messages %}{{ 'soup' + m['content'] + 'soup' }}{%- endfor %}"
    tokenizer = TextTokenizer(tokenizer_maker(chat_template=glued))

    document = tokenize_chat([{"role": "user", "content": "s"}], tokenizer, roles=None)

    assert counted_text(document) == "s"


def test_reasoning_that_the_template_drops_does_not_count(tokenizer_maker):
    tokenizer = TextTokenizer(tokenizer_maker(chat_template=THINK_TEMPLATE))
    chat = [{"role": "assistant", "content": "<think>\ncold?\n</think>\n\ncold"}]

    document = tokenize_chat(chat, tokenizer, roles=None)

    assert counted_text(document) == "cold"
    assert document.span[document.counted][0, 0] == chat[0]["content"].rindex("cold")


def test_special_tokens_in_a_message_do_not_count(tokenizer):
    document = tokenize_chat([{"role": "user", "content": "a<|end|>b"}], tokenizer, roles=None)

    assert counted_text(document) == "ab"


def test_the_date_in_a_template_never_changes(tokenizer_maker, llama_template):
    now = "{{ strftime_now('%Y-%m-%d') }} {{ strftime_now('%d %b %Y') }}"
    tokenizer = tokenizer_maker(chat_template=now)

    assert render(CHAT, tokenizer) == "2024-07-26 26 Jul 2024"
    assert "Today Date: 26 Jul 2024" in render(CHAT, tokenizer_maker(chat_template=llama_template))


def test_a_base_model_has_no_template(tokenizer_maker):
    with pytest.raises(InputError, match=r"no chat template, .* use a chat model .* one string"):
        tokenize_chat(CHAT, TextTokenizer(tokenizer_maker()), roles=None)


def test_a_template_that_refuses_is_quoted(tokenizer_maker):
    strict = "{{ raise_exception('System role not supported') }}"
    tokenizer = TextTokenizer(tokenizer_maker(chat_template=strict))

    with pytest.raises(InputError, match="refuses the turns system, user.* System role not supp"):
        tokenize_chat(CHAT, tokenizer, roles=None)


@pytest.mark.parametrize(
    "template",
    [
        "{%- for m in messages %}{{ m['content'] | upper }}{%- endfor %}",
        "nothing of it",
    ],
)
def test_a_template_that_rewrites_messages_is_refused(tokenizer_maker, template):
    tokenizer = TextTokenizer(tokenizer_maker(chat_template=template))

    with pytest.raises(InputError, match="rewrites message 1"):
        tokenize_chat(
            [{"role": "user", "content": ""}, {"role": "user", "content": "soup"}],
            tokenizer,
            roles=None,
        )


def test_a_chat_without_a_turn_that_counts_is_refused(tokenizer):
    with pytest.raises(InputError, match="no text in a turn of tool: its turns are system, user"):
        tokenize_chat(CHAT, tokenizer, roles=["tool"])
    with pytest.raises(InputError, match="no text in a turn other than system"):
        tokenize_chat([*CHAT[:1], {"role": "user", "content": " "}], tokenizer, roles=None)


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "no messages"),
        (["hello"], "message 0 of the chat is 'hello'"),
        ([{"content": "x"}], "message 0 of the chat is"),
        ([CHAT[1], {"role": "assistant", "content": None}], "message 1 .* has no text"),
        ([{"role": "user", "content": [{"type": "image"}]}], "message 0 .* has no text"),
    ],
)
def test_malformed_messages_are_named(messages, message):
    with pytest.raises(InputError, match=message):
        check_messages(messages)
