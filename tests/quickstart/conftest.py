"""A table shaped like the notebook's, with vectors, and a language model that answers by rule."""

import re
import zlib
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from interp_embed.llm import ScriptedLLM
from interp_embed.quickstart import train_sae

WORD = re.compile(r"[a-z]{3,}")


def answer_by_rule(request):
    """Answer as a model would: the word that tells, and whether it is in the text."""
    asked = request.messages[-1].content
    if "POSITIVE EXAMPLES:" in asked:
        positive, negative = asked.split("NEGATIVE EXAMPLES:")
        return f'{{"label": "mentions {telling_word(positive, negative)}"}}'
    concepts, text = asked.split("\nTEXT:\n", 1)
    words = set(WORD.findall(text.lower()))
    pairs = re.findall(r"^\W*(c\d+)\W+(.*)$", concepts, re.MULTILINE)
    verdicts = (f'"{key}": {str(concept.split()[-1] in words).lower()}' for key, concept in pairs)
    return "{" + ", ".join(verdicts) + "}"


def telling_word(positive, negative):
    def shares(block):
        examples = re.split(r"^\d+\. ", block, flags=re.MULTILINE)[1:]
        found = Counter(word for text in examples for word in set(WORD.findall(text.lower())))
        return {word: n / max(1, len(examples)) for word, n in found.items()}

    inside, outside = shares(positive), shares(negative)
    return max(sorted(inside), key=lambda word: inside[word] - outside.get(word, 0))


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
def rule_llm():
    return ScriptedLLM(answer_by_rule)


@pytest.fixture
def scripted_llm():
    return ScriptedLLM


@pytest.fixture
def by_rule():
    return answer_by_rule


@pytest.fixture(scope="session")
def embed_text():
    return embed
