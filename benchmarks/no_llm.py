"""What hypotheses carry without a language model: labels of words against labels of sentences.

Each study splits its documents, learns features and names 20 hypotheses twice: with keyword labels
and the rule that reads them, and with sentences and an encoder that compares (SentenceAnnotator).
``share`` is how much of the ceiling the verdicts carry on confirm documents: R2 of the verdicts
over R2 of the whole embedding (of a binary target, of AUC less 1/2). ``F1`` is the mean fidelity
of the labels there; ``shuffled`` the same with the texts of the labels dealt to other features and
thresholds set anew, which is what thresholds alone can do. CPU seconds are of labelling, choosing
and testing, sentences embedded before or not (--cold).

    python benchmarks/no_llm.py --data ../shared/data --seeds 0,1,2,3
"""

import argparse
import gzip
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from interp_embed.embedders import Embedder, load_embedder
from interp_embed.hypotheses import EvaluationPlan, StudySettings, generate_candidates
from interp_embed.hypotheses.corpus import Corpus, SealedSplit
from interp_embed.hypotheses.evaluate import Evaluation, evaluate_candidates
from interp_embed.hypotheses.features import learn_features
from interp_embed.hypotheses.generate import Candidates
from interp_embed.hypotheses.prepare import Given, prepare_rows
from interp_embed.hypotheses.screening import screening_columns
from interp_embed.hypotheses.sides import split_study
from interp_embed.hypotheses.vectors import embed_rows
from interp_embed.interpret import SentenceAnnotator, measure_fidelity
from interp_embed.records import TargetKind

METHODS = ("keywords", "sentences")


@dataclass(frozen=True)
class Task:
    """A data set with something to explain."""

    file: str
    text: str
    target: str
    group: str | None = None
    keep: Callable[[dict[str, str]], bool] = lambda row: True
    n_rows: int = 4_000


TASKS = {
    "yelp": Task("yelp_dev/reviews", "text", "stars", "user_id"),
    "cebab": Task(
        "cebab/train", "text", "rating", "original_id", lambda row: row["rating"].isdigit()
    ),
    "imdb": Task("imdb_dev/val", "text", "label", "movie"),
    "hotel": Task("hypogenic/hotel_reviews_train", "review_sentence", "label"),
    "hotel-val": Task("hypogenic/hotel_reviews_val", "review_sentence", "label"),
    "shoe": Task("hypogenic/shoe_train", "appearance", "label"),
}


@dataclass(frozen=True)
class Prepared:
    """A study up to where labels are sought."""

    discover: Corpus
    confirm: Corpus
    discover_activations: csr_matrix
    confirm_activations: csr_matrix
    plan: EvaluationPlan


def read_rows(task: Task, folder: Path) -> list[dict[str, str]]:
    """Return the rows of a task."""
    with gzip.open(folder / f"{task.file}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row for row in rows if task.keep(row)][: task.n_rows]


def prepare(task: Task, folder: Path, embedder: Embedder | str, seed: int) -> Prepared:
    """Return the study's two sides with the activations of its features."""
    rows = read_rows(task, folder)
    numeric = all(str(row[task.target]).isdigit() for row in rows)
    given = Given(
        documents=[row[task.text] for row in rows],
        target=[float(row[task.target]) if numeric else row[task.target] for row in rows],
        groups=[row[task.group] for row in rows] if task.group else None,
        target_name=task.target,
        target_kind="numeric"
        if len({row[task.target] for row in rows}) > 2 and numeric
        else "auto",
    )
    prepared = prepare_rows(given)
    settings = StudySettings(seed=seed)
    sides = split_study(prepared, settings)
    made = embed_rows(
        prepared, embedder, discover=sides.split.discover, cache="default", progress=False
    )
    sealed = SealedSplit(prepared.corpus(made.values), sides.split, sides.tune)
    discover = sealed.discover
    sealed.fix("benchmark")
    confirm = sealed.open("benchmark")
    kind: TargetKind = prepared.target.kind
    with threadpool_limits(1):
        learned = learn_features(
            discover.embeddings,
            screening_columns(discover, kind=kind, control_length=True),
            settings=settings.learning(n_documents=len(discover)),
            groups=discover.groups,
            seed=seed,
            progress=False,
        )
        activations = learned.encode(confirm.embeddings, threads=1)
    plan = EvaluationPlan(kind=kind, classes=prepared.classes)
    return Prepared(discover, confirm, learned.activations, activations, plan)


def run(method: str, study: Prepared, annotator: SentenceAnnotator, seed: int) -> None:
    """Print what one kind of labels carries."""
    started = time.process_time()
    with threadpool_limits(1):
        candidates = generate_candidates(
            study.discover,
            study.discover_activations,
            n=20,
            kind=study.plan.kind,
            annotator=annotator if method == "sentences" else None,
            seed=seed,
        )
        result = evaluate_candidates(
            candidates,
            study.confirm,
            study.confirm_activations,
            discover=study.discover,
            plan=study.plan,
            annotator=candidates.annotator,
            seed=seed,
        )
    seconds = time.process_time() - started
    scores = result.scores
    chance = 0.0 if scores.metric == "r2" else 0.5
    carried = (scores.hypotheses - chance) / (scores.ceiling - chance)
    fidelity = np.nanmean([h.fidelity.f1 for h in result.hypotheses])
    told = ""
    if method == "sentences":
        told = f" shuffled {shuffled_fidelity(study, candidates, annotator):.2f}"
    print(
        f"{method:10} {scores.metric} ceiling {scores.ceiling:.3f} features {scores.features:.3f} "
        f"hypotheses {scores.hypotheses:.3f} floor {scores.floor:.3f} share {carried:.2f} "
        f"F1 {fidelity:.2f}{told} significant {sum(h.significant for h in result.hypotheses)} "
        f"CPU {seconds:.1f} s",
        flush=True,
    )
    show(result)


def shuffled_fidelity(
    study: Prepared, candidates: Candidates, annotator: SentenceAnnotator
) -> float:
    """Return the mean F1 of labels dealt to other features, each with a threshold set for it."""
    labels = [candidate.label for candidate in candidates.candidates]
    dealt = [
        replace(label, text=other.text)
        for label, other in zip(labels, labels[1:] + labels[:1], strict=True)
    ]
    calibrated = annotator.calibrate(study.discover.documents, dealt, study.discover_activations)
    texts = [label.text for label in dealt]
    verdicts = calibrated.annotate(study.confirm.documents, texts).verdicts
    fires = study.confirm_activations[:, [label.feature for label in dealt]].toarray() > 0
    return float(
        np.mean([measure_fidelity(verdicts[:, i], fires[:, i]).f1 for i in range(len(dealt))])
    )


def show(result: Evaluation, n: int = 4) -> None:
    """Print the first hypotheses."""
    for hypothesis in result.hypotheses[:n]:
        about = f" [{hypothesis.about}]" if hypothesis.about else ""
        print(f"    {hypothesis.separation.value:+.2f}{about} {hypothesis.hypothesis}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, run every task, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--seeds", default="0,1,2,3")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--embedder", default="all-MiniLM-L6-v2", help="of the features")
    parser.add_argument("--cold", action="store_true", help="embed sentences within what is timed")
    options = parser.parse_args(arguments)
    annotator = SentenceAnnotator(cache=None if options.cold else "default")
    for name in options.tasks.split(","):
        for seed in map(int, options.seeds.split(",")):
            study = prepare(TASKS[name], options.data, load_embedder(options.embedder), seed)
            n = len(study.discover), len(study.confirm)
            print(f"{name} seed {seed}: {n[0]} discover and {n[1]} confirm documents", flush=True)
            for method in options.methods.split(","):
                run(method, study, annotator, seed)


if __name__ == "__main__":
    main()
