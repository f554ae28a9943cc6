"""What questions will take, before the first is sent."""

from collections.abc import Sequence

from interp_embed.llm.batch_desk import batch_price
from interp_embed.llm.batch_sender import BatchSender
from interp_embed.llm.buckets import Cost
from interp_embed.llm.records import CostEstimate, Request, TokenUse
from interp_embed.llm.sender import Sender


def estimate_questions(
    new: Sequence[Request],
    *,
    sender: Sender | BatchSender,
    headroom: int,
    cached: int,
    on_their_way: int = 0,
) -> CostEstimate:
    """Return calls, tokens, dollars and minutes, with what is known of prices and limits.

    Args:
        new: Questions that will be asked.
        sender: Who will ask them.
        headroom: Hidden tokens added to every ceiling.
        cached: Questions whose answer is stored.
        on_their_way: Questions in batches sent before.
    """
    expect, server = sender.expectations, sender.server
    prompt, completion = _tokens(sender, new)
    use = TokenUse(round(prompt), round(completion))
    note = "price not known" if server.price is None else server.price.note
    cost = None if server.price is None else server.price.cost(use)
    seconds, limit = 0.0, ""
    if isinstance(sender, BatchSender):
        note += ", at half the price in batches answered within a day"
        if on_their_way:
            note += f"; {on_their_way:,} more questions are in batches sent earlier"
        price = batch_price(server.price)
        first = {request.kind: request for request in new if not expect.has_seen(request.kind)}
        alone = TokenUse(*map(round, _tokens(sender, list(first.values()))))
        if price is not None:  # the first of a kind is asked alone, which costs it twice
            costs = price.cost(use), price.cost(alone)
            cost = None if None in costs else sum(one or 0.0 for one in costs)
    elif new:
        ceiling = sum(request.max_tokens for request in new) + len(new) * headroom
        mean: Cost = {"requests": 1.0, "tokens": (prompt + ceiling) / len(new)}
        seconds, limit = sender.limiter.seconds_for(len(new), mean)
    return CostEstimate(
        calls=len(new),
        cached=cached,
        prompt_tokens=round(prompt),
        completion_tokens=round(completion),
        cost_usd=cost,
        price_note=note,
        minutes=seconds / 60 if limit else None,
        limit=limit,
    )


def _tokens(sender: Sender | BatchSender, requests: Sequence[Request]) -> tuple[float, float]:
    expect = sender.expectations
    prompt = sum(map(expect.prompt_tokens, requests))
    return prompt, sum(map(expect.completion_tokens, requests))
