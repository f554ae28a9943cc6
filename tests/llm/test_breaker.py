"""A server in trouble is paused, probed, and given up in the end; so is one that is not there."""

import asyncio
import threading

import pytest

from interp_embed.errors import InputError
from interp_embed.llm.breaker import Breaker
from interp_embed.llm.budget import Budget


def test_ten_troubles_in_a_row_pause_everybody_and_five_minutes_end_the_run():
    breaker = Breaker(has_answered=True)
    advice = [breaker.fail(now=float(t), unreachable=False) for t in range(10)]
    assert advice == ["go on"] * 9 + ["pause"]

    assert breaker.fail(now=301.0, unreachable=False) == "give up"


def test_an_answer_ends_the_row():
    breaker = Breaker()
    for t in range(9):
        breaker.fail(now=float(t), unreachable=False)
    breaker.answer()

    assert breaker.fail(now=1000.0, unreachable=False) == "go on"


def test_a_server_that_never_answered_is_given_up_within_fifteen_seconds():
    breaker, waited, advice = Breaker(), 0.0, "pause"
    while advice == "pause":
        advice = breaker.fail(now=waited, unreachable=True)
        waited += breaker.pause_s

    assert advice == "not there"
    assert waited < 15.0


def test_the_worst_case_is_set_aside_so_that_the_limit_holds():
    async def spend():
        budget = Budget(limit=1.0)
        assert await budget.reserve(0.6)
        second = asyncio.create_task(budget.reserve(0.6))
        await asyncio.sleep(0)
        assert not second.done()  # the first may turn out cheaper

        budget.settle(0.6, spent=0.1)
        assert await second
        budget.settle(0.6, spent=0.6)
        assert not await budget.reserve(0.6)
        return budget.spent

    assert asyncio.run(spend()) == 0.7


def test_a_budget_shared_by_two_loops_holds_for_both():
    budget, events = Budget(limit=1.0), []

    async def first():
        assert await budget.reserve(0.9)
        events.append("first")
        while len(events) < 2:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        events.append("settled")
        budget.settle(0.9, spent=0.2)

    async def second():
        while not events:
            await asyncio.sleep(0.005)
        events.append("waits")
        assert await budget.reserve(0.7)
        events.append("second")
        budget.settle(0.7, spent=0.7)
        assert not await budget.reserve(0.2)

    threads = [threading.Thread(target=asyncio.run, args=(work(),)) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)

    assert events == ["first", "waits", "settled", "second"]
    assert budget.spent == pytest.approx(0.9)


def test_a_budget_of_nothing_lets_no_call_out_even_where_calls_are_free():
    assert not asyncio.run(Budget(limit=0.0).reserve(0.0))


@pytest.mark.parametrize("limit", [-1.0, float("nan")])
def test_a_limit_that_is_no_amount_is_refused(limit):
    with pytest.raises(InputError, match="max_cost must be dollars, at least 0, but got"):
        Budget(limit)
