"""Train the same SAE with HypotheSAEs 2.0.1 and with this library, and compare error and time.

    python benchmarks/train_sae.py --predecessor .venv-bench/bin/python
    python benchmarks/train_sae.py --predecessor ... --configs large --max-epochs 10

``--predecessor`` is the interpreter of an environment that holds hypothesaes==2.0.1; ``make bench``
makes one. Both trainers get the same rows in memory, each in a process of its own, one thread.

- Error: |x - reconstruction|^2 / |x - mean|^2 summed over the validation rows, for both.
- Time: CPU seconds from data in memory. Noting the predecessor's error after every epoch is not
  counted; its own validation and ours are. Compiling our kernels (once a machine) is not counted
  and printed apart.
- The predecessor trains as its quickstart does, patience 3, at most ``--max-epochs``. We train with
  our defaults and see the same validation rows.
- ``speed-up``: its CPU seconds to its lowest error, by ours to the first epoch at or below it.
  It is 0 where our default training never gets there.
  ``whole``: its whole training by our whole training. Where the cap stopped it (marked *) it would
  have gone on: then ``speed-up`` holds at the error it had reached, and ``whole`` is a lower bound.

Sizes: small takes 5 minutes, medium 10, large 25 on an idle machine. By default the rows are
planted reviews and comments through TF-IDF and SVD, d_in = 768; ``--data directions`` takes sparse
sums of 2,000 unit directions with power-law frequencies and noise instead, on which our default
training ends about 1 % above the predecessor's lowest error and so gets no speed-up.
``--embeddings FILE.npy`` takes float32 rows of your own; those beyond ``--rows`` validate.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from _children import print_table, run_child
from interp_embed.embedders import TfidfEmbedder
from interp_embed.synthetic import plant_corpus


@dataclass(frozen=True, slots=True)
class Config:
    """Size and sparsity of an SAE, and the speed-up that is asked of it."""

    n_features: int
    k: int
    prefixes: tuple[int, ...]
    required: float


CONFIGS = {
    "small": Config(256, 8, (32, 256), 5),
    "medium": Config(1_024, 8, (), 6),
    "large": Config(8_192, 32, (), 10),
}


def embed_planted_texts(n_documents: int = 22_000, *, seed: int = 0) -> np.ndarray:
    """Return vectors of planted reviews and comments in mixed order, (n_documents, 768)."""
    n_reviews = n_documents // 2
    reviews = plant_corpus(n_reviews, domain="reviews", seed=seed).texts
    comments = plant_corpus(n_documents - n_reviews, domain="comments", seed=seed).texts
    texts = reviews + comments
    mixed = [texts[i] for i in np.random.default_rng(seed).permutation(n_documents)]
    return TfidfEmbedder(768).fit(mixed).embed(mixed)


def plant_embeddings(
    n_documents: int = 22_000, *, d_in: int = 768, n_directions: int = 2_000, seed: int = 0
) -> np.ndarray:
    """Return unit-length rows made of few of many directions, float32 (n_documents, d_in)."""
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((n_directions, d_in), dtype=np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    log_frequency = -0.7 * np.log(np.arange(1, n_directions + 1))
    rows = np.empty((n_documents, d_in), np.float32)
    for begin in range(0, n_documents, 1_000):
        n = min(1_000, n_documents - begin)
        n_active = np.minimum(1 + rng.poisson(10, n), n_directions)
        chance = log_frequency + rng.gumbel(size=(n, n_directions))  # draws without repetition
        rank = chance.argsort(axis=1)[:, ::-1].argsort(axis=1)
        strength = rng.gamma(3, 1 / 3, (n, n_directions)) * (rank < n_active[:, None])
        rows[begin : begin + n] = strength.astype(np.float32) @ directions
    rows += np.float32(0.04) * rng.standard_normal(rows.shape, dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def compare(name: str, embeddings: Path, options: argparse.Namespace) -> list[str]:
    """Run both trainers on one configuration; return a row of the table."""
    config = CONFIGS[name]
    task: dict[str, Any] = {
        "embeddings": str(embeddings),
        "n_train": options.rows,
        "n_features": config.n_features,
        "k": config.k,
        "prefixes": config.prefixes,
        "seed": options.seed,
    }
    ours = run_child(sys.executable, "_ours.py", "train", **task)
    theirs = run_child(
        options.predecessor, "_predecessor.py", "train", **task, max_epochs=options.max_epochs
    )
    best = min(theirs["errors"])
    best_s = theirs["seconds"][theirs["errors"].index(best)]
    capped = len(theirs["errors"]) == options.max_epochs
    reached_s = first_at_or_below(best, ours)
    print(
        f"{name}: we stopped by {ours['stopped']!r} after {len(ours['errors'])} epochs; compiling "
        f"or loading our kernels took {ours['compile_s']:.1f} CPU s, not counted; "
        f"memory before training {theirs['before_mb']:.0f} MB (predecessor), "
        f"{ours['before_mb']:.0f} MB (ours)",
        flush=True,
    )
    return [
        name,
        f"{len(theirs['errors'])}{'*' if capped else ''}",
        f"{best:.4f}",
        f"{best_s:.1f}",
        f"{theirs['total_s']:.1f}",
        f"{theirs['peak_mb']:.0f}",
        f"{ours['error']:.4f}",
        f"{reached_s:.1f}" if reached_s < float("inf") else "never",
        f"{ours['total_s']:.1f}",
        f"{ours['peak_mb']:.0f}",
        f"{best_s / reached_s:.1f}x",
        f"{config.required:.0f}x",
        f"{theirs['total_s'] / ours['total_s']:.1f}x",
    ]


def first_at_or_below(error: float, ours: dict[str, Any]) -> float:
    """Return our CPU seconds to the first epoch with at most this error; infinite if none is."""
    for seconds, reached in zip(ours["seconds"], ours["errors"], strict=True):
        if reached <= error:
            return float(seconds)
    return float("inf")


def main() -> None:
    """Parse the command line, make the data, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--predecessor", required=True, metavar="PYTHON")
    parser.add_argument("--configs", default="small,medium", help="of: " + ",".join(CONFIGS))
    parser.add_argument("--max-epochs", type=int, default=100, help="cap on the predecessor")
    parser.add_argument("--data", choices=["texts", "directions"], default="texts")
    parser.add_argument("--embeddings", type=Path, metavar="FILE.npy")
    parser.add_argument("--rows", type=int, default=20_000, help="rows to train on")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    table = [
        [
            "size", "its epochs", "its error", "to it, s", "whole, s", "peak MB",
            "our error", "to its, s", "whole, s", "peak MB", "speed-up", "asked", "whole",
        ]
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        embeddings = options.embeddings
        if embeddings is None:
            embeddings = Path(folder) / "planted.npy"
            make = embed_planted_texts if options.data == "texts" else plant_embeddings
            np.save(embeddings, make(options.rows + 2_000, seed=options.seed))
        table.extend(compare(name, embeddings, options) for name in options.configs.split(","))
    print_table(table)


if __name__ == "__main__":
    main()
