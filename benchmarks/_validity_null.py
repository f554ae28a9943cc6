"""Studies of data in which there is nothing to find, and how often they find something (X7, X8)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from _validity_corpora import plant_words, study
from _validity_rows import Row, Sizes, number_row, rate_row, standard_error
from interp_embed.errors import SealedRowsError
from interp_embed.hypotheses import (
    Corpus,
    EvaluationPlan,
    SealedSplit,
    StudySettings,
    evaluate_candidates,
    generate_candidates,
    select_features,
)
from interp_embed.stats import (
    adjust_benjamini_hochberg,
    adjust_bonferroni,
    joint_regression,
    preference_effect,
    preference_regression,
    split_rows,
)

N_DOCUMENTS = 300
_SETTINGS = StudySettings(n=6, features=12, active=2, max_epochs=25)
_SHAPE = f"{N_DOCUMENTS} documents, 12 features, 6 hypotheses"


@dataclass(frozen=True)
class Findings:
    """The p-values of what a study of nothing tested."""

    p: NDArray[np.float64]

    @property
    def any_bonferroni(self) -> bool:
        """Whether it claims anything under Bonferroni."""
        return bool((adjust_bonferroni(self.p) <= 0.05).any())

    @property
    def any_bh(self) -> bool:
        """Whether it claims anything under Benjamini-Hochberg: all of it is then false."""
        return bool((adjust_benjamini_hochberg(self.p) <= 0.05).any())


NullStudy = Callable[[int], Findings]
"""A study of documents that have nothing to do with the target, by seed."""


def null_study(seed: int, *, kind: str = "plain", told_groups: bool = True) -> Findings:
    """Run one whole study of a target that no concept is associated with.

    Args:
        seed: Of the documents, the target and the study; with an odd one the target is binary.
        kind: ``plain``; ``authors`` who have several documents, leanings of their own and an
            effect on the target; ``copies``: one document in ten is another one again, with a
            target of its own; ``reposts``: with the same target.
        told_groups: Whether the study is told who wrote what.
    """
    n_copies = N_DOCUMENTS // 10 if kind in ("copies", "reposts") else 0
    n_authors = N_DOCUMENTS // 6 if kind == "authors" else 0
    corpus = plant_words(N_DOCUMENTS, seed=seed, n_authors=n_authors, n_copies=n_copies)
    rng = np.random.default_rng([seed, 12])
    target = rng.standard_normal(N_DOCUMENTS)
    if corpus.authors is not None:
        target += 1.5 * rng.standard_normal(n_authors)[corpus.authors]
    if kind == "reposts":
        places = {text: place for place, text in reversed(list(enumerate(corpus.texts)))}
        target = target[[places[text] for text in corpus.texts]]
    if seed % 2:
        target = (target > np.median(target)).astype(np.float64)
    groups = corpus.authors if told_groups else None
    run = study(corpus, target, settings=_SETTINGS, groups=groups)
    return Findings(np.array([h.coefficient.p for h in run.study.hypotheses]))


def same_row_study(seed: int) -> Findings:
    """Run what the library refuses: the features are tested on the rows that chose them."""
    return Findings(_chosen_p(seed, fresh=False))


def family_rows(studies: list[Findings], *, what: str, meaning: str, how: str) -> list[Row]:
    """Return the rows of false findings under both corrections."""
    return [
        rate_row(
            "X7",
            f"{what}: studies with any finding, Bonferroni",
            [found.any_bonferroni for found in studies],
            meaning=meaning,
            how=how,
        ),
        rate_row(
            "X7",
            f"{what}: studies with any finding, Benjamini-Hochberg",
            [found.any_bh for found in studies],
            meaning="where nothing is there, every discovery is false, so that the false "
            "discovery rate is the share of studies that claim any.",
            how=how,
        ),
    ]


def null_rows(sizes: Sizes) -> list[Row]:
    """Return X7: false findings of whole studies, of same-row tests, and what is refused."""
    rows: list[Row] = []
    kinds = {
        "plain": ("Null target", "a study that has nothing to find rarely claims anything."),
        "authors": (
            "Null target, authors with several documents each",
            "telling the study who wrote what keeps an author's habits from passing for a finding.",
        ),
        "copies": (
            "Null target, 10 % duplicated texts",
            "copies are kept on one side of the split, so none confirms itself.",
        ),
        "reposts": (
            "Null target, 10 % duplicated texts with their target",
            "a document posted twice counts little more than once.",
        ),
    }
    n = sizes.null_studies
    how = f"{n} studies of {_SHAPE}, seeds 0 to {n - 1}; every other target is binary"
    for kind, (what, meaning) in kinds.items():
        studies = sizes.map(partial(null_study, kind=kind), n)
        rows += family_rows(studies, what=what, meaning=meaning, how=how)
    untold = sizes.map(partial(null_study, kind="authors", told_groups=False), n)
    rate = float(np.mean([found.any_bonferroni for found in untold]))
    rows.append(
        number_row(
            "X7",
            "The same authors, the study not told of them",
            rate,
            meaning="what dependence does to a study that is not told of it: give `groups`.",
            how=how,
        )
    )
    return rows + same_row_rows(sizes) + [refusal_row()]


def _chosen_p(seed: int, *, fresh: bool) -> NDArray[np.float64]:
    """Return p-values of 20 features chosen of 256 that have nothing to do with the target."""
    rng = np.random.default_rng([seed, 13])
    n = 1_000

    def draw() -> tuple[csr_matrix, NDArray[np.float64]]:
        fires = rng.random((n, 256)) < 0.1
        strength = rng.gamma(2.0, 1.0, fires.shape)
        return csr_matrix(np.where(fires, strength, 0).astype(np.float32)), rng.standard_normal(n)

    activations, target = draw()
    chosen = select_features(activations, target, n=20, method="correlation").features
    if fresh:
        activations, target = draw()
    estimates = joint_regression(activations[:, chosen].toarray(), target)
    return np.array([estimate.p for estimate in estimates])


def same_row_rows(sizes: Sizes) -> list[Row]:
    """Return how many of 20 chosen null features seem to hold, on the same and on fresh rows."""
    n = sizes.same_row_runs
    how = f"{n} runs of 1,000 documents, 256 features, 20 chosen; seeds 0 to {n - 1}"
    same = np.array(sizes.map(partial(_count_small, fresh=False), n))
    fresh = np.array(sizes.map(partial(_count_small, fresh=True), n))
    most = 1.0 + 2 * float(np.sqrt(20 * 0.05 * 0.95 / n))
    return [
        number_row(
            "X7",
            "Of 20 features of nothing, at p < .05 on the rows that chose them",
            float(same.mean()),
            shown=f"{same.mean():.1f} of 20 ({same.mean() / 20:.0%})",
            meaning="what searching and testing on the same rows would claim; the library "
            "refuses to.",
            how=how,
        ),
        number_row(
            "X7",
            "The same on fresh rows",
            float(fresh.mean()),
            most=most,
            shown=f"{fresh.mean():.2f} of 20",
            meaning="fresh rows let through the one in twenty that p < .05 allows.",
            how=how,
        ),
    ]


def _count_small(seed: int, *, fresh: bool) -> int:
    return int((_chosen_p(seed, fresh=fresh) < 0.05).sum())


def refusal_row() -> Row:
    """Return whether each way around the split is refused."""
    words = plant_words(200, seed=0)
    target = np.random.default_rng(0).standard_normal(200)
    rows = np.arange(200)
    corpus = Corpus(tuple(words.texts), target, words.embeddings, rows, rows)
    sealed = SealedSplit(corpus, split_rows(rows, confirm_share=0.5, seed=0))
    discover = sealed.discover
    activations = csr_matrix(words.truth[discover.rows].astype(np.float32))
    candidates = generate_candidates(discover, activations, n=4)
    tries: list[Callable[[], object]] = [
        lambda: sealed.open(candidates.plan),
        lambda: evaluate_candidates(
            candidates, discover, activations, discover=discover, plan=EvaluationPlan("numeric")
        ),
        lambda: _open_twice(sealed, candidates.plan),
        lambda: sealed.fix("other hypotheses"),
    ]
    refused = sum(map(_is_refused, tries))
    return number_row(
        "X7",
        "Ways around the split that are refused",
        refused,
        least=len(tries),
        shown=f"{refused} of {len(tries)}",
        meaning="opening before the hypotheses are fixed, testing on the rows that were "
        "searched, opening twice, and testing other hypotheses all raise an error.",
        how="",
    )


def _open_twice(sealed: SealedSplit, plan: str) -> None:
    sealed.fix(plan)
    sealed.open(plan)
    sealed.open(plan)


def _is_refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except SealedRowsError:
        return True
    return False


def preference_p(seed: int, *, prompts: bool) -> tuple[float, float]:
    """Return p of the win rate and of the Bradley-Terry model for pairs preferred by chance.

    Args:
        seed: Of the pairs.
        prompts: Four pairs a prompt, which leans to the first place or the second.
    """
    rng = np.random.default_rng([seed, 14])
    n = 200
    first, second = rng.random(n) < 0.3, rng.random(n) < 0.3
    prompt = np.arange(n) // 4
    chance = np.full(n, 0.5)
    if prompts:
        # A prompt's answers share what they have and how they are judged.
        shared = rng.random(n // 4)[prompt]
        first, second = rng.random(n) < 0.6 * shared, rng.random(n) < 0.6 * (1 - shared)
        chance = 0.5 + 0.25 * rng.choice([-1, 1], n // 4)[prompt]
    preferred = (rng.random(n) < chance).astype(np.float64)
    difference = first.astype(np.float64) - second
    groups = prompt if prompts else None
    effect = preference_effect(difference, preferred, groups=groups).win_rate.p
    model = preference_regression(difference[:, None], preferred, groups=groups).estimates[0].p
    return effect, model


def preference_rows(sizes: Sizes) -> list[Row]:
    """Return X8: how often preferences made by chance seem to be about something."""
    n = sizes.simulations
    spare = 0.02 if n >= 500 else 2.6 * standard_error(0.05, n)
    rows = []
    for prompts in (False, True):
        p = np.array(sizes.map(partial(preference_p, prompts=prompts), n))
        how = f"{n} runs of 200 pairs{', four a prompt' if prompts else ''}, seeds 0 to {n - 1}"
        for column, name in enumerate(("win rate", "Bradley-Terry model")):
            rows.append(
                number_row(
                    "X8",
                    f"Preferences by chance{', pairs of shared prompts' if prompts else ''}: "
                    f"rejected at .05, {name}",
                    float((p[:, column] < 0.05).mean()),
                    least=max(0.0, 0.05 - spare),
                    most=0.05 + spare,
                    meaning="the predecessor's test rejects all of these; here it is one in "
                    "twenty, as it says.",
                    how=how,
                )
            )
    return rows
