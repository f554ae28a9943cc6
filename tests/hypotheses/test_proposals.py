import json
import re

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError, Interrupted
from interp_embed.hypotheses import (
    Corpus,
    EvaluationPlan,
    ProposalSettings,
    estimate_proposals,
    evaluate_candidates,
    propose_hypotheses,
)
from interp_embed.interpret import LLMAnnotator, LLMLabeller, LLMRoles
from interp_embed.llm import ScriptedLLM
from interp_embed.records import NO_FEATURE

WORDS = ("umbrella", "violin", "pepper", "velvet", "ladder", "harbour")
EFFECTS = np.array([1.5, -1.5, 0, 0, 0, 0])
SMALL = ProposalSettings(n_per_prompt=3, n_prompts=4, n_examples=20)


def plant(n=120, *, first_row=0, seed=0, **parts):
    rng = np.random.default_rng([seed, first_row])
    truth = rng.random((n, len(WORDS))) < 0.3
    texts = tuple(f"note {i} " + " ".join(np.array(WORDS)[has]) for i, has in enumerate(truth))
    target = truth @ EFFECTS + 0.5 * rng.standard_normal(n)
    rows = np.arange(first_row, first_row + n)
    return Corpus(
        texts, parts.pop("target", target), np.zeros((n, 2), np.float32), rows, rows, **parts
    )


def concepts_of(request):
    """Answer truthfully: the planted words that tell A from B; which words a text holds."""
    asked = request.messages[-1].content
    if "GROUP A:" in asked:
        first, second = asked.split("GROUP A:")[1].split("GROUP B:")
        gains = {word: first.count(word) - second.count(word) for word in WORDS}
        best = sorted(gains, key=lambda word: -gains[word])[:3]
        return json.dumps({"concepts": [f"mentions a {word}" for word in best]})
    concepts, text = asked.split("\nTEXT:\n")
    return json.dumps(
        {key: said.split()[-1] in text for key, said in re.findall(r"(?m)^(c\d+): (.*)$", concepts)}
    )


def answers_with(proposal):
    """A script that answers every question for concepts with the same words."""

    def script(request):
        return proposal if "GROUP A:" in request.messages[-1].content else concepts_of(request)

    return script


def as_roles(llm):
    return LLMRoles(LLMLabeller(llm), LLMAnnotator(llm, check=0))


def propose(script, corpus=None, **given):
    llm = script if isinstance(script, ScriptedLLM) else ScriptedLLM(script)
    given = {"n": 3, "settings": SMALL, **given}
    return propose_hypotheses(corpus or plant(), llm=as_roles(llm), **given)


def asked_for_concepts(llm):
    return [r.messages[-1].content for r in llm.requests if "GROUP A:" in r.messages[-1].content]


def test_what_the_model_sees_in_samples_is_found_and_holds_on_fresh_documents():
    discover, confirm = plant(), plant(240, first_row=1_000)
    llm = ScriptedLLM(concepts_of)

    candidates = propose(llm, discover)
    evaluation = evaluate_candidates(
        candidates,
        confirm,
        csr_matrix((len(confirm), 0), dtype=np.float32),
        discover=discover,
        plan=EvaluationPlan("numeric"),
        annotator=as_roles(llm).annotator,
    )

    held = {h.hypothesis: h.coefficient.value for h in evaluation.hypotheses if h.significant}
    assert set(held) == {"mentions a umbrella", "mentions a violin"}
    assert held["mentions a umbrella"] == pytest.approx(1.5, abs=0.3)
    assert held["mentions a violin"] == pytest.approx(-1.5, abs=0.3)


def test_a_proposal_has_no_feature_and_no_fidelity_and_features_have_no_score():
    discover, confirm = plant(), plant(240, first_row=1_000)
    llm = ScriptedLLM(concepts_of)
    # The last feature fires everywhere: were -1 an index, it would be this one.
    activations = csr_matrix(np.ones((len(confirm), 4), np.float32))

    evaluation = evaluate_candidates(
        propose(llm, discover),
        confirm,
        activations,
        discover=discover,
        plan=EvaluationPlan("numeric"),
        annotator=as_roles(llm).annotator,
    )

    for hypothesis in evaluation.hypotheses:
        assert hypothesis.feature == NO_FEATURE
        assert np.isnan([hypothesis.fidelity.f1, hypothesis.fidelity.recall]).all()
        assert hypothesis.fidelity.n == 240
    assert np.isnan(evaluation.scores.features)
    assert evaluation.scores.hypotheses > 0.5


def test_the_model_is_shown_high_beside_low_targets_and_in_turn_the_other_way_round():
    corpus = plant()
    llm = ScriptedLLM(concepts_of)
    propose(llm, corpus)
    high = set(np.flatnonzero(corpus.target >= np.quantile(corpus.target, 2 / 3)).tolist())

    for number, asked in enumerate(asked_for_concepts(llm)):
        first, second = asked.split("GROUP B:")
        above, below = (first, second) if number % 2 == 0 else (second, first)
        assert all(int(i) in high for i in re.findall(r"note (\d+)", above))
        assert not any(int(i) in high for i in re.findall(r"note (\d+)", below))
        assert len(re.findall(r"note (\d+)", asked)) == 20


def test_of_pairs_the_two_texts_of_the_same_pairs_are_shown():
    pairs = np.repeat(np.arange(60), 2)
    corpus = plant(target=np.tile([1.0, 0.0], 60), pairs=pairs)
    llm = ScriptedLLM(concepts_of)

    propose(llm, corpus)

    first, second = asked_for_concepts(llm)[0].split("GROUP B:")
    preferred = [int(i) for i in re.findall(r"note (\d+)", first)]
    assert [int(i) for i in re.findall(r"note (\d+)", second)] == [i + 1 for i in preferred]
    assert all(i % 2 == 0 for i in preferred)


def test_a_target_whose_values_are_mostly_one_is_split_at_it():
    target = np.zeros(120)
    target[:20] = 1.0
    llm = ScriptedLLM(concepts_of)

    propose(llm, plant(target=target))

    first = asked_for_concepts(llm)[0].split("GROUP B:")[0]
    assert all(int(i) < 20 for i in re.findall(r"note (\d+)", first))


def test_concepts_proposed_twice_or_saying_the_same_are_kept_once():
    said = '{"concepts": ["mentions a violin", "Mentions a violin.", "has to do with a violin"]}'

    candidates = propose(answers_with(said))

    assert [c.label.text for c in candidates.candidates] == ["mentions a violin"]
    assert candidates.n_labelled == 12
    assert candidates.n_screened == 2
    assert candidates.n_same_concept == 1


def test_candidates_bring_evidence_and_a_signed_score():
    candidates = propose(concepts_of).candidates

    scores = {c.label.text.split()[-1]: c.selection_score for c in candidates}
    assert scores["umbrella"] > 0.3
    assert scores["violin"] < -0.3
    violin = next(c for c in candidates if "violin" in c.label.text)
    assert all("violin" in shown.text for shown in violin.examples.top)
    assert not any("violin" in shown.text for shown in violin.examples.contrast)
    assert violin.label.source == "proposed:scripted"
    assert violin.label.n_examples == 20


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("There is no difference that I can see.", "lists no concept that can be used: 'There is"),
        ('{"concepts": []}', "lists no concept"),
        (json.dumps({"concepts": ["x" * 5_000]}), "lists no concept"),
        ("", "the answer was empty"),
        ('{"concepts": [1, null, ""]}', "lists no concept"),
    ],
)
def test_replies_without_a_usable_concept_are_asked_again_and_then_told(reply, why):
    llm = ScriptedLLM(answers_with(reply))

    with pytest.raises(InputError, match="scripted proposed no concept in 4 prompts") as error:
        propose(llm)

    assert why in str(error.value)
    assert len(llm.requests) == 4 * 3


def test_one_bad_reply_costs_its_concepts_only():
    seen = []

    def script(request):
        seen.append(request)
        return "no idea" if len(seen) <= 3 else concepts_of(request)

    candidates = propose(ScriptedLLM(script))

    assert candidates.candidates
    assert candidates.why_without_label.startswith("the answer lists no concept")


def test_a_model_that_lists_more_than_was_asked_is_taken_at_its_first_ones():
    many = json.dumps({"concepts": [f"mentions a {word}" for word in WORDS]})

    candidates = propose(answers_with(many), n=6)

    assert candidates.n_screened == SMALL.n_per_prompt


def test_after_an_interrupt_only_the_rest_is_asked():
    llm = ScriptedLLM(concepts_of, interrupt_after=2)
    with pytest.raises(Interrupted) as interrupted:
        propose(llm)
    partial = interrupted.value.partial
    asked = len(llm.requests)

    candidates = propose(llm)

    assert asked == 2
    assert 0 < len(partial.labels) <= 6
    assert len(asked_for_concepts(llm)) == 4
    assert [c.label for c in candidates.candidates] == [
        c.label for c in propose(concepts_of).candidates
    ]


def test_an_interrupt_while_reading_keeps_what_was_proposed():
    llm = ScriptedLLM(concepts_of, interrupt_after=10)

    with pytest.raises(Interrupted) as interrupted:
        propose(llm)

    assert len(interrupted.value.partial.labels) >= 3


def test_the_estimate_counts_the_calls_before_anything_is_sent():
    llm = ScriptedLLM(answers_with('{"concepts": ["mentions a violin", "x y", "p q"]}'))
    corpus = plant()

    estimate = estimate_proposals(corpus, n=3, llm=as_roles(llm), settings=SMALL, n_confirm=100)

    assert not llm.requests
    # 4 prompts; 120 documents with 12 concepts, ten at most a call; 100 with 3.
    assert estimate.calls == 4 + 120 * 2 + 100
    propose(llm, corpus)
    assert len(asked_for_concepts(llm)) == 4


def test_a_target_that_does_not_vary_is_refused():
    with pytest.raises(InputError, match="the target is the same on all 120 discover documents"):
        propose(concepts_of, plant(target=np.ones(120)))


def test_an_annotator_without_verdicts_is_told_not_taken_for_no():
    def script(request):
        return concepts_of(request) if "GROUP A:" in request.messages[-1].content else "%%%"

    with pytest.raises(InputError, match="gave no verdict on any of 120 discover documents"):
        propose(script, settings=ProposalSettings(n_per_prompt=1, n_prompts=1))


@pytest.mark.parametrize("name", ["n_per_prompt", "n_prompts", "n_examples", "max_words"])
def test_settings_out_of_range_are_refused(name):
    with pytest.raises(InputError, match=f"{name} must be at least"):
        ProposalSettings(**{name: 0})
