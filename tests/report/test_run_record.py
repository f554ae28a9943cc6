import json
import math
from pathlib import Path

import numpy as np
import pytest

from interp_embed.errors import InputError
from interp_embed.records import Scores
from interp_embed.report import RUN_FORMAT, run_record, write_study


def test_record_says_where_every_row_went(make_study):
    rows = run_record(make_study())["rows"]

    assert rows["read"] == 2004
    assert rows["discover"] + rows["confirm"] + len(rows["dropped"]) == 2004
    assert rows["dropped"][0] == {"row": 3, "reason": "text is empty"}
    assert rows["dropped_by_reason"] == {"target is missing": 2, "text is empty": 2}
    assert (rows["groups"], rows["duplicates"]) == (1990, 10)


def test_record_holds_what_is_needed_to_judge_and_repeat_the_run(make_study):
    study = make_study(tried=244, tested=5, shown=4)

    record = run_record(study)

    assert record["format"] == RUN_FORMAT
    assert record["settings"] == study.settings
    assert record["provenance"] == study.provenance
    assert record["score"] == {
        "metric": "r2",
        "ceiling": 0.58,
        "features": 0.41,
        "hypotheses": 0.25,
        "floor": 0.03,
        "n": 800,
    }
    assert (record["tried"], record["tested"], record["shown"]) == (244, 5, 4)
    assert (record["level"], record["correction"]) == (0.05, "bh")
    assert record["target"] == {
        "name": "stars",
        "kind": "numeric",
        "note": "numbers from 1 to 5, taken as they are",
        "mean": 3.71,
        "classes": [],
    }
    assert record["training"]["stopped"] == "patience"
    assert record["training"]["validation_history"] == [0.6, 0.45, 0.412]
    assert record["warnings"] == ["10 annotations failed and were left out."]


def test_hypotheses_without_a_test_are_named_with_the_reason(untested, make_hypothesis, make_study):
    study = make_study(hypotheses=(make_hypothesis(), untested))

    assert run_record(study)["not_tested"] == [
        {
            "feature": untested.feature,
            "hypothesis": untested.hypothesis,
            "note": "no confirm document has the concept",
        }
    ]


def test_nan_is_null_in_the_file(make_study, tmp_path):
    study = make_study(
        scores=Scores("r2", math.nan, 0.1, -math.inf, 0.0, 3),
        settings={"tolerance": np.float32("nan"), "k": np.int64(8), "layers": (1, 2)},
    )

    text = write_study(study, tmp_path).run.read_text(encoding="utf-8")

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    record = json.loads(text, parse_constant=refuse)
    assert (record["score"]["ceiling"], record["score"]["hypotheses"]) == (None, None)
    assert record["settings"] == {"tolerance": None, "k": 8, "layers": [1, 2]}


def test_half_characters_in_settings_can_be_written(make_study, tmp_path):
    study = make_study(settings={"stop\ud800": "half \udfff"}, target_name="st\ud800rs")

    record = json.loads(write_study(study, tmp_path).run.read_text(encoding="utf-8"))

    assert record["settings"] == {"stop\ufffd": "half \ufffd"}
    assert record["target"]["name"] == "st\ufffdrs"


def test_a_setting_that_json_cannot_hold_is_named(make_study):
    with pytest.raises(InputError, match=r"settings\.sae\.path\[0\] is a .*Path.*JSON cannot hold"):
        run_record(make_study(settings={"sae": {"path": [Path("a")]}}))


def test_record_holds_model_ledger_and_signal(rich_study, make_study):
    record = run_record(rich_study)

    assert record["format"] == 1
    assert record["model"]["covariates"] == ["length", "price"]
    assert [group["significant"] for group in record["concept_groups"]] == [True, False]
    assert [attempt["n_kept"] for attempt in record["ledger"]] == [1, 60, 51, 5, 3]
    assert record["signal"]["score"] == 0.55
    assert record["controlled_for"] == ["length", "price"]
    assert (record["n_earlier"], record["detectable"], record["strata_name"]) == (2, 0.121, "venue")
    without = run_record(make_study())
    assert (without["model"], without["signal"], without["detectable"]) == (None, None, None)
