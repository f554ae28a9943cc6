"""diff, cluster and search with --llm, against a server over real sockets."""

import re

import pytest
from click.testing import CliRunner
from fault_server import FaultServer
from fault_truth import last_user_turn
from noted_words import WORDS, answer_about_notes, write_notes

from interp_embed.cli import main

LABELS = {feature: f"speaks of a {word}" for feature, word in enumerate(WORDS)}
DIFF = ("--by", "side", "--first", "new", "--second", "old")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_notes(tmp_path_factory.mktemp("notes") / "labelled", labels=LABELS, n=60)


@pytest.fixture
def server():
    with FaultServer(lambda body: answer_about_notes(last_user_turn(body))) as server:
        yield server


@pytest.fixture
def ask(folder, server, tmp_path):
    def ask(command, *options):
        result = CliRunner().invoke(
            main,
            [
                command, str(folder), *options, "--llm", "gpt-4o-mini",
                "--base-url", server.base_url, "--answers", str(tmp_path / "answers.sqlite"),
                "--quiet",
            ],
        )  # fmt: skip
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return ask


def words(result):
    return " ".join(result.output.split())


def foreseen(result):
    assert result.exit_code == 0, result.output
    assert "Nothing was sent." in result.output
    return int(re.search(r"Would take (?:at most )?([\d,]+) calls", result.output)[1])


def test_a_diff_costs_what_was_foreseen_and_nothing_a_second_time(ask, server, tmp_path):
    calls = foreseen(ask("diff", *DIFF, "--k", "3", "--dry-run", "--out", str(tmp_path / "out")))
    assert server.stats().requests == 0
    assert not (tmp_path / "out").exists()

    result = ask("diff", *DIFF, "--k", "3")

    assert result.exit_code == 0, result.output
    assert "differences named after features hold" in words(result)
    asked = server.stats().requests
    assert 0.8 * calls <= asked <= calls
    again = ask("diff", *DIFF, "--k", "3", "--max-cost", "0")
    assert again.output == result.output
    assert server.stats().requests == asked


def test_a_diff_that_runs_out_of_money_says_so_keeps_all_and_goes_on(ask, server):
    stopped = ask("diff", *DIFF, "--k", "3", "--max-cost", "0.2", "--price", "10,10")

    assert stopped.exit_code == 0, stopped.output
    assert "max_cost is $0.2" in words(stopped)
    paid = server.stats().requests
    assert paid > 0
    whole = ask("diff", *DIFF, "--k", "3")
    assert "verdicts are missing" not in words(whole)
    asked = server.stats().requests
    assert asked > paid
    assert ask("diff", *DIFF, "--k", "3", "--max-cost", "0").output == whole.output
    assert server.stats().requests == asked


def test_a_baseline_without_money_is_a_note(ask, server):
    result = ask("diff", *DIFF, "--baseline", "--max-cost", "0")

    assert result.exit_code == 0, result.output
    assert "verdicts are missing and were left out" in words(result)
    assert "alone named nothing that could be tested" in words(result)
    assert server.stats().requests == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("search", "umbrella", "--use", "features,words", "--k", "3"), "umbrella"),
        (("cluster", "--k", "2"), "2 clusters"),
    ],
)
def test_search_and_cluster_ask_no_more_than_was_foreseen(ask, server, arguments, said):
    calls = foreseen(ask(*arguments, "--dry-run"))
    assert server.stats().requests == 0

    result = ask(*arguments)

    assert result.exit_code == 0, result.output
    assert said in result.output
    assert 0 < server.stats().requests <= calls


def test_a_list_of_labels_asks_no_model(ask, server):
    result = ask("search", "--labels", "umbrella")

    assert result.exit_code == 1
    assert "--labels asks no model: leave out --llm" in result.output
    assert server.stats().requests == 0
