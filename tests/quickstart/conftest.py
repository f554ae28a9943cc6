"""A table shaped like the notebook's, with vectors, and a language model that answers by rule."""

import asyncio
import re
import zlib
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import interp_embed.interpret
import interp_embed.llm
from interp_embed.llm import answers as answers_module
from interp_embed.llm import protocol, records
from interp_embed.llm.records import Answer, CostEstimate, Failure, Message, Plan, Request
from interp_embed.records import Annotations, Label

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


# What follows stands in for the classes of the language-model layer where they are not there.


@dataclass
class RuleLLM:
    answer: object = answer_by_rule
    model: str = "rule"
    asked: list = field(default_factory=list)

    @property
    def identity(self):
        return {"provider": "test", "model": self.model}

    @property
    def store(self):
        return answers_module.AnswerStore.in_memory()

    def estimate(self, plan):
        return CostEstimate(len(plan.requests), 0, 10, 1, 0.5, "made-up prices", 2.0, "a limit")

    async def ask(self, request):
        self.asked.append(request)
        said = self.answer(request)
        return said if isinstance(said, Failure) else Answer(said, "stop", "key", cached=False)

    def run(self, jobs, plan):
        async def all_of_them():
            return [await job(self.ask) for job in jobs]

        return asyncio.run(all_of_them())


@dataclass(frozen=True)
class StandInProposals:
    candidates: dict
    failures: dict


def _request(kind, content):
    return Request(kind, (Message("user", content),), max_tokens=100)


def _asks(request):
    async def job(ask):
        return await ask(request)

    return job


class StandInLabeller:
    def __init__(self, llm, *, n_examples=20, n_candidates=1, seed=0, **options):
        self.llm, self.n, self.n_candidates, self.seed = llm, n_examples, n_candidates, seed
        self.options = options

    def _requests(self, documents, activations, features):
        for feature in features:
            values = activations[:, [feature]].toarray().ravel()
            strongest = np.argsort(-values)[: self.n // 2]
            silent = np.flatnonzero(values == 0)[: self.n // 2]
            blocks = [
                "\n".join(f"{i}. {documents[row]}" for i, row in enumerate(rows, 1))
                for rows in (strongest[values[strongest] > 0], silent)
            ]
            asked = f"POSITIVE EXAMPLES:\n{blocks[0]}\n\nNEGATIVE EXAMPLES:\n{blocks[1]}"
            yield _request("label-0", asked)

    def label(self, documents, activations, features, *, marks=None):
        requests = list(self._requests(documents, activations, features))
        answers = self.llm.run([_asks(r) for r in requests], Plan("Labelling", tuple(requests)))
        candidates, failures = {}, {}
        for feature, said in zip(features, answers, strict=True):
            if isinstance(said, Failure):
                failures[feature] = said.reason
            else:
                text = said.text.split('"')[-2]
                candidates[feature] = (Label(feature, text, "llm", 20),) * self.n_candidates
        return StandInProposals(candidates, failures)

    def estimate(self, documents, activations, features):
        requests = self._requests(documents, activations, features)
        return self.llm.estimate(Plan("Labelling", tuple(requests)))


class StandInAnnotator:
    def __init__(self, llm, **options):
        self.llm, self.options = llm, options

    def _requests(self, documents, concepts):
        listed = "\n".join(f"c{i}: {concept}" for i, concept in enumerate(concepts, 1))
        return [
            _request("annotate-0", f"CONCEPTS:\n{listed}\n\nTEXT:\n{document}\nEND OF TEXT")
            for document in documents
        ]

    def annotate(self, documents, concepts, *, only=None):
        requests = self._requests(documents, concepts)
        answers = self.llm.run([_asks(r) for r in requests], Plan("Annotating", tuple(requests)))
        verdicts = np.full((len(documents), len(concepts)), np.nan, np.float32)
        for row, said in enumerate(answers):
            for key, value in re.findall(r'"c(\d+)": (true|false)', getattr(said, "text", "")):
                verdicts[row, int(key) - 1] = value == "true"
        return Annotations(tuple(concepts), verdicts)

    def estimate(self, documents, concepts, *, only=None):
        return self.llm.estimate(Plan("Annotating", tuple(self._requests(documents, concepts))))


def stand_in_score_labels(annotator, documents, activations, labels, *, n=100, seed=0):
    out = {}
    for feature, candidates in labels.items():
        fires = activations[:, [feature]].toarray().ravel() > 0
        rows = np.concatenate([np.flatnonzero(fires)[: n // 2], np.flatnonzero(~fires)[: n // 2]])
        for place, label in enumerate(candidates):
            found = annotator.annotate([documents[row] for row in rows], [label.text])
            measured = interp_embed.interpret.measure_fidelity(found.verdicts[:, 0], fires[rows])
            out[feature, place] = measured
    return out


def stand_in_choose_scoring_documents(column, *, n=100, seed=0):
    fires, silent = np.flatnonzero(column > 0), np.flatnonzero(column == 0)
    return SimpleNamespace(positions=np.concatenate([fires[: n // 2], silent[: n // 2]]))


class StandInOpenAILLM(RuleLLM):
    def __init__(self, model, **options):
        super().__init__(model=model)


for module, names in (
    (
        interp_embed.llm,
        {
            "AnswerStore": answers_module.AnswerStore,
            "LLM": protocol.LLM,
            "CostEstimate": records.CostEstimate,
            "OpenAILLM": StandInOpenAILLM,
            "ScriptedLLM": RuleLLM,
            "add_estimates": lambda estimates: max(estimates, key=lambda one: one.calls),
        },
    ),
    (
        interp_embed.interpret,
        {
            "LLMLabeller": StandInLabeller,
            "LLMAnnotator": StandInAnnotator,
            "choose_scoring_documents": stand_in_choose_scoring_documents,
            "score_labels": stand_in_score_labels,
        },
    ),
):
    for name, stand_in in names.items():
        if not hasattr(module, name):
            setattr(module, name, stand_in)


# The table.

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
    from interp_embed.quickstart import train_sae

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
    return interp_embed.llm.ScriptedLLM(answer_by_rule)


@pytest.fixture
def scripted_llm():
    return interp_embed.llm.ScriptedLLM


@pytest.fixture
def by_rule():
    return answer_by_rule


@pytest.fixture(scope="session")
def embed_text():
    return embed
