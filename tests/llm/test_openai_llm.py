"""A model asked over real sockets: arguments, budget, estimate, loops, errors, and what is said."""

import asyncio
import json
import warnings

import pytest
from fast_clock import FastClock
from fault_server import FaultServer, Limits

from interp_embed.errors import InputError, LLMError, StoppedWarning
from interp_embed.llm import (
    Answer,
    AnswerStore,
    Failure,
    Message,
    OpenAILLM,
    Plan,
    Request,
    load_llm,
)
from interp_embed.llm.transport import Reply

VARIABLES = ("OPENAI_API_KEY", "OPENAI_KEY_SAE", "OPENROUTER_API_KEY", "OPENAI_BASE_URL")
SAID = '{"label": "mentions the sea"}'


@pytest.fixture
def server():
    with FaultServer(lambda _: SAID, clock=FastClock(50), prices=None) as running:
        yield running


@pytest.fixture
def no_keys(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def connect(server, **options):
    settings = {
        "base_url": server.base_url,
        "api_key": "sk-good",
        "store": AnswerStore.in_memory(),
        "clock": server.clock,
        "progress": False,
    }
    return OpenAILLM("gpt-4o-mini", **(settings | options))


def questions(n, **options):
    return tuple(
        Request("q-1", (Message("user", f"Question {i}. " + "word " * 50),), 40, **options)
        for i in range(n)
    )


def ask_each(requests):
    def job(request):
        async def go(ask):
            return await ask(request)

        return go

    return [job(request) for request in requests]


class Canned:
    """A transport that answers by a function."""

    def __init__(self, answer):
        self.answer, self.sent = answer, 0

    def prepare(self):
        pass

    async def send(self, body):
        self.sent += 1
        return self.answer(body)

    async def models(self):
        return ()

    async def close(self):
        pass


def over(transport, **options):
    settings = {"api_key": "k", "store": AnswerStore.in_memory(), "progress": False}
    return OpenAILLM("gpt-4o-mini", transport=transport, **(settings | options))


def run(llm, requests):
    return llm.run(ask_each(requests), Plan("Asking", requests))


# Arguments


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_cost": -1.0}, "max_cost must be dollars, at least 0"),
        ({"max_cost": float("nan")}, "max_cost must be dollars"),
        ({"max_in_flight": 0}, "max_in_flight must be at least 1"),
        ({"timeout_s": 0}, "timeout_s must be seconds above 0"),
        ({"base_url": "localhost:8000"}, "must begin with http"),
    ],
)
def test_numbers_out_of_range_are_refused(server, options, said):
    with pytest.raises(InputError, match=said):
        connect(server, **options)


def test_without_a_key_the_variables_and_the_other_ways_are_named(no_keys):
    with pytest.raises(InputError, match=r"OPENAI_API_KEY.*api_key=.*base_url"):
        load_llm("gpt-5-mini")


@pytest.mark.parametrize(
    ("variable", "provider"),
    [
        ("OPENAI_API_KEY", "openai"),
        ("OPENAI_KEY_SAE", "openai"),
        ("OPENROUTER_API_KEY", "openrouter"),
    ],
)
def test_the_server_follows_from_the_key_that_is_set(no_keys, monkeypatch, variable, provider):
    monkeypatch.setenv(variable, "sk-or-v1-0123456789abcdef")
    llm = OpenAILLM("gpt-5-mini", store=AnswerStore.in_memory())

    assert llm.identity == {"provider": provider, "model": "gpt-5-mini"}
    assert "0123456789" not in repr(llm.server)


def test_a_server_of_ones_own_needs_no_key(no_keys):
    assert OpenAILLM("qwen3", base_url="http://localhost:11434/v1").identity["provider"] == "local"


def test_a_budget_needs_a_price(server):
    with pytest.raises(InputError, match=r"price is not known; give\s+prices="):
        OpenAILLM("my-model", base_url="https://example.org/v1", api_key="k", max_cost=1.0)


# Money


def test_a_budget_is_never_exceeded_and_says_what_was_kept(server):
    store = AnswerStore.in_memory()
    llm = connect(server, store=store, prices={"gpt-4o-mini": (10.0, 10.0)}, max_cost=0.01)

    with pytest.warns(StoppedWarning, match=r"max_cost is \$0.01.*Run the same again"):
        got = run(llm, questions(60))

    answered = [one for one in got if isinstance(one, Answer)]
    assert 3 <= len(answered) < 60
    assert llm.usage.cost_usd <= 0.01
    assert server.stats().billed == len(answered)
    assert all("max_cost" in one.reason for one in got if isinstance(one, Failure))


def test_a_budget_of_nothing_gives_what_is_stored(server):
    store = AnswerStore.in_memory()
    prices = {"gpt-4o-mini": (10.0, 10.0)}
    run(connect(server, store=store, prices=prices), questions(3))

    with pytest.warns(StoppedWarning, match="max_cost"):
        got = run(connect(server, store=store, prices=prices, max_cost=0.0), questions(5))

    assert [type(one) for one in got] == [Answer] * 3 + [Failure] * 2
    assert server.stats().billed == 3


def test_the_estimate_sends_nothing_and_becomes_exact_with_answers(server):
    llm = connect(server, prices={"gpt-4o-mini": (1.0, 2.0)})
    plan = Plan("Asking", questions(50))

    before = llm.estimate(plan)
    assert server.stats().requests == 0
    run(llm, plan.requests[:20])
    after = llm.estimate(plan)
    run(llm, plan.requests)
    used = llm.usage

    assert (before.calls, before.cached, after.calls, after.cached) == (50, 0, 30, 20)
    whole = used.prompt_tokens
    first = whole * 20 / 50
    assert before.prompt_tokens == pytest.approx(whole, rel=0.2)
    assert after.prompt_tokens == pytest.approx(whole - first, rel=0.03)
    assert before.cost_usd == pytest.approx(used.cost_usd, rel=0.35)
    assert "50 calls" in before.summary()


def test_limits_are_remembered_for_the_next_estimate():
    store = AnswerStore.in_memory()
    with FaultServer(lambda _: SAID, clock=FastClock(50), limits=Limits(rpm=30)) as server:
        run(connect(server, store=store), questions(5))
        told = connect(server, store=store).estimate(Plan("Asking", questions(95)))

    assert told.limit == "30 requests a minute"
    assert told.minutes == pytest.approx(2.0, abs=0.1)  # 90 calls, 30 of them at once


# Loops and jobs


def test_it_works_inside_a_running_loop_without_blocking_it(server):
    llm = connect(server)
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.005)

    async def main():
        ticking = asyncio.create_task(tick())
        plan = Plan("Asking", questions(20))
        got = await llm.run_async(ask_each(plan.requests), plan)
        ticking.cancel()
        return got

    assert all(isinstance(one, Answer) for one in asyncio.run(main()))
    assert ticks > 2


def test_it_works_sync_inside_a_running_loop(server):
    async def main():
        return run(connect(server), questions(3))  # as a cell of a notebook would

    assert len(asyncio.run(main())) == 3


def test_a_cancelled_task_keeps_what_was_under_way():
    with FaultServer(lambda _: SAID, latency_s=0.3, limits=Limits(rpm=3000)) as server:
        store = AnswerStore.in_memory()
        llm = connect(server, store=store)
        requests = questions(300)

        async def main():
            task = asyncio.create_task(llm.run_async(ask_each(requests), Plan("", requests)))
            while server.stats().billed < 10:
                await asyncio.sleep(0.01)
            task.cancel()
            await task

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(main())

        assert llm.usage.calls == server.stats().billed < 300


def test_equal_questions_are_asked_once(server):
    (question,) = questions(1)
    got = run(connect(server), (question,) * 5)

    assert server.stats().requests == 1
    assert {one.text for one in got} == {SAID}


def test_an_error_in_a_job_is_raised_and_what_was_answered_is_kept(server):
    llm = connect(server)
    requests = questions(10)

    async def broken(ask):
        await ask(requests[0])
        raise ZeroDivisionError("in the callback")

    with pytest.raises(ZeroDivisionError, match="in the callback"):
        llm.run([broken, *ask_each(requests[1:])], Plan("Asking", requests))

    assert llm.usage.calls == server.stats().billed >= 1
    assert len(run(llm, requests)) == 10  # and it can be used again


def test_a_closed_model_can_be_opened_again(server):
    llm = connect(server)
    run(llm, questions(2))
    llm.close()

    assert len(run(llm, questions(3))) == 3
    llm.close()
    assert server.stats().billed == 3


# Errors


def test_a_model_the_account_may_not_use_at_all_is_said_to_be():
    refusal = {
        "error": {
            "message": "Rate limit reached for gpt-4o-mini in organization org-X on requests per "
            "min (RPM): Limit 0, Used 0, Requested 1. Please try again later.",
            "code": "rate_limit_exceeded",
        }
    }
    server = Canned(lambda body: Reply(429, json.dumps(refusal), {}))

    with pytest.raises(LLMError, match="may not use this model"):
        run(over(server), questions(5))

    assert server.sent == 1


def reply(content, **message):
    choice = {"message": {"content": content, **message}, "finish_reason": "stop"}
    return Reply(200, json.dumps({"choices": [choice]}), {})


def test_one_question_the_server_does_not_understand_costs_no_other():
    rejected = Reply(400, json.dumps({"error": {"message": "messages[0] holds odd signs"}}), {})
    server = Canned(lambda body: rejected if "Question 4." in str(body) else reply(SAID))

    got = run(over(server), questions(30))

    assert [i for i, one in enumerate(got) if isinstance(one, Failure)] == [4]
    assert "odd signs" in got[4].reason


def test_a_server_that_understands_nothing_is_not_asked_for_long():
    server = Canned(lambda body: Reply(400, json.dumps({"error": {"message": "what?"}}), {}))

    with pytest.raises(LLMError, match="does not understand the request"):
        run(over(server), questions(30))

    assert server.sent == 1


def test_what_was_refused_is_asked_again_only_on_request():
    store, question = AnswerStore.in_memory(), questions(1)
    no = Canned(lambda body: reply(None, refusal="I cannot help with that"))
    yes = Canned(lambda body: reply(SAID))

    first = run(over(no, store=store), question)
    again = run(over(yes, store=store), question)
    asked = run(over(yes, store=store, retry_failures=True), question)
    kept = run(over(no, store=store), question)

    assert [one.kind for one in (*first, *again)] == ["refused", "refused"]
    assert [one.text for one in (*asked, *kept)] == [SAID, SAID]
    assert yes.sent == 1


def test_a_server_that_is_not_there_is_named_within_fifteen_seconds():
    clock = FastClock(10)
    llm = OpenAILLM(
        "m",
        base_url="http://127.0.0.1:9/v1",
        store=AnswerStore.in_memory(),
        clock=clock,
        progress=False,
    )
    begun = clock.now()
    with pytest.raises(LLMError, match="http://127.0.0.1:9/v1 cannot be reached"):
        run(llm, questions(20))
    assert clock.now() - begun < 15


def test_nothing_is_asked_or_said_for_no_jobs(server, capsys):
    assert run(connect(server, progress=True), ()) == []
    assert server.stats().requests == 0
    assert capsys.readouterr().err == ""


def test_the_cost_is_said_before_the_first_call_and_progress_after(server, capsys):
    run(connect(server, progress=True, prices={"gpt-4o-mini": (1.0, 2.0)}), questions(5))

    said = capsys.readouterr().err
    assert "Asking with gpt-4o-mini: 5 calls, about" in said
    assert "$0.00" in said
    assert "5/5" in said


def test_a_key_is_in_no_answer_no_file_and_no_message(server, tmp_path):
    store = AnswerStore.open(tmp_path / "a.sqlite")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(connect(server, store=store, api_key="sk-secret-0123456789"), questions(2))
    store.close()

    held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"Question 1" in held
    assert b"secret" not in held
