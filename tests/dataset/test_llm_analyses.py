"""Analyses that ask a language model, end to end: what is asked, foreseen, and survives failure."""

import json
import re

import numpy as np
import pytest
from noted_words import DIFFERENT, WORDS, answer_about_notes, write_notes

from interp_embed import Dataset
from interp_embed.errors import InputError, Interrupted
from interp_embed.interpret import LLMRoles
from interp_embed.llm import ScriptedLLM
from interp_embed.llm.records import Failure

LABELS = {feature: f"speaks of a {word}" for feature, word in enumerate(WORDS)}
SIDES = {"by": "side", "first": "new", "second": "old"}
QUERY = "speaks of an umbrella"


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    return Dataset.load_from_file(write_notes(tmp_path_factory.mktemp("notes") / "bare", n=90))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notes") / "labelled"
    return Dataset.load_from_file(write_notes(folder, labels=LABELS, n=90))


def model(fails=lambda request: False, **given):
    """Answer well, but for the questions that fail."""

    def answer(request):
        if fails(request):
            return Failure("unusable", "the server is on fire")
        return answer_about_notes(request.messages[-1].content)

    return ScriptedLLM(answer, **given)


def of_kind(*kinds):
    return lambda request: request.kind.startswith(kinds)


def kinds(llm):
    return [request.kind.split(":")[0].split("-")[0] for request in llm.requests]


# diff


def test_a_difference_is_named_summed_up_and_tested_beside_the_models_own(notes):
    llm = model()

    found = notes.diff(**SIDES, verify=llm, k=3, baseline=True)

    frame = found.verified_frame()
    assert set(frame["source"]) == {"feature", "summary", "language model alone"}
    assert {c.split()[-1] for c in frame.loc[frame["source"] == "feature", "concept"]} == DIFFERENT
    assert frame[frame["source"] == "summary"]["holds"].all()
    assert found.verified.n_missing == 0
    assert "proposed by itself" in found.summary()


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize("has_labels", [False, True])
def test_the_calls_foreseen_are_those_made_or_a_few_more(notes, labelled, has_labels, baseline):
    dataset, llm = (labelled if has_labels else notes), model()
    options = SIDES | {"k": 3, "baseline": baseline}

    foreseen = dataset.estimate_diff(**options, verify=llm)
    assert llm.requests == []
    dataset.diff(**options, verify=llm)

    # Different features, hence different labels: what is left open is how many of the model's
    # own proposals are the same.
    assert len(llm.requests) <= foreseen.calls
    assert len(llm.requests) >= (0.5 if baseline else 0.9) * foreseen.calls
    asked = dataset.estimate_diff(**options, verify=llm)
    assert asked.cached > 0


def test_two_data_sets_are_estimated_like_groups_of_one(notes, tmp_path):
    side = (notes["side"] == "new").to_numpy()
    one, other = notes[np.flatnonzero(side)], notes[np.flatnonzero(~side)]

    together = notes.estimate_diff(**SIDES, verify=model())
    apart = one.estimate_diff(other, verify=model())

    assert apart.calls == together.calls


def test_a_comparison_within_a_column_is_foreseen_and_made_alike(notes):
    llm = model()
    options = SIDES | {"k": 3, "within": "half"}

    foreseen = notes.estimate_diff(**options, verify=llm)
    found = notes.diff(**options, verify=llm)

    assert 0.9 * foreseen.calls <= len(llm.requests) <= foreseen.calls
    assert "strata" in found.rates.method
    assert {one.concept.split()[-1] for one in found.verified.concepts if one.holds} == DIFFERENT


@pytest.mark.parametrize("verify", ["words", None, 3])
def test_only_what_is_paid_for_is_estimated(notes, verify):
    with pytest.raises(InputError, match="verify must be"):
        notes.estimate_diff(**SIDES, verify=verify)


def test_features_whose_label_fails_are_counted_with_the_reason(notes):
    found = notes.diff(**SIDES, verify=model(of_kind("label")))

    assert found.verified.concepts == ()
    assert np.isnan(found.verified.verification_rate.value)
    assert "3 features that differ have no words and were not tested" in found.summary()
    assert "the server is on fire" in found.summary()
    json.dumps(found.to_json(), allow_nan=False)


def test_verdicts_that_fail_are_missing_and_no_noes(notes):
    failing = model(lambda r: of_kind("annotate")(r) and "7 " in r.messages[-1].content)

    found = notes.diff(**SIDES, verify=failing)

    verified = found.verified
    assert verified.n_missing > 0
    assert all(one.difference.n == verified.n_confirm - one.n_missing for one in verified.concepts)
    assert "the server is on fire" in found.summary()


def test_where_every_verdict_fails_nothing_is_said_to_differ(notes):
    found = notes.diff(**SIDES, verify=model(of_kind("annotate")), baseline=True)

    assert len(found.verified.concepts) > 0
    assert not any(one.holds for one in found.verified.concepts)
    assert all(np.isnan(one.rate_first) for one in found.verified.concepts)
    assert "the annotator gave no verdict" in found.summary()


def test_a_model_without_proposals_is_a_note(notes):
    found = notes.diff(**SIDES, verify=model(of_kind("propose")), k=3, baseline=True)

    assert {one.source for one in found.verified.concepts} == {"feature", "summary"}
    assert found.verified.baseline_rate.n == 0
    assert "The language model alone named nothing that could be tested" in found.summary()


@pytest.mark.parametrize("reply", ["%%%", '{"concepts": []}', Failure("unusable", "on fire")])
def test_a_summary_that_cannot_be_read_is_warned_of_and_the_largest_stand_for_it(notes, reply):
    def answer(request):
        if request.kind.startswith("summarise"):
            return reply
        return answer_about_notes(request.messages[-1].content)

    with pytest.warns(UserWarning, match="did not sum the differences up .* the largest stand"):
        found = notes.diff(**SIDES, verify=ScriptedLLM(answer), k=2)

    assert {one.source for one in found.verified.concepts} == {"feature"}
    assert found.verified.named == (0, 1)


# search


def test_a_search_asks_for_phrases_labels_and_the_order_of_hits(labelled):
    llm = model()
    foreseen = labelled.estimate_search(QUERY, llm=llm)

    found = labelled.search(QUERY, k=5, llm=llm, embedder=None)

    assert kinds(llm) == ["keyphrases", "rank_labels", "rank_texts"]
    assert foreseen.calls == 3
    assert found.features.features == (0,)
    assert found.reranked_by == "scripted"
    assert all("umbrella" in hit.text for hit in found.hits)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("keyphrases", "scripted gave no phrases: .*on fire"),
        ("rank_labels", "labels were not ranked by scripted: .*on fire"),
        ("rank_texts", "scripted did not order the hits: .*on fire"),
    ],
)
def test_a_search_goes_on_where_a_question_fails(labelled, kind, said):
    found = labelled.search(QUERY, k=5, llm=model(of_kind(kind)), embedder=None)

    assert len(found.hits) == 5
    assert re.search(said, found.summary())


def test_an_unlabelled_data_set_is_searched_without_features_and_one_question(notes):
    llm = model()

    found = notes.search(QUERY, k=5, llm=llm, embedder=None)

    assert kinds(llm) == ["rank_texts"]
    assert notes.estimate_search(QUERY, llm=model()).calls == 1
    assert "Not ranked by features" in found.summary()


# cluster


def test_clusters_get_names_that_differ_and_are_judged(labelled):
    llm = model()
    foreseen = labelled.estimate_cluster(k=3, llm=llm)

    found = labelled.cluster(k=3, llm=llm)

    names = [cluster.name for cluster in found.clusters]
    assert names == ["mentions a umbrella", "mentions a violin", "mentions a pepper"]
    assert found.named_by == "llm:scripted"
    assert kinds(llm).count("name_clusters") == 1
    assert 0.5 * foreseen.calls < len(llm.requests) <= foreseen.calls


def test_clusters_by_a_question_ask_for_its_features(labelled):
    llm = model()
    query = "umbrella, violin or pepper"
    foreseen = labelled.estimate_cluster(query, k=2, llm=llm)

    found = labelled.cluster(query, k=2, llm=llm, embedder=None)

    assert set(found.features.tolist()) == {0, 1, 2}
    assert kinds(llm)[:3] == ["keyphrases", "rank_labels", "name_clusters"]
    assert len(llm.requests) <= foreseen.calls


def test_clusters_without_names_or_verdicts_say_so(labelled):
    query = "umbrella, violin or pepper"
    failing = of_kind("name_clusters", "annotate", "rank_labels")

    found = labelled.cluster(query, k=2, llm=model(failing), embedder=None)

    assert found.named_by == "features"
    assert all(np.isnan(cluster.given_back.share) for cluster in found.clusters)
    assert all(cluster.given_back.n_missing > 0 for cluster in found.clusters)
    said = found.summary()
    for part in ("labels were not ranked", "he model gave no names", "verdicts are missing"):
        assert part in said


def test_an_interrupted_diff_goes_on_where_it_was(notes):
    whole, llm = model(), model(interrupt_after=100)
    expected = notes.diff(**SIDES, verify=whole, k=3)
    with pytest.raises(Interrupted):
        notes.diff(**SIDES, verify=llm, k=3)

    found = notes.diff(**SIDES, verify=LLMRoles.of(llm), k=3)

    assert len(llm.requests) == len(whole.requests)
    assert json.dumps(found.to_json()) == json.dumps(expected.to_json())
