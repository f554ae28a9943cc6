"""Labels asked of a language model: from one half of the documents, measured on the other."""

import asyncio
import re

import numpy as np
import pytest

from interp_embed import Dataset
from interp_embed.errors import InputError, Interrupted
from interp_embed.interpret import LLMAnnotator, LLMLabeller, LLMRoles
from interp_embed.llm import AnswerStore, Failure, ScriptedLLM
from interp_embed.sae import EmbeddingSAE


def labelling(request):
    return "POSITIVE EXAMPLES:" in request.messages[-1].content


def text_asked_about(request):
    return request.messages[-1].content.split("\nTEXT:\n")[1].removesuffix("\nEND OF TEXT")


def shown_to_labeller(request):
    lines = request.messages[-1].content.splitlines()
    shown = [re.sub(r"^\d+\. ", "", line) for line in lines if re.match(r"\d+\. ", line)]
    return {text.replace("<<", "").replace(">>", "") for text in shown}


@pytest.fixture
def dataset(many_documents, tiny_sae, tmp_path):
    return Dataset(many_documents, tiny_sae, save_path=tmp_path / "data", progress=False)


@pytest.fixture
def features(dataset):
    """Three that fire in some documents and not in others."""
    latents = dataset.latents(compress=False)
    counts = (latents > 0.3 * latents.max(axis=0)).sum(axis=0)
    chosen = np.flatnonzero((counts > 10) & (counts < 50))[:3].tolist()
    assert len(chosen) == 3
    return chosen


def test_labels_are_kept_with_the_model_they_are_from(dataset, features, by_rule, tmp_path):
    llm = ScriptedLLM(by_rule, model="clever")

    outcome = dataset.label_features(features, llm=llm)

    assert sorted(outcome.labels) == features
    assert outcome.unlabelled == ()
    assert outcome.reasons == {}
    again = Dataset.load_from_file(tmp_path / "data")
    assert again.own_labels() == {f: label.text for f, label in outcome.labels.items()}
    assert {label.source for label in outcome.labels.values()} == {"llm:clever"}
    assert {kept.label.source for kept in dataset._store.labels("features").values()} == {
        "llm:clever"
    }


def test_no_text_that_made_a_label_measures_it(dataset, features, by_rule, many_documents):
    llm = ScriptedLLM(by_rule)

    outcome = dataset.label_features(features, llm=llm)

    shown = set().union(*(shown_to_labeller(r) for r in llm.requests if labelling(r)))
    judged = {text_asked_about(r) for r in llm.requests if not labelling(r)}
    assert len(shown) > 10
    assert len(judged) > 10
    assert shown | judged <= set(many_documents)
    assert not shown & judged
    assert outcome.n_label_documents + outcome.n_measure_documents == 60


def test_the_model_sees_the_tokens_on_which_a_feature_fires(dataset, features, by_rule):
    llm = ScriptedLLM(by_rule)

    dataset.label_features(features[:1], llm=llm)

    (asked,) = (r.messages[-1].content for r in llm.requests if labelling(r))
    positive, negative = asked.split("NEGATIVE EXAMPLES:")
    marked = dataset.token_activations(features[0])
    examples = re.findall(r"^\d+\. (.*)$", positive, re.MULTILINE)
    assert examples
    assert set(examples) <= set(marked)
    assert all("<<" in example for example in examples)
    assert "<<" not in negative


def test_the_documents_of_an_embedding_sae_are_shown_unmarked(many_documents, by_rule):
    sae = EmbeddingSAE(8, k=2, embedder="tfidf")
    dataset = Dataset(many_documents, sae, progress=False)
    llm = ScriptedLLM(by_rule)

    outcome = dataset.label_features(llm=llm)

    assert outcome.labels
    assert not any("<<" in request.messages[-1].content for request in llm.requests)


def test_a_missing_label_is_told_and_the_others_stay(dataset, features, by_rule):
    lost = []

    def answer(request):
        if not labelling(request):
            return by_rule(request)
        question = request.messages[-1].content
        if not lost:
            lost.append(question)
        return Failure("refused", "the filter") if question == lost[0] else by_rule(request)

    outcome = dataset.label_features(features, llm=ScriptedLLM(answer))

    assert sorted(outcome.labels) == features[1:]
    assert outcome.unlabelled == (features[0],)
    assert outcome.reasons == {features[0]: "refused: the filter"}
    assert sorted(dataset.own_labels()) == features[1:]
    assert dataset.label_feature_sync(features[0], llm=ScriptedLLM(answer)) is None


def test_answers_that_say_nothing_are_reasons_and_no_exception(dataset, features):
    outcome = dataset.label_features(features, llm=ScriptedLLM(lambda request: "%%%"))

    assert outcome.labels == {}
    assert outcome.reasons == dict.fromkeys(features, "the answer gives no label: '%%%'")
    assert dataset.own_labels() == {}
    assert len(outcome.to_frame()) == 0
    assert "3 have no label" in outcome.summary()


def test_missing_verdicts_are_counted_and_keep_the_label(dataset, features, by_rule):
    def answer(request):
        return by_rule(request) if labelling(request) else "%%%"

    outcome = dataset.label_features(features, llm=ScriptedLLM(answer))

    assert sorted(outcome.labels) == features
    for measured in outcome.fidelity.values():
        assert measured.n == 0
        assert measured.n_missing > 10


def test_what_was_answered_is_not_asked_again(dataset, features, by_rule):
    store = AnswerStore.in_memory()
    first = dataset.label_features(features, llm=ScriptedLLM(by_rule, store=store))

    silent = ScriptedLLM([], store=store)
    assert dataset.label_features(features, llm=silent) == first
    assert silent.requests == []


def test_an_interrupted_run_goes_on_where_it_was(dataset, features, by_rule):
    llm = ScriptedLLM(by_rule, interrupt_after=7)
    with pytest.raises(Interrupted):
        dataset.label_features(features, llm=llm)
    n = len(llm.requests)

    assert sorted(dataset.label_features(features, llm=llm).labels) == features
    assert n == 7
    whole = ScriptedLLM(by_rule)
    dataset.label_features(features, llm=whole)
    assert len(llm.requests) == len(whole.requests)


def test_an_estimate_sends_nothing_and_is_about_right(dataset, features, by_rule):
    llm = ScriptedLLM(by_rule)

    estimate = dataset.estimate_labels(features, llm)
    assert llm.requests == []

    dataset.label_features(features, llm=llm)
    assert len(llm.requests) == pytest.approx(estimate.calls, rel=0.2)
    assert llm.usage.prompt_tokens == pytest.approx(estimate.prompt_tokens, rel=0.2)


def test_a_feature_is_labelled_and_scored_with_await_in_a_running_loop(dataset, features, by_rule):
    llm = ScriptedLLM(by_rule)

    async def cell():
        label = await dataset.label_feature(features[0], llm=llm)
        return label, await dataset.score_feature(features[0], llm=llm)

    label, measured = asyncio.run(cell())

    assert label.startswith("mentions ")
    assert dataset.own_labels() == {features[0]: label}
    assert dataset.label_feature_sync(features[0], llm=llm) == label
    assert measured == dataset.score_feature_sync(features[0], llm=llm)
    assert measured.n > 10


def test_the_sync_forms_work_in_a_running_loop_too(dataset, features, by_rule):
    llm = ScriptedLLM(by_rule)

    async def cell():
        return dataset.label_feature_sync(features[0], llm=llm)

    assert asyncio.run(cell()).startswith("mentions ")


def test_a_score_is_that_of_the_labelling_and_of_documents_it_is_not_from(
    dataset, features, by_rule
):
    llm = ScriptedLLM(by_rule)
    outcome = dataset.label_features(features, llm=llm)
    shown = set().union(*(shown_to_labeller(r) for r in llm.requests if labelling(r)))
    n = len(llm.requests)

    for feature in features:
        assert dataset.score_feature_sync(feature, llm=llm) == outcome.fidelity[feature]
    assert len(llm.requests) == n  # the verdicts were known
    dataset.score_feature_sync(features[0], "mentions soup", llm=llm)
    assert not shown & {text_asked_about(r) for r in llm.requests[n:]}


def test_a_label_of_words_is_scored_without_a_model(dataset, features):
    measured = dataset.score_feature_sync(features[0], 'mentions "soup", "waiter"')
    assert measured.n > 10
    assert measured.n_missing == 0
    assert 0 <= measured.f1 <= 1


@pytest.mark.parametrize("sync", [True, False])
def test_a_label_in_free_words_needs_a_model(dataset, features, sync):
    def score():
        if sync:
            return dataset.score_feature_sync(features[0], "complains about the soup")
        return asyncio.run(dataset.score_feature(features[0], "complains about the soup"))

    with pytest.raises(InputError, match="is in free words, which a rule cannot read; give llm="):
        score()
    with pytest.raises(InputError, match=r"feature \d+ has no label to score; label it first"):
        dataset.score_feature_sync(features[0])


def test_readers_bring_their_settings(dataset, features, by_rule):
    llm, judge = ScriptedLLM(by_rule), ScriptedLLM(by_rule, model="judge")
    labeller = LLMLabeller(llm, n_examples=6, n_candidates=2, instructions="About the food.")

    dataset.label_features(features[:1], llm=LLMRoles(labeller, LLMAnnotator(judge, check=0)))

    assert all(labelling(request) for request in llm.requests)
    assert len(llm.requests) == 2
    assert "About the food." in llm.requests[0].messages[0].content
    assert len(shown_to_labeller(llm.requests[0])) == 6
    assert not any(labelling(request) for request in judge.requests)


def test_instructions_reach_the_model(dataset, features, by_rule):
    llm = ScriptedLLM(by_rule)
    dataset.label_feature_sync(features[0], llm=llm, instructions="About the service.")
    assert "About the service." in llm.requests[0].messages[0].content
