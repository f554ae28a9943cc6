import time
from itertools import pairwise

import pytest

from interp_embed.llm.records import Message, Request
from interp_embed.llm.tokens import estimate_request, estimate_tokens

# Token counts by o200k_base and cl100k_base
COUNTED = [
    ("The waiter forgot our order twice, but the dessert made up for it.", 15, 15),
    ("def area(radius: float) -> float:\n    return 3.14159 * radius**2\n", 21, 21),
    ("Официант дважды забыл наш заказ, но десерт всё исправил.", 18, 29),
    ("服务员两次忘了我们点的菜,但甜点弥补了一切。", 20, 26),
    ('{"c1": true, "c2": false, "c3": true, "c10": false}', 24, 24),
    ("1234567890 98765 4321", 10, 10),
    ("Der Kellner hat unsere Bestellung zweimal vergessen.", 9, 13),
    ("🎉🎉 so good 😋", 8, 10),
]


@pytest.mark.parametrize(("text", "o200k", "cl100k"), COUNTED)
def test_an_estimate_is_near_two_tokenizers(text, o200k, cl100k):
    estimate = estimate_tokens(text)
    assert 0.7 * min(o200k, cl100k) <= estimate <= 1.7 * max(o200k, cl100k)
    assert estimate >= 0.7 * (o200k + cl100k) / 2


def test_nothing_is_no_token_and_anything_is_one():
    assert estimate_tokens("") == 0
    assert estimate_tokens("a") == 1
    assert estimate_tokens("\ud800") >= 1


def test_one_word_more_is_a_token_more_or_two():
    words = ["waves", "bread", "table", "house"] * 10
    counts = [estimate_tokens(" ".join(words[:n])) for n in range(1, 41)]
    steps = {later - earlier for earlier, later in pairwise(counts)}
    assert steps <= {1, 2}


def test_ten_megabytes_take_less_than_seconds():
    text = "The waiter forgot our order twice. " * 300_000
    start = time.perf_counter()
    assert estimate_tokens(text) > 2_000_000
    assert time.perf_counter() - start < 3  # 0.3 s on a free core


def test_a_request_counts_its_messages_and_its_schema():
    text = "The waiter forgot our order twice."
    messages = (Message("system", text), Message("user", text))
    plain = Request("label-1", messages, 10)
    schema = {"type": "object", "properties": {"c1": {"type": "boolean"}}}

    assert estimate_request(plain) == 2 * (estimate_tokens(text) + 4) + 3
    more = estimate_request(Request("label-1", messages, 10, schema)) - estimate_request(plain)
    assert 10 < more < 40
