"""Check a whole study against planted truth: does it find what is there, and only that?"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from interp_embed.embedders import Embedder
from interp_embed.embedders.documents import Cache
from interp_embed.hypotheses.settings import StudySettings
from interp_embed.hypotheses.steps import StudyRun
from interp_embed.hypotheses.study import find_hypotheses
from interp_embed.interpret import KeywordAnnotator
from interp_embed.synthetic import CorpusPlan, PlantedCorpus, plant_corpus

OUTCOME_CONCEPTS = {
    "live_music": 1.0,
    "tiny_portions": -1.0,
    "dog_friendly": 1.0,
    "burnt_food": -1.0,
    "friendly_staff": 1.0,
    "dirty_tables": -1.0,
    "outdoor_seating": 1.0,
    "cold_food": -1.0,
    "kids_welcome": 1.0,
    "overpriced": -1.0,
}
"""Ten of the thirty planted concepts move the outcome, by one point each."""


@dataclass(frozen=True, slots=True)
class PlantedCheck:
    """What a study found of the truth."""

    run: StudyRun
    found: tuple[str, ...]
    """Outcome concepts that a significant hypothesis means."""
    missed: tuple[str, ...]
    """Outcome concepts that none means."""
    false: tuple[str, ...] = field(default=())
    """Significant hypotheses that mean no outcome concept, or one in the wrong direction."""


def check_on_planted(
    n_documents: int = 4_000,
    *,
    settings: StudySettings | None = None,
    embedder: Embedder | str = "all-MiniLM-L6-v2",
    cache: Cache = "default",
    seed: int = 0,
    progress: bool = True,
) -> PlantedCheck:
    """Run a study on planted reviews and compare it with the truth.

    A hypothesis means the concept whose presence its annotations correlate with most, over all
    documents. It is right if that concept moves the outcome in the direction found.

    Args:
        n_documents: Reviews to plant.
        settings: Of the study; default 30 hypotheses, half of the reviews to confirm.
        embedder: An embedder or its name.
        cache: As in ``embed_documents``.
        seed: Of the corpus and, by default, of the study.
        progress: Show progress bars.
    """
    plan = CorpusPlan(
        outcome="numeric", effects=OUTCOME_CONCEPTS, prevalence=0.07, filler=0.6, noise=0.5
    )
    corpus = plant_corpus(n_documents, plan=plan, seed=seed)
    outcome = [] if corpus.outcome is None else corpus.outcome.tolist()
    run = find_hypotheses(
        corpus.texts,
        outcome,
        settings=settings or StudySettings(n=30, confirm_share=0.5, seed=seed),
        embedder=embedder,
        target_name="satisfaction",
        ledger=None,  # a check is no second look
        cache=cache,
        progress=progress,
    )
    return _compare(run, corpus)


def _compare(run: StudyRun, corpus: PlantedCorpus) -> PlantedCheck:
    held = [hypothesis for hypothesis in run.study.hypotheses if hypothesis.significant]
    texts = [hypothesis.hypothesis for hypothesis in held]
    verdicts = KeywordAnnotator().annotate(corpus.texts, texts).verdicts
    meant = _nearest_concepts(verdicts, corpus)
    found: set[str] = set()
    false: list[str] = []
    for hypothesis, concept in zip(held, meant, strict=True):
        effect = OUTCOME_CONCEPTS.get(concept, 0.0)
        if effect * hypothesis.coefficient.value > 0:
            found.add(concept)
        else:
            false.append(f"{hypothesis.hypothesis} (nearest: {concept})")
    return PlantedCheck(
        run=run,
        found=tuple(concept for concept in OUTCOME_CONCEPTS if concept in found),
        missed=tuple(concept for concept in OUTCOME_CONCEPTS if concept not in found),
        false=tuple(false),
    )


def _nearest_concepts(verdicts: NDArray[np.float32], corpus: PlantedCorpus) -> list[str]:
    truth = corpus.truth - corpus.truth.mean(axis=0)
    centred = verdicts - verdicts.mean(axis=0)
    lengths = np.linalg.norm(truth, axis=0)
    return [
        corpus.concepts[int(np.argmax(column @ truth / np.where(lengths > 0, lengths, np.inf)))]
        for column in centred.T
    ]
