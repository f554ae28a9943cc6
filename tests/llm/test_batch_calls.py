"""Batches found by their mark, in a list of many."""

import asyncio
import json

import pytest
from fast_clock import FastClock

from interp_embed._servers import ServerAddress
from interp_embed.llm.batch_calls import BatchCalls
from interp_embed.llm.run_state import RunState
from interp_embed.llm.transport import Reply

NOW = 1_000_000


class Listed:
    """A provider with many batches, one a minute, the newest first."""

    def __init__(self, n):
        self.batches = [
            {"id": f"b{i}", "status": "completed", "created_at": NOW - 60 * i,
             "metadata": {"interp_embed": f"digest {i}"} if i % 2 == 0 else None}
            for i in range(n)
        ]  # fmt: skip
        self.pages = 0

    async def listed(self, *, after, limit):
        self.pages += 1
        start = 0 if after is None else int(after[1:]) + 1
        page = self.batches[start : start + limit]
        return Reply(200, json.dumps({"data": page, "has_more": True}))


def find(provider, digest, since):
    async def go():
        state = RunState(ServerAddress("http://localhost/v1", "k"), FastClock())
        calls = BatchCalls(provider, state, stop=state.stop, timeout_s=10.0, seed=0)
        return await calls.find(digest, since=since)

    return asyncio.run(go())


@pytest.mark.parametrize(("number", "pages"), [(0, 1), (98, 1), (100, 2), (248, 3)])
def test_a_batch_is_found_on_whatever_page(number, pages):
    provider = Listed(250)
    assert find(provider, f"digest {number}", NOW - 60 * 250).batch_id == f"b{number}"
    assert provider.pages == pages


def test_pages_older_than_the_batch_are_not_read():
    provider = Listed(1000)
    assert find(provider, "another", NOW - 60) is None
    assert provider.pages == 1
    assert find(Listed(0), "another", NOW) is None
