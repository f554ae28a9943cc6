"""How well trained features recover planted truth, beside a random dictionary of the same size.

Two tables: planted activation matrices (2,000 train and 1,000 test documents, d = 64, Poisson(3)
concepts a document, noise .05), and planted reviews through a sentence encoder. F1 of "the feature
fires" against "the concept is there" on test documents, features and concepts matched one to one
(Hungarian), mean over concepts, mean and range over seeds.

    python benchmarks/recovery.py --seeds 5
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interp_embed.embedders import embed_documents, load_embedder
from interp_embed.sae import TrainingSettings, random_dictionary, train_sae
from interp_embed.synthetic import CorpusPlan, match_features, plant_activations, plant_corpus

N_TRAIN, N_TEST = 2_000, 1_000


@dataclass(frozen=True)
class Planted:
    """Vectors with known truth, train documents first."""

    vectors: NDArray[np.float32]
    truth: NDArray[np.bool_]


def measure(planted: Planted, *, n_features: int, k: int, seed: int) -> tuple[float, float]:
    """Return the matched F1 of trained features and of a random dictionary."""
    train, test = planted.vectors[:N_TRAIN], planted.vectors[N_TRAIN:]
    truth = planted.truth[N_TRAIN:]
    settings = TrainingSettings(n_features, k, rule="batch_topk", seed=seed)
    trained = train_sae(train, settings).weights
    control = random_dictionary(train, n_features=n_features, k=k, seed=seed)
    return (
        match_features(trained.encode(test), truth).mean_f1,
        match_features(control.encode(test), truth).mean_f1,
    )


def report(
    name: str, make: Callable[[int], Planted], *, n_features: int, k: int, seeds: int
) -> None:
    """Print one line of the table."""
    figures = np.array(
        [measure(make(seed), n_features=n_features, k=k, seed=seed) for seed in range(seeds)]
    )
    (f1, control), (low, _), (high, _) = figures.mean(0), figures.min(0), figures.max(0)
    print(
        f"{name:32} M={n_features:<4} k={k:<2} F1 {f1:.3f} ({low:.3f} to {high:.3f})  "
        f"random dictionary {control:.3f}  difference {f1 - control:+.3f}",
        flush=True,
    )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--embedder", default="all-MiniLM-L6-v2")
    arguments = parser.parse_args()

    def activations(n_concepts: int) -> Callable[[int], Planted]:
        def make(seed: int) -> Planted:
            planted = plant_activations(N_TRAIN + N_TEST, n_concepts=n_concepts, seed=seed)
            return Planted(planted.X, planted.truth)

        return make

    for n_concepts in (16, 32, 64):
        name = f"activations, {n_concepts} concepts"
        report(name, activations(n_concepts), n_features=2 * n_concepts, k=4, seeds=arguments.seeds)

    embedder = load_embedder(arguments.embedder)

    def reviews(seed: int) -> Planted:
        plan = CorpusPlan(prevalence=0.07, filler=0.6)
        corpus = plant_corpus(N_TRAIN + N_TEST, plan=plan, seed=seed)
        vectors = embed_documents(corpus.texts, embedder, progress=False)
        return Planted(vectors, corpus.truth)

    for n_features, k in ((64, 3), (128, 4)):
        report("reviews, 30 concepts", reviews, n_features=n_features, k=k, seeds=arguments.seeds)


if __name__ == "__main__":
    main()
