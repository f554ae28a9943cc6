"""interpret_sae: what some neurons respond to, with the texts they respond to most."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import click
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.interpret import choose_examples
from interp_embed.llm import LLM, CostEstimate
from interp_embed.quickstart.autoencoder import AnySAE, Neurons
from interp_embed.quickstart.inputs import collect_rows
from interp_embed.quickstart.labelling import (
    Interpretations,
    Labeller,
    LabelOptions,
    check_count,
)
from interp_embed.quickstart.models import Cache, Models
from interp_embed.records import Json
from interp_embed.stats import column_density


def interpret_sae(  # noqa: PLR0913 - HypotheSAEs' arguments
    texts: Sequence[object],
    embeddings: ArrayLike,
    sae: AnySAE | Sequence[AnySAE],
    *,
    neuron_indices: Sequence[int] | None = None,
    n_random_neurons: int | None = None,
    n_top_neurons: int | None = None,
    interpreter_model: str = "gpt-5.2",
    n_examples_for_interpretation: int = 20,
    max_words_per_example: int = 256,
    interpret_temperature: float = 0.7,
    max_interpretation_tokens: int | None = None,
    interpret_llm_kwargs: Mapping[str, Json] | None = None,
    n_candidates: int = 1,
    print_examples_n: int = 3,
    print_examples_max_chars: int | None = 1024,
    task_specific_instructions: str | None = None,
    n_workers_interpretation: int = 10,
    cache_name: str | None = None,
    cache_dir: str | Path | None = None,
    llm: LLM | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    max_cost: float | None = None,
    dry_run: bool = False,
    seed: int = 0,
) -> pd.DataFrame | CostEstimate:
    """Return interpretations of some neurons, and print them with their top texts.

    A neuron whose interpretation fails has None in its row and the reason in ``note``.

    Args:
        texts: One a row; empty and missing ones are left out and counted.
        embeddings: One vector a text.
        sae: One SAE or a list of them; ``neuron_idx`` counts through all.
        neuron_indices: The neurons. Give exactly one of this and the next two.
        n_random_neurons: So many drawn with the seed, among those that fire at all.
        n_top_neurons: So many that fire most often.
        interpreter_model: Name of the model; ``keywords`` needs none and labels by words.
        n_examples_for_interpretation: Texts shown to it, half of them firing.
        max_words_per_example: Words of a text shown to it.
        interpret_temperature: Of the model.
        max_interpretation_tokens: Not needed, ignored.
        interpret_llm_kwargs: More of the server's parameters, such as ``reasoning_effort``.
        n_candidates: Interpretations a neuron; with more than one the cell is a list.
        print_examples_n: Top texts printed and returned; 0 for none.
        print_examples_max_chars: Characters of a text printed; None for all.
        task_specific_instructions: Put into the prompt.
        n_workers_interpretation: Most requests at once.
        cache_name: Name of the file that keeps the answers; None for the user's own.
        cache_dir: Folder of such files; None for ``$INTERP_EMBED_CACHE`` or the user's.
        llm: A language model of one's own; model name, server, cost and cache are then its.
        base_url: Server; None for ``OPENAI_BASE_URL`` or OpenAI.
        api_key: None for ``OPENAI_API_KEY`` or ``OPENAI_KEY_SAE``.
        max_cost: Dollars at most; what is not asked any more is missing.
        dry_run: Print and return what it would take, and ask nothing.
        seed: Of the draw and of the examples.

    Returns:
        Columns ``neuron_idx``, ``source_sae``, ``source_neuron_idx``, ``interpretation``,
        ``top_example_1`` …, ``note``; or the estimate of a dry run.

    Raises:
        InputError: Something cannot be used as given; the message says what.
        LLMError: The server cannot be used at all.
    """
    check_count(n_candidates, "n_candidates")
    given = collect_rows(texts, embeddings=embeddings)
    if told := given.told():
        click.echo(told)
    neurons = Neurons.of(sae, given.embeddings)
    click.echo(f"Activations shape: {neurons.activations.shape}")
    chosen = _choose(neurons.activations, neuron_indices, n_random_neurons, n_top_neurons, seed)
    options = LabelOptions(
        model=interpreter_model,
        n_examples=n_examples_for_interpretation,
        max_words=max_words_per_example,
        temperature=interpret_temperature,
        max_tokens=max_interpretation_tokens,
        llm_kwargs=interpret_llm_kwargs,
        n_candidates=n_candidates,
        instructions=task_specific_instructions,
        n_workers=n_workers_interpretation,
        seed=seed,
    )
    place = Cache(cache_name, cache_dir)
    with closing(Models(llm, base_url, api_key, max_cost, place, dry_run=dry_run)) as models:
        labeller = Labeller(options, models)
        if dry_run:
            estimate = labeller.estimate(given.texts, neurons.activations, chosen)
            click.echo(f"Dry run: {estimate.summary()}")
            return estimate
        found = labeller.label(given.texts, neurons.activations, chosen)
    rows = [
        _row(neuron, neurons, found, given.texts, n_candidates=n_candidates, n=print_examples_n)
        for neuron in chosen
    ]
    if print_examples_n > 0:
        density = column_density(neurons.activations)
        for neuron, row in zip(chosen, rows, strict=True):
            _print_row(row, float(density[neuron]), print_examples_max_chars)
    return pd.DataFrame(rows)


def _choose(
    activations: csr_matrix,
    indices: Sequence[int] | None,
    n_random: int | None,
    n_top: int | None,
    seed: int,
) -> list[int]:
    if sum(choice is not None for choice in (indices, n_random, n_top)) != 1:
        raise InputError(
            "give exactly one of neuron_indices, n_random_neurons and n_top_neurons; it says "
            "which neurons to interpret"
        )
    n_neurons = activations.shape[1]
    if indices is not None:
        return _checked_indices(indices, n_neurons)
    counts = np.bincount(activations.indices, minlength=n_neurons)
    name = "n_random_neurons" if n_top is None else "n_top_neurons"
    n = check_count(n_random if n_top is None else n_top, name, most=n_neurons)
    live = np.flatnonzero(counts)
    if n > len(live):
        click.echo(f"Only {len(live)} of {n_neurons} neurons fire on some text; taking these")
        n = len(live)
    if n_top is None:
        drawn: list[int] = np.random.default_rng(seed).choice(live, n, replace=False).tolist()
        return drawn
    order: NDArray[np.int64] = live[np.argsort(-counts[live], kind="stable")]
    most: list[int] = order[:n].tolist()
    return most


def _checked_indices(indices: Sequence[int], n_neurons: int) -> list[int]:
    wanted: list[int] = []
    given: list[object] = list(dict.fromkeys(indices))
    for index in given:
        whole = isinstance(index, int | np.integer) and not isinstance(index, bool)
        number = int(index) if isinstance(index, int | np.integer) else -1
        if not (whole and 0 <= number < n_neurons):
            raise InputError(
                f"neuron {index!r} is out of range: there are {n_neurons} neurons; "
                f"use an index from 0 to {n_neurons - 1}"
            )
        wanted.append(number)
    if not wanted:
        raise InputError("neuron_indices is empty; name at least one neuron")
    return wanted


def _row(
    neuron: int,
    neurons: Neurons,
    found: Interpretations,
    texts: tuple[str, ...],
    *,
    n_candidates: int,
    n: int,
) -> dict[str, object]:
    words = found.texts(neuron)
    row = neurons.describe(neuron)
    row["interpretation"] = words if n_candidates > 1 else next(iter(words), None)
    if n > 0:
        shown = choose_examples(texts, np.arange(len(texts)), neurons.activations, neuron, n=n).top
        for place in range(n):
            row[f"top_example_{place + 1}"] = shown[place].text if place < len(shown) else None
    row["note"] = found.why_none(neuron)
    return row


def _print_row(row: Mapping[str, object], density: float, most: int | None) -> None:
    words = row["interpretation"]
    first = next(iter(words), None) if isinstance(words, list) else words
    told = first if first is not None else f"no interpretation ({row['note']})"
    click.echo(f"\nNeuron {row['neuron_idx']} (from {row['source_sae']}): {told}")
    click.echo(f"\nTop activating examples ({density:.1%} of texts active):")
    examples = [text for name, text in row.items() if name.startswith("top_example_") and text]
    for place, text in enumerate(examples, start=1):
        click.echo(f"{place}. {_shortened(str(text), most)}")
    click.echo("-" * 100)


def _shortened(text: str, most: int | None) -> str:
    plain = text.replace("\n", " ")
    return plain if most is None or len(plain) <= most else f"{plain[:most]} ..."
