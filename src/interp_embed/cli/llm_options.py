"""The options of every command that may ask a language model."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from interp_embed.errors import InputError
from interp_embed.interpret import LLMAnnotator, LLMLabeller, LLMReaders
from interp_embed.llm import AnswerStore, CostEstimate, OpenAILLM

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class LLMChoice:
    """What the user said about language models."""

    readers: LLMReaders
    dry_run: bool

    def tell(self, estimate: CostEstimate) -> None:
        """Print what a run would take."""
        click.echo(f"Would take {estimate.summary()}. Nothing was sent.")


def llm_options(command: F) -> F:
    """Add ``--llm`` and what goes with it."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "--llm",
        metavar="MODEL",
        help="Ask a language model for labels instead of taking words: any model of OpenAI, "
        "OpenRouter or a server of your own.",
    ),
    click.option(
        "--annotator", metavar="MODEL", help="Another model to read the labels.  [default: --llm]"
    ),
    click.option(
        "--base-url",
        metavar="URL",
        help="Address of the server, such as http://localhost:11434/v1.  [default: "
        "$OPENAI_BASE_URL, or OpenAI]",
    ),
    click.option(
        "--max-cost", type=float, metavar="USD", help="Never spend more than this; 0: stored only."
    ),
    click.option("--dry-run", is_flag=True, help="Say what it would cost, and send nothing."),
    click.option("--instructions", metavar="TEXT", help="What the labels should be about."),
    click.option(
        "--answers",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Where answers are kept.  [default: the user's]",
    ),
)


def choose_llm(
    *,
    llm: str | None,
    annotator: str | None,
    base_url: str | None,
    max_cost: float | None,
    dry_run: bool,
    instructions: str | None,
    answers: Path | None,
    quiet: bool,
) -> LLMChoice | None:
    """Return the models to ask, or None without ``--llm``.

    Raises:
        InputError: Another of these options is given without it, or there is no key.
    """
    if llm is None:
        given = {
            "--annotator": annotator, "--base-url": base_url, "--max-cost": max_cost,
            "--instructions": instructions, "--answers": answers, "--dry-run": dry_run or None,
        }  # fmt: skip
        named = [name for name, value in given.items() if value is not None]
        if named:
            raise InputError(f"{named[0]} needs --llm MODEL: without it no model is asked")
        return None
    store = None if answers is None else AnswerStore.open(answers)

    def model(name: str) -> OpenAILLM:
        return OpenAILLM(
            name, base_url=base_url, store=store, max_cost=max_cost, progress=not quiet
        )

    labelling = model(llm)
    reading = labelling if annotator in (None, llm) else model(str(annotator))
    labeller = LLMLabeller(labelling, instructions=instructions or "")
    return LLMChoice(LLMReaders(labeller, LLMAnnotator(reading)), dry_run)
