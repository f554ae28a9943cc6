"""Run the HypotheSAEs notebook's steps under the limits of the account it was recorded with.

    python benchmarks/notebook.py
    python benchmarks/notebook.py --requests-a-day 1200     # the day is spent in the middle

A server of the tests limits as OpenAI did: gpt-4o at 30,000 tokens a minute, gpt-4o-mini at 200,000
tokens a minute and 10,000 requests a day. 571 comments with labels "-1" and "1" are searched with
two SAEs, 20 interpretations are asked and scored, and 2,000 other texts are annotated. The clock
that client and server share is ``--factor`` times as fast as the machine's. Whenever the day is
spent it is moved on by a day, and the same cells are run again.

Printed: what is missing in the end, exceptions, requests, refusals, answers paid for twice, and how
long it would have taken.
"""

import argparse
import contextlib
import io
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "llm"))
from fast_clock import FastClock
from fault_server import FaultServer, Limits, truth_answer

from interp_embed.embedders import TfidfEmbedder
from interp_embed.errors import StoppedWarning
from interp_embed.llm import openai_llm
from interp_embed.quickstart import (
    evaluate_hypotheses,
    generate_hypotheses,
    interpret_sae,
    train_sae,
)
from interp_embed.synthetic import plant_corpus

MODELS = {"interpreter_model": "gpt-4o", "annotator_model": "gpt-4o-mini"}


def make_data(n: int, n_holdout: int) -> dict[str, Any]:
    """Return texts and labels shaped like the notebook's, and vectors."""
    corpus = plant_corpus(n, domain="comments", seed=0)
    holdout = plant_corpus(n_holdout, domain="reviews", seed=1)
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(n) < 0.5, "-1", "1")
    texts = list(corpus.texts)
    texts[-20:] = texts[:20]  # duplicates
    labels[-20:] = labels[:20]
    embedder = TfidfEmbedder().fit(texts)
    return {
        "texts": texts,
        "labels": labels,
        "embeddings": embedder.embed(texts),
        "holdout": list(holdout.texts),
        "stars": rng.integers(1, 6, n_holdout),
    }


def run_cells(data: dict[str, Any], saes: list[Any]) -> dict[str, Any]:
    """Interpret, generate, evaluate: the notebook's cells."""
    shown = {key: data[key] for key in ("texts", "embeddings")}
    interpreted = interpret_sae(
        **shown, sae=saes, n_random_neurons=5, interpreter_model="gpt-4o", print_examples_n=1
    )
    found = generate_hypotheses(
        **shown, labels=data["labels"], sae=saes, cache_name="nb", selection_method="correlation",
        n_selected_neurons=20, **MODELS,
    )  # fmt: skip
    metrics, table = evaluate_hypotheses(
        found, data["holdout"], data["stars"], cache_name="nb", annotator_model="gpt-4o-mini"
    )
    return {"interpreted": interpreted, "found": found, "metrics": metrics, "table": table}


def count_missing(done: dict[str, Any]) -> dict[str, int]:
    """Return how many interpretations, scores and verdicts are missing."""
    return {
        "interpretations": int(done["interpreted"]["interpretation"].isna().sum())
        + int(done["found"]["interpretation"].isna().sum()),
        "scores": int(done["found"]["interp_fidelity_score"].isna().sum())
        + int(done["found"]["fidelity_missing"].sum()),
        "verdicts": int(done["metrics"]["n_missing_answers"]),
    }


def main() -> None:
    """Parse the command line, run until nothing is missing, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--factor", type=float, default=8.0)
    parser.add_argument("--holdout", type=int, default=2_000)
    parser.add_argument("--requests-a-day", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=5, help="give up after")
    asked = parser.parse_args()
    data = make_data(571, asked.holdout)
    clock = FastClock(asked.factor, waits=False)
    openai_llm.RealClock = lambda: clock  # the notebook has no say in it
    limits = {
        "gpt-4o": Limits(rpm=500, tpm=30_000, rpd=asked.requests_a_day),
        "gpt-4o-mini": Limits(rpm=500, tpm=200_000, rpd=asked.requests_a_day),
    }
    with tempfile.TemporaryDirectory() as folder:
        os.environ["INTERP_EMBED_CACHE"] = folder
        saes = [
            train_sae(data["embeddings"], M=m, K=k, show_progress=False)
            for m, k in ((64, 4), (32, 2))
        ]
        with FaultServer(truth_answer(0), clock=clock, limits=limits, latency_s=1.0) as server:
            os.environ |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "any-key"}
            report(server, clock, data, saes, asked.days)


def report(
    server: FaultServer, clock: FastClock, data: dict[str, Any], saes: list[Any], days: int
) -> None:
    """Run the cells once a day until nothing is missing, and print a line for each."""
    for day in range(1, days + 1):
        begun, before = clock.now(), server.stats()
        with (
            warnings.catch_warnings(record=True) as told,
            contextlib.redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter("always")
            done = run_cells(data, saes)
        stats, missing = server.stats(), count_missing(done)
        print(
            f"day {day}: {stats.billed - before.billed:,} answers, "
            f"{stats.requests - before.requests:,} requests, "
            f"{stats.limited - before.limited} x 429, "
            f"{(clock.now() - begun) / 60:.1f} minutes; missing: {missing}",
            flush=True,
        )
        for warning in told:
            if issubclass(warning.category, StoppedWarning):
                print(f"  {warning.message}")
        if not sum(missing.values()):
            break
        clock.advance(86_400)
    stats = server.stats()
    whole = pd.notna(done["found"]["interpretation"]).all()
    print(
        f"in the end: all there: {bool(whole) and not sum(missing.values())}, exceptions: 0, paid "
        f"twice: {stats.duplicates} of {stats.billed:,} (the check of agreement asks some again on "
        f"purpose), 429: {stats.limited_share:.2%}"
    )


if __name__ == "__main__":
    main()
