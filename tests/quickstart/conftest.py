"""A table shaped like the notebook's, with vectors."""

import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from interp_embed.llm import ScriptedLLM
from interp_embed.quickstart import train_sae

TOPICS = {
    "-1": ["algebra acceleration honors gifted", "tracking advanced classes talent"],
    "1": ["equity access justice inclusive", "framework support students belonging"],
    "0": ["meeting agenda parking minutes", "neutral question date room"],
}
FILLER = np.array(
    ["please", "board", "should", "read", "letter", "about", "schools", "before", "vote"]
)


def write_comment(label, rng):
    topic = TOPICS[label][rng.integers(2)].split()
    words = [*rng.choice(topic, 3, replace=False), *rng.choice(FILLER, 7)]
    return " ".join(rng.permutation(words))


@pytest.fixture(scope="session")
def comments():
    """630 rows: string labels, three of them, some comments sent many times."""
    rng = np.random.default_rng(7)
    labels = rng.choice(["-1", "1", "0"], 630, p=[0.45, 0.45, 0.1])
    texts = [write_comment(label, rng) for label in labels]
    for row in range(0, 60, 3):
        texts[row + 1], labels[row + 1] = texts[row], labels[row]
    return pd.DataFrame({"label": labels, "text": texts})


def embed(text):
    """Sum a random vector for each word: alike texts get alike vectors, without a model."""
    words = [np.random.default_rng(zlib.crc32(word.encode())) for word in text.split()]
    vector = sum(rng.normal(size=48) for rng in words)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@pytest.fixture(scope="session")
def study(comments):
    """Texts with labels -1 and 1, vectors, and two SAEs."""
    kept = comments[comments["label"] != "0"]
    texts, labels = kept["text"].tolist(), kept["label"].to_numpy()
    embeddings = np.stack([embed(text) for text in texts])
    saes = [
        train_sae(embeddings, M=M, K=K, show_progress=False, n_epochs=20)
        for M, K in ((24, 4), (12, 2))
    ]
    return Study(texts, labels, embeddings, saes)


@dataclass(frozen=True)
class Study:
    texts: list
    labels: np.ndarray
    embeddings: np.ndarray
    saes: list

    @property
    def args(self):
        return self.texts, self.labels, self.embeddings, self.saes


@pytest.fixture
def rule_llm(by_rule):
    return ScriptedLLM(by_rule)


@pytest.fixture
def scripted_llm():
    return ScriptedLLM


@pytest.fixture(scope="session")
def embed_text():
    return embed
