import csv
import io

import pytest

from interp_embed.records import Estimate
from interp_embed.report import HYPOTHESIS_COLUMNS, hypotheses_frame, write_study


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
        assert [float(row[name]) for row in cells] == list(frame[name])
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
