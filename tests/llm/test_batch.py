"""Questions asked in batches: nothing is lost, nothing is false, and nothing is paid for twice.

Against a server over real sockets that has ``/files`` and ``/batches``. Twelve texts and four
concepts are twelve questions: the first is asked alone, the others make a batch.
"""

import _thread
import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fast_clock import FastClock
from fault_server import Batches, FaultServer, Supports, truth_answer, truth_matrix

from interp_embed.errors import InputError, Interrupted, LLMError, StoppedWarning, StoredFileError
from interp_embed.interpret import LLMAnnotator
from interp_embed.llm import AnswerStore, Budget, Message, OpenAILLM, Plan, Request
from interp_embed.llm.batch_records import BatchRecord, BatchRecords, BatchRow
from interp_embed.llm.keys import read_request, request_json, request_key

MODEL, KEY = "gpt-4o-mini", "sk-good-key-0123456789"
TRUTH = truth_answer(7, p=0.4)
DOCUMENTS = [f"Guest {i} waited {3 * i} minutes for bread and said so." for i in range(12)]
CONCEPTS = ["mentions bread", "complains about waiting", "names a price", "thanks the staff"]
CHILD = Path(__file__).with_name("annotate_child.py")
FACTOR = 400


def serve(batches=None, *, factor=FACTOR, **options):
    options = {"latency_s": 0.3, "clock": FastClock(factor)} | options
    return FaultServer(TRUTH, batches=batches or Batches(), **options)


def connect(server, *, store=None, mode="batch", **options):
    return OpenAILLM(
        MODEL,
        mode=mode,
        base_url=server.base_url,
        api_key=KEY,
        store=store or AnswerStore.in_memory(),
        clock=server.clock,
        progress=False,
        **options,
    )


def annotate(llm, documents=DOCUMENTS):
    """Annotate, see that nothing is false, and return what came."""
    found = LLMAnnotator(llm, check=0).annotate(documents, CONCEPTS)
    known = ~np.isnan(found.verdicts)
    truth = np.array(truth_matrix(TRUTH, documents, CONCEPTS), dtype=float)
    assert (found.verdicts[known] == truth[known]).all()
    return found


def assert_whole(found):
    assert found.reasons == {}
    assert not np.isnan(found.verdicts).any()


def assert_paid_once(server, n=12):
    stats = server.stats()
    assert (stats.billed, stats.duplicates) == (n, 0)


def questions(n, **options):
    settings = {"max_tokens": 40} | options
    return tuple(
        Request("q-1", (Message("user", f"Question {i}. " + "word " * 50),), **settings)
        for i in range(n)
    )


def ask_each(llm, requests):
    def job(request):
        async def go(ask):
            return await ask(request)

        return go

    return llm.run([job(request) for request in requests], Plan("Asking", requests))


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()


def until_waiting(server):
    until(lambda: server.batches.polls and server.batches.statuses == ["in_progress"])


def on_their_way(store):
    return BatchRecords(store).on_their_way("local", MODEL)


# A whole run


def test_a_run_is_one_question_alone_and_one_batch():
    store = AnswerStore.in_memory()
    with serve() as server:
        llm = connect(server, store=store)
        found = annotate(llm)
        again = annotate(connect(server, store=store))

    assert_whole(found)
    assert_whole(again)
    assert_paid_once(server)
    assert (server.batches.made, server.batches.sizes, server.batches.uploads) == (1, [11], 1)
    assert llm.usage.calls == 12
    assert llm.usage.prompt_tokens == server.stats().prompt_tokens
    assert on_their_way(store) == []


def test_a_batch_is_asked_as_a_call_is():
    bodies = {}
    for mode in ("live", "batch"):
        with serve() as server:
            annotate(connect(server, mode=mode))
        bodies[mode] = {json.dumps(body, sort_keys=True) for body in server.bodies}
    assert bodies["live"] == bodies["batch"]


def test_what_must_be_asked_again_makes_another_batch():
    plan = lambda arrival: "missing_key" if "\nc4: " in arrival.prompt else ""
    with serve(fault_plan=plan) as server:
        found = annotate(connect(server))

    assert_whole(found)
    assert server.batches.sizes == [12, 11]  # the one asked alone had to be asked again too


def test_it_works_in_a_running_loop():
    with serve() as server:
        llm = connect(server)

        async def go():
            return await LLMAnnotator(llm, check=0).annotate_async(DOCUMENTS, CONCEPTS)

        found = asyncio.run(go())
    assert_whole(found)
    assert_paid_once(server)


# Money


def test_a_batch_costs_half_but_for_the_question_asked_alone():
    with serve() as server:
        llm = connect(server, prices={MODEL: (1000.0, 2000.0)})
        ask_each(llm, questions(9))
    stats = server.stats()
    whole = (1000.0 * stats.prompt_tokens + 2000.0 * stats.completion_tokens) / 1e6
    assert llm.usage.cost_usd == pytest.approx(whole * (1 + 8 / 2) / 9)  # all are alike


def test_the_estimate_is_half_once_a_question_of_the_kind_was_answered():
    store = AnswerStore.in_memory()
    with serve() as server:
        ask_each(connect(server, store=store), questions(1))
        plan = Plan("Asking", questions(9))
        prices = {MODEL: (1.0, 2.0)}
        live = connect(server, store=store, mode="live", prices=prices).estimate(plan)
        batch = connect(server, store=store, prices=prices).estimate(plan)
        first = connect(server, prices=prices).estimate(plan)

    assert (batch.calls, batch.cached) == (live.calls, live.cached) == (8, 1)
    assert batch.cost_usd == pytest.approx(live.cost_usd / 2)
    assert "half the price in batches answered within a day" in batch.summary()
    assert batch.minutes is None
    assert first.cost_usd == pytest.approx(connect_estimate(plan, prices) * 10 / 18, rel=1e-3)


def connect_estimate(plan, prices):
    llm = OpenAILLM(
        MODEL, api_key=KEY, base_url="http://localhost:1/v1", prices=prices, progress=False,
        store=AnswerStore.in_memory(),
    )  # fmt: skip
    return llm.estimate(plan).cost_usd


def test_a_budget_is_never_exceeded_and_what_fits_is_answered():
    price = (1000.0, 2000.0)
    store = AnswerStore.in_memory()
    with serve() as server:
        llm = connect(server, store=store, prices={MODEL: price}, max_cost=0.9)
        with pytest.warns(StoppedWarning, match="max_cost is"):
            ask_each(llm, questions(30))
        spent, answered = llm.usage.cost_usd, llm.usage.calls
        assert 0.3 < spent <= 0.9
        assert 3 < answered < 30

        rest = connect(server, store=store, prices={MODEL: price})
        ask_each(rest, questions(30))
    assert rest.usage.calls == 30 - answered
    assert_paid_once(server, 30)


def test_a_budget_of_nothing_sends_nothing():
    with serve() as server, pytest.warns(StoppedWarning, match="max_cost is"):
        annotate(connect(server, max_cost=0))
    assert server.stats().requests == 0
    assert server.batches.made == 0


def test_room_for_hidden_tokens_is_found_before_the_batch_and_paid_from_the_budget():
    with serve(reasoning_tokens=300) as server:
        llm = connect(server, prices={MODEL: (100.0, 200.0)}, max_cost=20.0)
        found = annotate(llm)
    assert_whole(found)
    assert server.batches.made == 1
    assert server.stats().billed == 13  # the one asked alone had no room at first
    assert llm.usage.cost_usd <= 20.0


# 34: what a batch may come to


@pytest.mark.parametrize("fate", ["expire", "expire_half", "cancel", "fail", "lose_rows"])
def test_34_what_a_batch_leaves_open_is_put_into_one_more(fate):
    store = AnswerStore.in_memory()
    with serve(Batches(fates={0: fate})) as server:
        found = annotate(connect(server, store=store))

    assert_whole(found)
    assert_paid_once(server)
    assert server.batches.made == 2
    assert on_their_way(store) == []


@pytest.mark.parametrize(
    ("fate", "reason"),
    [
        ("expire", "batch_expired: Too late"),
        ("cancel", "batch_cancelled"),
        ("fail", "The file could not be processed"),
        ("lose_rows", "ended as 'completed' without an answer"),
    ],
)
def test_34_what_is_open_after_two_batches_is_missing_and_asked_by_the_next_run(fate, reason):
    store = AnswerStore.in_memory()
    batches = Batches(fates=lambda number: fate if number < 2 else "")
    with serve(batches) as server:
        found = annotate(connect(server, store=store))
        n_answered = server.stats().billed
        made = batches.made
        again = annotate(connect(server, store=store))

    assert made == 2
    missing = {document for document, _ in found.reasons}
    assert len(missing) == 12 - n_answered
    assert all(reason in told for told in found.reasons.values())
    assert_whole(again)
    assert_paid_once(server)


@pytest.mark.parametrize("fate", ["garbled", "repeated"])
def test_34_a_file_that_is_odd_is_read_as_far_as_it_goes(fate):
    with serve(Batches(fates={0: fate})) as server:
        found = annotate(connect(server))
    assert_whole(found)
    assert server.batches.sizes == ([11, 1] if fate == "garbled" else [11])


def test_34_a_line_that_is_not_understood_costs_no_other():
    with serve(Batches(fates={0: "bad_line"})) as server:
        found = annotate(connect(server))
    assert len({document for document, _ in found.reasons}) == 1
    assert "This line is not understood" in next(iter(found.reasons.values()))
    assert server.batches.sizes == [11, 10]


def test_34_no_credit_ends_the_run_and_keeps_what_was_answered():
    store = AnswerStore.in_memory()
    with serve(Batches(fates={0: "no_credit"})) as server:
        with pytest.warns(StoppedWarning, match="billing hard limit|Billing hard limit"):
            annotate(connect(server, store=store))
        assert server.batches.made == 1
        assert_whole(annotate(connect(server, store=store)))
    assert_paid_once(server)


@pytest.mark.parametrize("fault", ["http_500", "rate_limit_bare", "http_408", "ok_error"])
def test_34_a_row_in_the_error_file_is_put_into_one_more_batch(fault):
    plan = lambda arrival: fault if arrival.sight == 0 and "Guest 7" in arrival.prompt else ""
    with serve(fault_plan=plan) as server:
        found = annotate(connect(server))
    assert_whole(found)
    assert_paid_once(server)
    assert server.batches.sizes == [11, 1]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("content_policy", "refused"), ("refusal_field", "refused"), ("context_length", "context")],
)
def test_34_what_is_refused_or_too_long_is_as_it_is_call_by_call(fault, reason):
    plan = lambda arrival: fault if "Guest 7" in arrival.prompt else ""
    reasons = {}
    for mode in ("live", "batch"):
        with serve(fault_plan=plan) as server:
            reasons[mode] = annotate(connect(server, mode=mode)).reasons
    assert reasons["live"] == reasons["batch"]
    assert {document for document, _ in reasons["batch"]} == {7}
    assert all(reason in told for told in reasons["batch"].values())


@pytest.mark.parametrize(
    "fault", ["malformed_json", "truncated", "reasoning_ate", "half_wrong_enum"]
)
def test_34_answers_that_cannot_be_read_are_asked_again(fault):
    def plan(arrival):
        return fault if arrival.sight == 0 and "Guest 7 " in arrival.prompt else ""

    with serve(fault_plan=plan) as server:
        found = annotate(connect(server))
    assert_whole(found)
    assert server.stats().avoidable == 0


def test_a_parameter_that_is_not_taken_is_found_out_before_the_batch():
    with serve(supports=Supports(temperature=False, max_tokens=False)) as server:
        found = annotate(connect(server))
    assert_whole(found)
    assert_paid_once(server)
    assert server.batches.made == 1


# Too many tokens


@pytest.mark.parametrize(("says_limit", "at_once"), [(True, False), (False, False), (True, True)])
def test_batches_are_made_as_small_as_the_account_allows(says_limit, at_once):
    store = AnswerStore.in_memory()
    batches = Batches(enqueued_limit=600, says_limit=says_limit, at_once=at_once)
    with serve(batches) as server:
        ask_each(connect(server, store=store), questions(31))
        refused = batches.statuses.count("failed")

    assert_paid_once(server, 31)
    assert batches.most_enqueued <= 600
    assert refused <= 5
    assert on_their_way(store) == []


def test_a_question_larger_than_the_account_allows_is_missing_and_the_others_are_there():
    with serve(Batches(enqueued_limit=300)) as server:
        llm = connect(server)
        big = Request("q-1", (Message("user", "word " * 600),), 40)
        answers = ask_each(llm, (*questions(4), big))
    assert [hasattr(answer, "text") for answer in answers] == [True] * 4 + [False]
    assert "more than the account's limit allows" in answers[-1].reason
    assert_paid_once(server, 4)


# Interrupted, killed, and taken up again


def test_a_reply_that_is_lost_makes_no_second_batch():
    with serve(Batches(fates={0: "lost_reply"})) as server:
        found = annotate(connect(server))
    assert_whole(found)
    assert_paid_once(server)
    assert server.batches.made == 1


def test_a_name_that_cannot_be_noted_ends_the_run_and_is_found_by_the_next(tmp_path):
    path = tmp_path / "answers.sqlite"

    class Full(AnswerStore):
        def transaction(self):
            if server.batches.made:
                raise StoredFileError("the disk is full: make room")
            return super().transaction()

    with serve() as server:
        with pytest.raises(StoredFileError, match="disk is full"):
            annotate(connect(server, store=Full.open(path)))
        found = annotate(connect(server, store=AnswerStore.open(path)))

    assert_whole(found)
    assert_paid_once(server)
    assert server.batches.made == 1


def test_a_batch_that_was_noted_but_never_made_is_sent_by_the_next_run():
    store, requests = AnswerStore.in_memory(), questions(4)
    with serve() as server:
        llm = connect(server, store=store)
        rows = [
            BatchRow(request_key(one, llm.identity), "q-1", request_json(one, llm.identity))
            for one in requests
        ]
        noted = record(provider="local", model=MODEL, created_at=server.clock.wall())
        BatchRecords(store).prepare(noted, rows, lease_s=3600)
        BatchRecords(store).let_go(noted.digest)
        ask_each(llm, requests)
    assert_paid_once(server, 4)
    assert server.batches.sizes == [3]


def child(server, path, **options):
    arguments = {
        "base_url": server.base_url, "store": str(path), "n": 12, "factor": FACTOR, "mode": "batch",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, str(CHILD), json.dumps(arguments | options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.parametrize("fate", ["silent", pytest.param("", marks=pytest.mark.slow)])
def test_a_process_killed_before_or_after_it_knew_the_batch_pays_once(fate, tmp_path):
    path = tmp_path / "answers.sqlite"
    documents = [f"Guest {i} of many, at table {i % 7}." for i in range(12)]
    with serve(Batches(fates={0: fate}, answer_s=1e9)) as server:
        process = child(server, path)
        until(lambda: server.batches.statuses == ["in_progress"], seconds=120)
        until(lambda: server.batches.polls or fate)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(on_their_way(AnswerStore.open(path))) == 1
        server.clock.advance(1e9)
        found = annotate(connect(server, store=AnswerStore.open(path)), documents)

    assert_whole(found)
    assert_paid_once(server)
    assert server.batches.made == 1


def test_ctrl_c_leaves_the_batch_at_the_provider_and_the_next_run_collects_it(tmp_path):
    path = tmp_path / "answers.sqlite"
    with serve(Batches(answer_s=1e9)) as server:
        llm = connect(server, store=AnswerStore.open(path), prices={MODEL: (100.0, 200.0)})

        def press():
            until_waiting(server)
            _thread.interrupt_main()

        threading.Thread(target=press, daemon=True).start()
        with pytest.raises(Interrupted) as stopped:
            ask_each(llm, questions(5))
        assert [hasattr(answer, "text") for answer in stopped.value.partial].count(True) == 1
        assert "4 questions are being answered at the provider (batch_0)" in str(stopped.value)
        assert 'the next run with mode="batch"' in str(stopped.value)

        assert (
            connect(server, store=AnswerStore.open(path))
            .estimate(Plan("Asking", questions(5)))
            .calls
            == 0
        )
        server.clock.advance(1e9)
        ask_each(llm, questions(5))  # the same object: what it had set aside is settled
        budget = llm._budget
    assert (budget.reserved, budget.spent) == pytest.approx((0.0, llm.usage.cost_usd))
    assert_paid_once(server, 5)
    assert server.batches.made == 1


def test_a_cancelled_task_leaves_the_batch_at_the_provider():
    store = AnswerStore.in_memory()
    with serve(Batches(answer_s=1e9)) as server:

        async def go():
            llm = connect(server, store=store)
            task = asyncio.create_task(
                LLMAnnotator(llm, check=0).annotate_async(DOCUMENTS, CONCEPTS)
            )
            await asyncio.to_thread(until_waiting, server)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        asyncio.run(go())
        server.clock.advance(1e9)
        assert_whole(annotate(connect(server, store=store)))
    assert_paid_once(server)
    assert server.batches.made == 1


def test_a_run_that_asks_for_less_keeps_the_whole_batch():
    store = AnswerStore.in_memory()
    with serve(Batches(answer_s=1e9)) as server:
        stop_when_sent(server, connect(server, store=store))
        server.clock.advance(1e9)
        assert_whole(annotate(connect(server, store=store), DOCUMENTS[-2:]))
        assert on_their_way(store) == []
        polls = server.batches.polls
        assert_whole(annotate(connect(server, store=store)))
    assert server.batches.polls == polls
    assert_paid_once(server)


def stop_when_sent(server, llm):
    def press():
        until_waiting(server)
        _thread.interrupt_main()

    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(Interrupted):
        annotate(llm)


def test_two_processes_send_one_batch_and_both_have_all(tmp_path):
    path = tmp_path / "answers.sqlite"
    results = []
    with serve() as server:

        def go():
            results.append(annotate(connect(server, store=AnswerStore.open(path))))

        threads = [threading.Thread(target=go) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(results) == 2
    for found in results:
        assert_whole(found)
    assert_paid_once(server)
    assert server.batches.made == 1
    assert server.batches.sizes[0] in (10, 11)  # each may have asked one alone


def test_a_batch_of_another_account_is_named_and_nothing_is_paid_twice():
    store = AnswerStore.in_memory()
    with serve(Batches(answer_s=1e9)) as server:
        stop_when_sent(server, connect(server, store=store))
    with serve() as other, pytest.raises(LLMError, match="batch_0.*not known to this account"):
        annotate(connect(other, store=store))
    assert other.stats().billed == 0
    assert BatchRecords(store).forget("batch_0") == 11
    with serve() as other:
        assert_whole(annotate(connect(other, store=store)))


def test_an_outage_while_waiting_is_sat_out():
    with serve(Batches(answer_s=2000.0)) as server:
        store = AnswerStore.in_memory()

        def fail():
            until_waiting(server)
            server.down()
            server.clock.wait(600)
            server.up()

        thread = threading.Thread(target=fail, daemon=True)
        thread.start()
        found = annotate(connect(server, store=store))
        thread.join(10)
    assert_whole(found)
    assert_paid_once(server)


# Call by call and in batches


@pytest.mark.parametrize("modes", [("live", "batch"), ("batch", "live")])
def test_answers_of_one_way_are_answers_of_the_other(modes):
    store = AnswerStore.in_memory()
    with serve() as server:
        annotate(connect(server, store=store, mode=modes[0]))
        before = (server.stats().requests, server.batches.made)
        assert_whole(annotate(connect(server, store=store, mode=modes[1])))
    assert (server.stats().requests, server.batches.made) == before


def test_asking_live_what_is_in_a_batch_is_warned_of():
    store = AnswerStore.in_memory()
    with serve(Batches(answer_s=1e9)) as server:
        stop_when_sent(server, connect(server, store=store))
        with pytest.warns(UserWarning, match="11 of these questions are in batches"):
            annotate(connect(server, store=store, mode="live"))
    assert on_their_way(store) == []


# Servers and arguments


def test_a_server_without_batches_is_said_to_have_none():
    said = 'has no batches .HTTP 404.: leave mode="batch"'
    with FaultServer(TRUTH, clock=FastClock(FACTOR)) as server, pytest.raises(LLMError, match=said):
        annotate(connect(server))
    assert server.stats().requests == 0


def test_a_server_that_is_not_there_is_named():
    with serve() as server:
        pass
    with pytest.raises(LLMError, match="cannot be reached"):
        annotate(connect(server))


def test_a_wrong_key_is_said_to_be_and_not_shown():
    with (
        serve(keys={"sk-other"}) as server,
        pytest.raises(LLMError, match="accept the key") as said,
    ):
        annotate(connect(server))
    assert KEY not in str(said.value)


def test_a_mode_that_is_none_is_refused():
    with pytest.raises(InputError, match="mode must be one of live, batch, but got 'later'"):
        OpenAILLM(MODEL, mode="later", api_key=KEY)


def test_a_shared_budget_is_not_held_up_by_a_batch_left_behind():
    budget = Budget(50.0)
    with serve(Batches(answer_s=1e9)) as server:
        options = {"prices": {MODEL: (100.0, 200.0)}, "max_cost": budget}
        stop_when_sent(server, connect(server, **options))
        assert budget.reserved == pytest.approx(0.0)
        assert budget.spent > 0
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ask_each(connect(server, mode="live", **options), questions(2))
    assert budget.spent <= budget.limit


# The store


def record(digest="d1", **options):
    given = {"provider": "p", "model": "m", "quirks": {}, "tokens": 1.0, "n_requests": 2}
    return BatchRecord(digest, **({"created_at": 1.0} | given | options))


def test_a_key_is_in_one_batch_at_most(tmp_path):
    path = tmp_path / "answers.sqlite"
    ours, theirs = (BatchRecords(AnswerStore.open(path)) for _ in range(2))
    rows = [BatchRow(key, "q-1", "{}") for key in "abc"]

    assert ours.prepare(record("d1"), rows[:2], lease_s=60) == {"a", "b"}
    assert theirs.prepare(record("d2"), rows, lease_s=60) == {"c"}
    assert theirs.prepare(record("d3"), rows, lease_s=60) == frozenset()

    assert Counter(theirs.digests("p", "m").values()) == {"d1": 2, "d2": 1}
    assert not theirs.take_over("d1", lease_s=60)  # it is being sent just now
    ours.let_go("d1")
    assert theirs.take_over("d1", lease_s=60)
    assert theirs.forget("d1") == 2
    assert [found.digest for found in ours.on_their_way("p", "m")] == ["d2"]


def test_a_question_is_read_back_from_the_store_as_it_was():
    request = Request(
        "q-1",
        (Message("system", "Say."), Message("user", "Ünï \ud800")),
        40,
        schema={"type": "object", "properties": {"b": {}, "a": {}}},
        sample=2,
        parameters={"top_p": 0.5},
    )
    assert read_request(request_json(request, {"model": "m"}), kind="q-1") == request


def test_a_key_that_another_process_asks_is_left_out_of_a_batch(tmp_path):
    path = tmp_path / "answers.sqlite"
    ours, theirs = AnswerStore.open(path), AnswerStore.open(path)
    assert theirs.claim("a", 60)
    rows = [BatchRow(key, "q-1", "{}") for key in "ab"]
    assert BatchRecords(ours).prepare(record(), rows, lease_s=60) == {"b"}
