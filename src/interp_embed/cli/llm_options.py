"""The options of every command that may ask a language model.

The models are imported only where one is named, so that a mistake is answered at once.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from interp_embed._servers import KEY_VARIABLES
from interp_embed.cli.grouped import grouped_options
from interp_embed.errors import InputError

if TYPE_CHECKING:
    from interp_embed.interpret import LLMRoles
    from interp_embed.llm import CostEstimate, OpenAILLM


@dataclass(frozen=True, slots=True)
class LLMChoice:
    """What the user said about language models."""

    roles: "LLMRoles"
    dry_run: bool

    def tell(self, estimate: "CostEstimate", *, at_most: bool = False) -> None:
        """Print what a run would take."""
        bound = "at most " * at_most
        click.echo(f"Would take {bound}{estimate.summary()}. Nothing was sent.")


@dataclass(frozen=True, slots=True)
class LLMOptions:
    """``--llm`` and what goes with it, as given."""

    llm: str | None
    annotator: str | None
    base_url: str | None
    max_cost: float | None
    prices: tuple[str, ...]
    dry_run: bool
    llm_batch: bool
    instructions: str | None
    answers: Path | None


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
    click.option(
        "--price",
        "prices",
        multiple=True,
        metavar="[MODEL=]IN,OUT",
        help="US dollars for a million tokens of input and output, where they are not known.",
    ),
    click.option("--dry-run", is_flag=True, help="Say what it would cost, and send nothing."),
    click.option(
        "--llm-batch",
        is_flag=True,
        help="Ask in batches: half the price, answered within a day. End it and run it again at "
        "any time; what was sent is collected then.",
    ),
    click.option("--instructions", metavar="TEXT", help="What the labels should be about."),
    click.option(
        "--answers",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Where answers are kept.  [default: the user's]",
    ),
)


llm_options = grouped_options(LLMOptions, "options", _OPTIONS)
"""Add ``--llm`` and what goes with it; the command gets them as ``options``."""


def choose_llm(
    options: LLMOptions, *, quiet: bool, without_model: tuple[str, ...] = ()
) -> LLMChoice | None:
    """Return the models to ask, or None without ``--llm``.

    Args:
        options: As given.
        quiet: No progress bars.
        without_model: Values of ``--annotator`` that name no model.

    Raises:
        InputError: Another of these options is given without it, or there is no key.
    """
    asks_none = options.annotator in without_model
    if options.llm is not None and asks_none:
        raise InputError(
            f"--annotator {options.annotator} asks no model: leave out --llm, or name a model"
        )
    if options.llm is None:
        given = {
            "--annotator": None if asks_none else options.annotator, "--base-url": options.base_url,
            "--max-cost": options.max_cost, "--price": options.prices or None,
            "--instructions": options.instructions, "--answers": options.answers,
            "--dry-run": options.dry_run or None, "--llm-batch": options.llm_batch or None,
        }  # fmt: skip
        needy = [name for name, value in given.items() if value is not None]
        if needy:
            others = f" (without: {', '.join(without_model)})" if without_model else ""
            besides = others if needy[0] == "--annotator" else ""
            raise InputError(f"{needy[0]} needs --llm MODEL{besides}: without it no model is asked")
        return None
    from interp_embed.interpret import LLMAnnotator, LLMLabeller, LLMRoles
    from interp_embed.llm import AnswerStore, Budget, OpenAILLM

    llm, annotator = options.llm, options.annotator
    named = [llm] if annotator in (None, llm) else [llm, str(annotator)]
    by_model = _read_prices(options.prices, named)
    store = None if options.answers is None else AnswerStore.open(options.answers)
    # One for both models.
    budget = None if options.max_cost is None or options.dry_run else Budget(options.max_cost)

    def model(name: str) -> "OpenAILLM":
        return OpenAILLM(
            name,
            mode="batch" if options.llm_batch else "live",
            base_url=options.base_url,
            api_key=_key_for_nothing() if options.dry_run else None,
            store=store,
            max_cost=budget,
            prices=by_model,
            progress=not quiet,
        )

    models = [model(name) for name in named]
    labeller = LLMLabeller(models[0], instructions=options.instructions or "")
    return LLMChoice(LLMRoles(labeller, LLMAnnotator(models[-1])), options.dry_run)


def _key_for_nothing() -> str | None:
    """Return something in place of a key if there is none: nothing is going to be sent."""
    return None if any(os.environ.get(name) for name in KEY_VARIABLES) else "dry run"


def _read_prices(given: tuple[str, ...], models: list[str]) -> Mapping[str, tuple[float, ...]]:
    """Return the prices by model: those for all models first, those for one before them.

    Raises:
        InputError: One is no pair of numbers, or for a model that is not asked.
    """
    for_all: dict[str, tuple[float, ...]] = {}
    for_one: dict[str, tuple[float, ...]] = {}
    for price in given:
        model, _, numbers = price.rpartition("=")
        try:
            dollars = tuple(float(number) for number in numbers.split(","))
        except ValueError:
            dollars = ()
        if len(dollars) not in (2, 3):
            raise InputError(
                f"--price must be IN,OUT in US dollars for a million tokens, such as 0.15,0.60, or "
                f"MODEL=IN,OUT, got {price!r}"
            )
        if not model:
            for_all |= dict.fromkeys(models, dollars)
        elif model in models:
            for_one[model] = dollars
        else:
            raise InputError(
                f"--price {price} is for a model that is not asked; asked are {', '.join(models)}"
            )
    return for_all | for_one
