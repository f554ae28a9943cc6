"""Write src/interp_embed/llm/prices.json from the installed genai-prices package (MIT).

Run it before a release, in an environment of its own, since the library does not need the package:

    python -m venv .venv-prices && .venv-prices/bin/pip install genai-prices
    .venv-prices/bin/python scripts/make_price_table.py
"""

import argparse
import json
import re
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices import data, types

TABLE = Path(__file__).parents[1] / "src" / "interp_embed" / "llm" / "prices.json"
DATED = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8})$")

HOSTS = {
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "google",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
}
"""Hosts with an OpenAI-compatible address, and their names in the source."""

MODELS = {
    "openai": (
        "gpt-3.5-turbo gpt-4-turbo gpt-4.1 gpt-4.1-mini gpt-4.1-nano gpt-4o gpt-4o-mini gpt-5 "
        "gpt-5-mini gpt-5-nano gpt-5.1 gpt-5.2 gpt-5.4 gpt-5.4-mini gpt-5.4-nano gpt-5.5 "
        "gpt-5.6-luna gpt-5.6-sol gpt-5.6-terra gpt-6-luna gpt-6-sol gpt-6.1-sol gpt-6.1-terra "
        "o1 o3 o3-mini o4-mini"
    ),
    "openrouter": (
        "anthropic/claude-haiku-4.5 anthropic/claude-haiku-5.5 anthropic/claude-sonnet-4.5 "
        "anthropic/claude-sonnet-5.5 deepseek/deepseek-chat-v3.1 deepseek/deepseek-v3.2 "
        "google/gemini-2.5-flash google/gemini-2.5-flash-lite google/gemini-3.5-flash "
        "google/gemini-3.8-flash google/gemma-4-31b-it meta-llama/llama-3.1-8b-instruct "
        "meta-llama/llama-3.3-70b-instruct meta-llama/llama-4-maverick "
        "mistralai/mistral-small-3.2-24b-instruct openai/gpt-4.1-mini openai/gpt-4.1-nano "
        "openai/gpt-4o openai/gpt-4o-mini openai/gpt-5-mini openai/gpt-5-nano "
        "openai/gpt-5.4-mini openai/gpt-6-luna openai/gpt-oss-120b openai/gpt-oss-20b "
        "qwen/qwen-2.5-72b-instruct qwen/qwen3-32b qwen/qwen3.8-flash z-ai/glm-5.3-flash"
    ),
    "anthropic": "claude-haiku-4-5 claude-haiku-5-5 claude-sonnet-4-5 claude-sonnet-5-5",
    "google": (
        "gemini-2.5-flash gemini-2.5-flash-lite gemini-2.5-pro gemini-3.5-flash gemini-3.8-flash"
    ),
    "groq": "llama-3.1-8b-instant llama-3.3-70b-versatile openai/gpt-oss-120b openai/gpt-oss-20b",
    "mistral": "mistral-large-2512 mistral-medium-3-5 mistral-small-2603",
}


def main() -> None:
    """Read the package, write the table, say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--today", type=date.fromisoformat, default=datetime.now(UTC).date())
    today = parser.parse_args().today
    providers = {provider.id: provider for provider in data.providers}
    models = {
        name: listed_prices(providers[name], wanted.split(), today)
        for name, wanted in MODELS.items()
    }
    table = {
        "source": f"genai-prices {version('genai-prices')}, https://github.com/pydantic/genai-prices",
        "licence": "MIT, Copyright (c) Pydantic Services Inc. 2025 to present",
        "unit": "US dollars for 1,000,000 tokens",
        "as_of": newest_change(today).isoformat(),
        "hosts": HOSTS,
        "models": models,
    }
    TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(f"{sum(map(len, models.values()))} models as of {table['as_of']} in {TABLE}")


def listed_prices(provider: types.Provider, wanted: list[str], today: date) -> dict[str, Any]:
    """Return the entries of the models wanted and of their dated names that cost something else."""
    listed = {model.id: model for model in provider.models}
    missing = [name for name in wanted if name not in listed]
    if missing:
        raise SystemExit(f"{provider.id} has no {', '.join(missing)} any more: change MODELS")
    dated = [name for name in listed if DATED.sub("", name) in wanted and name not in wanted]
    entries = {}
    for name in sorted([*wanted, *dated]):
        entry = price_on(listed[name].prices, today)
        if entry is None:
            print(f"left out, as it has no single price: {provider.id} {name}")
        else:
            entries[name] = entry
    return entries


def price_on(prices: Any, today: date) -> dict[str, Any] | None:  # noqa: ANN401 - of two types
    """Return the entry of the price in force on a day; None where it depends on the hour."""
    until = None
    if isinstance(prices, list):
        starts = [(starts_on(conditional.constraint), conditional.prices) for conditional in prices]
        if any(start is None for start, _ in starts):
            return None
        later = [start for start, _ in starts if start > today]
        until = min(later) if later else None
        prices = max((pair for pair in starts if pair[0] <= today), key=lambda pair: pair[0])[1]
    parts = {
        "input": prices.input_mtok,
        "output": prices.output_mtok,
        "cached_input": getattr(prices, "cache_read_mtok", None),
    }
    if parts["input"] is None or parts["output"] is None:
        return None
    tiers = [
        tier.start
        for price in parts.values()
        if isinstance(price, types.TieredPrices)
        for tier in price.tiers
    ]
    entry = {
        name: float(getattr(price, "base", price))
        for name, price in parts.items()
        if price is not None
    }
    if tiers:
        entry["max_prompt_tokens"] = min(tiers)
    return entry | ({"until": until.isoformat()} if until else {})


def starts_on(constraint: Any) -> date | None:  # noqa: ANN401 - of several types
    """Return the day a price begins; None where that is no day."""
    if constraint is None:
        return date.min
    return getattr(constraint, "start_date", None)


def newest_change(today: date) -> date:
    """Return the day of the last price change the data know: they are at least that new."""
    days = [
        starts_on(conditional.constraint)
        for provider in data.providers
        for model in provider.models
        if isinstance(model.prices, list)
        for conditional in model.prices
    ]
    return max(day for day in days if day is not None and day <= today)


if __name__ == "__main__":
    main()
