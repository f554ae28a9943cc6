"""What ``interp-embed hypotheses`` hands over: the options' values, under the library's names."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from interp_embed import hypotheses
from interp_embed.cli import main, output
from interp_embed.cli.hypotheses import command as hypotheses_command
from interp_embed.cli.study_input import read_input
from interp_embed.cli.study_options import ColumnOptions
from interp_embed.errors import InputError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pairs.csv"
    pd.DataFrame(
        {
            "a": ["one", "two"],
            "b": ["uno", "due"],
            "stars": [1, 2],
            "price": [3.0, 4.5],
            "kind": ["x", "y"],
            "city": ["Rome", "Bari"],
            "tags": ["red; blue", ""],
            "is_red": [1, 0],
            "is_blue": [1, 0],
        }
    ).to_csv(path, index=False)
    return path


@pytest.fixture
def asked(file, tmp_path, monkeypatch):
    """Run the command with the study itself replaced by a record of what it was given."""
    seen = {}

    def find(documents, target, **given):
        seen.update(given, documents=documents, target=target)
        return SimpleNamespace(study=None)

    monkeypatch.setattr(hypotheses, "find_hypotheses", find)
    monkeypatch.setattr(hypotheses, "StudySettings", lambda **given: given)
    monkeypatch.setattr(output, "print_study", lambda study: None)
    monkeypatch.setattr(output, "write_run", lambda run, folder: None)

    def ask(*options, target="stars"):
        seen.clear()
        columns = ("--text", "a", "--target", target, "--out", str(tmp_path / "out"))
        result = CliRunner().invoke(main, ["hypotheses", str(file), *columns, *map(str, options)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result, dict(seen)

    return ask


def test_without_options_the_defaults_are_the_librarys(asked):
    result, seen = asked()

    assert result.exit_code == 0, result.output
    assert (seen["documents"], seen["target"]) == (["one", "two"], [1, 2])
    assert not {"ledger", "second", "covariates", "strata", "order", "annotator"} & set(seen)
    assert not {"tune_share", "model", "control_length", "without_signal"} & set(seen["settings"])
    assert seen["settings"]["correction"] == "bh"


def test_columns_are_handed_over_as_values(asked):
    _, seen = asked("--second", "b", "--groups", "kind", "--strata", "city", "--covariates",
                    "price,kind")  # fmt: skip

    assert seen["second"] == ["uno", "due"]
    assert (seen["groups"], seen["strata"], seen["strata_name"]) == (
        ["x", "y"], ["Rome", "Bari"], "city",
    )  # fmt: skip
    assert seen["covariates"].to_dict("list") == {"price": [3.0, 4.5], "kind": ["x", "y"]}


def test_covariates_may_be_named_one_by_one(asked):
    _, seen = asked("--covariates", "price", "--covariates", "kind")
    assert list(seen["covariates"]) == ["price", "kind"]


def test_settings_of_the_test_are_handed_over(asked):
    _, seen = asked(
        "--model", "linear", "--correction", "holm", "--tune-share", 0.2, "--level", 0.01,
        "--no-length-control", "--stop-without-signal", "--ledger", "l.jsonl",
    )  # fmt: skip

    settings = seen["settings"]
    assert (settings["model"], settings["correction"]) == ("linear", "holm")
    assert (settings["tune_share"], settings["level"]) == (0.2, 0.01)
    assert (settings["control_length"], settings["without_signal"]) == (False, "stop")
    assert str(seen["ledger"]) == "l.jsonl"
    assert asked("--no-ledger")[1]["ledger"] is None


def test_an_order_makes_an_ordinal_target(asked):
    _, seen = asked("--order", "low, mid,high", target="kind")
    assert (seen["target_kind"], seen["order"]) == ("ordinal", ["low", "mid", "high"])


def test_labels_come_from_semicolons_lists_or_columns(asked, tmp_path):
    assert asked("--kind", "multilabel", target="tags")[1]["target"] == [["red", "blue"], None]
    frame = asked("--kind", "multilabel", target="is_red,is_blue")[1]["target"]
    assert frame.to_dict("list") == {"is_red": [1, 0], "is_blue": [1, 0]}

    table = pd.DataFrame({"a": ["one"], "tags": [np.array(["red"])]})
    columns = ColumnOptions("a", None, "tags", None, (), None)
    assert read_input(table, columns, kind="multilabel").target == [["red"]]


def test_the_default_annotator_asks_for_nothing(asked):
    assert "annotator" not in asked("--annotator", "keywords")[1]


def test_another_annotator_is_made_and_handed_over(asked, monkeypatch):
    from interp_embed import interpret

    made = type("SentenceAnnotator", (), {})
    monkeypatch.setattr(interpret, "SentenceAnnotator", made, raising=False)

    assert isinstance(asked("--annotator", "sentences")[1]["annotator"], made)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--second", "bb"), "no column 'bb' for --second; did you mean 'b'"),
        (("--covariates", "price,knid"), "no column 'knid' for --covariates; did you mean 'kind'"),
        (("--strata", "citty"), "no column 'citty' for --strata; did you mean 'city'"),
        (("--groups", "x"), "no column 'x' for --groups"),
        (("--covariates", "price", "--covariates", "price"), "names 'price' twice"),
        (("--covariates", "stars"), "column 'stars' is named by --target and by --covariates"),
        (("--second", "a"), "column 'a' is named by --text and by --second"),
        (("--order", "low,high"), "at least three values"),
        (("--order", "a,b,c", "--kind", "count"), "not of --kind count"),
        (("--ledger", "l", "--no-ledger"), "contradict each other"),
        (("--annotator", "keywords", "--llm", "gpt-5-mini"), "asks no model: leave out --llm"),
        (("--annotator", "sentence"), "--annotator needs --llm MODEL (without: keywords,"),
    ],
)
def test_a_slip_is_told_before_anything_is_done(asked, options, message):
    result, seen = asked(*options)

    assert result.exit_code == 1
    assert message in result.output
    assert seen == {}


def test_a_kind_that_is_none_is_answered_with_those_there_are(asked):
    result, _ = asked("--kind", "ordinall")
    assert result.exit_code == 2
    assert "multilabel" in result.output


def test_a_missing_target_column_is_told_with_the_columns(asked):
    result, _ = asked(target="strs")
    assert "did you mean 'stars'" in result.output
    assert "'price'" in result.output


def test_the_help_does_not_show_a_word_twice():
    names = [option.name for option in hypotheses_command.params]
    assert len(names) == len(set(names))


def test_json_lists_are_labels(tmp_path):
    columns = ColumnOptions("a", None, "tags", None, (), None)
    table = pd.DataFrame({"a": ["x"], "tags": [json.loads('["red", "blue"]')]})
    assert read_input(table, columns, kind="multilabel").target == [["red", "blue"]]


def test_strata_may_be_held_fixed_as_well():
    columns = ColumnOptions("a", None, "y", None, ("city",), "city")
    table = pd.DataFrame({"a": ["x"], "y": [1], "city": ["Rome"]})
    assert read_input(table, columns, kind="auto").optional["strata_name"] == "city"
    with pytest.raises(InputError, match="each needs a column of its own"):
        read_input(table, ColumnOptions("a", None, "a", None, (), None), kind="auto")
