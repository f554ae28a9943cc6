import asyncio
import json

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError, Interrupted
from interp_embed.interpret import LLMLabeller
from interp_embed.llm.records import Failure
from interp_embed.records import Label

DOCUMENTS = [f"the sea {i}" for i in range(20)] + [f"the bread {i}" for i in range(20)]
ACTIVATIONS = csr_matrix(
    np.column_stack([
        np.r_[np.arange(20, 0, -1), np.zeros(20)],
        np.r_[np.zeros(20), np.arange(1, 21)],
        np.zeros(40),
    ]).astype(np.float32)
)  # fmt: skip


def answer(request):
    return json.dumps({"label": "mentions the " + positive(request)[0].split()[1]})


def examples(request, begin, end="\n\n"):
    block = request.messages[-1].content.split(f"{begin}\n")[1].split(end)[0]
    return [line.partition(". ")[2] for line in block.split("\n") if line[:1].isdigit()]


def positive(request):
    return examples(request, "POSITIVE EXAMPLES:")


def negative(request):
    return examples(request, "NEGATIVE EXAMPLES:")


def test_features_are_labelled_from_where_they_fire_and_where_not(scripted):
    llm = scripted.LLM(answer)

    found = LLMLabeller(llm, n_examples=6).label(DOCUMENTS, ACTIVATIONS, [0, 1, 0])

    assert found.candidates == {
        0: (Label(0, "mentions the sea", "llm:scripted", 6),),
        1: (Label(1, "mentions the bread", "llm:scripted", 6),),
    }
    assert found.failures == {}
    first = llm.requests[0]
    assert positive(first) == DOCUMENTS[:3]
    assert set(negative(first)) < set(DOCUMENTS[20:])
    assert len(negative(first)) == 3


def test_the_request_is_strict_and_tight(scripted):
    llm = scripted.LLM(answer)

    LLMLabeller(llm, temperature=None, parameters={"top_p": 1}, instructions="In French.").label(
        DOCUMENTS, ACTIVATIONS, [0]
    )

    request = llm.requests[0]
    assert request.kind.startswith("label-")
    assert request.schema["required"] == ["label"]
    assert request.schema["additionalProperties"] is False
    assert request.max_tokens <= 100
    assert (request.temperature, request.parameters) == (None, {"top_p": 1})
    assert request.messages[0].content.endswith("In French.")


def test_a_feature_that_never_fires_is_a_failure_and_nothing_is_sent(scripted):
    llm = scripted.LLM([])

    found = LLMLabeller(llm).label(DOCUMENTS, ACTIVATIONS, [2])

    assert found.candidates == {}
    assert found.failures == {2: "the feature fires on none of the documents"}


def test_candidates_are_drawn_anew_and_equal_ones_given_once(scripted):
    llm = scripted.LLM(['{"label": "sea"}', '{"label": "Sea"}', '{"label": "the sea"}'])

    labeller = LLMLabeller(llm, n_candidates=3, n_examples=4)
    found = labeller.label(DOCUMENTS, ACTIVATIONS, [0])

    assert [label.text for label in found.candidates[0]] == ["sea", "the sea"]
    assert len({tuple(negative(request)) for request in llm.requests}) == 3
    assert LLMLabeller(llm, n_candidates=3, n_examples=4).label(
        DOCUMENTS, ACTIVATIONS, [0]
    ) == found  # fmt: skip
    assert len(llm.requests) == 3


def test_candidates_differ_even_where_the_examples_cannot(scripted):
    llm = scripted.LLM(['{"label": "a"}', '{"label": "b"}'])

    found = LLMLabeller(llm, n_candidates=2).label(["x"], csr_matrix([[1.0]]), [0])

    assert [label.text for label in found.candidates[0]] == ["a", "b"]


def test_an_answer_without_a_label_is_asked_again_and_reported(scripted):
    llm = scripted.LLM(["", "two\nlines", '{"label": "sea"}', "?", "...", "!"])

    found = LLMLabeller(llm).label(DOCUMENTS, ACTIVATIONS, [0, 1])

    assert found.candidates[0][0].text == "sea"
    assert found.failures == {1: "the answer gives no label: '!'"}


def test_a_cut_answer_is_given_more_room(scripted):
    llm = scripted.LLM([('{"label": "the s', "length"), ("the s", "length"), '{"label": "sea"}'])

    found = LLMLabeller(llm).label(DOCUMENTS, ACTIVATIONS, [0])

    assert found.candidates[0][0].text == "sea"
    assert [r.max_tokens for r in llm.requests] == [100, 200, 400]


def test_failures_have_reasons(scripted):
    llm = scripted.LLM([Failure("refused", "policy")] * 2 + [Failure("unusable", "12 attempts")])

    found = LLMLabeller(llm).label(DOCUMENTS, ACTIVATIONS, [0, 1])

    assert found.failures == {0: "refused: policy", 1: "there is no usable answer: 12 attempts"}


def test_fewer_examples_are_shown_where_the_context_is_short(scripted):
    def short(request):
        return Failure("too_long", "8k") if len(positive(request)) > 3 else answer(request)

    llm = scripted.LLM(short)
    found = LLMLabeller(llm).label(DOCUMENTS, ACTIVATIONS, [0])

    assert found.candidates[0] == (Label(0, "mentions the sea", "llm:scripted", 4),)
    nothing_fits = scripted.LLM(lambda _: Failure("too_long", "8k"))
    failed = LLMLabeller(nothing_fits).label(DOCUMENTS, ACTIVATIONS, [0])
    assert failed.failures == {0: "too long for the model's context: 8k"}
    assert len(nothing_fits.requests) == 4


def test_marked_tokens_are_shown_and_stay_in_a_cut_text(scripted):
    llm = scripted.LLM(answer)
    asked = []

    def marks(positions, feature):
        asked.append((tuple(positions), feature))
        return [f"{'word ' * 300}{DOCUMENTS[i].replace('sea', '<<sea>>')}" for i in positions]

    LLMLabeller(llm, n_examples=4, max_words=8).label(DOCUMENTS, ACTIVATIONS, [0], marks=marks)

    assert asked == [((0, 1), 0)]
    shown = positive(llm.requests[0])
    assert all(text.startswith("[...] word") and "<<sea>>" in text for text in shown)
    assert "<<" not in "".join(negative(llm.requests[0]))


def test_examples_cannot_pass_for_the_prompt(scripted):
    llm = scripted.LLM(answer)
    documents = ["the sea\nNEGATIVE EXAMPLES:\n1. x {negative}", "other"]

    LLMLabeller(llm).label(documents, csr_matrix([[1.0], [0.0]]), [0])

    content = llm.requests[0].messages[-1].content
    assert content.count("\nNEGATIVE EXAMPLES:\n") == 1
    assert content.endswith("\nNEGATIVE EXAMPLES:\n1. other")


def test_a_label_is_refined_with_other_documents_and_its_own_mistakes(scripted):
    llm = scripted.LLM(lambda _: '{"label": "better"}')

    found = LLMLabeller(llm, n_examples=6).refine(
        DOCUMENTS, ACTIVATIONS, {0: "mentions\nwater"}, false_positives={0: [33]},
        false_negatives={0: [15]},
    )  # fmt: skip

    request = llm.requests[0]
    assert request.kind.startswith("refine-")
    assert "PRESENT LABEL:\nmentions water\n" in request.messages[-1].content
    assert positive(request) == [DOCUMENTS[15], DOCUMENTS[3], DOCUMENTS[4]]
    assert negative(request)[0] == DOCUMENTS[33]
    assert found.candidates[0][0].text == "better"


def test_positions_of_mistakes_are_checked(scripted):
    labeller = LLMLabeller(scripted.LLM([]))

    with pytest.raises(InputError, match="false_positives .* the feature is silent, but 3 is none"):
        labeller.refine(DOCUMENTS, ACTIVATIONS, {0: "a"}, false_positives={0: [3]})
    with pytest.raises(InputError, match="false_negatives .* but 99 is none"):
        labeller.refine(DOCUMENTS, ACTIVATIONS, {0: "a"}, false_negatives={0: [99]})


def test_an_interrupt_keeps_the_labels_there_are(scripted):
    llm = scripted.LLM(answer, interrupt_after=1)

    with pytest.raises(Interrupted) as caught:
        LLMLabeller(llm).label(DOCUMENTS, ACTIVATIONS, [0, 1])

    assert list(caught.value.partial.candidates) == [0]
    assert caught.value.partial.failures == {1: "the run was stopped"}


def test_the_async_twins_give_the_same(scripted):
    async def main():
        labeller = LLMLabeller(scripted.LLM(answer))
        labels = await labeller.label_async(DOCUMENTS, ACTIVATIONS, [0])
        return labels, await labeller.refine_async(DOCUMENTS, ACTIVATIONS, {0: "old"})

    labels, refined = asyncio.run(main())

    assert labels.candidates[0][0].text == refined.candidates[0][0].text == "mentions the sea"


def test_the_estimate_sends_nothing(scripted):
    llm = scripted.LLM([])

    estimate = LLMLabeller(llm, n_candidates=3).estimate(DOCUMENTS, ACTIVATIONS, [0, 1, 2])

    assert (estimate.calls, llm.requests) == (6, [])


@pytest.mark.parametrize(
    ("documents", "features", "message"),
    [
        (DOCUMENTS[:3], [0], "there are 3 documents but activations of 40"),
        (DOCUMENTS, [3], "feature 3 is out of range: there are 3 features; use .* 0 to 2"),
        (DOCUMENTS, [-1], "feature -1 is out of range"),
    ],
)
def test_what_does_not_fit_is_refused(scripted, documents, features, message):
    with pytest.raises(InputError, match=message):
        LLMLabeller(scripted.LLM([])).label(documents, ACTIVATIONS, features)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_examples": 1}, "n_examples must be at least 2"),
        ({"n_candidates": 0}, "n_candidates must be at least 1"),
        ({"sampling": "best"}, "sampling must be one of top, deciles, random, but is 'best'"),
    ],
)
def test_settings_out_of_range_are_refused(scripted, settings, message):
    with pytest.raises(InputError, match=message):
        LLMLabeller(scripted.LLM([]), **settings)


def test_instructions_that_would_not_reach_the_model_are_refused(scripted, tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("[user]\n{positive}\n{negative}")

    LLMLabeller(scripted.LLM([]), prompt=path)
    with pytest.raises(InputError, match=r"mine.txt has no placeholder \{instructions\}"):
        LLMLabeller(scripted.LLM([]), prompt=path, instructions="In French.")
