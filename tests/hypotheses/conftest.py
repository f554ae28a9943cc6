"""A planted corpus small enough to study in a second: each concept is a word or two."""

import json
import re
from dataclasses import dataclass

import numpy as np
import pytest

from interp_embed.hypotheses import Corpus, StudySettings, find_hypotheses
from interp_embed.llm import ScriptedLLM

CONCEPTS = (
    ("umbrella",),
    ("poodle", "terrier"),
    ("violin",),
    ("pepper",),
    ("velvet",),
    ("lantern", "candle"),
    ("harbour",),
    ("ladder",),
)
EFFECTS = np.array([1.0, -1.0, 1.0, -1.0, 0, 0, 0, 0])
FILLER = np.array([f"w{one}{two}" for one in "abcdefghij" for two in "klmnopqrstuv"])
TINY = StudySettings(n=6, features=12, active=2, max_epochs=60)


@dataclass(frozen=True)
class Planted:
    texts: list[str]
    target: list[float]
    truth: np.ndarray
    embeddings: np.ndarray

    def study(self, **changes):
        given = {"embeddings": self.embeddings, "settings": TINY, "progress": False, "ledger": None}
        given |= changes
        texts, target = given.pop("texts", self.texts), given.pop("target", self.target)
        return find_hypotheses(texts, target, **given)


def plant(n=400, *, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.random((n, len(CONCEPTS))) < 0.2
    texts = []
    for present in truth:
        words = rng.choice(FILLER, 14).tolist()
        for concept in np.flatnonzero(present):
            words.insert(int(rng.integers(14)), str(rng.choice(CONCEPTS[concept])))
        texts.append(" ".join(words))
    directions = np.linalg.qr(rng.standard_normal((16, len(CONCEPTS))))[0].T
    embeddings = truth @ directions + 0.03 * rng.standard_normal((n, 16))
    target = truth @ EFFECTS + 0.5 * rng.standard_normal(n)
    return Planted(texts, target.tolist(), truth, embeddings.astype(np.float32))


@pytest.fixture(scope="session")
def plant_documents():
    return plant


@pytest.fixture(scope="session")
def planted():
    return plant()


@pytest.fixture(scope="session")
def planted_run(planted):
    return planted.study()


def _examples(block):
    return re.split(r"^\d+\. ", block, flags=re.MULTILINE)[1:]


def _share(texts, concept):
    return sum(any(word in text.split() for word in concept) for text in texts) / max(1, len(texts))


def _oracle(request):
    """Name the planted concept that tells positive from negative, and see where it is present."""
    asked = request.messages[-1].content
    if "POSITIVE EXAMPLES:" in asked:
        inside, outside = map(_examples, asked.split("NEGATIVE EXAMPLES:"))
        gains = [_share(inside, c) - _share(outside, c) for c in CONCEPTS]
        return json.dumps({"label": f"tells of a {CONCEPTS[int(np.argmax(gains))][0]}"})
    concepts, text = asked.split("\nTEXT:\n")
    truth = {concept[0]: bool(_share([text], concept)) for concept in CONCEPTS}
    return json.dumps(
        {key: truth[said.split()[-1]] for key, said in re.findall(r"(?m)^(c\d+): (.*)$", concepts)}
    )


@pytest.fixture(scope="session")
def oracle_script():
    """A script for ScriptedLLM that knows what is planted."""
    return _oracle


@pytest.fixture
def oracle_llm(oracle_script):
    return ScriptedLLM(oracle_script, model="oracle")


@pytest.fixture
def make_corpus():
    """Return a corpus of the given documents and target; embeddings are chance."""

    def make(documents, target, *, first_row=0, groups=None):
        n = len(documents)
        rows = np.arange(first_row, first_row + n)
        return Corpus(
            documents=tuple(documents),
            target=np.asarray(target, np.float64),
            embeddings=np.random.default_rng(first_row).standard_normal((n, 3)).astype(np.float32),
            rows=rows,
            groups=rows if groups is None else np.asarray(groups),
        )

    return make
