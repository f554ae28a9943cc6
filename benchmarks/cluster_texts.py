"""Measure clustering by a query through texts, without a language model.

    python benchmarks/cluster_texts.py                              seeds 0 to 4, about 15 minutes
    python benchmarks/cluster_texts.py --sae reader --seeds 0 1 2
    python benchmarks/cluster_texts.py --keep FOLDER                keep encoded, labelled data sets

960 texts of 4 topics x 2 sentiments x 3 tenses x 2 styles, independent of each other
(``synthetic.plant_axes``), become a data set of the reader that ships with the package, or of an
``EmbeddingSAE``; its features are labelled by words; and it is clustered by the name of each axis,
the number of clusters given (as by ``Dataset.cluster``, without the parts that judge clusters: they
take long and change nothing), with

- word: nothing but the name, as labels match it;
- built-in: the phrases of the built-in list (there are none for topic: all features are used);
- by hand: the phrases in ``BY_HAND``, as one would write who has read some of the texts.

Printed are the adjusted Rand index with the axis that was asked for (mean and worst of the seeds),
and the largest with another axis (mean and worst).
"""

import argparse
import os
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from interp_embed import Dataset
from interp_embed.analysis import FeatureQuery, cluster_documents
from interp_embed.analysis.retrieval.common_axes import find_axis
from interp_embed.dataset.sides import load_documents, source_of
from interp_embed.errors import InputError
from interp_embed.sae import EmbeddingSAE, LocalSAE
from interp_embed.synthetic import plant_axes

AXES = ("topic", "sentiment", "tense", "style")
WAYS = ("word", "built-in", "by hand")
BY_HAND = {
    "topic": "food, restaurant, cooking, travel, hotel, flight, sports, football, match, "
    "technology, computer, phone",
    "sentiment": "praise, compliment, impressive, delighted, satisfied, excellent, complaint, "
    "criticism, disappointed, annoying, frustrating, awful",
    "tense": "past tense, was, were, yesterday, ago, present tense, is, now, today, future tense, "
    "will, tomorrow, next",
    "style": "formal, official report, furthermore, hereby, respectfully, informal, slang, yeah, "
    "lol, you know, gonna",
}


@dataclass(frozen=True)
class Division:
    """One data set divided by one axis in one way."""

    way: str
    axis: str
    n_features: int
    own: float
    """Adjusted Rand index with the axis that was asked for; documents in no cluster are one."""
    other: float
    """The largest with another axis."""


def make_dataset(kind: str, seed: int, folder: Path) -> Dataset:
    """Return the planted texts of a seed, encoded and labelled; opened where they are already."""
    path = folder / f"{kind}-{seed}"
    if path.exists():
        return Dataset.load_from_file(str(path))
    planted = plant_axes(seed=seed)
    sae = LocalSAE.default() if kind == "reader" else EmbeddingSAE(128, seed=seed)
    frame = pd.DataFrame({"text": planted.texts})
    made = Dataset(frame, sae, field="text", save_path=str(path), progress=False)
    made.label_features()
    return made


def choose_features(dataset: Dataset, axis: str, way: str) -> FeatureQuery | None:
    """Return the features that stand for an axis; None for all.

    Raises:
        InputError: No label matches.
    """
    if way == "by hand":
        return dataset.find_features(axis, keyphrases=BY_HAND[axis].split(", "))
    if way == "word":
        return dataset.find_features(axis, common_axes=False)
    return None if find_axis(axis) is None else dataset.find_features(axis)


def divide(dataset: Dataset, seed: int) -> Iterator[Division]:
    """Yield what each way makes of each axis."""
    planted = plant_axes(seed=seed)
    documents = load_documents(source_of(dataset), firing=None)
    for axis in AXES:
        for way in WAYS:
            try:
                query = choose_features(dataset, axis, way)
                k = len(planted.values[axis])
                found = cluster_documents(
                    documents, features=query, k=k, seed=seed, n_resamples=1, null=0
                )
            except InputError:  # no label matches, or too few to divide by
                yield Division(way, axis, 0, 0.0, 0.0)
                continue
            scores = {
                name: float(adjusted_rand_score(truth, found.assignment))
                for name, truth in planted.truth.items()
            }
            yield Division(
                way=way,
                axis=axis,
                n_features=len(found.features),
                own=scores[axis],
                other=max(score for name, score in scores.items() if name != axis),
            )


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--sae", nargs="+", default=["reader", "embedding"])
    parser.add_argument("--keep", type=Path, help="folder for the data sets; default: thrown away")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as thrown_away:
        folder = options.keep or Path(thrown_away)
        folder.mkdir(parents=True, exist_ok=True)
        for kind in options.sae:
            runs = [
                run
                for seed in options.seeds
                for run in divide(make_dataset(kind, seed, folder), seed)
            ]
            print(f"\n{kind}, seeds {' '.join(map(str, options.seeds))}")
            print("| asked for | by | features | own axis: mean | worst | another: mean | worst |")
            print("| --- | --- | --- | --- | --- | --- | --- |")
            for axis in AXES:
                for way in WAYS:
                    print_row([run for run in runs if (run.axis, run.way) == (axis, way)])


def print_row(runs: list[Division]) -> None:
    """Print one way of dividing by one axis, over all seeds."""
    first = runs[0]
    own, other = [run.own for run in runs], [run.other for run in runs]
    way = first.way
    if way == "built-in" and find_axis(first.axis) is None:
        way = "all features (not in the built-in list)"
    print(
        f"| {first.axis} | {way} | {np.mean([run.n_features for run in runs]):.0f} "
        f"| {np.mean(own):.2f} | {min(own):.2f} | {np.mean(other):.2f} | {max(other):.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
