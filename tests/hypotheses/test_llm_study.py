"""Studies in which a language model labels and reads, answering from what is planted."""

import json
import re
from dataclasses import replace

import pytest

from interp_embed.errors import InputError, Interrupted
from interp_embed.hypotheses import StudySettings, estimate_study
from interp_embed.interpret import LLMAnnotator, LLMLabeller, LLMRoles
from interp_embed.llm import AnswerStore, Failure, ScriptedLLM
from interp_embed.report import run_record, write_study

TINY = StudySettings(n=6, features=12, active=2, max_epochs=20)


def labelling(request):
    return "POSITIVE EXAMPLES:" in request.messages[-1].content


def text_asked_about(request):
    return request.messages[-1].content.split("\nTEXT:\n")[1].removesuffix("\nEND OF TEXT")


def shown_to_labeller(request):
    return set(re.findall(r"(?m)^\d+\. (.*)$", request.messages[-1].content))


@pytest.fixture(scope="module")
def llm(oracle_script):
    return ScriptedLLM(oracle_script, model="oracle")


@pytest.fixture(scope="module")
def study(planted, llm):
    return planted.study(llm=llm, settings=TINY).study


def test_planted_concepts_are_found_in_the_right_direction(study):
    direction = {
        found.hypothesis.split()[-1]: found.coefficient.value > 0
        for found in study.hypotheses
        if found.significant
    }
    expected = {"umbrella": True, "poodle": False, "violin": True, "pepper": False}
    assert direction.items() >= expected.items()
    assert len(direction) <= len(expected) + 1  # one of twenty is found by chance
    assert study.scores.hypotheses > 0.5


def test_verdicts_are_those_of_the_truth(study, planted):
    for found in study.hypotheses:
        assert found.n == study.rows.confirm
        assert found.fidelity.n_missing == 0
        assert found.prevalence == pytest.approx(0.2, abs=0.1)
    assert not any("missing" in told for told in study.warnings)


def test_the_labeller_never_sees_a_document_of_the_test(study, llm, planted):
    shown = set().union(*(shown_to_labeller(r) for r in llm.requests if labelling(r)))
    requests = [r for r in llm.requests if not labelling(r)]
    # What is asked after the labels are fixed is asked of other documents.
    order = list(dict.fromkeys(text_asked_about(request) for request in requests))
    discover, confirm = order[: study.rows.discover], order[study.rows.discover :]

    assert set(order) == set(planted.texts)
    assert len(confirm) == study.rows.confirm
    assert len(shown) > 20
    assert shown <= set(discover)
    assert not shown & set(confirm)


def test_the_record_names_the_models_and_their_settings(study, tmp_path):
    files = write_study(study, tmp_path)
    labels = json.loads(files.run.read_text())["settings"]["labels"]

    for who in ("labeller", "annotator"):
        assert labels[who]["model"] == {"provider": "scripted", "model": "oracle"}
    assert labels["labeller"]["n_examples"] == 20
    assert re.fullmatch(r"annotate-[0-9a-f]{8}", labels["annotator"]["prompt"])


def test_the_same_seed_gives_the_same_bytes_whether_stored_or_asked(
    study, llm, planted, oracle_script, tmp_path
):
    stored = ScriptedLLM([], model="oracle", store=llm.store)
    asked = ScriptedLLM(oracle_script, model="oracle")
    expected = write_study(study, tmp_path / "first")

    for place, again in (("stored", stored), ("asked", asked)):
        files = write_study(planted.study(llm=again, settings=TINY).study, tmp_path / place)
        for name in ("hypotheses", "run", "report"):
            assert getattr(files, name).read_bytes() == getattr(expected, name).read_bytes()
    assert stored.requests == []


def test_missing_verdicts_are_counted_and_never_a_no(study, planted, oracle_script):
    lost = set(planted.texts[::40])

    def answer(request):
        if not labelling(request) and text_asked_about(request) in lost:
            return Failure("refused", "the filter")
        return oracle_script(request)

    partial = planted.study(llm=ScriptedLLM(answer), settings=TINY).study

    told = [warning for warning in partial.warnings if "are missing; the first:" in warning]
    assert len(told) == 2
    assert all("the filter" in warning for warning in told)
    (confirm,) = (warning for warning in told if "on confirm documents" in warning)
    n_missing = sum(found.fidelity.n_missing for found in partial.hypotheses)
    assert confirm.startswith(f"{n_missing} verdicts")
    for found in partial.hypotheses:
        assert found.n + found.fidelity.n_missing == partial.rows.confirm
    assert {f.hypothesis for f in partial.hypotheses if f.significant} == {
        f.hypothesis for f in study.hypotheses if f.significant
    }


def test_missing_labels_are_counted_with_the_reason(planted, oracle_script):
    lost = []

    def answer(request):
        if labelling(request) and len(lost) < 4:
            lost.append(request)
            return "%%%"
        return oracle_script(request)

    study = planted.study(llm=ScriptedLLM(answer), settings=TINY).study

    assert any(
        "1 of 12 features have no label; the first: the answer gives no label: '%%%'." in told
        for told in study.warnings
    )


@pytest.mark.parametrize(
    ("answers_labels", "message"),
    [
        (False, r"none of 12 features could be labelled .* by scripted: not asked: the budget"),
        (True, r"gave no verdict on any of 240 discover documents, .*: not asked: the budget"),
    ],
)
def test_a_model_that_answers_nothing_ends_the_study_with_its_reason(
    planted, oracle_script, answers_labels, message
):
    def answer(request):
        if labelling(request) and answers_labels:
            return oracle_script(request)
        return Failure("stopped", "not asked: the budget is spent")

    with pytest.raises(InputError, match=message):
        planted.study(llm=ScriptedLLM(answer), settings=TINY)


def test_no_verdict_on_the_test_documents_tests_nothing_and_says_so(planted, oracle_script):
    read = set()

    def answer(request):
        if not labelling(request):
            read.add(text_asked_about(request))
            if len(read) > 240:
                return Failure("stopped", "not asked: the budget is spent")
        return oracle_script(request)

    study = planted.study(llm=ScriptedLLM(answer), settings=TINY).study

    assert study.tested == 0
    assert {found.note for found in study.hypotheses} == {
        "160 of 160 verdicts are missing; too many to test"
    }
    assert any("the budget is spent" in told for told in study.warnings)


def test_an_interrupted_study_goes_on_where_it_was(study, planted, oracle_script):
    llm = ScriptedLLM(oracle_script, model="oracle", interrupt_after=100)
    with pytest.raises(Interrupted, match="100 answers are stored"):
        planted.study(llm=llm, settings=TINY)

    again = planted.study(llm=llm, settings=TINY).study

    assert run_record(again) == run_record(study)


def test_two_models_may_share_the_work(planted, oracle_script):
    writer = ScriptedLLM(oracle_script, model="writer")
    judge = ScriptedLLM(oracle_script, model="judge")
    roles = LLMRoles(LLMLabeller(writer), LLMAnnotator(judge, check=0))

    run = planted.study(llm=roles, settings=replace(TINY, n=3))

    assert all(labelling(request) for request in writer.requests)
    assert len(writer.requests) == 6
    assert not any(labelling(request) for request in judge.requests)
    assert run.study.settings["labels"]["annotator"]["model"]["model"] == "judge"


def test_an_estimate_is_not_below_what_the_study_takes(study, llm, planted):
    fresh = ScriptedLLM([], model="oracle", store=AnswerStore.in_memory())

    estimate = estimate_study(planted.texts, roles=LLMRoles.of(fresh), settings=TINY)

    assert fresh.requests == []
    n = len({json.dumps([m.content for m in r.messages]) for r in llm.requests})
    assert n <= estimate.calls < 1.5 * n  # labels that are equal are asked once
    assert estimate.cost_usd == 0.0


def test_an_estimate_reads_tune_documents_instead_of_discover_ones(planted):
    roles = LLMRoles.of(ScriptedLLM([], model="oracle", store=AnswerStore.in_memory()))
    plain = estimate_study(planted.texts, roles=roles, settings=TINY)

    tuned = estimate_study(planted.texts, roles=roles, settings=replace(TINY, tune_share=0.1))
    pairs = estimate_study(
        planted.texts[:200], second=planted.texts[200:], roles=roles, settings=TINY
    )

    assert tuned.calls < plain.calls
    assert pairs.calls == plain.calls
