import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from interp_embed.hypotheses import Ledger, Opening

A, B, C = (Opening("documents", plan, "settings") for plan in "ABC")


@pytest.fixture
def ledger(tmp_path):
    return Ledger.open(tmp_path / "deep" / "ledger.jsonl")


def test_other_plans_opened_before_on_the_same_documents_are_counted(ledger):
    assert [ledger.record(opening).n_earlier for opening in (A, B, C)] == [0, 1, 2]


def test_the_same_opening_again_changes_nothing(ledger):
    for opening in (A, B, C):
        ledger.record(opening)
    before = ledger.path.read_bytes()

    assert [ledger.record(opening).n_earlier for opening in (A, B, C)] == [0, 1, 2]
    assert ledger.path.read_bytes() == before


def test_the_same_plan_with_other_settings_is_written_but_is_no_other_plan(ledger):
    ledger.record(A)

    assert ledger.record(Opening("documents", "A", "others")).n_earlier == 0
    assert len(ledger.path.read_text().splitlines()) == 2


def test_other_documents_do_not_count(ledger):
    ledger.record(Opening("other documents", "B", "settings"))

    assert ledger.record(A).n_earlier == 0


def test_lines_that_cannot_be_read_are_told_and_lose_nothing(ledger):
    ledger.record(A)
    with ledger.path.open("ab") as file:
        file.write(b'\xff\xfe\n[1]\n{"format": 1, "docum')

    recorded = ledger.record(B)

    assert recorded.n_earlier == 1
    assert "3 lines of the ledger" in recorded.problem
    assert json.loads(ledger.path.read_bytes().splitlines()[-1])["plan"] == "B"
    assert ledger.record(C).n_earlier == 2


def test_a_ledger_that_cannot_be_written_is_told_and_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("")

    for path in (tmp_path, tmp_path / "file" / "ledger.jsonl"):
        recorded = Ledger.open(path).record(A)
        assert recorded.n_earlier == 0
        assert "cannot be used" in recorded.problem


def test_many_at_once_lose_no_line(ledger):
    openings = [Opening("documents", f"plan {i}", "settings") for i in range(60)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ledger.record, openings))

    lines = ledger.path.read_text().splitlines()
    # One that was half written when another was begun is followed by an empty line.
    plans = [json.loads(line)["plan"] for line in lines if line]
    assert sorted(plans) == sorted(opening.plan for opening in openings)


def test_the_default_is_in_the_users_cache_folder_and_none_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERP_EMBED_CACHE", str(tmp_path))

    assert Ledger.open("default").path == tmp_path / "ledger.jsonl"
    assert Ledger.open(None) is None
