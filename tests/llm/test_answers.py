import logging
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from interp_embed._fingerprint import digest_text
from interp_embed.errors import InputError, StoredFileError
from interp_embed.llm.answers import AnswerStore, StoredCall
from interp_embed.llm.answers_file import on_network
from interp_embed.llm.answers_readable import COLUMNS
from interp_embed.llm.answers_schema import migrate, read_version
from interp_embed.llm.records import TokenUse

JUDGE = "judge-1"


def call(key, text="yes", **others):
    fields = {"provider": "openai", "model": "m", "kind": "annotate-1", "request": "{}"}
    return StoredCall(key=key, text=text, finish_reason="stop", **(fields | others))


@pytest.fixture
def store(tmp_path):
    opened = AnswerStore.open(tmp_path / "answers.sqlite")
    yield opened
    opened.close()


def child(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# calls


def test_a_call_comes_back_as_it_went_in(store):
    sent = call(
        "k1",
        'a "quoted" 🦆 line\nwith \x00 and a lone \ud800',
        request='{"messages": ["é"]}',
        refusal="",
        use=TokenUse(10, 2, 4, 1, 0.5),
        estimated_tokens=11,
        cost_usd=0.25,
        attempts=3,
        latency_s=1.5,
        created_at=1.7e9,
    )
    store.add(sent)
    store.close()

    again = AnswerStore.open(store.path)

    assert again.find(["k1", "k2"]) == {"k1": sent}


def test_the_first_answer_stays(store):
    assert store.add(call("k", "first"))
    assert not store.add(call("k", "second"))
    assert store.find(["k"])["k"].text == "first"


def test_a_call_without_a_time_gets_the_time_it_is_stored(store):
    before = time.time()
    store.add(call("k"))
    assert before <= store.find(["k"])["k"].created_at <= time.time()


def test_thousands_of_calls_are_found_at_once(store):
    keys = [f"k{number}" for number in range(1_200)]
    for key in keys:
        store.add(call(key, key.upper()))

    found = store.find(keys + keys)

    assert [found[key].text for key in keys] == [key.upper() for key in keys]
    assert store.find([]) == {}


def test_forgotten_calls_go_with_their_verdicts(store):
    store.add(call("k1"))
    store.add(call("k2"))
    store.add_verdicts(JUDGE, "text 1", {"c": True}, call="k1")
    store.add_verdicts(JUDGE, "text 2", {"c": True}, call="k2")

    assert store.forget(["k1", "k9"]) == 1
    assert set(store.find(["k1", "k2"])) == {"k2"}
    assert store.verdicts(JUDGE, ["text 1", "text 2"], ["c"]) == {(1, 0): True}


# verdicts


def test_verdicts_are_found_by_the_whole_text_and_the_judge(store):
    long = "same beginning " * 100
    store.add_verdicts(JUDGE, long + "A", {"is long": True, "is short": False}, call="k")

    assert store.verdicts(JUDGE, [long + "B", long + "A"], ["is short", "is long"]) == {
        (1, 0): False,
        (1, 1): True,
    }
    assert store.verdicts("judge-2", [long + "A"], ["is long"]) == {}


def test_texts_and_concepts_that_occur_twice_get_their_verdict_twice(store):
    store.add_verdicts(JUDGE, "a", {"c": True}, call="k")
    store.add_verdicts(JUDGE, "b", {"c": False}, call="k")

    assert store.verdicts(JUDGE, ["a", "b", "a"], ["c", "d", "c"]) == {
        (0, 0): True,
        (0, 2): True,
        (1, 0): False,
        (1, 2): False,
        (2, 0): True,
        (2, 2): True,
    }


def test_the_first_verdict_stays(store):
    store.add_verdicts(JUDGE, "a", {"c": True}, call="k1")
    store.add_verdicts(JUDGE, "a", {"c": False, "d": False}, call="k2")
    assert store.verdicts(JUDGE, ["a"], ["c", "d"]) == {(0, 0): True, (0, 1): False}


def test_a_missing_verdict_is_refused_not_stored_as_no(store):
    with pytest.raises(InputError, match=r"True or False, but got \{'d': None\}; leave missing"):
        store.add_verdicts(JUDGE, "a", {"c": True, "d": None}, call="k")
    assert store.verdicts(JUDGE, ["a"], ["c", "d"]) == {}


def test_a_text_that_is_no_unicode_keeps_its_verdict(store):
    store.add_verdicts(JUDGE, "broken \udc80", {"c": True}, call="k")
    assert store.verdicts(JUDGE, ["broken \udc80", "broken ?"], ["c"]) == {(0, 0): True}


def test_a_large_matrix_of_verdicts_is_found_quickly():
    store = AnswerStore.in_memory()
    documents = [f"document {number}" for number in range(2_000)]
    concepts = [f"concept {number}" for number in range(20)]
    for number, document in enumerate(documents):
        store.add_verdicts(JUDGE, document, dict.fromkeys(concepts, number % 3 == 0), call="k")

    start = time.perf_counter()
    found = store.verdicts(JUDGE, documents, concepts)

    assert time.perf_counter() - start < 2  # 0.3 s on a free core
    assert len(found) == 40_000
    assert all(value == (row % 3 == 0) for (row, _), value in found.items())


# claims


def test_a_claim_keeps_others_out_until_it_runs_out_or_is_given_up(store):
    other = AnswerStore.open(store.path)

    assert store.claim("k", 60)
    assert store.claim("k", 60), "one's own is renewed"
    assert not other.claim("k", 60)
    other.release("k")
    assert not other.claim("k", 60), "another one's cannot be given up"
    store.release("k")
    assert other.claim("k", 0.01)
    time.sleep(0.02)
    assert store.claim("k", 60)


def test_an_answer_ends_the_claim(store):
    other = AnswerStore.open(store.path)
    store.claim("k", 60)
    store.add(call("k"))
    assert other.claim("k", 60)


def test_the_claim_of_a_process_that_was_killed_counts_as_run_out(store):
    code = (
        "import os, sys\n"
        "from interp_embed.llm.answers import AnswerStore\n"
        "print(AnswerStore.open(sys.argv[1]).claim('k', 3600), flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    assert child(code, store.path).communicate()[0] == "True\n"
    assert store.claim("k", 60)


# what was learned


def test_what_was_learned_of_a_server_is_kept_and_the_newest_wins(store):
    store.learn("openai", "m", {"max_tokens": "max_completion_tokens", "level": 2})
    store.learn("openai", "m", {"level": 1})
    assert store.quirks("openai", "m") == {"max_tokens": "max_completion_tokens", "level": 1}
    assert store.quirks("openai", "other") == {}


def test_token_counts_are_learned_by_model_and_kind(store):
    assert store.token_ratio("m", "annotate-1") == (0, 1.0, 0.0)

    store.add(call("k1", use=TokenUse(110, 10), estimated_tokens=100))
    store.add(call("k2", use=TokenUse(330, 20), estimated_tokens=300))
    store.add(call("k3", use=TokenUse(), estimated_tokens=300))  # the server did not say
    store.add(call("k4", use=TokenUse(900, 90), estimated_tokens=1, kind="label-1"))

    assert store.token_ratio("m", "annotate-1") == (2, 1.1, 15.0)


# for people


def test_the_summary_counts_by_model(store):
    store.add(call("k1", use=TokenUse(100, 10, cost_usd=0.5), cost_usd=0.4))
    store.add(call("k2", use=TokenUse(200, 20), cost_usd=0.25))
    store.add(call("k3", model="other"))
    store.add_verdicts(JUDGE, "a", {"c": True, "d": False}, call="k1")

    summary = store.summary()

    assert (summary.calls, summary.verdicts, summary.documents_and_concepts) == (3, 2, 3)
    first, second = summary.models
    assert (first.model, first.calls, first.prompt_tokens, first.completion_tokens) == (
        *("m", 2),
        *(300, 30),
    )
    assert (first.cost_usd, first.unpriced) == (0.75, 0)
    assert (second.model, second.cost_usd, second.unpriced) == ("other", 0.0, 1)
    assert summary.cost_usd == 0.75


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_an_export_is_readable_without_this_library(store, tmp_path, suffix):
    store.add(call("k1", '{"c1": true}', request='{"q": 1}'))
    store.add(call("k2", "a label", request='{"q": 2}', created_at=1.7e9))
    store.add_verdicts(JUDGE, "broken \udc80", {"is odd": True, "is even": False}, call="k1")
    path = tmp_path / f"answers{suffix}"

    assert store.export(path) == 3

    read = {".jsonl": lambda file: pd.read_json(file, lines=True), ".parquet": pd.read_parquet}
    table = read[suffix](path).sort_values(["request", "concept"]).reset_index(drop=True)
    assert table.columns.tolist() == list(COLUMNS)
    assert list(table.concept[:2]) == ["is even", "is odd"]
    assert list(table.value[:2]) == [0, 1]
    assert list(table.text[:2]) == ["broken \\udc80"] * 2
    assert table.answer[2] == "a label"
    assert pd.isna(table.value[2])
    assert pd.Timestamp(table.answered_at[2]) == pd.Timestamp("2023-11-14T22:13:20Z")


def test_an_export_to_another_kind_of_file_is_refused(store, tmp_path):
    with pytest.raises(InputError, match=r"\.jsonl or \.parquet, but got 'answers.xlsx'"):
        store.export(tmp_path / "answers.xlsx")


def test_the_file_can_be_read_with_plain_sqlite(store):
    store.add(call("k1", '{"c1": true}'))
    store.add_verdicts(JUDGE, "Waves.", {"mentions the sea": True}, call="k1")
    rows = sqlite3.connect(store.path).execute(
        "SELECT text, concept, value, model, answer FROM verdicts_readable"
    )
    assert rows.fetchall() == [("Waves.", "mentions the sea", 1, "m", '{"c1": true}')]


# opening


def test_the_users_own_store_is_in_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERP_EMBED_CACHE", str(tmp_path / "cache"))
    store = AnswerStore.open()
    assert store.path == str(tmp_path / "cache" / "answers.sqlite")
    assert Path(store.path).is_file()


def test_a_store_in_memory_is_no_file():
    store = AnswerStore.in_memory()
    store.add(call("k"))
    assert store.path == ":memory:"
    assert store.find(["k"])


def test_a_closed_store_says_so(store):
    store.close()
    store.close()
    with pytest.raises(InputError, match="has been closed; open it again"):
        store.find(["k"])


def test_a_local_file_is_written_ahead(store):
    (mode,) = sqlite3.connect(store.path).execute("PRAGMA journal_mode").fetchone()
    assert mode == "wal"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/answers.sqlite", ""),
        ("/data/answers.sqlite", "nfs4"),
        ("/data/local/answers.sqlite", ""),
        ("/content/drive/My Drive/answers.sqlite", "fuse"),
        ("/content/drive2/answers.sqlite", ""),
        ("/buckets/a/answers.sqlite", "fuse.gcsfuse"),
        ("/windows/answers.sqlite", ""),
    ],
)
def test_network_file_systems_are_told_by_their_mount(path, kind):
    mounts = (
        "/dev/sda / ext4 rw 0 0\nserver:/x /data nfs4 rw 0 0\n/dev/sdb /data/local xfs rw 0 0\n"
        "drive /content/drive/My\\040Drive fuse rw 0 0\nb /buckets fuse.gcsfuse rw 0 0\n"
        "/dev/sdc /windows fuseblk rw 0 0\n"
    )
    assert on_network(Path(path), mounts) == kind


def test_a_newer_store_is_left_as_it_is(store):
    store.add(call("k"))
    store.close()
    with sqlite3.connect(store.path) as file:
        file.execute("UPDATE meta SET value = '99'")
    file.close()
    content = Path(store.path).read_bytes()

    with pytest.raises(StoredFileError, match=r"newer interp_embed \(format 99; this one knows 2"):
        AnswerStore.open(store.path)
    assert Path(store.path).read_bytes() == content


def test_a_version_from_which_no_way_leads_is_left_as_it_is(store):
    store.close()
    with sqlite3.connect(store.path) as file:
        file.execute("UPDATE meta SET value = 'x'")
    file.close()
    with pytest.raises(StoredFileError, match="no answer store of this library; nothing was"):
        AnswerStore.open(store.path)


def test_an_older_store_is_brought_up_to_date_wholly_or_not_at_all(store):
    def first(connection):
        connection.execute("CREATE TABLE second (x)")

    def fails(connection):
        connection.execute("CREATE TABLE third (x)")
        raise sqlite3.OperationalError("no")

    file = sqlite3.connect(store.path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(file, 2, migrations={2: first, 3: fails}, target=4)
    assert read_version(file) == 2
    migrate(file, 2, migrations={2: first}, target=3)
    assert read_version(file) == 3
    names = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
    assert "second" in names
    assert "third" not in names
    with pytest.raises(KeyError):
        migrate(file, 3, migrations={2: first}, target=4)


def test_a_store_from_before_batches_keeps_its_answers_and_gets_their_tables(store):
    store.add(call("k"))
    store.close()
    with sqlite3.connect(store.path) as file:
        file.executescript(
            "DROP TABLE batches; DROP TABLE batch_rows; UPDATE meta SET value = '1';"
        )
    file.close()

    opened = AnswerStore.open(store.path)

    assert set(opened.find(["k"])) == {"k"}
    assert opened.add(call("l"))  # takes a row out of batch_rows


def test_files_that_are_no_store_are_refused_and_kept(tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("my notes")
    with pytest.raises(StoredFileError, match="no answer store .it begins with b'my notes'"):
        AnswerStore.open(notes)
    assert notes.read_text() == "my notes"

    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as file:
        file.execute("CREATE TABLE mine (x)")
    file.close()
    with pytest.raises(StoredFileError, match="but no answer store of this library"):
        AnswerStore.open(other)
    with pytest.raises(StoredFileError, match="is a folder; an answer store is one file"):
        AnswerStore.open(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoredFileError, match="the folder .*file/sub .*cannot be made .*elsewhere"):
        AnswerStore.open(tmp_path / "file" / "sub" / "answers.sqlite")


# faults


def fill(store, n_calls):
    for number in range(n_calls):
        store.add(call(f"k{number}", f"answer {number}", request="x" * 500))
        store.add_verdicts(JUDGE, f"text {number}", {"c": True, "d": False}, call=f"k{number}")
    store.close()


def asides(path):
    return sorted(Path(path).parent.glob("answers.sqlite.corrupt-*"))


def test_a_damaged_page_costs_only_its_own_rows(store, caplog):
    fill(store, 400)
    path = Path(store.path)
    content = bytearray(path.read_bytes())
    for page in (20, 21, 60, 100):
        content[page * 4096 : page * 4096 + 2048] = b"\xff" * 2048
    path.write_bytes(content)

    with caplog.at_level(logging.WARNING):
        saved = AnswerStore.open(path)

    (aside,) = asides(path)
    assert aside.read_bytes() == content
    assert "was damaged" in caplog.text
    assert str(aside) in caplog.text
    found = saved.find([f"k{number}" for number in range(400)])
    assert 350 < len(found) < 400
    assert all(found[f"k{n}"].text == f"answer {n}" for n in range(400) if f"k{n}" in found)
    verdicts = saved.verdicts(JUDGE, [f"text {n}" for n in range(400)], ["c", "d"])
    assert len(verdicts) > 700
    assert all(value == (column == 0) for (_, column), value in verdicts.items())
    assert saved.add(call("new"))
    saved.close()
    AnswerStore.open(path).close()
    assert asides(path) == [aside], "the new file is whole"


def test_a_file_that_was_cut_off_is_kept_aside_and_read_as_far_as_it_goes(store):
    fill(store, 200)
    path = Path(store.path)
    os.truncate(path, path.stat().st_size // 2)

    saved = AnswerStore.open(path)

    assert len(asides(path)) == 1
    assert saved.summary().calls > 50


def test_a_file_without_its_beginning_is_kept_aside(store, caplog):
    fill(store, 3)
    path = Path(store.path)
    content = b"\x00" * 4096 + path.read_bytes()[4096:]
    path.write_bytes(content)

    saved = AnswerStore.open(path)

    assert saved.summary().calls == 0
    assert asides(path)[0].read_bytes() == content
    assert "0 calls and 0 verdicts could be read" in caplog.text


def test_two_processes_that_find_the_damage_set_one_file_aside(store):
    fill(store, 200)
    path = Path(store.path)
    content = bytearray(path.read_bytes())
    content[20 * 4096 : 21 * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    code = (
        "import sys\nfrom interp_embed.llm.answers import AnswerStore\n"
        "print(AnswerStore.open(sys.argv[1]).summary().calls)"
    )

    counts = [one.communicate()[0] for one in [child(code, path) for _ in range(3)]]

    assert len(asides(path)) == 1
    assert len(set(counts)) == 1
    assert int(counts[0]) > 150


def test_a_store_locked_by_another_program_is_an_error_that_names_it(store):
    waiting = AnswerStore.open(store.path, busy_timeout_s=0.1)
    blocker = sqlite3.connect(store.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoredFileError, match="database is locked.*close that program") as raised:
        waiting.add(call("k"))

    assert store.path in str(raised.value)
    blocker.execute("ROLLBACK")
    assert waiting.add(call("k"))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_a_store_that_may_not_be_written_to_can_be_read():
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.sqlite"
        store = AnswerStore.open(path)
        store.add(call("k"))
        path.chmod(0o444)
        Path(folder).chmod(0o555)
        try:
            if user == 0:
                os.seteuid(65534)
            reader = AnswerStore.open(path)
            assert set(reader.find(["k"])) == {"k"}
            with pytest.raises(StoredFileError, match="may not be written to: change its perm"):
                reader.add(call("k2"))
        finally:
            if user == 0:
                os.seteuid(user)
            Path(folder).chmod(0o755)
        store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_stops_before_an_answer_is_lost(tmp_path):
    code = (
        "import resource, sys\n"
        "from interp_embed.errors import StoredFileError\n"
        "from interp_embed.llm.answers import AnswerStore, StoredCall\n"
        "store = AnswerStore.open(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))\n"
        "try:\n"
        "    for n in range(1000):\n"
        "        store.add(StoredCall(f'k{n}', 'p', 'm', 'k', 'x' * 1000, 'yes', 'stop'))\n"
        "        print(n, flush=True)\n"
        "except StoredFileError as error:\n"
        "    print(error)\n"
    )
    lines = child(code, tmp_path / "answers.sqlite").communicate()[0].splitlines()

    assert "disk" in lines[-1]
    assert "AnswerStore.open(another path)" in lines[-1]
    n_reported = len(lines) - 1
    assert 0 < n_reported < 1000
    assert AnswerStore.open(tmp_path / "answers.sqlite").summary().calls == n_reported


# many at once


WRITE = (
    "import sys\n"
    "from interp_embed.llm.answers import AnswerStore, StoredCall\n"
    "store = AnswerStore.open(sys.argv[1])\n"
    "added = 0\n"
    "for n in range(int(sys.argv[2])):\n"
    "    added += store.add(StoredCall(f'k{n}', 'p', 'm', 'k', '', sys.argv[3], 'stop'))\n"
    "    store.add_verdicts('j', f'text {n}', {'c': sys.argv[3] == 'A'}, call=f'k{n}')\n"
    "    if sys.argv[4] == 'report': print(n, flush=True)\n"
    "print(added)"
)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_kill_loses_nothing_that_was_added(tmp_path):
    path = tmp_path / "answers.sqlite"
    writer = child(WRITE, path, 1_000_000, "A", "report")
    reported = [int(writer.stdout.readline()) for _ in range(200)]
    writer.send_signal(signal.SIGKILL)
    rest, _ = writer.communicate()
    reported += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]

    found = AnswerStore.open(path).find([f"k{number}" for number in reported])

    assert len(found) == len(reported) >= 200
    assert not asides(path)


def test_two_processes_may_write_the_same_keys(tmp_path):
    path = tmp_path / "answers.sqlite"
    writers = [child(WRITE, path, 300, name, "quiet") for name in "AB"]
    outputs = [writer.communicate() for writer in writers]

    assert [writer.returncode for writer in writers] == [0, 0], outputs
    assert sum(int(out) for out, _ in outputs) == 300
    store = AnswerStore.open(path)
    assert len(store.find([f"k{number}" for number in range(300)])) == 300
    assert len(store.verdicts("j", [f"text {number}" for number in range(300)], ["c"])) == 300


def test_many_processes_may_make_the_file_at_once(tmp_path):
    makers = [child(WRITE, tmp_path / "new" / "answers.sqlite", 3, "A", "quiet") for _ in range(4)]
    outputs = [maker.communicate() for maker in makers]
    assert [maker.returncode for maker in makers] == [0] * 4, outputs
    assert sum(int(out) for out, _ in outputs) == 3


def test_threads_share_a_store(store):
    added = []

    def write(name):
        added.extend(store.add(call(f"k{number}", name)) for number in range(200))

    threads = [threading.Thread(target=write, args=(name,)) for name in "ABCD"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(added) == 200
    assert len(store.find([f"k{number}" for number in range(200)])) == 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_opens_the_file_anew(store):
    store.add(call("parent"))
    store.claim("k", 60)
    pid = os.fork()
    if pid == 0:
        done = (
            set(store.find(["parent"])) == {"parent"}
            and store.add(call("child"))
            and not store.claim("k", 60)  # it is another owner now
        )
        os._exit(0 if done else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert store.add(call("later"))
    assert set(store.find(["parent", "child", "later"])) == {"parent", "child", "later"}


def test_keys_are_digests_of_whole_texts(store):
    store.add_verdicts(JUDGE, "Waves.", {"sea": True}, call="k")
    rows = sqlite3.connect(store.path).execute("SELECT document, concept FROM verdicts").fetchall()
    assert rows == [(digest_text("Waves."), digest_text("sea"))]
