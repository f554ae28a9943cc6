"""A server in trouble is paused, probed, and given up in the end; so is one that is not there."""

import asyncio

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
