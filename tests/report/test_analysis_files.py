"""What an analysis writes can be read again, and one page shows all that lies in a folder."""

import csv
import json
import re

import fake_analyses as fake
import matplotlib
import matplotlib.pyplot as plt
import pytest

from interp_embed.errors import StoredFileError
from interp_embed.report import read_analysis, write_analysis
from interp_embed.report.analysis_record import run_stem


def test_two_analyses_in_a_folder_make_one_report(tmp_path):
    write_analysis(fake.search(), tmp_path, name="search")
    files = write_analysis(fake.diff(), tmp_path, name="diff")

    page = files.report.read_text("utf-8")
    assert page.index("What differs") < page.index("Could you tell me")
    assert page.count("data:image/svg+xml") == 2
    kinds = ("csv", "json", "svg")
    written = {f"{name}.{kind}" for name in ("diff", "search") for kind in kinds}
    assert {path.name for path in tmp_path.iterdir()} == written | {"report.html"}


def test_runs_about_different_things_lie_side_by_side(tmp_path):
    for about in ("refunds", "soup", "refunds"):
        write_analysis(fake.search(f"on {about}"), tmp_path, name="search", about=about)
    write_analysis(fake.search("as before"), tmp_path, name="search")

    records = sorted(path.name for path in tmp_path.glob("*.json"))
    assert records == ["search-refunds.json", "search-soup.json", "search.json"]
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count("data:image/svg+xml") == 3
    assert "Search: <bdi>soup</bdi>" in page


def test_a_record_without_what_it_is_about_is_shown(tmp_path):
    files = write_analysis(fake.search(), tmp_path, name="search")
    record = json.loads(files.record.read_text("utf-8"))
    del record["about"]
    files.record.write_text(json.dumps(record), encoding="utf-8")

    page = write_analysis(fake.diff(), tmp_path, name="diff").report.read_text("utf-8")

    assert '<h1 id="search">Search</h1>' in page
    assert page.count("data:image/svg+xml") == 2


@pytest.mark.parametrize(
    ("about", "stem"),
    [
        ("", "search"),
        ("refunds", "search-refunds"),
        ("columns party,year", "search-columns-party-year"),
        ("by party, level 0.01", "search-by-party-level-0.01"),
        ("../../etc/passwd", r"search-etc-passwd-[0-9a-f]{6}"),
        ("\u00e9t\u00e9 & \u6d77", r"search-t-[0-9a-f]{6}"),
        ("\u6d77", r"search-[0-9a-f]{6}"),
        ("long " * 50, r"search-[a-z-]{49,54}-[0-9a-f]{6}"),
    ],
)
def test_files_are_named_by_what_a_run_is_about(about, stem):
    assert re.fullmatch(stem, run_stem("search", about))


def test_what_differs_only_in_signs_has_files_of_its_own():
    assert len({run_stem("search", about) for about in ("C", "C++", "C#", "c-")}) == 4


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    """The folder of a report on every analysis, and pyplot's state before and after."""
    folder, own = tmp_path_factory.mktemp("every"), plt.figure()
    states = [(matplotlib.get_backend(), plt.get_fignums())]
    for name, make in fake.EVERY.items():
        write_analysis(make(), folder, name=name)
    states.append((matplotlib.get_backend(), plt.get_fignums()))
    plt.close(own)
    return folder, states


def test_the_same_results_give_the_same_bytes(every, tmp_path):
    folder, _ = every
    for name, make in fake.EVERY.items():
        write_analysis(make(), tmp_path, name=name)

    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_the_figures_and_the_backend_of_the_user_are_left_alone(every):
    _, (before, after) = every

    assert after == before
    assert len(before[1]) > 0


def test_the_table_holds_every_row_and_no_formula(tmp_path):
    result = fake.diff(3, labels=["=1+1", "b", "c"])

    files = write_analysis(result, tmp_path, name="diff")

    rows = list(csv.DictReader(files.table.open(encoding="utf-8")))
    assert [row["label"] for row in rows] == ["'=1+1", "b", "c"]
    assert [float(row["difference"]) for row in rows] == result.frame["difference"].tolist()


def test_a_record_is_read_as_it_was_written(tmp_path):
    files = write_analysis(fake.trend(), tmp_path, name="trend", command="interp-embed trend x")

    record = read_analysis(files.record)

    assert record["summary"] == "Two features change with year."
    assert record["rows"][0]["label"] == "asks a question"
    assert record["command"] == "interp-embed trend x"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not readable as JSON"),
        ("[]", "is not an analysis of interp-embed"),
        (json.dumps({"format": "interp-embed analysis", "format_version": 9}), "version 9"),
        (
            json.dumps({"format": "interp-embed analysis", "format_version": 1}),
            "does not make sense",
        ),
    ],
)
def test_a_damaged_record_beside_is_told(tmp_path, content, message):
    (tmp_path / "trend.json").write_text(content)

    with pytest.raises(StoredFileError, match=message):
        write_analysis(fake.diff(), tmp_path, name="diff")
