"""How many calls go out at once: the regressions of an earlier prototype, kept as tests."""

import math

from interp_embed.llm.concurrency import Concurrency

INF = math.inf


def test_the_first_call_goes_alone():
    assert Concurrency(100).cap(INF, 0.0) == 1


def test_with_a_known_rate_it_is_rate_times_latency_and_half_as_many_more():
    steady = Concurrency(100)
    steady.answer(latency=2.0, under_way=1, now=0.0)

    assert steady.cap(per_second=10.0, fullness=0.0) == 30


def test_full_buckets_are_emptied_quickly_but_not_after_a_refusal():
    eager = Concurrency(1000)
    eager.answer(latency=2.0, under_way=1, now=0.0)
    assert eager.cap(per_second=10.0, fullness=1.0) == 190

    eager.bursts = False
    assert eager.cap(per_second=10.0, fullness=1.0) == 30


def test_a_server_that_answers_ever_more_slowly_is_not_sent_ever_more():
    starved = Concurrency(1000)
    for step in range(400):
        starved.answer(latency=1.0 + step / 10, under_way=int(starved.limit), now=float(step))

    assert starved.limit < 40


def test_a_burst_of_refusals_cuts_once():
    burst = Concurrency(100, limit=50.0)
    for _ in range(30):
        burst.refuse(now=100.0)

    assert burst.limit == 35.0


def test_after_a_cut_it_stays_near_what_failed_until_five_clean_minutes():
    careful = Concurrency(1000, limit=50.0)
    careful.refuse(now=0.0)
    for _ in range(5000):
        careful.answer(latency=1.0, under_way=1000, now=10.0)
    assert careful.limit <= 55.001

    for _ in range(5000):
        careful.answer(latency=1.0, under_way=1000, now=301.0)
    assert careful.limit > 60.0


def test_a_few_unrelated_hangs_change_nothing():
    hung = Concurrency(100, limit=40.0)
    for call in range(60):
        if call % 12 == 0:
            hung.time_out(now=float(call))
        else:
            hung.answer(latency=1.0, under_way=1, now=float(call))

    assert hung.limit == 40.0


def test_many_timeouts_cut():
    drowned = Concurrency(100, limit=40.0)
    for call in range(30):
        drowned.time_out(now=float(call))

    assert drowned.limit < 40.0
