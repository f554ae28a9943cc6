"""What fits into one batch, and how its lines are written and read."""

import json
from collections import deque

import pytest

from interp_embed.llm.batch_packing import MAX_QUESTIONS, Question, TokenRoom, pack
from interp_embed.llm.batch_wire import (
    read_lines,
    read_status,
    read_token_limit,
    write_line,
)
from interp_embed.llm.quirks import Quirks
from interp_embed.llm.records import Message, Request

QUIRKS = Quirks(ceiling="max_tokens")


def queue(n, tokens=10.0, text="a"):
    request = Request("q-1", (Message("user", text),), 5)
    return deque(Question(f"k{i}", request, lambda: QUIRKS, tokens, None) for i in range(n))


def packed(waiting, room=None, **options):
    return pack(waiting, room or TokenRoom(), model="m", quirks=QUIRKS, **options)


def test_a_file_holds_at_most_fifty_thousand_questions():
    waiting = queue(MAX_QUESTIONS + 3)
    assert len(packed(waiting).lines) == MAX_QUESTIONS
    assert [question.key for question in packed(waiting).questions] == [
        f"k{MAX_QUESTIONS + i}" for i in range(3)
    ]
    assert packed(waiting) is None


def test_a_file_holds_at_most_so_many_bytes():
    waiting = queue(5, text="a" * 700)
    files = [b"".join(packed(waiting, most_bytes=2000).lines) for _ in range(3)]
    assert [file.count(b"\n") for file in files] == [2, 2, 1]
    assert all(len(file) <= 2000 for file in files)
    assert len(packed(queue(1, text="a" * 3000), most_bytes=2000).lines) == 1  # the server decides


def test_questions_wait_for_room_beside_the_batches_on_their_way():
    waiting = queue(10)
    room = TokenRoom(allowed=65.0, waiting={"other": 30.0})
    assert len(packed(waiting, room).questions) == 3
    room.waiting["this"] = 30.0
    assert packed(waiting, room) is None
    room.waiting.clear()
    room.allowed = 5.0
    assert len(packed(waiting, room).questions) == 1  # the server decides


def test_a_stated_limit_is_kept_and_another_is_felt_for():
    room = TokenRoom(waiting={"a": 1000.0})
    assert room.refuse("a", 200.0) == 0.0
    assert room.allowed == pytest.approx(190.0)
    room.waiting["b"] = 150.0
    assert room.refuse("b", 200.0) > 0  # somebody else's batches are in the way
    assert room.allowed == pytest.approx(75.0)
    room.accept()
    room.accept()
    assert room.allowed == pytest.approx(190.0)
    assert TokenRoom(waiting={"a": 1000.0}).refuse("a", None) > 0


def test_the_limit_is_read_from_either_words_or_code():
    said = (
        "Enqueued token limit reached for gpt-4o in organization org-1. Limit: 90,000 enqueued "
        "tokens. Please try again once some in_progress batches have been completed."
    )
    assert read_token_limit([said]).limit == 90_000
    assert read_token_limit(["token_limit_exceeded", "Too much."]).limit is None
    assert read_token_limit(["rate_limit_exceeded", "Limit: 3"]) is None


def test_a_line_holds_parameters_of_ones_own_and_any_text():
    text = "a\u2028b\ud800\n"
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": text}],
        "extra_body": {"top_k": 1},
    }
    line = write_line("k", body)
    assert line.count(b"\n") == 1
    asked = json.loads(line)
    assert (asked["custom_id"], asked["url"]) == ("k", "/v1/chat/completions")
    assert asked["body"]["top_k"] == 1
    assert asked["body"]["messages"][0]["content"] == text


def test_lines_are_read_whatever_is_in_them():
    good = {"custom_id": "a", "response": {"status_code": 200, "body": {"x": "\u2028"}}}
    late = {"custom_id": "b", "response": None, "error": {"code": "batch_expired"}}
    text = "\n".join(
        [json.dumps(good, ensure_ascii=False), "{", "7", '{"custom_id": "c"}', json.dumps(late), ""]
    )
    replies = read_lines(text)
    assert sorted(replies) == ["a", "b", "c"]
    assert replies["a"].status == 200
    assert replies["b"].trouble == "the batch gave no answer (batch_expired)"
    assert "neither an answer nor an error" in replies["c"].trouble


@pytest.mark.parametrize(
    "content",
    [None, {}, {"id": "b"}, {"id": "b", "status": 3}, {"status": "completed"}],
)
def test_what_is_no_batch_is_not_taken_for_one(content):
    assert read_status(content) is None


def test_a_batch_with_odd_parts_is_still_read():
    status = read_status({"id": "b", "status": "failed", "errors": [], "request_counts": "?"})
    assert (status.is_over, status.errors, status.n_done) == (True, (), 0)
