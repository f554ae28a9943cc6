"""The validity table in small: the same functions as ``benchmarks/validity.py``, fewer runs."""

import functools
import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interp_embed.errors import SealedRowsError

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def load(name):
    """Import a module of ``benchmarks``, which is no package."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


rows_module = load("_validity_rows")
null = load("_validity_null")
validity = load("validity")
QUICK = rows_module.QUICK


def run(name, **sizes):
    return validity.EXPERIMENTS[name](replace(QUICK, **sizes))


def show(rows):
    return [f"{row.claim}: {row.value}, {row.gate}" for row in rows if row.passed is False]


@pytest.fixture(scope="module")
def quick_run():
    """Rows of a quick run of an experiment, made once."""
    return functools.cache(run)


@pytest.mark.parametrize("name", ["X1", "X5", "X6", "X8", "X9", "X10", "X12", "X14", "X15"])
def test_every_gate_of_a_quick_run_passes(name, quick_run):
    rows = quick_run(name)

    assert not show(rows)
    assert any(row.passed for row in rows)
    assert all(row.experiment == name and row.meaning for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["X2", "X11", "X13"])
def test_every_gate_of_whole_studies_and_clusters_passes_in_a_quick_run(name):
    """Studies of 2,000 documents; smaller ones are in ``tests/hypotheses``."""
    assert not show(run(name))


def test_studies_of_nothing_find_next_to_nothing():
    studies = [null.null_study(seed) for seed in range(4)]

    rows = null.family_rows(studies, what="Null target", meaning="-", how="-")

    assert [row.passed for row in rows] == [True, True]
    assert all(np.isfinite(found.p).sum() >= 4 for found in studies)


@pytest.mark.parametrize("kind", ["authors", "copies", "reposts"])
def test_studies_of_authors_and_copies_run(kind):
    assert np.isfinite(null.null_study(0, kind=kind).p).any()


def test_a_method_that_tests_on_the_rows_it_searched_fails_the_gate():
    broken = [null.same_row_study(seed) for seed in range(8)]

    rows = null.family_rows(broken, what="Same rows", meaning="-", how="-")

    assert [row.passed for row in rows] == [False, False]
    assert "**NO**" in rows_module.write_markdown(rows, command="-")


def test_searching_and_testing_on_the_same_rows_claims_half_of_nothing():
    same, fresh = null.same_row_rows(QUICK)

    assert same.passed is None
    assert 9 <= float(same.value.split()[0]) <= 14  # 11.5 of 20 over 40 runs
    assert fresh.passed


def test_every_way_around_the_split_is_refused():
    assert null.refusal_row().value == "4 of 4"


def test_a_split_that_lets_same_rows_through_fails_its_gate(monkeypatch):
    monkeypatch.setattr(null, "evaluate_candidates", lambda *_, **__: None)

    row = null.refusal_row()

    assert row.value == "3 of 4"
    assert row.passed is False


def test_an_error_that_is_no_refusal_is_not_taken_for_one():
    def attempt():
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        null._is_refused(attempt)
    assert issubclass(SealedRowsError, RuntimeError)


def test_gates_tell_the_value_that_passes_from_the_one_that_does_not():
    def row(value, **gate):
        return rows_module.number_row("X", "c", value, meaning="m", how="h", **gate)

    assert row(0.5, least=0.5).passed
    assert not row(0.49, least=0.5).passed
    assert not row(float("nan"), least=0.0).passed
    assert row(0.5).passed is None
    said = [True] * 2 + [False] * 18
    # 0.10 of 20; two standard errors of .05 are .097.
    assert rows_module.rate_row("X", "c", said, meaning="m", how="h").passed
    assert not rows_module.rate_row("X", "c", [True] * 3 + said, meaning="m", how="h").passed
    assert not rows_module.share_row("X", "c", said, least=0.9, meaning="m", how="h").passed
    assert not rows_module.false_share_row("X", "c", [0.2] * 50, meaning="m", how="h").passed


def test_the_same_seeds_give_the_same_table(quick_run):
    first, second = (
        rows_module.write_markdown(make("X10") + make("X6"), command="-")
        for make in (quick_run, run)
    )

    assert first == second
    assert "| X10 |" in first


def test_a_failed_gate_is_the_exit_status(monkeypatch, tmp_path, capsys):
    bad = rows_module.number_row("X9", "claim", 2.0, most=1.0, meaning="m", how="h")
    monkeypatch.setitem(validity.EXPERIMENTS, "X9", lambda _: [bad])
    out = tmp_path / "table.md"
    monkeypatch.setattr(sys, "argv", ["validity.py", "--only", "X9", "--out", str(out)])

    with pytest.raises(SystemExit) as left:
        validity.main()

    assert left.value.code == 1
    assert "| X9 | claim | 2.000 | at most 1 | **NO** |" in out.read_text(encoding="utf-8")
    assert "1 gates, 1 failed" in capsys.readouterr().out


def test_an_experiment_that_does_not_exist_is_told(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["validity.py", "--only", "X99"])

    with pytest.raises(SystemExit):
        validity.main()

    assert "there is no X99; there are X1, X2" in capsys.readouterr().err
