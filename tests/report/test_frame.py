import csv
import io

import numpy as np
import pytest

from interp_embed.records import Estimate
from interp_embed.report import (
    CLASS_COLUMNS,
    HYPOTHESIS_COLUMNS,
    STRATA_COLUMNS,
    classes_frame,
    hypotheses_frame,
    strata_frame,
    write_study,
)


def _cells(study, directory):
    text = write_study(study, directory).hypotheses.read_bytes().decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_columns_are_the_public_contract(make_study):
    contract = [
        "hypothesis",
        "feature",
        "separation",
        "separation_low",
        "separation_high",
        "separation_p",
        "coefficient",
        "coefficient_low",
        "coefficient_high",
        "p",
        "q",
        "significant",
        "prevalence",
        "fidelity_f1",
        "n",
        "about",
        "controlled",
        "controlled_low",
        "controlled_high",
        "explained_away",
        "q_interaction",
        "sign_reversal",
        "vif",
        "stability",
        "n_similar",
    ]

    assert list(hypotheses_frame(make_study()).columns) == contract
    assert list(hypotheses_frame(make_study(hypotheses=())).columns) == contract
    assert list(HYPOTHESIS_COLUMNS) == contract


def test_frame_keeps_types_without_any_hypothesis(make_study):
    empty, full = hypotheses_frame(make_study(hypotheses=())), hypotheses_frame(make_study())

    assert len(empty) == 0
    assert list(empty.dtypes) == list(full.dtypes)


def test_frame_takes_p_from_the_joint_regression(make_hypothesis, make_study):
    hypothesis = make_hypothesis(
        separation=Estimate(1.0, 0.5, 1.5, 0.01, 90),
        coefficient=Estimate(0.25, -0.5, 1.0, 0.5, 80),
    )

    row = hypotheses_frame(make_study(hypotheses=(hypothesis,))).iloc[0]

    assert (row.separation, row.separation_low, row.separation_high) == (1.0, 0.5, 1.5)
    assert (row.coefficient, row.coefficient_low, row.coefficient_high) == (0.25, -0.5, 1.0)
    assert (row.separation_p, row.p) == (0.01, 0.5)


def test_csv_reads_back_as_the_same_numbers(make_hypothesis, make_study, tmp_path):
    awkward = Estimate(0.1 + 0.2, -1 / 3, 1e-17, 5e-324, 7)
    study = make_study(hypotheses=(make_hypothesis(separation=awkward), make_hypothesis(1)))

    cells = _cells(study, tmp_path)

    frame = hypotheses_frame(study)
    for name in frame.columns[frame.dtypes == "float64"]:
        read = [float(row[name] or "nan") for row in cells]
        np.testing.assert_array_equal(read, frame[name])
    assert float(cells[0]["separation_p"]) == 5e-324


def test_what_could_not_be_estimated_is_empty(untested, make_study, tmp_path):
    cells = _cells(make_study(hypotheses=(untested,)), tmp_path)[0]

    assert [cells[name] for name in ("separation", "p", "q", "prevalence", "fidelity_f1")] == [
        ""
    ] * 5
    assert (cells["significant"], cells["n"]) == ("False", "0")


@pytest.mark.parametrize(
    "text", ['=HYPERLINK("evil")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1"]
)
def test_a_spreadsheet_does_not_run_a_hypothesis(text, make_hypothesis, make_study, tmp_path):
    study = make_study(hypotheses=(make_hypothesis(hypothesis=text),))

    assert _cells(study, tmp_path)[0]["hypothesis"] == "'" + text.replace("\r", "\u240d")
    assert hypotheses_frame(study)["hypothesis"][0] == text


def test_awkward_texts_stay_in_their_cell(make_hypothesis, make_study, tmp_path):
    text = 'mentions "a, b"\n"c" \U0001f621 \u0627\u0646\u062a'
    study = make_study(hypotheses=(make_hypothesis(hypothesis=text), make_hypothesis(1)))

    cells = _cells(study, tmp_path)

    assert len(cells) == 2
    assert cells[0]["hypothesis"] == text


def test_half_characters_become_visible(make_hypothesis, make_study, tmp_path):
    study = make_study(hypotheses=(make_hypothesis(hypothesis="half \ud83d, nul \x00"),))

    assert _cells(study, tmp_path)[0]["hypothesis"] == "half \ufffd, nul \u2400"


def test_what_was_not_asked_for_is_empty_not_false(make_study, rich_study, tmp_path):
    plain = _cells(make_study(), tmp_path / "plain")[0]
    rich = _cells(rich_study, tmp_path / "rich")

    later = HYPOTHESIS_COLUMNS[HYPOTHESIS_COLUMNS.index("about") :]
    assert {name: plain[name] for name in later} == dict.fromkeys(later, "") | {"n_similar": "0"}
    assert [row["explained_away"] for row in rich] == ["False", "", "True", "", ""]
    assert [row["sign_reversal"] for row in rich] == ["True", "", "", "", ""]
    assert (rich[0]["controlled"], rich[0]["vif"], rich[0]["n_similar"]) == ("-0.45", "1.4", "2")


def test_p_is_what_q_corrects(make_hypothesis, make_study, class_study):
    coefficient = Estimate(0.25, -0.5, 1.0, 0.5, 80)
    old = make_hypothesis(coefficient=coefficient)
    wald = make_hypothesis(coefficient=coefficient, p=0.04)
    classes = make_hypothesis(coefficient=coefficient, by_class=class_study.hypotheses[0].by_class)

    p = hypotheses_frame(make_study(hypotheses=(old, wald, classes)))["p"]

    assert list(p[:2]) == [0.5, 0.04]
    assert p.isna()[2], "the smallest p of several classes is no p of the hypothesis"


def test_classes_and_strata_have_tables_of_their_own(class_study, rich_study, make_study):
    classes, strata = classes_frame(class_study), strata_frame(rich_study)

    assert tuple(classes.columns) == CLASS_COLUMNS
    assert list(classes["class"]) == ["sport", "trade", "=arts"]
    assert list(classes["separation"]) == [0.21, -0.14, -0.07]
    assert tuple(strata.columns) == STRATA_COLUMNS
    assert list(strata["stratum"]) == ["Cafés", "Bars"]
    assert list(strata["within"]) == [-0.33, -0.33]
    assert strata["sign_reversal"].all()
    assert len(classes_frame(make_study())) == len(strata_frame(make_study())) == 0


def test_a_spreadsheet_does_not_run_a_class_either(class_study, tmp_path):
    text = write_study(class_study, tmp_path).classes.read_text(encoding="utf-8")

    assert ",'=arts," in text
