"""diff, trend, correlate, cluster, search and duplicates on the command line."""

import io
import json
import re
import subprocess
import sys

import fake_analyses as fake
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from interp_embed import Dataset
from interp_embed.cli import main
from interp_embed.cli.data_source import DataSource
from interp_embed.cli.evidence import marked_spans
from interp_embed.records import Label
from interp_embed.store import Header, PooledShard, Store, documents_digest

N, M = 80, 60
PARTY = ["Whig", "Tory"]


def run(*arguments):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def make_store(folder, *, n=N, m=M, source=None, labels=True, seed=0):
    """A data set without a model: feature 0 fires in Whig speeches, 1 becomes more frequent."""
    rng = np.random.default_rng(seed)
    years = 1800 + np.arange(n) // 8
    texts = [f"Speech {i} about the sea, number {i * i}." for i in range(n)]
    frame = pd.DataFrame(
        {
            "text": texts, "party": [PARTY[i % 2] for i in range(n)], "year": years,
            "speaker": [f"s{i // 4}" for i in range(n)], "id": range(n),
        }
    )  # fmt: skip
    header = Header(
        n_documents=n, n_features=m, rows_per_shard=n, text_field="text",
        documents_digest=documents_digest(texts),
        source=source or {"kind": "reader", "made": "by hand"}, tokens="none",
    )  # fmt: skip
    store = Store.create(folder, header, frame)
    fires = rng.random((n, m)) < 0.3
    fires[:, 0] = (np.arange(n) % 2 == 0) & (rng.random(n) < 0.9)
    fires[:, 1] = rng.random(n) < np.arange(n) / n
    rows, features = np.nonzero(fires)
    values = np.round(1 + rng.random(len(rows)), 2).astype(np.float32)
    pooled = PooledShard(
        start=np.searchsorted(rows, np.arange(n + 1)).astype(np.int64),
        feature=features.astype(np.int32),
        maximum=values,
        total=values,
        count=np.ones(len(rows), np.int32),
        peak=np.full(len(rows), -1, np.int32),
        n_counted=np.full(n, 9, np.int32),
        errors=(None,) * n,
    )
    store.write_shard(0, pooled, None)
    if labels:
        words = ['mentions "sea"', "asks a question", "<script>alert(1)</script>"]
        store.append_labels(
            "features", [Label(f, text, "given", 0) for f, text in enumerate(words)]
        )
    return folder


@pytest.fixture(scope="module")
def speeches(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store") / "speeches")


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store") / "unlabelled", labels=False)


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "posts.csv"
    path.write_text("body,removed\nWe sail at dawn,yes\nStay at home,no\n")
    path.with_name("more.csv").write_text(path.read_text())
    return path


A_DIFF = ("diff", "SPEECHES", "--by", "party", "--first", "Whig", "--second", "Tory")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("diff", "SPEECHES"), "compare .* with what"),
        (("diff", "SPEECHS", "--by", "party"), "does not exist; did you mean '.*speeches'"),
        (("diff", "spech.csv"), "spech.csv does not exist"),
        (("diff", "SPEECHES", "--by", "partei"), "no column 'partei' for --by.*'party'"),
        (("diff", "SPEECHES", "--first", "Whig"), "compare .* with what"),
        (("diff", "SPEECHES", "UNLABELLED", "--first", "Whig"), "say of which with --by"),
        (("diff", "SPEECHES", "UNLABELLED", "--by", "party"), "leave out B, or --by"),
        (("diff", "SPEECHES", "--by", "party", "--second", "Whig"), "without --first"),
        ((*A_DIFF[:4], "--first", "Whigg"), "--first: no document has 'Whigg'.*mean 'Whig'"),
        ((*A_DIFF[:4], "--first", "Whig", "--second", "Whig"), "name two groups"),
        ((*A_DIFF, "--pair-by", "idd"), "no column 'idd' for --pair-by"),
        ((*A_DIFF, "--group-by", "speakr"), "no column 'speakr' for --group-by.*'speaker'"),
        ((*A_DIFF, "--within", "year", "--match-length"), "--within goes neither with"),
        ((*A_DIFF, "--within", "yaer"), "no column 'yaer' for --within.*'year'"),
        ((*A_DIFF, "--level", "5"), "--level must be between 0 and 1"),
        ((*A_DIFF, "--firing", "weak"), "--firing must be any, strong, or"),
        (("diff", "SPEECHES", "SPEECHES"), "is named twice"),
        (("diff", "SPEECHES", "UNLABELLED", "TABLE", "--verify", "words"), "one B only"),
        ((*A_DIFF, "--dry-run"), "--dry-run needs --llm"),
        ((*A_DIFF, "--baseline"), "--baseline needs --llm"),
        ((*A_DIFF, "--json", "--csv"), "two forms of one output"),
        ((*A_DIFF, "--text", "text"), "is a data set already"),
        (("diff", "TABLE", "--by", "removed"), "name the column with its documents with --text"),
        (("diff", "TABLE", "--text", "bodi", "--by", "removed"), "no column 'bodi' for --text"),
        (("diff", "TABLE", "SPEECHES", "--text", "body"), "encode the table with the SAE of"),
        (("diff", "TABLE", "TABLE2", "--text", "body", "--sae", "embedding"), "cannot be compared"),
        (("trend", "SPEECHES", "--by", "yaer"), "no column 'yaer' for --by.*'year'"),
        (("trend", "SPEECHES", "--by", "year", "--order", "1800"), "at least two groups"),
        (("trend", "SPEECHES", "--by", "year", "--order", "1800,1700"), "no document has '1700'"),
        (("correlate", "SPEECHES", "--columns", "party,yaer"), "no column 'yaer' for --columns"),
        (("correlate", "SPEECHES", "--group-by", "speakr"), "no column 'speakr' for --group-by"),
        (("correlate", "SPEECHES", "--on", "id"), "name B too"),
        (("correlate", "SPEECHES", "--feature", "60"), "use a number from 0 to 59"),
        (("correlate", "SPEECHES", "--max-q", "0"), "--max-q must be above 0"),
        (("cluster", "UNLABELLED", "--query", "tone"), "run interp-embed label .*unlabelled"),
        (("cluster", "SPEECHES", "--drop", "x"), "--drop must be numbers"),
        (("cluster", "SPEECHES", "--add", "99"), "--add: there is no feature 99"),
        (("cluster", "SPEECHES", "--keyphrases", "rude"), "--keyphrases belong to a query"),
        (("search", "SPEECHES"), "search for what"),
        (("search", "SPEECHES", "sea", "--labels", "sea"), "one of both"),
        (("search", "UNLABELLED", "sea", "--use", "features"), "run interp-embed label"),
        (("search", "SPEECHES", "sea", "--use", "features,sounds"), "--use takes features"),
        (
            ("search", "TABLE", "sea", "--text", "body", "--use", "features,words"),
            "then interp-embed label posts-features",
        ),
        (("duplicates", "NOTHING"), "does not exist"),
        (("duplicates", "EMPTY"), "not of a data set"),
    ],
)
def test_a_mistake_is_told_before_anything_is_loaded(
    arguments, message, speeches, unlabelled, table, tmp_path, monkeypatch
):
    (tmp_path / "empty").mkdir()
    places = {
        "SPEECHES": speeches, "UNLABELLED": unlabelled, "TABLE": table,
        "TABLE2": table.with_name("more.csv"),
        "SPEECHS": speeches.with_name("speechs"), "NOTHING": tmp_path / "nothing",
        "OTHER": speeches.with_name("other"),
        "EMPTY": tmp_path / "empty",
    }  # fmt: skip

    def opened(*_, **__):
        pytest.fail("a data set was opened before the mistake was told")

    monkeypatch.setattr(DataSource, "open", opened)

    result = run(*[places.get(argument, argument) for argument in arguments])

    assert result.exit_code == 1, result.output
    assert re.search(message, " ".join(result.output.split())), result.output


def test_a_folder_with_other_files_is_not_written_to(speeches, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")

    result = run(*_at(A_DIFF, speeches), "--out", tmp_path)

    assert result.exit_code == 1
    assert "is not empty (it holds notes.txt)" in result.output


def test_the_folder_of_a_study_is_not_written_to(speeches, tmp_path):
    (tmp_path / "hypotheses.csv").touch()
    (tmp_path / "report.html").touch()

    assert "is not empty" in run(*_at(A_DIFF, speeches), "--out", tmp_path).output


def _at(arguments, speeches):
    return [speeches if one == "SPEECHES" else one for one in arguments]


def test_unlabelled_data_are_searched_by_all_that_applies_and_it_is_said(unlabelled):
    result = run("search", unlabelled, "the sea, number 49", "--k", "1", "--json")

    assert result.exit_code == 0, result.output
    assert "Not ranked by features" in result.stdout
    assert "Speech 7 about the sea" in result.stdout


@pytest.mark.parametrize(
    "command", ["diff", "trend", "correlate", "cluster", "search", "duplicates"]
)
def test_the_help_of_each_command_shows_an_example(command):
    shown = run(command, "--help").output

    assert f"interp-embed {command} " in shown
    assert "--out DIR" in shown


def test_typos_are_told_without_a_model_library(speeches):
    code = (
        f"import sys; sys.argv = ['interp-embed', 'diff', {str(speeches)!r}, '--by', 'partei']\n"
        "from interp_embed.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert stop.code == 1\n"
        "assert not {'torch', 'sklearn', 'transformers', 'numba'} & set(sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def made_by_hand(monkeypatch):
    """Results of every analysis without their computing; calls are kept."""
    calls = {}

    def returns(method, make):
        def answer(_, *given, **named):
            calls[method] = (given, named)
            return make()

        monkeypatch.setattr(Dataset, method, answer, raising=False)

    names = {"correlate": "correlations"}
    for name, make in fake.EVERY.items():
        returns(names.get(name, name), make)
    return calls


def test_keyphrases_reach_the_analysis_with_and_without_edits(speeches, made_by_hand):
    given = ("--query", "tone", "--keyphrases", "asks, sea")

    plain = run("cluster", speeches, *given)
    edited = run("cluster", speeches, *given, "--drop", 1)

    assert plain.exit_code == edited.exit_code == 0, plain.output + edited.output
    assert made_by_hand["cluster"][1]["features"].keyphrases == ("tone", "asks", "sea")
    assert made_by_hand["cluster"][1]["features"].features == (0,)
    assert run("search", speeches, "tone", "--keyphrases", "asks").exit_code == 0
    assert made_by_hand["search"][1]["keyphrases"] == ("asks",)


def test_a_difference_is_printed_with_its_interval(speeches, made_by_hand):
    result = run(*_at(A_DIFF, speeches))

    assert result.exit_code == 0, result.output
    assert "Of 210 features tested" in result.output
    assert "On held-out documents" in result.output
    assert re.search(r"mentions .shall.*\+22.8 \[\+16.8, \+28.8\].*51 %", result.output)
    assert "3 of 8 rows; --csv prints all of them" in result.output


def test_only_features_of_the_printed_table_are_said_to_lack_labels(unlabelled):
    result = run(*_at(A_DIFF, unlabelled))

    assert "1 of 60 features tested differ" in " ".join(result.output.split())
    assert "1 of these features have no label" in result.output
    assert result.output.rstrip().endswith("--features 0")


def test_what_was_asked_is_handed_on(speeches, made_by_hand):
    run(*_at(A_DIFF, speeches), "--group-by", "speaker", "--match-length", "--verify", "words")

    (against,), named = made_by_hand["diff"]
    assert against is None
    assert named["by"] == "party"
    assert (named["first"], named["second"]) == ("Whig", "Tory")
    assert named["match_length"]
    assert named["group_by"] == "speaker"
    assert named["verify"] == "words"
    run("correlate", speeches, "--group-by", "speaker", "--top", 9)
    assert made_by_hand["correlations"][1]["group_by"] == "speaker"


def test_json_and_csv_are_whole_and_alone_on_the_output(speeches, made_by_hand):
    shown = CliRunner().invoke(main, [str(one) for one in _at(A_DIFF, speeches)] + ["--json"])
    record = json.loads(shown.stdout)
    assert len(record["rows"]) == 8
    assert record["result"]["names"] == ["president", "senator"]

    table = CliRunner().invoke(main, [str(one) for one in _at(A_DIFF, speeches)] + ["--csv"])
    assert len(pd.read_csv(io.StringIO(table.stdout))) == 8


def test_analyses_of_one_folder_make_one_report(speeches, made_by_hand, tmp_path):
    out = ("--out", tmp_path / "found")
    assert run(*_at(A_DIFF, speeches), *out).exit_code == 0
    assert run("trend", speeches, "--by", "year", *out).exit_code == 0
    assert run("correlate", speeches, *out).exit_code == 0
    assert run("cluster", speeches, *out).exit_code == 0
    assert run("search", speeches, "asks", *out).exit_code == 0

    page = (tmp_path / "found" / "report.html").read_text("utf-8")
    for title in (
        "What differs: <bdi>by party, first Whig, second Tory</bdi>",
        "What changes: <bdi>by year</bdi>",
        "What occurs together",
        "Clusters",
        "Search: <bdi>asks</bdi>",
    ):
        assert f">{title}</h1>" in page
    assert "about the sea, number" in page
    assert "<script>" not in page


def test_an_analysis_is_replaced_only_if_asked(speeches, made_by_hand, tmp_path):
    out = ("--out", tmp_path / "found")
    assert run(*_at(A_DIFF, speeches), *out).exit_code == 0
    again = run(*_at(A_DIFF, speeches), *out)
    assert again.exit_code == 1
    assert "add --overwrite" in again.output
    assert run(*_at(A_DIFF, speeches), *out, "--overwrite").exit_code == 0


def test_each_call_with_other_arguments_has_its_own_section(speeches, made_by_hand, tmp_path):
    out = ("--out", tmp_path / "found")
    for arguments in (["asks"], ["thanks"], ["asks", "--k", "20"], ["Wer fragt?", "--k", "10"]):
        assert run("search", speeches, *arguments, *out, "--show", "3").exit_code == 0

    tables = {path.name for path in (tmp_path / "found").glob("*.csv")}
    assert {"search-asks.csv", "search-thanks.csv", "search-asks-k-20.csv"} < tables
    assert any(re.fullmatch(r"search-wer-fragt-[0-9a-f]{6}\.csv", name) for name in tables)
    page = (tmp_path / "found" / "report.html").read_text("utf-8")
    assert page.count('class="analysis"') == 4
    assert len(set(re.findall(r'<h1 id="([^"]*)"', page))) == 4
    assert run("search", speeches, "asks", "--show", "5", *out).exit_code == 1
    assert run("search", speeches, "asks", "--overwrite", *out).exit_code == 0
    assert len(list((tmp_path / "found").glob("*.csv"))) == 4


def test_a_record_that_cannot_be_read_is_told_before_the_work(speeches, made_by_hand, tmp_path):
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "search-notes.json").write_text("{}")

    result = run("search", speeches, "asks", "--out", tmp_path / "found")

    assert result.exit_code == 1
    assert "is not an analysis of interp-embed" in result.output
    assert "search" not in made_by_hand


def test_a_table_that_was_encoded_before_is_not_encoded_again(
    speeches, made_by_hand, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    make_store(tmp_path / "speeches-features")
    Store.open(speeches).load_documents().to_csv("speeches.csv", index=False)

    asked = ("--text", "text", "--by", "party", "--first", "Whig")
    result = run("diff", "speeches.csv", *asked)

    assert result.exit_code == 0, result.output
    assert "Encoding" not in result.output
    (tmp_path / "speeches.csv").write_text("text,party\nother,Whig\n")
    changed = run("diff", "speeches.csv", *asked)
    assert changed.exit_code == 1
    assert "holds a data set of other documents" in changed.output


def test_places_of_marks_are_those_in_the_text():
    text = "a << b >> c and << again"
    assert marked_spans("We shall see", "We <<shall>> <<see>>") == ((3, 8), (9, 12))
    assert marked_spans(text, "a << b >> <<c>> and << again") == ((10, 11),)
    assert marked_spans("one", "two") == ()


def test_what_was_planted_is_found(speeches, tmp_path):
    out = ("--out", tmp_path / "found", "--quiet")

    found = run(*_at(A_DIFF, speeches), *out)
    assert found.exit_code == 0, found.output
    first = pd.read_csv(tmp_path / "found" / "diff-by-party-first-whig-second-tory.csv").iloc[0]
    assert (first["feature"], first["significant"]) == (0, True)
    assert re.search(r'mentions "sea" +0 +\+\d\d\.\d \[', found.output)

    assert run("trend", speeches, "--by", "year", *out).exit_code == 0
    first = pd.read_csv(tmp_path / "found" / "trend-by-year.csv").iloc[0]
    assert (first["feature"], first["shape"]) == (1, "rising")

    linked = run("correlate", speeches, "--columns", "party", *out)
    assert linked.exit_code == 0, linked.output
    assert re.search(r'mentions "sea" +0 +party +(Whig|Tory)', linked.output)
    assert run("correlate", speeches, "--feature", 3, "--quiet").exit_code == 0
    grouped = run("correlate", speeches, "--feature", 3, "--group-by", "speaker")
    assert "groups, within which they are not independent" in grouped.output

    assert run("cluster", speeches, "--k", 2, *out).exit_code == 0
    page = (tmp_path / "found" / "report.html").read_text("utf-8")
    assert page.count('class="analysis"') == 4
    assert "<script>" not in page


def test_groups_of_a_table_that_cannot_be_paired_are_refused(speeches):
    result = run(*_at(A_DIFF, speeches), "--pair-by", "party")

    assert result.exit_code == 1
    assert "Error: " in result.output
    assert "Traceback" not in result.output


def test_data_sets_of_different_saes_are_refused(speeches, tmp_path):
    other = make_store(tmp_path / "other", source={"kind": "reader", "made": "otherwise"})

    result = run("diff", speeches, other)

    assert result.exit_code == 1
    assert "made: by hand and otherwise" in result.output


def test_copies_in_a_table_are_listed_without_encoding(table):
    table.write_text('body\nWe sail at dawn\n"we sail, at dawn!"\nStay at home\n')

    shown = run("duplicates", table, "--text", "body", "--csv")

    assert shown.exit_code == 0, shown.output
    assert pd.read_csv(io.StringIO(shown.output))["documents"].tolist() == ["0; 1"]
    assert not table.with_name("posts-features").exists()


def test_labels_are_found_by_their_words(speeches):
    shown = CliRunner().invoke(main, ["search", str(speeches), "--labels", "question", "--csv"])

    assert shown.exit_code == 0, shown.output
    assert pd.read_csv(io.StringIO(shown.stdout))["feature"].tolist()[0] == 1
