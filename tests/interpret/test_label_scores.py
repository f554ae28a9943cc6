import asyncio
import json

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError, Interrupted
from interp_embed.interpret import (
    KeywordAnnotator,
    LLMAnnotator,
    score_labels,
    score_labels_async,
)
from interp_embed.records import Label

WORDS = ["sea", "bread", "wind"]
RNG = np.random.default_rng(0)
HAS = RNG.random((400, 3)) < [0.1, 0.3, 0.0]
DOCUMENTS = [
    f"text {i} " + " ".join(w for w, has in zip(WORDS, row, strict=True) if has)
    for i, row in enumerate(HAS.tolist())
]
ACTIVATIONS = csr_matrix(HAS * RNG.random((400, 3)))


def label(feature, word):
    return Label(feature, f'mentions "{word}"', "test", 1)


LABELS = {
    0: [label(0, "sea"), label(0, "bread")],
    1: [label(1, "bread")],
    2: [label(2, "wind")],
}


def test_each_candidate_is_scored_and_weighted_to_the_corpus():
    scores = score_labels(KeywordAnnotator(), DOCUMENTS, ACTIVATIONS, LABELS, n=100)

    assert list(scores) == [(0, 0), (0, 1), (1, 0), (2, 0)]
    assert (scores[0, 0].precision, scores[0, 0].recall, scores[0, 0].f1) == (1, 1, 1)
    wrong = scores[0, 1]
    together = (HAS[:, 0] & HAS[:, 1]).sum()
    assert wrong.precision_low < together / HAS[:, 1].sum() < wrong.precision_high
    assert wrong.recall_low < together / HAS[:, 0].sum() < wrong.recall_high
    assert scores[0, 0].n == 50 + HAS[:, 0].sum()
    assert np.isnan(scores[2, 0].recall)


def test_only_the_sampled_pairs_are_asked_and_missing_ones_counted(scripted):
    def answer(request):
        text, concepts = scripted.read_question(request)
        return json.dumps({n: c.split('"')[1] in text for n, c in concepts.items()})

    llm = scripted.LLM(answer)
    documents = ["", *DOCUMENTS[1:]]
    scores = score_labels(LLMAnnotator(llm, check=0), documents, ACTIVATIONS, LABELS, n=20)

    assert [s.n for s in scores.values()] == [20, 20, 20, 10]
    assert all(score.n_missing == 0 for score in scores.values())
    # the silent halves meet in nearly the same documents; those that fire are each feature's own
    assert len(llm.requests) < 45

    async def main():
        annotator = LLMAnnotator(scripted.LLM(answer), check=0)
        return await score_labels_async(annotator, documents, ACTIVATIONS, LABELS, n=20)

    assert repr(asyncio.run(main())) == repr(scores)


def test_an_interrupt_keeps_the_scores_there_are(scripted):
    llm = scripted.LLM(lambda _: '{"c1": true}', interrupt_after=5)

    with pytest.raises(Interrupted) as caught:
        score_labels(LLMAnnotator(llm), DOCUMENTS, ACTIVATIONS, {1: LABELS[1]}, n=20)

    score = caught.value.partial[1, 0]
    assert (score.n, score.n_missing) == (5, 15)


def test_nothing_to_score_is_an_empty_answer():
    assert score_labels(KeywordAnnotator(), DOCUMENTS, ACTIVATIONS, {}) == {}
    assert score_labels(KeywordAnnotator(), DOCUMENTS, ACTIVATIONS, {0: []}) == {}
    empty = score_labels(KeywordAnnotator(), [], csr_matrix((0, 3)), LABELS)
    assert {score.n for score in empty.values()} == {0}


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="1 documents but activations of 400"):
        score_labels(KeywordAnnotator(), ["x"], ACTIVATIONS, LABELS)
    with pytest.raises(InputError, match="feature 7 is out of range"):
        score_labels(KeywordAnnotator(), DOCUMENTS, ACTIVATIONS, {7: [label(7, "a")]})
