"""A model that says what a test scripts, with a store in memory."""

import asyncio
from types import SimpleNamespace

import pytest

from interp_embed._fingerprint import digest_settings
from interp_embed.errors import Interrupted
from interp_embed.llm.records import Answer, CostEstimate, Failure


class MemoryStore:
    def __init__(self):
        self.kept = {}

    def verdicts(self, judge, documents, concepts):
        return {
            (row, column): self.kept[judge, document, concept]
            for row, document in enumerate(documents)
            for column, concept in enumerate(concepts)
            if (judge, document, concept) in self.kept
        }

    def add_verdicts(self, judge, document, verdicts, *, call):
        for concept, verdict in verdicts.items():
            self.kept.setdefault((judge, document, concept), verdict)


class ScriptedLLM:
    """Jobs run one after the other; an answer given once is not asked for again."""

    model = "scripted"

    def __init__(self, answers, *, store=None, interrupt_after=None):
        self._answer = answers if callable(answers) else self._next
        self._script = iter(()) if callable(answers) else iter(answers)
        self._interrupt_after = interrupt_after
        self._calls = {}
        self.store = store or MemoryStore()
        self.identity = {"provider": "test", "model": self.model}
        self.requests = []
        self.plans = []

    def _next(self, _):
        return next(self._script)

    def _stopped(self):
        return self._interrupt_after is not None and len(self.requests) >= self._interrupt_after

    async def _ask(self, request):
        key = digest_settings(
            {
                "messages": [[m.role, m.content] for m in request.messages],
                "max_tokens": request.max_tokens,
                "schema": request.schema,
                "sample": request.sample,
                "parameters": dict(request.parameters),
                "temperature": request.temperature,
            }
        )
        if key in self._calls:
            return Answer(*self._calls[key], key, cached=True)
        if self._stopped():
            return Failure("stopped", "the run was stopped")
        self.requests.append(request)
        said = self._answer(request)
        if isinstance(said, Failure):
            return said
        text, reason = said if isinstance(said, tuple) else (said, "stop")
        self._calls[key] = (text, reason)
        return Answer(text, reason, key, cached=False)

    def run(self, jobs, plan):
        return asyncio.run(self.run_async(jobs, plan))

    async def run_async(self, jobs, plan):
        self.plans.append(plan)
        results = [await job(self._ask) for job in jobs]
        if self._stopped():
            raise Interrupted("run it again to continue", partial=results)
        return results

    def estimate(self, plan):
        n = len(plan.requests)
        return CostEstimate(n, 0, 0, 0, None, "no price", None, "")


def read_question(request):
    """Return the text and the concepts by id, read as a server has to."""
    message = request.messages[-1].content
    head, _, tail = message.partition("\nTEXT:\n")
    text, ended, rest = f"\n{tail}\n".rpartition("\nEND OF TEXT\n")
    assert ended
    assert not rest
    lines = (line.partition(": ") for line in head.splitlines())
    return text[1:], {name: concept for name, _, concept in lines if name[1:].isdecimal()}


@pytest.fixture(scope="session")
def scripted():
    """The class and a reader of its requests."""
    return SimpleNamespace(LLM=ScriptedLLM, read_question=read_question)
