import asyncio
import hashlib
import json
from dataclasses import replace

import pytest

from interp_embed.errors import InputError, Interrupted
from interp_embed.llm.answers import AnswerStore
from interp_embed.llm.keys import request_json, request_key
from interp_embed.llm.protocol import LLM
from interp_embed.llm.records import Answer, Failure, Message, Plan, Request
from interp_embed.llm.scripted import ScriptedLLM


def question(text, **others):
    return Request("test-1", (Message("user", text),), max_tokens=10, **others)


def asking(*texts):
    async def job(ask):
        return [await ask(question(text)) for text in texts]

    return job


def plan(*texts):
    return Plan("Asking", tuple(question(text) for text in texts))


def texts(results):
    return [[answer.text for answer in result] for result in results]


def test_answers_are_taken_in_order_job_by_job():
    llm: LLM = ScriptedLLM(["1", "2", "3"])
    results = llm.run([asking("a", "b"), asking("c")], plan("a", "c"))
    assert texts(results) == [["1", "2"], ["3"]]
    assert [request.messages[0].content for request in llm.requests] == ["a", "b", "c"]


def test_a_function_answers_by_the_question():
    llm = ScriptedLLM(lambda request: request.messages[-1].content.upper())
    assert texts(llm.run([asking("a"), asking("b")], plan("a", "b"))) == [["A"], ["B"]]


def test_a_second_run_is_fed_from_the_store():
    store = AnswerStore.in_memory()
    ScriptedLLM(["1"], store=store).run([asking("a")], plan("a"))
    llm = ScriptedLLM(["2"], store=store)

    ((first, second),) = llm.run([asking("a", "b")], plan("a"))

    assert (first.text, first.cached) == ("1", True)
    assert (second.text, second.cached) == ("2", False)
    assert [request.messages[0].content for request in llm.requests] == ["b"]
    assert (llm.usage.calls, llm.usage.cached) == (1, 1)
    assert ScriptedLLM(["3"], model="other", store=store).run([asking("a")], plan("a"))[0] != first


def test_failures_are_handed_on_and_only_refusals_are_kept():
    refused, unusable = Failure("refused", "I cannot"), Failure("unusable", "no answer")
    llm = ScriptedLLM([refused, unusable, "yes"])

    assert llm.run([asking("a", "b")], plan("a")) == [[refused, unusable]]
    ((again, answered),) = llm.run([asking("a", "b")], plan("a"))

    assert again == refused
    assert answered.text == "yes"
    assert llm.usage.failed == 2


def test_a_script_that_runs_out_names_the_question():
    llm = ScriptedLLM(["1"])
    with pytest.raises(InputError, match="has 1 answers.*of kind 'test-1': 'b'; give it more"):
        llm.run([asking("a", "b")], plan("a"))


def test_a_job_that_swallows_the_error_does_not_hide_it():
    async def job(ask):
        try:
            await ask(question("a"))
        except ValueError:
            return None

    with pytest.raises(InputError, match="the script has 0 answers"):
        ScriptedLLM([]).run([job], plan("a"))


def test_one_string_is_no_script():
    with pytest.raises(InputError, match="put it into a list"):
        ScriptedLLM("yes")


def test_an_interrupt_keeps_what_was_answered_and_the_next_run_goes_on():
    llm = ScriptedLLM(["1", "2", "3"], interrupt_after=2)
    jobs = [asking(text) for text in "abc"]

    with pytest.raises(
        Interrupted, match="2 answers are stored in :memory:, 1 questions"
    ) as raised:
        llm.run(jobs, plan(*"abc"))

    first, second, third = raised.value.partial
    assert [first[0].text, second[0].text] == ["1", "2"]
    assert third[0].kind == "stopped"
    assert texts(llm.run(jobs, plan(*"abc"))) == [["1"], ["2"], ["3"]]
    assert len(llm.requests) == 3


def test_it_runs_within_a_running_loop():
    async def main():
        llm = ScriptedLLM(["1", "2"])
        awaited = await llm.run_async([asking("a")], plan("a"))
        return texts(awaited), texts(llm.run([asking("b")], plan("b")))

    assert asyncio.run(main()) == ([["1"]], [["2"]])


def test_the_estimate_counts_what_is_not_stored():
    llm = ScriptedLLM(lambda request: "yes")
    llm.run([asking("a")], plan("a"))

    estimate = llm.estimate(plan("a", "b", "c"))

    assert (estimate.calls, estimate.cached) == (2, 1)
    assert estimate.completion_tokens == 20
    assert "2 calls (1 more are stored)" in estimate.summary()
    assert len(llm.requests) == 1


def test_what_was_asked_is_stored_under_its_own_digest():
    llm = ScriptedLLM(["yes"])
    ((answer,),) = llm.run([asking("Ünïcode \ud800")], plan("a"))

    stored = llm.store.find([answer.key])[answer.key]

    assert hashlib.sha256(stored.request.encode("utf-8", "surrogatepass")).hexdigest() == answer.key
    asked = json.loads(stored.request)
    assert asked["identity"] == {"model": "scripted", "provider": "scripted"}
    assert asked["messages"] == [{"role": "user", "content": "Ünïcode \ud800"}]
    assert isinstance(answer, Answer)


@pytest.mark.parametrize(
    "other",
    [
        question("b"),
        question("a", temperature=None),
        question("a", temperature=0.5),
        question("a", sample=1),
        question("a", schema={"type": "object"}),
        question("a", parameters={"seed": 1}),
        replace(question("a"), max_tokens=11),
        replace(question("a"), messages=(Message("system", "a"),)),
        replace(question("a"), messages=(Message("user", ""), Message("user", "a"))),
    ],
)
def test_everything_that_changes_the_answer_is_in_the_key(other):
    identity = {"provider": "p", "model": "m"}
    assert request_key(question("a"), identity) != request_key(other, identity)


def test_what_does_not_change_the_answer_is_not_in_the_key():
    one = question("a", parameters={"seed": 1, "top_p": 0.5}, temperature=0)
    two = question("a", parameters={"top_p": 0.5, "seed": 1}, temperature=0.0)
    renamed = replace(two, kind="other-2")
    keys = {
        request_key(one, {"provider": "p", "model": "m"}),
        request_key(two, {"model": "m", "provider": "p"}),
        request_key(renamed, {"model": "m", "provider": "p"}),
    }
    assert len(keys) == 1
    assert keys != {request_key(one, {"provider": "q", "model": "m"})}


def test_the_order_of_a_schema_is_the_order_of_the_answer():
    schemas = [{"properties": {"a": {}, "b": {}}}, {"properties": {"b": {}, "a": {}}}]
    first, second = (request_key(question("x", schema=schema), {}) for schema in schemas)
    assert first != second


@pytest.mark.parametrize("wrong", [{"seed": {1, 2}}, {"top_p": float("nan")}])
def test_a_parameter_that_is_no_json_is_refused(wrong):
    with pytest.raises(InputError, match="cannot be written as JSON"):
        request_json(question("a", parameters=wrong), {})
