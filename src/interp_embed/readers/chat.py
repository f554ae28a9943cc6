"""Chats: rendered by the tokenizer's own template, and each message's text found in the result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from interp_embed.errors import InputError
from interp_embed.readers.source import Message, TokenizedDocument
from interp_embed.readers.tokens import TextTokenizer, readable

TEMPLATE_DATE = "26 Jul 2024"
"""What templates that print today's date print instead: else hidden states change every day."""
_NOT_COUNTED_ROLES = frozenset({"system", "developer"})
_FIXED_DATE = (
    "{%- macro strftime_now(format) -%}"
    "{{ '2024-07-26' if '-' in format else '26 Jul 2024' }}"
    "{%- endmacro -%}"
)
_PROBE = "".join(chr(0xE000 + i) for i in (7, 23, 101, 5))
"""Characters for private use, which no template holds."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a message is: ``rendered[begin:end]`` is its content from ``offset`` on."""

    begin: int
    end: int
    offset: int


def check_messages(messages: Sequence[Any]) -> list[dict[str, str]]:
    """Return a chat's messages as plain dicts with only role and content.

    Raises:
        InputError: It is empty, or a message is not ``{"role": str, "content": str}``.
    """
    if not len(messages):
        raise InputError("the chat has no messages; leave it out")
    checked = []
    for i, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise InputError(
                f"message {i} of the chat is {message!r:.80}; a message is "
                '{"role": "user", "content": "..."}'
            )
        content = message.get("content")
        if not isinstance(content, str):
            raise InputError(
                f"message {i} of the chat (role {message['role']!r}) has no text: its content is "
                f"{content!r:.80}; give a string, or leave the message out"
            )
        checked.append({"role": message["role"], "content": readable(content)})
    return checked


def tokenize_chat(
    messages: Sequence[Message], tokenizer: TextTokenizer, *, roles: Sequence[str] | None
) -> TokenizedDocument:
    """Return a chat as tokens: those of the contents have spans, those of the template none.

    Args:
        messages: Checked messages.
        tokenizer: The chat model's.
        roles: Whose turns count; None for all but system and developer.

    Raises:
        InputError: No turn counts, the tokenizer has no template, or the template refuses the chat
            or rewrites a message.
    """
    counts = [
        message["role"] in roles if roles is not None else message["role"] not in _NOT_COUNTED_ROLES
        for message in messages
    ]
    if not any(c and m["content"].strip() for c, m in zip(counts, messages, strict=True)):
        wanted = "other than system" if roles is None else f"of {', '.join(roles)}"
        has = ", ".join(message["role"] for message in messages)
        raise InputError(f"the chat has no text in a turn {wanted}: its turns are {has}")
    rendered = render(messages, tokenizer.pretrained)
    tokens = tokenizer.encode_template(rendered)
    span = np.zeros_like(tokens.span)
    counted = np.zeros(len(tokens.ids), dtype=np.bool_)
    special = np.isin(tokens.ids, list(tokenizer.special_ids))
    start = 0  # of this message in the joined text
    for i, message in enumerate(messages):
        found = _find_content(i, messages, rendered, tokenizer.pretrained)
        inside = (tokens.span[:, 0] < found.end) & (tokens.span[:, 1] > found.begin)
        own = np.clip(tokens.span[inside], found.begin, found.end)
        span[inside] = own - found.begin + found.offset + start
        counted[inside] = counts[i]
        start += len(message["content"]) + 1
    counted &= ~special
    text = "\n".join(message["content"] for message in messages)
    return TokenizedDocument(text=text, token_ids=tokens.ids, span=span, counted=counted)


def render(messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase) -> str:
    """Return a chat as the model was trained to see it, without an open turn at the end.

    Raises:
        InputError: There is no chat template, or it refuses these messages.
    """
    template = chat_template(tokenizer)
    if "strftime_now" in template:
        template = _FIXED_DATE + template
    try:
        text = tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            chat_template=template,
            tokenize=False,
            add_generation_prompt=False,
            date_string=TEMPLATE_DATE,
        )
    except (TemplateError, ValueError, TypeError, KeyError, IndexError) as error:
        turns = ", ".join(message["role"] for message in messages)
        raise InputError(
            f"the model's chat template refuses the turns {turns}: {error}; give the turns as the "
            "model expects them, or the text alone"
        ) from error
    return str(text)


def chat_template(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the tokenizer's chat template.

    Raises:
        InputError: It has none.
    """
    template = tokenizer.chat_template
    if isinstance(template, Mapping):
        template = template.get("default")
    if not template:
        raise InputError(
            "the tokenizer has no chat template, as that of a base model: use a chat model to "
            "read messages, or give the text of the document as one string with chat='auto'"
        )
    return str(template)


def _find_content(
    i: int, messages: Sequence[Message], rendered: str, tokenizer: PreTrainedTokenizerBase
) -> _Found:
    """Find message ``i`` by rendering the chat again with something else in its place.

    What the two have in common at both ends is the template and the other messages, whatever the
    template is.
    """
    probed: list[Message] = list(messages)
    probed[i] = {"role": messages[i]["role"], "content": _PROBE}
    other = render(probed, tokenizer)
    begin = _n_common(rendered, other)
    after = _n_common(rendered[begin:][::-1], other[begin:][::-1])
    end = len(rendered) - after
    shown, content = rendered[begin:end], messages[i]["content"]
    if shown == content.strip():  # most templates trim
        return _Found(begin, end, len(content) - len(content.lstrip()))
    # Otherwise a part: templates drop the reasoning at the start of an answer.
    offset = content.rfind(shown)
    if offset < 0 or (_PROBE not in other and content.strip()):
        raise InputError(
            f"the model's chat template rewrites message {i} (role {messages[i]['role']!r}): "
            f"its text is not found in what the model reads; change the message, or give the text "
            "of the document as one string"
        )
    return _Found(begin, end, offset)


def _n_common(first: str, second: str) -> int:
    """Return the length of the longest common start."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
