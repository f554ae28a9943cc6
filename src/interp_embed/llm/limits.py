"""What servers say about their limits, in headers and in the text of a refusal."""

import email.utils
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Counted = Literal["requests", "tokens"]
Window = Literal["minute", "day"]

SECONDS: Mapping[Window, float] = {"minute": 60.0, "day": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|d|h|m|s)")
_UNIT_S = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_REFUSAL = re.compile(
    r"on (?P<counted>requests|tokens) per (?P<window>min|day)[^:]*: "
    r"Limit:? (?P<limit>[\d.]+)(?:[,/] ?Used:? (?P<used>[\d.]+))?"
    r"(?:, Requested:? (?P<requested>[\d.]+))?"
)
_AGAIN = re.compile(r"try again in ((?:\d+(?:\.\d+)?(?:ms|us|µs|d|h|m|s))+)")


@dataclass(frozen=True, slots=True)
class LimitReading:
    """One limit as a server stated it."""

    counted: Counted
    window: Window
    limit: float
    """Per window, > 0."""
    remaining: float
    """In [0, limit]."""


@dataclass(frozen=True, slots=True)
class LimitRefusal:
    """What the text of a 429 says."""

    reading: LimitReading | None
    requested: float | None
    """Tokens or requests this one call counts as."""
    again_s: float | None


def read_duration(text: str) -> float | None:
    """Return seconds; None for anything else.

    "6m0s" -> 360.0, "92ms" -> 0.092, "1.5" -> 1.5, "soon" -> None
    """
    text = text.strip().lower()
    try:
        seconds = float(text)
    except ValueError:
        parts = _DURATION.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            return None
        seconds = sum(float(number) * _UNIT_S[unit] for number, unit in parts)
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def read_retry_after(headers: Mapping[str, str], *, wall: float) -> float | None:
    """Return the seconds a server asks one to wait, from its headers.

    Args:
        headers: Names in lower case.
        wall: Seconds since 1970, for a date.
    """
    milliseconds = read_duration(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after", "")
    seconds = read_duration(asked)
    if seconds is None and asked:
        try:
            seconds = max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - wall)
        except ValueError:
            return None
    return seconds


def read_limits(headers: Mapping[str, str]) -> tuple[LimitReading, ...]:
    """Return the limits that headers state; what makes no sense is left out.

    Whether a limit is per minute or per day is told from how long it takes to be whole again:
    period = reset x limit / (limit - remaining).
    """
    found = []
    for counted in ("requests", "tokens"):
        limit = _number(headers.get(f"x-ratelimit-limit-{counted}"))
        remaining = _number(headers.get(f"x-ratelimit-remaining-{counted}"))
        if limit is None or remaining is None or limit <= 0 or not 0 <= remaining <= limit:
            continue
        reset = read_duration(headers.get(f"x-ratelimit-reset-{counted}", ""))
        found.append(LimitReading(counted, _window(limit, remaining, reset), limit, remaining))
    return tuple(found)


def _window(limit: float, remaining: float, reset: float | None) -> Window:
    used = limit - remaining
    if reset is None or used <= 0 or reset < 0.002:  # headers are rounded to milliseconds
        return "minute"
    period = reset * limit / used
    by_period: Window = (
        "day" if period > math.sqrt(SECONDS["minute"] * SECONDS["day"]) else "minute"
    )
    # A fixed window states the time to its end instead, however much of it is used.
    is_fixed = by_period == "day" and reset <= SECONDS["minute"] and period < SECONDS["day"] / 2
    return "minute" if is_fixed else by_period


def read_refusal(text: str) -> LimitRefusal:
    """Return what the message of a 429 says of the limit that was hit."""
    again = _AGAIN.search(text)
    again_s = read_duration(again.group(1)) if again else None
    match = _REFUSAL.search(text)
    if match is None:
        return LimitRefusal(None, None, again_s)
    limit = float(match["limit"])
    used = float(match["used"]) if match["used"] else limit
    reading = LimitReading(
        "requests" if match["counted"] == "requests" else "tokens",
        "day" if match["window"] == "day" else "minute",
        limit,
        min(limit, max(0.0, limit - used)),
    )
    requested = float(match["requested"]) if match["requested"] else None
    return LimitRefusal(reading if limit > 0 else None, requested, again_s)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
