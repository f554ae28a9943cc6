"""Measure retrieval: how well documents with a property are found, and what it costs.

    python benchmarks/retrieval.py quality FOLDER --column labels --query "expresses {}"
    python benchmarks/retrieval.py quality FOLDER --keep 10 --keep 20 --only even   # to choose
    python benchmarks/retrieval.py cost --documents 1000000

- quality: FOLDER is an encoded data set whose table has a column of classes (one, or a list, a
  document). Each class is a query, its name put into ``--query``; documents of the class are the
  relevant ones. MAP, MP@10 and MP@50 of features, all-MiniLM-L6-v2, BM25 and the fused rankings,
  with 95 % bootstrap intervals over the queries, and of the fused one less the best single one.
- cost: postings, vectors and texts of many documents are simulated (65,536 features that fire as a
  sparse autoencoder's do; 20 features a query), each ranking is timed warm over 20 queries, on one
  thread. Memory is what each part holds.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _memory import peak_mb
from interp_embed import Dataset
from interp_embed.analysis import FeatureQuery, LabelIndex, Searcher
from interp_embed.analysis.retrieval.bm25 import BM25Index
from interp_embed.embedders import load_embedder
from interp_embed.stats import BootstrapInterval, bootstrap_interval, ranking_quality

WAYS = ("features", "meaning", "words")
_UNSAID = {"neutral": "no emotion", "oos": None}
"""Classes whose name does not say what they are."""
Posting = tuple[NDArray[np.int32], NDArray[np.float16]]
"""Documents in which a feature fires, and its activations there."""
_FEATURES = 65_536
_PER_QUERY = 20


@dataclass(frozen=True)
class Queries:
    """What is searched for, and what there is to find."""

    texts: tuple[str, ...]
    relevant: tuple[NDArray[np.bool_], ...]


def read_queries(classes: Sequence[object], template: str, only: str) -> Queries:
    """Return a query for each class."""
    sets = [{c} if isinstance(c, str) else set(c) for c in classes]  # type: ignore[call-overload]
    names = [name for name in sorted(set.union(*sets)) if _UNSAID.get(name, "") is not None]
    chosen = {"all": names, "even": names[::2], "odd": names[1::2]}[only]
    return Queries(
        tuple(template.format(_UNSAID.get(n) or n.replace("_", " ")) for n in chosen),
        tuple(np.array([name in found for found in sets]) for name in chosen),
    )


def measure_quality(args: argparse.Namespace) -> None:
    """Print the table of one data set."""
    dataset = Dataset.load_from_file(args.folder)
    embedder = load_embedder("minilm")
    searcher = Searcher(
        [dataset.text_of(row) for row in range(len(dataset))],
        activations=dataset.latents(),
        labels=LabelIndex(dataset.feature_labels(), embedder=embedder),
        embedder=embedder,
    )
    queries = read_queries(dataset.pandas()[args.column], args.query, args.only)
    print(
        f"{args.folder.name}: {len(dataset):,} documents, {len(queries.texts)} queries "
        f"({args.only}), {dataset.n_features:,} features of which {len(searcher.labels):,} have "
        "a label"
    )
    for keep in args.keep or [20]:
        for temperature in args.temperature or [0.2]:
            print(f"\nkeep {keep}, temperature {temperature}")
            print_table(searcher, queries, keep=keep, temperature=temperature)


def print_table(searcher: Searcher, queries: Queries, *, keep: int, temperature: float) -> None:
    """Print how good each ranking and each fusion is."""
    rankings = [searcher.rank(text, keep=keep, temperature=temperature) for text in queries.texts]
    n = len(searcher)
    nothing = np.full(n, -np.inf)
    scores = {
        way: [ranking.scores.get(way, nothing) for ranking in rankings]  # type: ignore[call-overload]
        for way in WAYS
    }
    scores["fused"] = [ranking.fused(depth=None) for ranking in rankings]
    found = {way: ranking_quality(of, queries.relevant) for way, of in scores.items()}
    chance = float(np.mean([truth.mean() for truth in queries.relevant]))
    print("| ranking | MAP | MP@10 | MP@50 |\n| --- | --- | --- | --- |")
    print(f"| (random order) | {chance:.3f} | {chance:.3f} | {chance:.3f} |")
    for way, quality in found.items():
        cells = [quality.mean_average_precision, *quality.mean_precision.values()]
        print(f"| {way} | {' | '.join(map(shown, cells))} |")
    best = max(WAYS, key=lambda way: found[way].mean_average_precision.value)
    gain = found["fused"].average_precision - found[best].average_precision
    over = bootstrap_interval(
        lambda counts: counts @ gain / counts.sum(axis=1), gain.size, method="percentile"
    )
    print(f"fused less {best}, MAP: {shown(over)}")
    unmatched = sum("features" not in ranking.scores for ranking in rankings)
    if unmatched:
        print(f"{unmatched} queries match no label: without a ranking by features")


def shown(interval: BootstrapInterval) -> str:
    """Return a number with its interval."""
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def measure_cost(args: argparse.Namespace) -> None:
    """Print time and memory of each ranking over many documents."""
    n = args.documents
    rng = np.random.default_rng(0)
    density = np.minimum(0.66, 0.0023 * np.exp(rng.normal(0, 1.393, _FEATURES)))
    queries = draw_queries(rng, None)
    heavy = draw_queries(rng, density / density.sum())
    columns = {
        feature: draw_posting(n, float(density[feature]), rng)
        for query in (*queries, *heavy)
        for feature in query.features
    }
    print(f"{n:,} documents, queries of {_PER_QUERY} features")
    words = np.array([f"word{number:x}" for number in range(60_000)])
    texts = draw_texts(n, words, rng)
    time_features(texts, columns, {"any features": queries, "frequent features": heavy})
    asked = [" ".join(rng.choice(words[:2_000], 3)) for _ in queries]
    time_words(texts, asked)
    vectors = rng.standard_normal((n, 384), np.float32).astype(args.precision)
    both = Searcher(
        texts,
        column=columns.__getitem__,
        n_features=_FEATURES,
        vectors=vectors,
        embedder=_FixedEmbedder(rng),
    )
    print(f"meaning: {vectors.nbytes / 1e6:,.0f} MB of {args.precision} vectors")
    report(
        "meaning: 20 searches of 10 hits",
        lambda: [both.search(text, use=["meaning"]) for text in asked],
    )
    named = [
        FeatureQuery.of(query.features, weights=query.weights, text=text)
        for query, text in zip(queries, asked, strict=True)
    ]
    report("fused: 20 searches of 10 hits", lambda: [both.search(query) for query in named])
    print(f"peak memory {peak_mb():,.0f} MB, texts and simulation included")


def draw_texts(n: int, words: NDArray[np.str_], rng: np.random.Generator) -> list[str]:
    """Return texts of 8 to 32 words, frequent as in natural language."""
    rate = 1 / np.arange(1, words.size + 1) ** 1.07
    lengths = rng.integers(8, 33, n)
    drawn = words[rng.choice(words.size, int(lengths.sum()), p=rate / rate.sum())]
    ends = np.cumsum(lengths)
    return [" ".join(drawn[end - size : end]) for end, size in zip(ends, lengths, strict=True)]


def time_features(
    texts: list[str], columns: Mapping[int, Posting], asked: Mapping[str, list[FeatureQuery]]
) -> None:
    """Print the time of searches by features, for several kinds of queries by name."""
    searcher = Searcher(texts, column=columns.__getitem__, n_features=_FEATURES, words=False)
    for what, queries in asked.items():
        n_pairs = sum(columns[f][0].size for query in queries for f in query.features)
        report(
            f"{what}, {n_pairs / len(queries):,.0f} activations a query: 20 searches of 10 hits",
            lambda queries=queries: [searcher.search(query) for query in queries],
        )


def time_words(texts: list[str], asked: list[str]) -> None:
    """Print the time and memory of the index of words, and the time of scores by it."""
    before = time.process_time()
    index = BM25Index(texts)
    print(
        f"words: index made in {time.process_time() - before:.0f} CPU s, {index.n_bytes / 1e6:,.0f}"
        f" MB ({index.n_bytes / len(texts):.0f} B a document of 20 words)"
    )
    report("words: 20 scores of all documents", lambda: [index.scores(text) for text in asked])


class _FixedEmbedder:
    """Embeds any text as noise: what is measured is the search."""

    d_in, chunk_size, is_slow = 384, 1_000, False
    identity = {"kind": "noise"}  # noqa: RUF012 - an embedder's identity is a mapping

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def fit(self, documents: Sequence[str]) -> "_FixedEmbedder":
        del documents
        return self

    def embed(self, documents: Sequence[str], *, progress: object = None) -> NDArray[np.float32]:
        del progress
        return self._rng.standard_normal((len(documents), 384), np.float32)


def draw_queries(
    rng: np.random.Generator, chances: NDArray[np.float64] | None
) -> list[FeatureQuery]:
    """Return twenty queries of features drawn at random."""
    return [
        FeatureQuery.of(
            rng.choice(_FEATURES, _PER_QUERY, replace=False, p=chances).tolist(), temperature=0.2
        )
        for _ in range(20)
    ]


def draw_posting(n: int, density: float, rng: np.random.Generator) -> Posting:
    """Return the documents in which a feature fires, ascending, and its activations."""
    documents = np.flatnonzero(rng.random(n, np.float32) < density).astype(np.int32)
    return documents, np.exp(rng.normal(0, 0.8, documents.size)).astype(np.float16)


def report(what: str, call: object) -> None:
    """Print the time of a call, made once before."""
    assert callable(call)  # noqa: S101
    call()
    started, worked = time.perf_counter(), time.process_time()
    call()
    wall, cpu = time.perf_counter() - started, time.process_time() - worked
    print(f"{what}: {cpu:.2f} CPU s, {wall:.2f} s")


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    quality = commands.add_parser("quality")
    quality.add_argument("folder", type=Path)
    quality.add_argument("--column", default="labels")
    quality.add_argument("--query", default="expresses {}")
    quality.add_argument("--only", choices=("all", "even", "odd"), default="all")
    quality.add_argument("--keep", type=int, action="append")
    quality.add_argument("--temperature", type=float, action="append")
    quality.set_defaults(run=measure_quality)
    cost = commands.add_parser("cost")
    cost.add_argument("--documents", type=int, default=1_000_000)
    cost.add_argument("--precision", choices=("float16", "float32"), default="float32")
    cost.set_defaults(run=measure_cost)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
