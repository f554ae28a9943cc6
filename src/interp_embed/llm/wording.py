"""What a run says while it goes on, on the standard error stream."""

import sys

from tqdm.auto import tqdm

from interp_embed.llm.records import Usage


def say(text: str) -> None:
    """Write a line to the standard error stream, beside any progress bar."""
    tqdm.write(text, file=sys.stderr)


def describe_usage(usage: Usage, under_way: int) -> str:
    """Return what a progress bar shows beside the count."""
    told = [f"{under_way} under way"]
    if usage.cached:
        told.append(f"{usage.cached:,} stored")
    if usage.failed:
        told.append(f"{usage.failed:,} failed")
    if usage.limited:
        told.append(f"{usage.limited:,} x 429")
    return ", ".join(told) + say_money(usage)


def say_money(usage: Usage) -> str:
    """Return what was spent, to be put after something; empty for nothing."""
    return f", ${usage.cost_usd:,.2f}" if usage.cost_usd else ""
