"""What an analysis writes can be read again, and one page shows all that lies in a folder."""

import csv
import json

import fake_analyses as fake
import pytest

from interp_embed.errors import StoredFileError
from interp_embed.report import read_analysis, write_analysis


def test_two_analyses_in_a_folder_make_one_report(tmp_path):
    write_analysis(fake.search(), tmp_path, name="search")
    files = write_analysis(fake.diff(), tmp_path, name="diff")

    page = files.report.read_text("utf-8")
    assert page.index("What differs") < page.index("Could you tell me")
    assert page.count("data:image/svg+xml") == 2
    kinds = ("csv", "json", "svg")
    written = {f"{name}.{kind}" for name in ("diff", "search") for kind in kinds}
    assert {path.name for path in tmp_path.iterdir()} == written | {"report.html"}


def test_the_same_results_give_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        for name, make in fake.EVERY.items():
            write_analysis(make(), tmp_path / folder, name=name)

    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


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
