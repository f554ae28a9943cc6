"""A server is asked in the way it takes, and each refusal teaches once."""

import pytest

from interp_embed.llm.quirks import Quirks, build_body
from interp_embed.llm.records import Message, Request

REQUEST = Request(
    kind="annotate-1",
    messages=(Message("system", "Rules."), Message("user", "Text.")),
    max_tokens=40,
    schema={"type": "object", "properties": {"c1": {"type": "boolean"}}},
    parameters={"reasoning_effort": "low", "provider": {"sort": "price"}},
)


@pytest.fixture
def quirks():
    return Quirks.read({}, provider="openai")


def test_a_request_is_written_in_full_for_a_server_that_takes_all(quirks):
    body = build_body(REQUEST, "m", quirks)

    assert body["max_completion_tokens"] == 40
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["reasoning_effort"] == "low"
    assert body["extra_body"] == {"provider": {"sort": "price"}}
    assert body["temperature"] == 0.0


def test_structured_output_goes_down_a_ladder(quirks):
    weaker = quirks.without("response_format")
    plain = weaker.without("response_format")

    assert build_body(REQUEST, "m", weaker)["response_format"] == {"type": "json_object"}
    assert "response_format" not in build_body(REQUEST, "m", plain)
    assert plain.without("response_format") is None


def test_the_ceiling_is_renamed_then_left_out(quirks):
    renamed = quirks.without("max_completion_tokens")

    assert build_body(REQUEST, "m", renamed)["max_tokens"] == 40
    assert renamed.without("max_tokens").ceiling == "none"


def test_a_parameter_is_dropped_once(quirks):
    cold = quirks.without("temperature")

    assert "temperature" not in build_body(REQUEST, "m", cold)
    assert cold.without("temperature") is None


def test_instructions_move_to_the_user_where_there_is_no_role_for_them(quirks):
    body = build_body(REQUEST, "m", quirks.without("system"))

    assert body["messages"] == [{"role": "user", "content": "Rules.\n\nText."}]


def test_room_for_hidden_tokens_is_added_to_the_ceiling():
    thinking = Quirks.read({"headroom": 500}, provider="local")

    assert build_body(REQUEST, "m", thinking)["max_tokens"] == 540


def test_what_was_learned_is_read_again_and_nonsense_is_not():
    learned = Quirks.read({}, provider="local").without("temperature").without("response_format")

    assert Quirks.read(learned.to_json(), provider="local") == learned
    damaged = {"ceiling": "os.system", "format": 3, "headroom": "many", "dropped": None}
    assert Quirks.read(damaged, provider="local") == Quirks.read({}, provider="local")
