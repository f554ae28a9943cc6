from datetime import UTC, date, datetime

import pytest

from interp_embed._files import read_json
from interp_embed.errors import InputError
from interp_embed.llm.prices import PRICES_AS_OF, TABLE_PATH, Price, call_cost, find_price
from interp_embed.llm.records import TokenUse

TODAY = date(2026, 11, 22)
TABLE = read_json(TABLE_PATH)


def price(provider, model, prices=None):
    return find_price(provider, model, prices, today=TODAY)


def test_a_cost_by_hand():
    # 1,000 tokens in, of them 400 cached, 100 out, at 2, 0.5 and 10 dollars a million
    use = TokenUse(1_000, 100, 400)
    assert Price(2.0, 10.0, 0.5).cost(use) == pytest.approx((600 * 2 + 400 * 0.5 + 100 * 10) / 1e6)
    assert Price(2.0, 10.0).cost(use) == pytest.approx((1_000 * 2 + 100 * 10) / 1e6)


def test_a_call_without_counts_has_no_cost():
    assert Price(2.0, 10.0).cost(TokenUse(1_000, None)) is None
    assert Price(2.0, 10.0).cost(TokenUse(None, 100)) is None


def test_a_prompt_too_long_for_the_price_has_no_cost():
    short_only = Price(2.0, 10.0, max_prompt_tokens=1_000)
    assert short_only.cost(TokenUse(1_000, 0)) == pytest.approx(0.002)
    assert short_only.cost(TokenUse(1_001, 0)) is None


def test_what_the_provider_reports_comes_first():
    use = TokenUse(1_000, 100, cost_usd=0.5)
    assert call_cost(use, Price(2.0, 10.0)) == 0.5
    assert call_cost(use, None) == 0.5
    assert call_cost(TokenUse(1_000, 100), Price(2.0, 10.0)) == pytest.approx(0.003)
    assert call_cost(TokenUse(1_000, 100), None) is None


def test_the_shipped_table_has_known_prices():
    found = price("openai", "gpt-4o-mini")
    assert (found.input, found.output, found.cached_input) == (0.15, 0.6, 0.075)
    assert found.note == f"prices of {PRICES_AS_OF}"
    assert price("openrouter", "openai/gpt-4o").input == 2.5
    assert price("api.anthropic.com", "claude-haiku-4-5").output == 5.0


def test_a_dated_name_has_the_price_of_the_undated_one_unless_it_is_listed():
    assert price("openai", "gpt-4o-2024-08-06") == price("openai", "gpt-4o")
    assert price("openai", "gpt-4o-2024-05-13").input == 5.0
    assert price("openrouter", "openai/gpt-4o-mini-2024-07-18").input == 0.15
    assert price("api.anthropic.com", "claude-haiku-4-5-20251001").input == 1.0


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-99"),
        ("openai", "gpt-4o-mini-audio"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:mine::id"),
        ("openrouter", "gpt-4o"),
        ("openrouter", "openai/gpt-4o:nitro"),
        ("my-proxy.example.org", "gpt-4o"),
    ],
)
def test_an_unknown_model_has_no_price(provider, model):
    assert price(provider, model) is None


def test_a_price_that_has_ended_is_none():
    assert find_price("api.groq.com", "llama-3.1-8b-instant", today=date(2099, 1, 1)) is not None
    ending = [
        (provider, model, date.fromisoformat(entry["until"]))
        for provider, entries in TABLE["models"].items()
        for model, entry in entries.items()
        if "until" in entry
    ]
    hosts = {name: host for host, name in TABLE["hosts"].items()}
    for provider, model, until in ending:
        where = hosts.get(provider, provider)
        assert find_price(where, model, today=until) is None
        assert find_price(where, model, today=date.fromordinal(until.toordinal() - 1)) is not None


def test_a_server_of_ones_own_costs_nothing():
    assert price("local", "anything").cost(TokenUse(1_000, 100)) == 0.0


def test_the_users_prices_win():
    mine = {"gpt-4o": (1, 2), "served": (3.0, 4.0, 0.5)}
    assert price("openai", "gpt-4o", mine) == Price(1.0, 2.0, note="your prices")
    assert price("openai", "gpt-4o-2024-08-06", mine).input == 1.0
    assert price("openrouter", "openai/gpt-4o", mine).input == 1.0
    assert price("local", "served", mine).cached_input == 0.5
    assert price("openai", "gpt-4o-mini", mine).input == 0.15


@pytest.mark.parametrize("wrong", [(1,), (1, 2, 3, 4), (1, -2), (1, float("nan")), ("a", 2), 3])
def test_a_wrong_price_is_refused(wrong):
    with pytest.raises(InputError, match="price of 'm' must be two or three numbers >= 0.*but got"):
        price("openai", "m", {"m": wrong})


def test_the_table_is_sane():
    entries = [entry for models in TABLE["models"].values() for entry in models.values()]

    assert len(entries) >= 50
    assert all(entry["input"] > 0 and entry["output"] >= entry["input"] for entry in entries)
    assert all(entry["output"] < 200 for entry in entries)
    assert all(entry.get("cached_input", 0) <= entry["input"] for entry in entries)
    assert "MIT" in TABLE["licence"]
    assert "genai-prices" in TABLE["source"]
    assert set(TABLE["hosts"].values()) <= set(TABLE["models"])


@pytest.mark.slow
def test_the_table_is_newer_than_90_days():
    age = datetime.now(UTC).date() - date.fromisoformat(PRICES_AS_OF)
    assert age.days <= 90, f"prices are of {PRICES_AS_OF}; run scripts/make_price_table.py"
