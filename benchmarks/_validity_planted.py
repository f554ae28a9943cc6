"""What is found of what was planted, and how much else (X1, X2, X3, X15)."""

import gzip
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from _validity_corpora import SYNONYMS, WordCorpus, meant_concepts, study, write_texts
from _validity_rows import Row, Sizes, number_row, skipped_row
from interp_embed.embedders import embed_documents, load_embedder
from interp_embed.hypotheses import StudySettings, learn_features, select_features
from interp_embed.interpret import KeywordAnnotator
from interp_embed.sae import TrainingSettings, random_dictionary, train_sae
from interp_embed.stats import crossfit_score, seed_stability
from interp_embed.synthetic import match_features, plant_activations

_N_TRAIN, _N_TEST = 2_000, 1_000
_EFFECTS = {0: 1.0, 1: -1.0, 2: 1.0, 3: -1.0, 4: 1.0}
"""Five of sixteen planted concepts move the outcome, by a point each."""
_YELP = Path(__file__).parents[1].parent / "shared" / "data" / "yelp_dev" / "reviews.jsonl.gz"


@dataclass(frozen=True)
class Recovered:
    """Matched F1 of features with planted concepts."""

    trained: float
    control: float
    """Of a random dictionary of the same size."""


@dataclass(frozen=True)
class Found:
    """What a study found of five planted outcome concepts."""

    n_found: int
    n_false: int
    """Findings that mean no outcome concept, or one in the wrong direction."""
    f1: float
    """Of the best finding's verdicts against the truth, mean over outcome concepts; 0 if missed."""


@dataclass(frozen=True)
class Consensus:
    """How well features mean planted concepts, all of one seed and those that seeds share."""

    single: float
    """F1 with the nearest concept, mean over live features and seeds."""
    shared: float
    """The same for the features of the consensus."""
    share_matched: float
    n_shared: float


def recover(seed: int, *, n_concepts: int) -> Recovered:
    """Train an SAE on vectors made of known concepts and match its features with them."""
    planted = plant_activations(_N_TRAIN + _N_TEST, n_concepts=n_concepts, seed=seed)
    train, test, truth = planted.X[:_N_TRAIN], planted.X[_N_TRAIN:], planted.truth[_N_TRAIN:]
    settings = TrainingSettings(2 * n_concepts, 4, rule="batch_topk", seed=seed)
    trained = train_sae(train, settings, progress=False).weights
    control = random_dictionary(train, n_features=2 * n_concepts, k=4, seed=seed)
    return Recovered(
        match_features(trained.encode(test), truth).mean_f1,
        match_features(control.encode(test), truth).mean_f1,
    )


def recovery_rows(sizes: Sizes) -> list[Row]:
    """Return X1: planted concepts among the features of an SAE, and of a random dictionary."""
    rows = []
    for n_concepts in sizes.concepts:
        found = sizes.map(partial(recover, n_concepts=n_concepts), sizes.recovery_seeds)
        trained = float(np.mean([one.trained for one in found]))
        control = float(np.mean([one.control for one in found]))
        rows.append(
            number_row(
                "X1",
                f"{n_concepts} planted concepts: F1 of the features that match them",
                trained,
                least=max(0.78, control + 0.30),
                shown=f"{trained:.3f} (random dictionary {control:.3f})",
                meaning="features come back as the concepts that were planted, which a random "
                "dictionary of the same size does not do; at least .78 and .30 above it.",
                how=f"{_N_TRAIN} documents to train, {_N_TEST} to test, {2 * n_concepts} "
                f"features, 4 active, seeds 0 to {sizes.recovery_seeds - 1}",
            )
        )
    return rows


def planted_study(seed: int, *, features: int | None = 64, active: int = 4) -> Found:
    """Run a whole study of an outcome that five of sixteen concepts move."""
    n = 2_000
    planted = plant_activations(n, n_concepts=len(SYNONYMS), seed=seed)
    rng = np.random.default_rng([seed, 21])
    corpus = WordCorpus(write_texts(planted.truth, rng), planted.truth, planted.X)
    effects = np.array([_EFFECTS.get(concept, 0.0) for concept in range(len(SYNONYMS))])
    target = planted.truth @ effects + rng.standard_normal(n)
    settings = StudySettings(n=12, features=features, active=active, confirm_share=0.5, seed=seed)
    run = study(corpus, target, settings=settings)
    held = [h for h in run.study.hypotheses if h.significant]
    if not held:
        return Found(0, 0, 0.0)
    meant = meant_concepts([h.hypothesis for h in held], corpus)
    right: dict[int, float] = {}
    n_false = 0
    for hypothesis, concept in zip(held, meant, strict=True):
        if _EFFECTS.get(concept, 0.0) * hypothesis.coefficient.value > 0:
            f1 = _verdict_f1(hypothesis.hypothesis, concept, corpus)
            right[concept] = max(f1, right.get(concept, 0.0))
        else:
            n_false += 1
    return Found(len(right), n_false, sum(right.values()) / len(_EFFECTS))


def _verdict_f1(hypothesis: str, concept: int, corpus: WordCorpus) -> float:
    verdicts = KeywordAnnotator().annotate(corpus.texts, [hypothesis]).verdicts[:, 0] == 1
    truth = corpus.truth[:, concept]
    return float(2 * (verdicts & truth).sum() / (verdicts.sum() + truth.sum()))


def planted_rows(sizes: Sizes) -> list[Row]:
    """Return X2: whole studies of planted outcome concepts."""
    n = sizes.planted_studies
    found = sizes.map(planted_study, n)
    what = "2,000 documents, 16 concepts of which 3 a document, 12 hypotheses"
    how = f"{n} studies of {what}, 64 features of which 4 active, seeds 0 to {n - 1}"
    usual = sizes.map(partial(planted_study, features=None, active=16), max(1, n // 2))
    usual_found = float(np.mean([one.n_found for one in usual]))
    usual_false = float(np.mean([one.n_false for one in usual]))
    n_found = sum(one.n_found for one in found)
    n_false = float(np.mean([one.n_false for one in found]))
    f1 = float(np.mean([one.f1 for one in found]))
    return [
        number_row(
            "X2",
            "Planted outcome concepts found, of 5",
            n_found / n,
            least=5.0,
            shown=f"{n_found / n:.2f} ({n_found} of {5 * n})",
            meaning="what moves the outcome by a point is found in every study, in the right "
            "direction, at a false discovery rate of 5 %.",
            how=how,
        ),
        number_row(
            "X2",
            "Findings that mean something else, a study",
            n_false,
            most=1.0,
            shown=f"{n_false:.2f}",
            meaning="hardly anything is found that was not planted.",
            how=how,
        ),
        number_row(
            "X2",
            "F1 of the findings' verdicts against the planted concepts",
            f1,
            least=0.78,
            meaning="the words found say which documents have the concept; .78 is what features "
            "alone have to reach in X1.",
            how=how,
        ),
        number_row(
            "X2",
            "With the default 256 features of which 16 active: found, and false",
            usual_found,
            shown=f"{usual_found:.2f} and {usual_false:.2f}",
            meaning="the defaults are made for embeddings that hold more than three concepts a "
            "document; with fewer, labels may mix concepts, and one may be missed.",
            how=f"{max(1, n // 2)} of the same studies",
        ),
    ]


def stability(seed: int, *, n_seeds: int, n_concepts: int = 32) -> Consensus:
    """Train SAEs of several seeds on the same vectors, and compare what they share."""
    planted = plant_activations(_N_TRAIN + _N_TEST, n_concepts=n_concepts, seed=seed)
    train, test, truth = planted.X[:_N_TRAIN], planted.X[_N_TRAIN:], planted.truth[_N_TRAIN:]
    weights = [
        train_sae(
            train, TrainingSettings(2 * n_concepts, 4, rule="batch_topk", seed=s), progress=False
        ).weights
        for s in range(n_seeds)
    ]
    found = seed_stability([sae.decoder for sae in weights])
    scores = [_nearest_f1(sae.encode(test), truth) for sae in weights]
    shared = [float(scores[s][f]) for one in found.consensus for s, f in one.members[:1]]
    return Consensus(
        single=float(np.mean([column.mean() for column in scores])),
        shared=float(np.mean(shared)) if shared else 0.0,
        share_matched=float(np.nanmean(found.share_matched)),
        n_shared=len(shared),
    )


def _nearest_f1(activations: csr_matrix, truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return each feature's F1 with the concept it is nearest to, shape (n_features,)."""
    fires = (activations.toarray() > 0).astype(np.float64)
    both = fires.T @ truth  # (n_features, n_concepts)
    total = fires.sum(axis=0)[:, None] + truth.sum(axis=0)
    return np.asarray((2 * both / np.maximum(total, 1)).max(axis=1))


def stability_rows(sizes: Sizes) -> list[Row]:
    """Return X15: whether features that seeds share are truer than those of one seed."""
    found = sizes.map(partial(stability, n_seeds=sizes.stability_seeds), sizes.recovery_seeds)
    single = float(np.mean([one.single for one in found]))
    shared = float(np.mean([one.shared for one in found]))
    matched = float(np.mean([one.share_matched for one in found]))
    n_shared = float(np.mean([one.n_shared for one in found]))
    return [
        number_row(
            "X15",
            "F1 with a planted concept of the features that seeds share",
            shared,
            least=single,
            shown=f"{shared:.3f} (all features of one seed {single:.3f})",
            meaning="a feature that comes back from other seeds is more likely one that was "
            f"planted; {matched:.0%} of a seed's features come back in another, "
            f"{n_shared:.0f} of 64 in most of them.",
            how=f"{sizes.stability_seeds} SAEs of 64 features on 32 planted concepts, cosine "
            f"of at least .7, data seeds 0 to {sizes.recovery_seeds - 1}",
        )
    ]


def yelp_rows(sizes: Sizes) -> list[Row]:
    """Return X3: real reviews, the whole embedding beside twenty features of it."""
    del sizes
    claim = "2,000 Yelp reviews, stars"
    if not _YELP.exists():
        return [skipped_row("X3", claim, "the reviews are not on this machine")]
    with gzip.open(_YELP, "rt", encoding="utf-8") as lines:
        reviews = [json.loads(line) for line in lines]
    texts = [review["text"] for review in reviews]
    stars = np.array([review["stars"] for review in reviews], np.float64)
    users = np.unique([review["user_id"] for review in reviews], return_inverse=True)[1]
    vectors = embed_documents(texts, load_embedder("all-MiniLM-L6-v2"), progress=False)
    ceiling = crossfit_score(vectors, stars, metric="r2", groups=users)
    scores = [_twenty_features(vectors, stars, users, seed) for seed in range(3)]
    return [
        number_row(
            "X3",
            f"{claim}: R2 of ridge on the whole embedding",
            ceiling,
            least=0.57,
            meaning="the ceiling for anything made of this embedding. With a split by author, "
            "out of sample.",
            how="all-MiniLM-L6-v2, five folds",
        ),
        number_row(
            "X3",
            f"{claim}: R2 of 20 features",
            float(np.mean(scores)),
            least=0.28,
            shown=f"{np.mean(scores):.3f} ({min(scores):.3f} to {max(scores):.3f})",
            meaning="twenty features that can be named carry this much of the ceiling.",
            how="learned and chosen on 1,200 reviews, scored on the other 800, seeds 0 to 2",
        ),
    ]


def _twenty_features(
    vectors: NDArray[np.float32], stars: NDArray[np.float64], users: NDArray[np.int64], seed: int
) -> float:
    order = np.random.default_rng(seed).permutation(users.max() + 1)[users]
    held = order >= 0.6 * (users.max() + 1)
    learned = learn_features(
        vectors[~held],
        stars[~held],
        settings=StudySettings().learning(n_documents=int((~held).sum())),
        groups=users[~held],
        seed=seed,
        progress=False,
    )
    chosen = select_features(learned.activations, stars[~held], n=20).features
    columns = learned.encode(vectors[held])[:, chosen].toarray()
    return crossfit_score(columns, stars[held], metric="r2", groups=users[held], seed=seed)
