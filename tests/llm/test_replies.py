"""Every reply means something; none raises."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp_embed.llm.replies import (
    Fatal,
    Good,
    Limited,
    Passing,
    Refused,
    Rejected,
    TooLong,
    Unsupported,
    read_reply,
)
from interp_embed.llm.transport import Reply


def read(status, body, **headers):
    text = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_reply(Reply(status, text, named), wall=0.0)


def error(message, **rest):
    return {"error": {"message": message, **rest}}


def answer(content, finish="stop", **message):
    return {
        "choices": [{"message": {"content": content, **message}, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 3,
            "completion_tokens_details": {"reasoning_tokens": 2},
            "cost": 0.5,
        },
    }


def test_an_answer_comes_with_what_was_counted():
    good = read(200, answer("yes"))

    assert isinstance(good, Good)
    assert (good.text, good.finish_reason, good.refusal) == ("yes", "stop", "")
    assert (good.use.prompt_tokens, good.use.completion_tokens) == (7, 3)
    assert (good.use.reasoning_tokens, good.use.cost_usd) == (2, 0.5)


def test_an_answer_in_parts_is_joined_and_a_missing_one_is_empty():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]

    assert read(200, answer(parts)).text == "ab"
    assert read(200, answer(None)).text == ""


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html><body>Sign in to the network</body></html>",
        {"choices": []},
        {"choices": None},
        {"choices": [{"message": None}]},
        {"choices": "x"},
        [1, 2],
        error("Provider returned error", code=502),
        error("upstream is tired"),
    ],
)
def test_a_200_without_an_answer_is_a_passing_trouble(body):
    assert isinstance(read(200, body), Passing)


def test_an_error_within_a_200_is_read_by_its_own_code():
    assert isinstance(read(200, error("slow down", code=429)), Limited)
    assert isinstance(read(200, error("no key", code=401)), Fatal)


def test_a_429_makes_everybody_wait_and_says_how_long():
    limited = read(429, error("Rate limit reached"), retry_after="7")

    assert isinstance(limited, Limited)
    assert limited.wait_s == 7.0
    assert read(503, error("busy"), retry_after="3").wait_s == 3.0
    assert isinstance(read(503, error("busy")), Passing)


def test_a_call_larger_than_the_limit_is_not_waited_for():
    message = "on tokens per min (TPM): Limit 30000, Used 0, Requested 48250. The input is large."

    assert read(429, error(message)).too_large


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, error("You exceeded your current quota", code="insufficient_quota")),
        (402, error("Insufficient credits")),
        (401, error("Incorrect API key provided")),
        (403, error("no")),
        (404, error("The model `x` does not exist", code="model_not_found")),
    ],
)
def test_what_no_waiting_cures_is_the_end(status, body):
    assert isinstance(read(status, body), Fatal)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 529, 408])
def test_a_server_in_trouble_is_asked_again(status):
    assert isinstance(read(status, "<html>Bad gateway</html>"), Passing)


def test_what_is_wrong_with_one_question_concerns_that_question():
    too_long = error("This model's maximum context length is 8192", code="context_length_exceeded")
    policy = error("flagged by our content policy", code="content_policy_violation")

    assert isinstance(read(400, too_long), TooLong)
    assert isinstance(read(413, ""), TooLong)
    assert isinstance(read(400, policy), Refused)
    assert read(200, answer("", "content_filter")).refusal
    assert read(200, answer(None, refusal="I can't help with that")).refusal


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        (error("Unsupported value", param="temperature"), "temperature"),
        (
            error(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                "'max_completion_tokens' instead.",
                param="max_tokens",
            ),
            "max_tokens",
        ),
        (error("response_format of type json_schema is not supported"), "response_format"),
        (error("This server does not support logprobs"), "logprobs"),
        (error("Invalid: System role not supported"), "system"),
    ],
)
def test_a_parameter_the_server_does_not_take_is_named(body, parameter):
    assert read(400, body) == Unsupported(parameter, f"HTTP 400: {body['error']['message']}")


def test_a_question_that_is_not_understood_says_nothing_of_others():
    assert isinstance(read(400, error("messages[1] holds invalid characters")), Rejected)


def test_no_connection_and_no_answer_are_told_apart():
    assert read_reply(Reply(None, trouble="refused", unreachable=True), wall=0).unreachable
    assert not read_reply(Reply(None, trouble="ReadError: reset"), wall=0).unreachable
    assert read_reply(Reply(None, trouble="no answer within 120 s"), wall=0).timed_out


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["choices", "message", "error", "code", "usage", "content", "x"]), inner
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.integers(200, 599), json_values | st.text())
def test_no_reply_whatever_it_holds_raises(status, body):
    read(status, body)
