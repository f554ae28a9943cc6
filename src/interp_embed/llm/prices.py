"""What a call costs: by the user's prices, or by a dated table; never by a guess."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from interp_embed._files import read_json
from interp_embed.errors import InputError
from interp_embed.llm.records import TokenUse
from interp_embed.records import Json

TABLE_PATH = Path(__file__).with_name("prices.json")

_TABLE: Mapping[str, Json] = read_json(TABLE_PATH)
PRICES_AS_OF: str = _TABLE["as_of"]
"""Day of the last price change that the shipped table knows of."""

_DATE = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8})$")
_EXAMPLE = 'prices={"gpt-4o-mini": (0.15, 0.60)} or, with cached input, (0.15, 0.60, 0.075)'


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, US dollars for a million tokens."""

    input: float
    output: float
    cached_input: float | None = None
    """None where it is not known; cached tokens then count in full, which is never too low."""
    max_prompt_tokens: int | None = None
    """Longer prompts cost more than this; None where the length does not matter."""
    note: str = ""
    """Where it is from, such as ``prices of 2026-11-09``."""

    def cost(self, use: TokenUse) -> float | None:
        """Return the dollars of a call, by its tokens; None where that cannot be told.

        1,000 tokens in and 100 out at (2, 10) -> 0.003
        """
        if use.prompt_tokens is None or use.completion_tokens is None:
            return None
        if self.max_prompt_tokens is not None and use.prompt_tokens > self.max_prompt_tokens:
            return None
        cached = min(use.cached_tokens or 0, use.prompt_tokens)
        cached_price = self.input if self.cached_input is None else self.cached_input
        fresh = use.prompt_tokens - cached
        dollars = fresh * self.input + cached * cached_price + use.completion_tokens * self.output
        return dollars / 1e6


def call_cost(use: TokenUse, price: Price | None) -> float | None:
    """Return the dollars of a call: what the provider says, or else by its tokens, or None."""
    if use.cost_usd is not None:
        return use.cost_usd
    return None if price is None else price.cost(use)


def find_price(
    provider: str,
    model: str,
    prices: Mapping[str, tuple[float, ...]] | None = None,
    *,
    today: date | None = None,
) -> Price | None:
    """Return the price of a model, or None where it is not known.

    A dated name (``gpt-4o-2024-08-06``) has the price of the undated one, unless it is listed
    itself.

    Args:
        provider: ``openai``, ``openrouter``, ``local`` or a host, as of ``ServerAddress``.
        model: Its name there.
        prices: The user's own, dollars for a million tokens by model: (input, output) or (input,
            output, cached input). They win.
        today: For prices that are known to end; None for now.

    Raises:
        InputError: The user's price is no two or three numbers >= 0.
    """
    names = _names(model)
    for name in (*names, *_names(model.rpartition("/")[2])):
        if prices is not None and name in prices:
            return _own_price(name, prices[name])
    if provider == "local":
        return Price(0.0, 0.0, note="a server of one's own")
    listed = _TABLE["models"].get(_TABLE["hosts"].get(provider, provider), {})
    entry = next((listed[name] for name in names if name in listed), None)
    if entry is None or _has_ended(entry, today or datetime.now(UTC).date()):
        return None
    return Price(
        entry["input"],
        entry["output"],
        entry.get("cached_input"),
        entry.get("max_prompt_tokens"),
        f"prices of {PRICES_AS_OF}",
    )


def _names(model: str) -> tuple[str, ...]:
    undated = _DATE.sub("", model)
    return (model,) if undated == model else (model, undated)


def _own_price(model: str, numbers: tuple[float, ...]) -> Price:
    try:
        values = [float(number) for number in numbers]
    except (TypeError, ValueError):
        values = []
    if len(values) not in (2, 3) or not all(math.isfinite(x) and x >= 0 for x in values):
        raise InputError(
            f"the price of {model!r} must be two or three numbers >= 0, dollars for a million "
            f"tokens of input, output and cached input, but got {numbers!r}; for example {_EXAMPLE}"
        )
    return Price(values[0], values[1], values[2] if len(values) == 3 else None, note="your prices")


def _has_ended(entry: Mapping[str, Json], today: date) -> bool:
    return "until" in entry and today >= date.fromisoformat(entry["until"])
