"""How well 20 features predict a target out of sample: this library and HypotheSAEs 2.0.1.

    python benchmarks/predict.py --data ../shared/data --predecessor .venv-bench/bin/python
    python benchmarks/predict.py --data ../shared/data --datasets yelp --seeds 2 --folder /tmp/runs

``--data`` holds the development sets (``yelp_dev``, ``cebab``, ``imdb_dev``); ``--predecessor`` is
the interpreter of an environment that holds hypothesaes==2.0.1 (``make bench`` makes one), without
it only ours is run. ``--folder`` keeps what the predecessor did and does not run it again.

Both sides get the same MiniLM embeddings (all-MiniLM-L6-v2) and the same five folds, which keep a
user's, a movie's or an edited review's texts together. In each fold SAE and selection see the
training rows alone; then an ordinary linear regression on the activations of the 20 selected
features is fitted on the training rows and scored on the test rows: R2, AUC for imdb.

- ``mean`` and ``sd``: of the mean over folds, over seeds of the SAE.
- ``share``: of the ceiling, a ridge regression on the whole embedding (of an AUC: above 0.5).
- ``on/off``: the same score where only whether a feature fires is known.
- ``alike``: largest correlation of a selected feature with another one, on average.
- ``is target``: share of the variance of a feature's firing that tenths of the (out-of-fold) ridge
  prediction of the target explain, on average; near 1 the feature is the target under a new name.

The predecessor is run with the sizes its README names for 1,000 and 10,000 examples and those of
its quickstart, and with each of its three selection methods; compare with the best.
"""

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import GroupKFold

from _children import print_table, run_child
from interp_embed.embedders import embed_documents, load_embedder
from interp_embed.hypotheses import FeatureSettings, choose_features, learn_features
from interp_embed.sae import TrainingSettings
from interp_embed.stats import crossfit_predictions, fit_ridge

THEIRS = {"64/4": (64, 4, []), "256/8": (256, 8, []), "256/8 [32, 256]": (256, 8, [32, 256])}
THEIR_METHODS = ("correlation", "lasso", "separation_score")
OURS = {  # granularities, repeats, target_weight
    "one SAE": (1, 1, 0.0),
    "pool": (3, 2, 0.0),
    "aimed": (1, 1, 0.4),
    "aimed pool": (3, 2, 0.4),
}
OUR_METHODS = ("correlation", "lasso", "forward")
_CEBAB_REVIEWS = 600
"""Original reviews that are taken, with all their edits."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Embedded documents with a target, in folds."""

    name: str
    embeddings: NDArray[np.float32]
    target: NDArray[np.float64]
    groups: NDArray[np.int64]
    folds: NDArray[np.int64]
    predicted: tuple[NDArray[np.float64], ...]
    """For each fold, its training rows' targets as predicted from one another."""

    def score(self, target: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
        """Return R2, or AUC where the target is a class."""
        score = roc_auc_score if self.name == "imdb" else r2_score
        return float(score(target, predicted))

    def share(self, score: float, ceiling: float) -> float:
        """Return how much of the ceiling a score is, above chance."""
        chance = 0.5 if self.name == "imdb" else 0.0
        return (score - chance) / (ceiling - chance)


@dataclass(frozen=True, slots=True)
class Result:
    """What the features of one training and selection are worth on one fold."""

    seed: int
    fold: int
    score: float
    on_off: float
    alike: float
    is_target: float
    seconds: float


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a gzipped file of JSON lines."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def load_yelp(data: Path) -> tuple[list[str], list[float], list[str]]:
    """Return reviews, stars and users."""
    rows = read_rows(data / "yelp_dev/reviews.jsonl.gz")
    return (
        [row["text"] for row in rows],
        [float(row["stars"]) for row in rows],
        [row["user_id"] for row in rows],
    )


def load_cebab(data: Path) -> tuple[list[str], list[float], list[str]]:
    """Return reviews and their edits, the majority's rating where there is one, and originals."""
    rows = [row for row in read_rows(data / "cebab/train.jsonl.gz") if row["rating"] in "12345"]
    originals = np.unique([row["original_id"] for row in rows])
    drawn = np.random.default_rng(0).permutation(originals)[:_CEBAB_REVIEWS]
    kept = set(drawn.tolist())
    rows = [row for row in rows if row["original_id"] in kept]
    return (
        [row["text"] for row in rows],
        [float(row["rating"]) for row in rows],
        [row["original_id"] for row in rows],
    )


def load_imdb(data: Path) -> tuple[list[str], list[float], list[str]]:
    """Return reviews, whether they are positive, and movies."""
    rows = read_rows(data / "imdb_dev/val.jsonl.gz")
    return (
        [row["text"] for row in rows],
        [float(row["label"]) for row in rows],
        [row["movie"] for row in rows],
    )


LOADERS: dict[str, Callable[[Path], tuple[list[str], list[float], list[str]]]] = {
    "yelp": load_yelp,
    "cebab": load_cebab,
    "imdb": load_imdb,
}


def make_task(name: str, data: Path, folder: Path) -> Task:
    """Embed a data set, draw its folds, and write both for the predecessor."""
    texts, target, labels = LOADERS[name](data)
    groups = np.unique(labels, return_inverse=True)[1]
    folds = np.empty(len(texts), np.int64)
    splits = GroupKFold(5, shuffle=True, random_state=0).split(texts, groups=groups)
    for fold, (_, test) in enumerate(splits):
        folds[test] = fold
    embeddings = embed_documents(texts, load_embedder("all-MiniLM-L6-v2"))
    values = np.array(target)
    predicted = tuple(
        crossfit_predictions(
            embeddings[folds != fold], values[folds != fold], groups=groups[folds != fold]
        )
        for fold in range(5)
    )
    task = Task(name, embeddings, values, groups, folds, predicted)
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("embeddings", "target", "folds"):
        np.save(folder / f"{part}.npy", getattr(task, part))
    return task


def measure(
    task: Task, seed: int, fold: int, activations: NDArray[np.float64], seconds: float
) -> Result:
    """Score activations of the selected features, (n_documents, n), on the fold's test rows."""
    test = task.folds == fold
    scores = []
    for columns in (activations, (activations > 0).astype(np.float64)):
        fit = LinearRegression().fit(columns[~test], task.target[~test])
        scores.append(task.score(task.target[test], fit.predict(columns[test])))
    train, fires = activations[~test], activations[~test] > 0
    is_target = _is_target(fires, task.predicted[fold])
    return Result(seed, fold, *scores, _alike(train), is_target, seconds)


def _alike(activations: NDArray[np.float64]) -> float:
    varying = activations[:, activations.std(axis=0) > 0]
    correlation = np.abs(np.corrcoef(varying.T))
    np.fill_diagonal(correlation, 0)
    return float(correlation.max(axis=1).mean())


def _is_target(fires: NDArray[np.bool_], predicted: NDArray[np.float64]) -> float:
    tenth = np.searchsorted(np.quantile(predicted, np.arange(1, 10) / 10), predicted)
    sizes = np.bincount(tenth, minlength=10)
    shares = np.stack([np.bincount(tenth, weights=f, minlength=10) / sizes for f in fires.T])
    overall = fires.mean(axis=0)
    between = (sizes * (shares - overall[:, None]) ** 2).sum(axis=1) / len(fires)
    return float((between / np.maximum(overall * (1 - overall), 1e-9)).mean())


def run_ours(task: Task, options: argparse.Namespace) -> Iterator[tuple[str, Result]]:
    """Learn and select in each fold, from each seed, by each setting and method."""
    for name in filter(None, options.ours.split(";")):
        granularities, repeats, weight = OURS[name]
        for seed in range(options.seeds):
            for fold in range(5):
                test = task.folds == fold
                begun = time.process_time()
                settings = FeatureSettings(
                    TrainingSettings(256, 16, prefixes=(32, 256), rule="batch_topk"),
                    granularities=granularities,
                    repeats=repeats,
                    target_weight=weight,
                )
                learned = learn_features(
                    task.embeddings[~test],
                    task.target[~test],
                    settings=settings,
                    groups=task.groups[~test],
                    seed=seed,
                )
                learned_s = time.process_time() - begun
                for method in OUR_METHODS:
                    begun = time.process_time()
                    chosen = choose_features(
                        learned.activations, task.target[~test], n=options.n, method=method
                    ).features
                    seconds = learned_s + time.process_time() - begun
                    activations = np.empty((len(test), options.n))
                    activations[~test] = learned.activations[:, chosen].toarray()
                    activations[test] = learned.encode(task.embeddings[test])[:, chosen].toarray()
                    yield f"ours {name} {method}", measure(task, seed, fold, activations, seconds)
            print(task.name, name, "seed", seed, file=sys.stderr, flush=True)


def run_theirs(
    task: Task, options: argparse.Namespace, folder: Path
) -> Iterator[tuple[str, Result]]:
    """Let the predecessor do the same, or read what it did before."""
    for name in filter(None, options.theirs.split(";")):
        n_features, k, prefixes = THEIRS[name]
        done = folder / f"theirs-{n_features}-{k}-{len(prefixes)}-{options.seeds}.json"
        if not done.exists():
            if not options.predecessor:
                continue
            told = run_child(
                options.predecessor, "_predict_predecessor.py", "predict",
                folder=str(folder), n_features=n_features, k=k, prefixes=prefixes,
                seeds=options.seeds, n_selected=options.n, methods=THEIR_METHODS,
            )  # fmt: skip
            done.write_text(json.dumps(told))
        for run in json.loads(done.read_text())["runs"]:
            activations = np.load(run["file"]).astype(np.float64)
            result = measure(task, run["seed"], run["fold"], activations, run["s"])
            yield f"theirs {name} {run['method']}", result


def measure_ceiling(task: Task) -> float:
    """Return the mean score of a ridge regression on the whole embedding."""
    scores = []
    for fold in range(5):
        test = task.folds == fold
        fit = fit_ridge(task.embeddings[~test], task.target[~test])
        scores.append(task.score(task.target[test], fit.predict(task.embeddings[test])))
    return float(np.mean(scores))


def summarise(task: Task, ceiling: float, name: str, results: list[Result]) -> list[str]:
    """Return a row of the table."""
    seeds = sorted({result.seed for result in results})
    means = [np.mean([r.score for r in results if r.seed == seed]) for seed in seeds]
    mean = float(np.mean(means))
    return [
        name,
        f"{mean:.3f}",
        f"{np.std(means, ddof=1):.4f}" if len(seeds) > 1 else "",
        f"{task.share(mean, ceiling):.0%}",
        f"{np.mean([r.on_off for r in results]):.3f}",
        f"{np.mean([r.alike for r in results]):.2f}",
        f"{np.mean([r.is_target for r in results]):.2f}",
        f"{np.mean([r.seconds for r in results]):.1f}",
    ]


def main() -> None:
    """Parse the command line, run both sides on each data set, print a table of each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--predecessor", metavar="PYTHON")
    parser.add_argument("--datasets", default="yelp", help="of: " + ",".join(LOADERS))
    parser.add_argument("--theirs", default=";".join(THEIRS), help="its sizes, split by ';'")
    parser.add_argument("--ours", default=";".join(OURS), help="our settings, split by ';'")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--folder", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for name in options.datasets.split(","):
            folder = (options.folder or Path(temporary)).resolve() / name
            task = make_task(name, options.data, folder)
            found: dict[str, list[Result]] = {}
            for side in (run_theirs(task, options, folder), run_ours(task, options)):
                for label, result in side:
                    found.setdefault(label, []).append(result)
            ceiling = measure_ceiling(task)
            print(f"\n{name}: {len(task.target)} documents, ceiling {ceiling:.3f}", flush=True)
            heading = ["", "mean", "sd", "share", "on/off", "alike", "is target", "CPU s"]
            rows = [summarise(task, ceiling, label, results) for label, results in found.items()]
            print_table([heading, *rows])


if __name__ == "__main__":
    main()
