"""The regression table says the same in every form, and no text in it is taken for markup."""

import csv
import io
import json
import re

import pytest

from interp_embed.errors import InputError, StoredFileError
from interp_embed.records import Estimate, ModelSummary
from interp_embed.report import read_regression_table, regression_table, write_study
from interp_embed.report.escapes import latex_text, markdown_text

_SPECIAL = "\\ % & # _ { } ~ ^ $ < > | ` * [x] \"a\" “b” \u2018c\u2019 \u2013 … -- '' ,, ?` é 中"


def test_a_row_holds_both_effects_and_the_verdict(rich_study):
    table = regression_table(rich_study).to_markdown()

    assert (
        '| mentions "waited", "host" | \u22120.61 \\[\u22120.75, \u22120.47\\] '
        "| \u22120.44\\* \\[\u22120.59, \u22120.29\\] | "
        "&lt; 0.001 | &lt; 0.001 | \u22120.45 \\[\u22120.60, \u22120.30\\] | 800 | 18 % |"
    ) in table
    assert '| mentions "parking", "lot" | \u22120.08 \\[\u22120.25, 0.09\\] | +0.02 \\[' in table


def test_the_notes_say_how_it_was_estimated_and_what_was_tried(rich_study):
    notes = " ".join(regression_table(rich_study).notes)

    for fact in (
        "800 documents that played no part in finding the concepts (1,200 documents did)",
        "792 documents in 301 groups",
        "linear regression on all concepts together by least squares, cluster-robust errors",
        "held fixed besides: length and price",
        "Price level 4 was left out",
        "Controlled: as marginal, with length and price held fixed.",
        "all 5 hypotheses tested (Benjamini-Hochberg); * q ≤ 0.05",
        "244 features screened",
        "R² out of sample: hypotheses 0.25, ceiling (ridge on the embedding) 0.58, floor (length)",
        "2 other sets of hypotheses were tested",
        "Strata: venue.",
    ):
        assert fact in notes, fact


@pytest.mark.parametrize(
    ("correction", "said"), [("bh", "* q ≤ 0.05"), ("holm", "* significant at 0.05 (Holm)")]
)
def test_the_star_means_what_the_note_says(correction, said, make_study):
    table = regression_table(make_study(correction=correction))

    assert said in " ".join(table.notes)
    assert [row.significant for row in table.rows] == [True, True, True, False, False]
    assert table.to_markdown().count("\\* \\[") == 3


@pytest.mark.parametrize("name", ["rich_study", "class_study"])
def test_a_table_read_from_a_folder_is_the_table_of_the_study(name, request, tmp_path):
    study = request.getfixturevalue(name)
    write_study(study, tmp_path)

    read, made = read_regression_table(tmp_path), regression_table(study)

    assert read.to_markdown() == made.to_markdown()
    assert read.to_latex() == made.to_latex()
    assert read.to_csv() == made.to_csv()


def test_what_could_not_be_estimated_is_a_dash_and_an_empty_cell(make_study, untested, tmp_path):
    study = make_study(hypotheses=(untested,), tested=0)
    write_study(study, tmp_path)
    table = regression_table(study)

    assert "| \u2013 | \u2013 | \u2013 | \u2013 | 0 | \u2013 |" in table.to_markdown()
    assert "nan" not in table.to_markdown() + table.to_latex() + table.to_csv()
    assert read_regression_table(tmp_path).to_csv() == table.to_csv()


def test_a_study_without_any_hypothesis_gives_an_empty_table(make_study):
    table = regression_table(make_study(hypotheses=(), tested=0))

    assert r"\midrule" + "\n" + r"\bottomrule" in table.to_latex()
    assert table.to_csv().count("\n") == 1


def test_numbers_in_the_csv_are_not_rounded(make_study, make_hypothesis):
    effect = Estimate(0.1 + 0.2, -1 / 3, 1e-17, 0.5, 7)
    table = regression_table(make_study(hypotheses=(make_hypothesis(separation=effect),)))

    (row,) = csv.DictReader(io.StringIO(table.to_csv(), newline=""))

    assert [float(row[f"marginal{end}"]) for end in ("", "_low", "_high")] == [
        0.1 + 0.2, -1 / 3, 1e-17,
    ]  # fmt: skip


def test_effects_of_different_units_are_written_each_in_its_own(make_study, make_hypothesis):
    model = ModelSummary("logit", "Firth", "profile", "log odds ratio", (), 800, None, 0.2, 3.0)
    hypothesis = make_hypothesis(
        separation=Estimate(0.12, 0.08, 0.16, 0.001, 800),
        coefficient=Estimate(1.52, 0.92, 2.12, 0.001, 800),
    )
    table = regression_table(
        make_study(hypotheses=(hypothesis,), target_kind="binary", model=model)
    )

    assert "| +12 \\[8, 16\\] | +1.5\\* \\[0.9, 2.1\\] |" in table.to_markdown()
    assert "Firth, profile errors; log odds ratio." in " ".join(table.notes)


def test_effects_by_class_are_shares_whatever_tests_them_together(class_study):
    table = regression_table(class_study)

    assert "| +21 \\[16, 26\\] | +10\\* \\[4, 16\\] |" in table.to_markdown()
    assert "by a linear model of each class, in percentage points" in " ".join(table.notes)


# Characters that mean something


def test_every_special_character_is_escaped_for_latex():
    made = latex_text(_SPECIAL)

    bare = re.sub(r"\\text[a-z]+\{\}|\\ldots\{\}|\\[%&#_{}$]|\{\[\}|\{\]\}|\{\*\}|\$-\$", "", made)
    assert not re.search(r"[\\%&#_$~^<>|`*\[\]\"“”\u2018\u2019\u2013…]", bare)
    for part in (
        r"\textbackslash{}", r"\%", r"\&", r"\#", r"\_", r"\{", r"\}", r"\textasciitilde{}",
        r"\textasciicircum{}", r"\$", r"\textless{}", r"\textgreater{}", r"\textbar{}",
        r"\textasciigrave{}", r"\textquotedblleft{}a\textquotedblright{}",
        r"\textquotedblleft{}b\textquotedblright{}", r"\textquoteleft{}c\textquoteright{}",
        "-{}-", "'{}'", ",{},", "é", "中",
    ):  # fmt: skip
        assert part in made, part


def test_a_concept_cannot_add_cells_rows_or_commands(make_study, make_hypothesis):
    evil = "a & b \\\\ \\input{x} | c\n| d |\n\\end{table} [2cm] * <script>"
    table = regression_table(make_study(hypotheses=(make_hypothesis(hypothesis=evil),)))

    latex, markdown = table.to_latex(), table.to_markdown()

    rows = latex.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [6, 6]
    assert [row.count(r"\\") for row in rows] == [1, 1]
    assert latex.count(r"\end{table}") == 1
    assert r"\input" not in latex
    (row,) = [line for line in markdown.splitlines() if "script" in line]
    assert len(re.findall(r"(?<!\\)\|", row)) == 8
    assert "<script>" not in markdown


def test_markdown_shows_text_as_it_is():
    assert markdown_text("*a* _b_ [c](d) `e` <f> & #g") == (
        r"\*a\* \_b\_ \[c\](d) \`e\` &lt;f&gt; &amp; \#g"
    )


def test_braces_are_balanced_for_any_text():
    for text in (_SPECIAL, "}{", '"', "\x00\ud83d", "-" * 9, "\r\n\t"):
        made = re.sub(r"\\[{}]", "", latex_text(text))
        assert made.count("{") == made.count("}")
        made.encode("utf-8")


# Folders that hold no table


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(InputError, match=r"hypotheses\.csv does not exist; name the folder"):
        read_regression_table(tmp_path)


def test_a_damaged_run_is_told(rich_study, tmp_path):
    files = write_study(rich_study, tmp_path)
    record = json.loads(files.run.read_text())
    del record["score"]

    files.run.write_text(json.dumps(record))
    with pytest.raises(StoredFileError, match="lacks score; run the study again"):
        read_regression_table(tmp_path)
    files.run.write_text("{")
    with pytest.raises(StoredFileError, match="cannot be read"):
        read_regression_table(tmp_path)
    write_study(rich_study, tmp_path)
    files.hypotheses.write_text("hypothesis,feature\na,1\n")
    with pytest.raises(StoredFileError, match="lacks the columns separation,"):
        read_regression_table(tmp_path)


def test_a_run_of_an_earlier_version_has_a_table(make_study, tmp_path):
    files = write_study(make_study(), tmp_path)
    record = json.loads(files.run.read_text())
    for key in ("model", "controlled_for", "n_earlier", "strata_name", "ledger", "signal"):
        del record[key]
    files.run.write_text(json.dumps(record))
    lines = files.hypotheses.read_text().splitlines()
    files.hypotheses.write_text("\n".join(line.rsplit(",", 10)[0] for line in lines) + "\n")

    table = read_regression_table(tmp_path)

    assert table.to_markdown().count("\\* \\[") == 3
    assert "coefficient in a regression on all concepts together" in " ".join(table.notes)
