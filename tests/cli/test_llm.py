"""label and hypotheses with --llm, against a server over real sockets."""

import csv
import json
import re
import shutil
import threading
import time
from _thread import interrupt_main

import numpy as np
import pytest
from click.testing import CliRunner
from fast_clock import FastClock
from fault_server import Batches, FaultServer, Limits
from fault_truth import last_user_turn

from interp_embed import Dataset
from interp_embed.cli import main
from interp_embed.cli.hypotheses import command as hypotheses_command
from interp_embed.hypotheses import StudySettings
from interp_embed.hypotheses.select import METHODS
from interp_embed.sae import EmbeddingSAE

MODEL = "gpt-4o-mini"
KEYS = ("OPENAI_API_KEY", "OPENAI_KEY_SAE", "OPENROUTER_API_KEY")


def run(*arguments):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    return result


@pytest.fixture(autouse=True)
def no_keys_and_a_cache_of_its_own(monkeypatch, tmp_path):
    for name in (*KEYS, "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INTERP_EMBED_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def made(many_documents, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "data"
    Dataset(many_documents, EmbeddingSAE(8, k=2, embedder="tfidf"), save_path=folder,
            progress=False)  # fmt: skip
    return folder


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def features(made):
    counts = (Dataset.load_from_file(made).latents() > 0).sum(axis=0).A1
    return ",".join(map(str, np.argsort(-counts)[:2]))


@pytest.fixture
def server(answer_message):
    batches = Batches(check_s=0.0, answer_s=0.0)
    with FaultServer(lambda body: answer_message(last_user_turn(body)), batches=batches) as server:
        yield server


@pytest.fixture
def label(folder, features, server, tmp_path):
    def label(*options, url=None):
        return run(
            "label", folder, "--features", features, "--llm", MODEL,
            "--base-url", url or server.base_url, "--answers", tmp_path / "answers.sqlite",
            "--quiet", *options,
        )  # fmt: skip

    return label


# Labels


def test_features_are_labelled_and_a_second_time_for_nothing(label, server, folder, tmp_path):
    result = label("--out", tmp_path / "labels.csv")

    assert result.exit_code == 0, result.output
    assert "2 features labelled, 0 not" in result.output
    assert re.search(r"F1 \d\.\d\d .* mentions \w+", result.output)
    assert (tmp_path / "answers.sqlite").exists()
    kept = Dataset.load_from_file(folder).own_labels()
    with (tmp_path / "labels.csv").open() as file:
        assert {int(r["feature"]): r["label"] for r in csv.DictReader(file)} == kept
    asked = server.stats().requests

    assert label().exit_code == 0
    assert server.stats().requests == asked
    only_stored = label("--max-cost", "0")
    assert "2 features labelled, 0 not" in only_stored.output
    assert server.stats().requests == asked


def test_a_dry_run_sends_nothing_and_tells_calls_tokens_and_money(label, server, folder):
    result = label("--dry-run", "--price", "1000,2000")

    assert result.exit_code == 0, result.output
    assert re.search(
        r"Would take \d+ calls, about [\d,]+ \+ [\d,]+ tokens, \$[1-9]\d*\.\d\d \(your prices\)",
        result.output,
    )
    assert "Nothing was sent." in result.output
    assert server.stats().requests == 0
    assert Dataset.load_from_file(folder).own_labels() == {}


def test_labels_in_batches_are_those_asked_call_by_call(label, server, folder, monkeypatch):
    monkeypatch.setattr("interp_embed.llm.batch_flow._POLL_S", (0.1, 0.1))
    monkeypatch.setattr("interp_embed.llm.batch_sender._GATHER_S", 0.2)
    estimate = label("--dry-run", "--llm-batch", "--price", "1000,2000")
    assert "at half the price in batches answered within a day" in estimate.output

    result = label("--llm-batch")

    assert result.exit_code == 0, result.output
    assert "2 features labelled, 0 not" in result.output
    assert server.batches.made >= 1
    asked = server.stats().requests
    assert label().exit_code == 0
    assert server.stats().requests == asked


def test_a_dry_run_needs_no_key(folder, features):
    result = run("label", folder, "--features", features, "--llm", MODEL, "--dry-run")
    assert result.exit_code == 0, result.output
    assert re.search(r"\$0\.\d\d \(prices of \d{4}-\d\d-\d\d\)", result.output)


def test_instructions_and_another_annotator_reach_the_server(label, server):
    assert label("--instructions", "About the food.", "--annotator", "gpt-5-mini").exit_code == 0

    for body in server.bodies:
        asked = json.dumps(body["messages"])
        is_label = "POSITIVE EXAMPLES" in asked
        assert body["model"] == (MODEL if is_label else "gpt-5-mini")
        assert ("About the food." in asked) == is_label
    assert {body["model"] for body in server.bodies} == {MODEL, "gpt-5-mini"}


def test_nothing_stored_and_nothing_to_spend_is_said_and_nothing_sent(label, server):
    result = label("--max-cost", "0")

    assert result.exit_code == 0
    assert server.stats().requests == 0
    assert "0 features labelled, 2 not" in result.output
    assert "Note: max_cost is $0, so that only what is stored is used." in result.output
    assert "Run the same again to go on" in result.output


def test_both_models_together_stay_below_the_cost(label, server):
    result = label("--annotator", "gpt-5-mini", "--max-cost", "0.02", "--price", "10,10")

    stats = server.stats()
    assert 0.01 < 10e-6 * (stats.prompt_tokens + stats.completion_tokens) < 0.02
    assert {body["model"] for body in server.bodies} == {MODEL, "gpt-5-mini"}
    assert "Note: max_cost is $0.02" in result.output


def test_a_missing_key_names_the_variables(folder, features):
    result = run("label", folder, "--features", features, "--llm", MODEL)
    assert result.exit_code == 1
    assert "there is no API key for https://api.openai.com/v1" in result.output
    assert all(name in result.output for name in KEYS)


def test_a_wrong_model_is_answered_with_those_there_are(label, server):
    result = label("--llm", "gpt-9")
    assert result.exit_code == 1
    assert "gpt-9" in result.output
    assert "gpt-4o-mini, " in result.output


def test_a_server_that_is_down_is_named_within_fifteen_seconds(label, server, monkeypatch):
    clock = FastClock(10)
    monkeypatch.setattr("interp_embed.llm.openai_llm.RealClock", lambda: clock)
    server.down()
    begun = clock.now()
    result = label()
    assert clock.now() - begun < 15
    assert result.exit_code == 1
    assert f"{server.base_url} cannot be reached" in result.output


def test_a_wrong_key_is_not_shown(folder, features, monkeypatch, answer_message):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-0123456789abcdef")
    with FaultServer(keys={"sk-right"}) as server:
        result = run("label", folder, "--features", features, "--llm", MODEL,
                     "--base-url", server.base_url)  # fmt: skip
    assert result.exit_code == 1
    assert "key" in result.output
    assert "0123456789abcdef" not in result.output


def test_a_limit_without_a_price_says_how_to_give_one(folder, features, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    result = run("label", folder, "--features", features, "--llm", "gpt-99-secret",
                 "--max-cost", "1")  # fmt: skip
    assert result.exit_code == 1
    assert "whose price is not known" in result.output
    assert "--price IN,OUT" in result.output


@pytest.mark.parametrize(
    ("price", "message"),
    [
        ("cheap", "--price must be IN,OUT in US dollars for a million tokens"),
        ("1", "--price must be IN,OUT"),
        ("gpt-7=1,2", "for a model that is not asked; asked are gpt-4o-mini"),
        ("-1,2", "two or three numbers >= 0"),
    ],
)
def test_a_price_that_is_none_is_refused(label, server, price, message):
    result = label("--price", price)
    assert result.exit_code == 1
    assert message in result.output
    assert server.stats().requests == 0


def test_a_negative_cost_is_refused(label):
    result = label("--max-cost", "-1")
    assert result.exit_code == 1
    assert "max_cost must be dollars, at least 0" in result.output


@pytest.mark.parametrize(
    "option",
    [
        ("--annotator", "gpt-5-mini"), ("--base-url", "http://localhost:1/v1"),
        ("--max-cost", "0"), ("--price", "1,2"), ("--instructions", "About food."),
        ("--answers", "a.sqlite"), ("--dry-run",), ("--llm-batch",),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["label", "hypotheses"])
def test_an_option_of_models_needs_a_model(command, option, table, folder):
    columns = ("--text", "text", "--target", "stars")
    given = (table, *columns) if command == "hypotheses" else (folder,)
    result = run(command, *given, *option)
    assert result.exit_code == 1
    assert f"{option[0]} needs --llm MODEL" in result.output


def test_all_features_are_paid_for_only_if_the_cost_is_bounded(folder, server):
    result = run("label", folder, "--llm", MODEL, "--base-url", server.base_url)
    assert result.exit_code == 1
    assert "name them (--features 3,14), or set --max-cost to label all" in result.output


def test_ctrl_c_keeps_what_was_answered_and_says_how_to_go_on(
    folder, features, answer_message, tmp_path
):
    with FaultServer(
        lambda body: answer_message(last_user_turn(body)), limits=Limits(rpm=600), latency_s=0.05
    ) as server:

        def press():
            while server.stats().requests < 6:
                time.sleep(0.01)
            interrupt_main()

        pressing = threading.Thread(target=press)
        pressing.start()
        options = ("--features", features, "--llm", MODEL, "--base-url", server.base_url,
                   "--answers", tmp_path / "a.sqlite", "--quiet")  # fmt: skip
        result = run("label", folder, *options)
        pressing.join()

    assert result.exit_code == 130
    assert "Interrupted." in result.output
    assert "Run the same again to go on: only what is missing is asked." in result.output
    assert str(tmp_path / "a.sqlite") in result.output


# Studies


@pytest.fixture
def table(tmp_path):
    """150 documents whose stars rise with "violin" and fall with "pepper"."""
    rng = np.random.default_rng(1)
    truth = rng.random((150, 2)) < 0.35
    file = tmp_path / "reviews.csv"
    with file.open("w") as out:
        write = csv.writer(out)
        write.writerow(["text", "stars"])
        for violin, pepper in truth.tolist():
            words = [f"w{i}" for i in rng.integers(0, 40, 6)]
            words += ["violin"] * violin + ["pepper"] * pepper
            text = " ".join(rng.permutation(words))
            write.writerow([text, 3 + violin - pepper + rng.normal(0, 0.3)])
    return file


@pytest.fixture
def study(table, server, tmp_path):
    def study(*options, out="out"):
        return run(
            "hypotheses", table, "--text", "text", "--target", "stars", "--embedder", "tfidf",
            "--features", "8", "--active", "2", "--n", "3", "--out", tmp_path / out,
            "--llm", MODEL, "--base-url", server.base_url, "--quiet", *options,
        )  # fmt: skip

    return study


def test_a_study_is_run_and_a_second_time_from_what_is_stored(study, server, tmp_path):
    first = study()

    assert first.exit_code == 0, first.output
    assert "hold up on" in first.output
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    readers = record["settings"]["labels"]
    assert readers["labeller"]["model"] == {"provider": "local", "model": MODEL}
    asked = server.stats().requests

    second = study("--max-cost", "0", out="again")
    assert second.exit_code == 0, second.output
    assert server.stats().requests == asked
    for name in ("run.json", "hypotheses.csv", "report.html"):
        one, other = (tmp_path / folder / name for folder in ("out", "again"))
        assert one.read_bytes() == other.read_bytes()


def test_a_dry_run_of_a_study_writes_nothing(study, server, tmp_path):
    result = study("--dry-run")
    assert result.exit_code == 0, result.output
    assert re.search(r"Would take \d+ calls, about [\d,]+ \+ [\d,]+ tokens, \$0\.00", result.output)
    assert server.stats().requests == 0
    assert not (tmp_path / "out").exists()


def test_a_study_without_money_says_so(study, server):
    result = study("--max-cost", "0")
    assert result.exit_code == 1
    assert "could be labelled" in result.output
    assert "max_cost is $0, so that only what is stored is used" in result.output
    assert server.stats().requests == 0


def test_the_defaults_shown_are_those_of_a_study():
    defaults = {option.name: option.default for option in hypotheses_command.params}
    settings = StudySettings()
    for name in ("n", "active", "select", "confirm_share", "level", "correction", "seed"):
        assert defaults[name] == getattr(settings, name)
    (select,) = (option for option in hypotheses_command.params if option.name == "select")
    assert tuple(select.type.choices) == METHODS
