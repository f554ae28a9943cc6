"""Small planted corpora: each concept is a word or two, each embedding the concepts' directions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from interp_embed.hypotheses import StudyRun, StudySettings, find_hypotheses
from interp_embed.interpret import KeywordAnnotator

SYNONYMS = (
    ("umbrella", "parasol"),
    ("poodle", "terrier"),
    ("violin", "cello"),
    ("pepper", "paprika"),
    ("velvet", "satin"),
    ("lantern", "candle"),
    ("harbour", "marina"),
    ("ladder", "staircase"),
    ("walnut", "almond"),
    ("glacier", "iceberg"),
    ("trumpet", "trombone"),
    ("orchard", "vineyard"),
    ("saddle", "bridle"),
    ("anchor", "rudder"),
    ("thimble", "needle"),
    ("falcon", "heron"),
)
_FILLER = np.array([f"w{one}{two}" for one in "abcdefghij" for two in "klmnopqrstuv"])
_N_FILLER = 8
N_NULL_CONCEPTS = 8


@dataclass(frozen=True)
class WordCorpus:
    """Documents, which concepts they have, and vectors that tell."""

    texts: list[str]
    truth: NDArray[np.bool_]
    """Shape (n_documents, n_concepts)."""
    embeddings: NDArray[np.float32]
    authors: NDArray[np.int64] | None = None


def write_texts(truth: NDArray[np.bool_], rng: np.random.Generator) -> list[str]:
    """Return a text a row: filler, and one of the two words of each concept present."""
    texts = []
    for present in truth:
        words = rng.choice(_FILLER, _N_FILLER).tolist()
        for concept in np.flatnonzero(present).tolist():
            words.insert(int(rng.integers(_N_FILLER)), str(rng.choice(SYNONYMS[concept])))
        texts.append(" ".join(words))
    return texts


def plant_words(n: int, *, seed: int, n_authors: int = 0, n_copies: int = 0) -> WordCorpus:
    """Return documents of eight concepts.

    Args:
        n: Documents.
        seed: Of all that is drawn.
        n_authors: Authors who share the documents evenly and lean to some concepts; 0 for none.
        n_copies: Documents, the last ones, that are copies of earlier ones, word by word.
    """
    rng = np.random.default_rng([seed, 11])
    chance = np.full((n, N_NULL_CONCEPTS), 0.2)
    authors = None
    if n_authors:
        authors = rng.permutation(n) % n_authors
        chance = expit(-1.6 + 1.2 * rng.standard_normal((n_authors, N_NULL_CONCEPTS)))[authors]
    truth = rng.random(chance.shape) < chance
    texts = write_texts(truth, rng)
    directions = np.linalg.qr(rng.standard_normal((16, N_NULL_CONCEPTS)))[0].T
    embeddings = truth @ directions + 0.03 * rng.standard_normal((n, 16))
    if n_copies:
        source = rng.choice(n - n_copies, n_copies, replace=False)
        for copy, original in zip(range(n - n_copies, n), source.tolist(), strict=True):
            texts[copy], truth[copy] = texts[original], truth[original]
            embeddings[copy] = embeddings[original]
    return WordCorpus(texts, truth, embeddings.astype(np.float32), authors)


def study(
    corpus: WordCorpus,
    target: NDArray[np.float64],
    *,
    settings: StudySettings,
    groups: NDArray[np.int64] | None = None,
    **given: object,
) -> StudyRun:
    """Return the whole study: split, SAE, screening, labels, choice, and the test on fresh rows."""
    return find_hypotheses(
        corpus.texts,
        target.tolist(),
        embeddings=corpus.embeddings,
        settings=settings,
        groups=None if groups is None else groups.tolist(),
        cache=None,
        progress=False,
        **given,  # type: ignore[arg-type]
    )


def meant_concepts(hypotheses: list[str], corpus: WordCorpus) -> list[int]:
    """Return the planted concept that each hypothesis' verdicts correlate with most."""
    verdicts = KeywordAnnotator().annotate(corpus.texts, hypotheses).verdicts
    truth = corpus.truth - corpus.truth.mean(axis=0)
    centred = verdicts - verdicts.mean(axis=0)
    return [int(np.argmax(column @ truth / np.linalg.norm(truth, axis=0))) for column in centred.T]
