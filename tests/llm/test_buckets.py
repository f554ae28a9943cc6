"""Buckets by hand: levels, waits, and what a reply's headers do to them."""

import math

import pytest

from interp_embed.llm.buckets import Buckets
from interp_embed.llm.limits import LimitReading


def cost(tokens):
    return {"requests": 1.0, "tokens": tokens}


def test_a_bucket_fills_at_an_even_rate():
    buckets = Buckets()
    buckets.set("tokens", "minute", 600.0, now=0.0)  # 10 a second

    buckets.take(cost(600.0))

    assert buckets.wait_s(cost(100.0), now=0.0) == pytest.approx(10.0)
    assert buckets.wait_s(cost(100.0), now=4.0) == pytest.approx(6.0)
    assert buckets.wait_s(cost(100.0), now=10.0) == 0.0
    assert buckets.wait_s(cost(600.0), now=1e6) == 0.0  # never more than full


def test_a_call_larger_than_the_bucket_waits_for_a_full_one_not_for_ever():
    buckets = Buckets()
    buckets.set("tokens", "minute", 60.0, now=0.0)
    buckets.take(cost(60.0))

    assert buckets.wait_s(cost(1000.0), now=0.0) == pytest.approx(60.0)


def test_what_a_reply_says_lacks_the_calls_sent_after_it():
    buckets = Buckets()
    reading = LimitReading("tokens", "minute", 1000.0, 900.0)

    buckets.read(reading, now=0.0, call=5, unseen={5: cost(100.0), 6: cost(200.0), 4: cost(50.0)})

    assert buckets.known["tokens", "minute"].level == 700.0


def test_replies_to_earlier_calls_are_old_news():
    buckets = Buckets()
    buckets.read(LimitReading("tokens", "minute", 1000.0, 300.0), now=0.0, call=9, unseen={})

    buckets.read(LimitReading("tokens", "minute", 1000.0, 900.0), now=0.0, call=3, unseen={})

    assert buckets.known["tokens", "minute"].level == 300.0


def test_a_lowered_limit_takes_its_part_from_the_level():
    buckets = Buckets()
    buckets.set("requests", "minute", 100.0, now=0.0)

    buckets.set("requests", "minute", 40.0, now=0.0)

    assert buckets.known["requests", "minute"].level == 40.0


def test_time_needed_is_that_of_the_limit_that_binds():
    buckets = Buckets()
    buckets.set("requests", "minute", 60.0, now=0.0)
    buckets.set("tokens", "minute", 6000.0, now=0.0)

    seconds, name = buckets.seconds_for(120, cost(1000.0), now=0.0)

    assert name == "6,000 tokens a minute"
    assert seconds == pytest.approx((120_000 - 6_000) / 100)
    assert math.isinf(Buckets().per_second(cost(1.0)))
