"""Work that asks a model in rounds, written once for callers that wait and for those that await."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from interp_embed.errors import Interrupted
from interp_embed.llm.protocol import LLM, Job
from interp_embed.llm.records import Plan

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Step:
    """One round: jobs to run, whose results are sent back."""

    jobs: Sequence[Job[Any]]
    plan: Plan


Steps = Generator[Step, list[Any], R]
"""Yields rounds and returns the result. An interrupt is raised inside it at its yield, so that it
can raise its own with what it has."""


def run_steps(llm: LLM, steps: Steps[R]) -> R:
    """Run the rounds and return what they come to.

    Raises:
        Interrupted: As the steps raise it.
    """
    try:
        step = next(steps)
        while True:
            try:
                results = llm.run(step.jobs, step.plan)
            except Interrupted as error:
                step = steps.throw(error)
            else:
                step = steps.send(results)
    except StopIteration as end:
        result: R = end.value
        return result


async def run_steps_async(llm: LLM, steps: Steps[R]) -> R:
    """Do the same from a running event loop."""
    try:
        step = next(steps)
        while True:
            try:
                results = await llm.run_async(step.jobs, step.plan)
            except Interrupted as error:
                step = steps.throw(error)
            else:
                step = steps.send(results)
    except StopIteration as end:
        result: R = end.value
        return result
