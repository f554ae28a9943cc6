"""What servers say of their limits is read where it makes sense, and ignored where it does not."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from interp_embed.llm.limits import (
    LimitReading,
    read_duration,
    read_limits,
    read_refusal,
    read_retry_after,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("92ms", 0.092),
        ("8.64s", 8.64),
        ("2m59.56s", 179.56),
        ("1h2m3s", 3723.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("6m and more", None),
    ],
)
def test_durations_in_the_ways_servers_write_them(text, seconds):
    assert read_duration(text) == (None if seconds is None else pytest.approx(seconds))


def headers(limit, remaining, reset, counted="requests"):
    return {
        f"x-ratelimit-limit-{counted}": limit,
        f"x-ratelimit-remaining-{counted}": remaining,
        f"x-ratelimit-reset-{counted}": reset,
    }


@pytest.mark.parametrize(
    ("limit", "remaining", "reset", "window"),
    [
        ("500", "499", "120ms", "minute"),  # 0.12 x 500 / 1 = 60 s
        ("14400", "14370", "2m59.56s", "day"),  # Groq's documented sample: 86,189 s
        ("10000", "9999", "8.64s", "day"),  # 86,400 s
        ("30000", "0", "1m0s", "minute"),
        ("500", "498", "37s", "minute"),  # a fixed window states the time to its end
        ("500", "500", "0s", "minute"),  # nothing used: cannot be told
    ],
)
def test_a_limit_by_the_day_is_told_from_how_slowly_it_refills(limit, remaining, reset, window):
    (reading,) = read_limits(headers(limit, remaining, reset))

    assert reading == LimitReading("requests", window, float(limit), float(remaining))


@pytest.mark.parametrize(
    ("limit", "remaining"),
    [("100", "200"), ("0", "0"), ("-1", "-1"), ("many", "few"), ("100", "-3"), ("nan", "1")],
)
def test_headers_that_make_no_sense_are_ignored(limit, remaining):
    assert read_limits(headers(limit, remaining, "1s")) == ()
    assert read_limits({}) == ()


def test_the_wait_asked_for_comes_in_milliseconds_seconds_or_as_a_date():
    now = datetime(2026, 11, 2, 12, tzinfo=UTC)
    date = format_datetime(now + timedelta(seconds=30), usegmt=True)

    def read(**given):
        named = {name.replace("_", "-"): value for name, value in given.items()}
        return read_retry_after(named, wall=now.timestamp())

    assert read(retry_after_ms="92") == pytest.approx(0.092)
    assert read(retry_after_ms="500", retry_after="7") == pytest.approx(0.5)
    assert read(retry_after="7") == 7.0
    assert read(retry_after=date) == pytest.approx(30.0)
    assert read(retry_after="tomorrow") is None
    assert read() is None


def test_the_text_of_a_refusal_names_limit_and_wait():
    refusal = read_refusal(
        "Rate limit reached for gpt-4o in organization org-X on tokens per min (TPM): Limit 30000, "
        "Used 27728, Requested 4825. Please try again in 5.106s. Visit the page to learn more."
    )

    assert refusal.reading == LimitReading("tokens", "minute", 30000.0, 2272.0)
    assert refusal.requested == 4825.0
    assert refusal.again_s == pytest.approx(5.106)

    by_day = read_refusal("on requests per day (RPD): Limit 10000, Used 10000, Requested 1. x")
    assert by_day.reading == LimitReading("requests", "day", 10000.0, 0.0)
    assert read_refusal("slow down please").reading is None
