"""Damaged, hostile and half-written data sets: an error that names the file, or correct data."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interp_embed._fingerprint import digest_settings
from interp_embed.errors import InterpEmbedError, StoredFileError
from interp_embed.records import Label
from interp_embed.store import Store, StoredAnnotation, commits, files, header, local


def one_file(location, folder):
    return next(path for path in sorted((Path(location) / folder).iterdir()))


def rewrite_json(path, change):
    """Change a sealed record as someone would who knows how it is sealed."""
    content = json.loads(path.read_text())
    content.pop("check")
    change(content)
    path.write_text(json.dumps(content | {"check": digest_settings(content)}))


def replace_data_file(store, folder, table, **options):
    """Put other Parquet in place of shard 0's, with name, size and record that agree with it."""
    old = one_file(store.location, folder)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, store_schema=False, **options)
    data = sink.getvalue()
    name = f"{old.name[:12]}{zlib.crc32(data):08x}.parquet"
    old.unlink()
    (old.parent / name).write_bytes(data)

    def change(content):
        content["files"].pop(f"{folder}/{old.name}")
        content["files"][f"{folder}/{name}"] = data.size

    rewrite_json(Path(store.location) / "commits/part-000000.json", change)
    return name


def use_everything(location):
    """Read all there is, as a user would; return it for comparison."""
    store = Store.open(location)
    store.verify()
    found = {
        "digest": store.digest(),
        "csr": store.load_csr().toarray().tolist(),
        "stats": store.stats().count.tolist(),
        "top": [store.top_documents(f, 3).document.tolist() for f in range(40)],
        "column": [store.column(f).activation.tolist() for f in range(40)],
        "tokens": [store.tokens(i).span.tolist() for i in (0, 24)],
        "documents": store.load_documents().to_json(),
        "labels": store.labels("mine"),
        "annotations": store.annotations("mine"),
        "status": store.status(),
        "errors": store.errors(),
    }
    return found


@pytest.fixture
def full(store):
    """A data set with every kind of file."""
    store.build_index()
    store._log.write_snapshot()
    store.append_labels("mine", [Label(3, "the sea", "keywords", 5)], {3: 0.5})
    store.append_annotations("mine", [StoredAnnotation(2, "sea", "me", None, "no answer")])
    return store


@pytest.mark.parametrize("folder", ["acts", "tokens", "stats", "docs"])
def test_a_truncated_file_is_named(store, folder):
    path = one_file(store.location, folder)
    path.write_bytes(path.read_bytes()[:-7])

    with pytest.raises(StoredFileError, match=f"{path.name} has .* bytes, .* cut off"):
        Store.open(store.location).verify()


@pytest.mark.parametrize("folder", ["acts", "tokens", "stats", "docs"])
def test_a_flipped_byte_is_noticed(store, folder):
    path = one_file(store.location, folder)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    with pytest.raises(StoredFileError, match=f"{path.name} is damaged: its checksum"):
        Store.open(store.location).verify()


@pytest.mark.parametrize(
    ("folder", "read"),
    [
        ("acts", lambda store: store.load_csr()),
        ("tokens", lambda store: store.tokens(0)),
        ("stats", lambda store: store.stats()),
        ("docs", lambda store: store.load_documents()),
    ],
)
def test_a_missing_file_of_a_committed_shard_is_named(store, folder, read):
    path = one_file(store.location, folder)
    path.unlink()

    with pytest.raises(StoredFileError, match=f"{path.name} does not exist, but it belongs"):
        read(Store.open(store.location))


def changed_pooled(store, column, change):
    table = pq.read_table(one_file(store.location, "acts"))
    lists = table.column(column).to_pylist()
    change(lists)
    place = table.schema.get_field_index(column)
    return table.set_column(
        place, table.schema.field(column), pa.array(lists, table.schema.field(column).type)
    )


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("ids", 4000, "feature 4000 is out of range: there are 40"),
        ("ids", -5, "feature -5 is out of range"),
        ("max", float("nan"), "max must be finite and above 0, got nan"),
        ("max", float("inf"), "max must be finite and above 0, got inf"),
        ("max", -1.0, "max must be finite and above 0, got -1.0"),
        ("sum", 0.0, "sum must be finite and above 0"),
        ("count", 0, "count must be at least 1"),
    ],
)
def test_a_forged_shard_is_refused_before_scipy_sees_it(store, column, value, message):
    def change(lists):
        lists[0][-1] = value

    name = replace_data_file(store, "acts", changed_pooled(store, column, change))

    pool = {"ids": "max"}.get(column, column)
    with pytest.raises(StoredFileError, match=f"{name} does not make sense: {message}"):
        Store.open(store.location).load_csr(pool=pool)
    with pytest.raises(StoredFileError, match=f"{name} does not make sense: {message}"):
        Store.open(store.location).verify()


def test_forged_lengths_are_refused(store):
    def change(lists):
        lists[0].pop()
        lists[1].append(1.0)

    name = replace_data_file(store, "acts", changed_pooled(store, "max", change))

    with pytest.raises(StoredFileError, match=f"{name} .*column max is not as long as ids"):
        Store.open(store.location).load_csr()


def test_forged_token_pointers_are_refused(store):
    table = pq.read_table(one_file(store.location, "tokens"))
    nnz = table.column("nnz").to_pylist()
    nnz[0][0] += 1
    nnz[0][1] -= 5000
    field = table.schema.field("nnz")
    place = table.schema.get_field_index("nnz")
    forged = table.set_column(place, field, pa.array(nnz, field.type))

    name = replace_data_file(store, "tokens", forged)

    with pytest.raises(
        StoredFileError, match=f"{name} does not make sense: nnz must be at least 0"
    ):
        Store.open(store.location).tokens(0)


def test_more_rows_or_entries_than_committed_are_refused_by_the_footer(store):
    table = pq.read_table(one_file(store.location, "acts"))

    replace_data_file(store, "acts", pa.concat_tables([table, table]))

    with pytest.raises(StoredFileError, match="has 20 documents, 10 were written"):
        Store.open(store.location).load_csr()


def test_a_decompression_bomb_is_refused_by_the_footer(store, monkeypatch):
    table = pq.read_table(one_file(store.location, "acts"))
    monkeypatch.setattr(files, "_SUSPICIOUS_BYTES", 2**22)
    lists = pa.array([[1] * 2_000_000] + [[]] * 9, table.schema.field("peak").type)
    place = table.schema.get_field_index("peak")
    bomb = table.set_column(place, table.schema.field("peak"), lists)

    replace_data_file(
        store, "acts", bomb, compression="zstd", column_encoding="PLAIN", use_dictionary=False
    )

    with pytest.raises(StoredFileError, match="it looks made to fill the memory"):
        Store.open(store.location).load_csr()


def test_foreign_columns_are_refused(store):
    replace_data_file(store, "acts", pa.table({"doc": list(range(10))}))

    with pytest.raises(StoredFileError, match="does not have the columns of this format"):
        Store.open(store.location).load_csr()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("n_entries", "many", "n_entries is 'many', not a count"),
        ("n_entries", -1, "n_entries is '-1', not a count"),
        ("n_entries", 2**70, "not a count"),
        ("n_entries", 2**50, "more than documents x features"),
        ("n_documents", 11, "covers 11 documents from 0, the plan says 10"),
        ("first", 3, "covers 10 documents from 3"),
        ("shard", 1, "it is for shard 1"),
        ("n_failed", 11, "n_failed is 11"),
        ("digest", "abc", "digest is not 64 hexadecimal digits"),
        ("digest", None, "digest is not"),
        ("files", [], "files is not an object"),
        ("files", {}, "files must name one file in each of acts, stats, tokens"),
        ("n_token_entries", True, "not a count"),
    ],
)
def test_commit_records_that_cannot_be_are_refused(store, key, value, message):
    path = Path(store.location) / "commits/part-000000.json"
    rewrite_json(path, lambda content: content.update({key: value}))

    with pytest.raises(StoredFileError, match=f"part-000000.json is no commit record.*{message}"):
        Store.open(store.location).missing()


@pytest.mark.parametrize(
    "name", ["acts/../../secret.parquet", "acts//etc/passwd", "acts/part-000001-00000000.parquet"]
)
def test_commit_records_cannot_name_files_elsewhere(store, name):
    def change(content):
        files = {n: s for n, s in content["files"].items() if not n.startswith("acts")}
        content["files"] = files | {name: 10}

    rewrite_json(Path(store.location) / "commits/part-000000.json", change)

    with pytest.raises(StoredFileError, match="files names"):
        Store.open(store.location).load_csr()


@pytest.mark.parametrize("name", ["../x.parquet", "/etc/passwd", "docs/part-000000.parquet"])
def test_the_header_cannot_name_files_elsewhere(store, name):
    def change(content):
        content["documents"][0]["name"] = name

    rewrite_json(Path(store.location) / "dataset.json", change)

    with pytest.raises(StoredFileError, match="documents names a file"):
        Store.open(store.location)


def test_links_out_of_the_data_set_are_not_followed(store, tmp_path):
    path = one_file(store.location, "acts")
    outside = tmp_path / "outside.parquet"
    shutil.move(path, outside)
    path.symlink_to(outside)

    with pytest.raises(StoredFileError, match="leads outside the data set"):
        Store.open(store.location).load_csr()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_does_not_hang_the_reader(store):
    path = Path(store.location) / "dataset.json"
    path.unlink()
    os.mkfifo(path)

    with pytest.raises(StoredFileError, match="not a regular file"):
        Store.open(store.location)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not readable as JSON"),
        ("{", "not readable as JSON"),
        ("[1, 2]", "must hold a JSON object, got list"),
        ('{"format": "x"}', "changed or damaged"),
        ("[" * 100_000, "not readable as JSON"),
        ("9" * 10_000, "not readable as JSON"),
    ],
)
def test_a_header_that_is_no_header_is_refused(store, content, message):
    (Path(store.location) / "dataset.json").write_text(content)

    with pytest.raises(StoredFileError, match=f"dataset.json .*{message}"):
        Store.open(store.location)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("n_features"), "lacks the key 'n_features'"),
        (lambda c: c.update(n_documents=2**60), "n_documents must be a whole number"),
        (lambda c: c.update(n_features=2**60), "n_features must be a whole number"),
        (lambda c: c.update(n_documents=24), "its files hold 25"),
        (lambda c: c.update(rows_per_shard="10"), "rows_per_shard must be"),
        (lambda c: c.update(documents=3), "documents is not a list"),
        (lambda c: c.update(format_version=99), "format version 99.*newer version"),
        (lambda c: c.update(format_version=None), "not the header of a data set"),
        (lambda c: c.update(format="other"), "not the header of a data set"),
        (lambda c: c.update(source=None), "source must be a mapping"),
    ],
)
def test_headers_that_do_not_make_sense_are_refused(store, change, message):
    rewrite_json(Path(store.location) / "dataset.json", change)

    with pytest.raises(StoredFileError, match=f"dataset.json .*{message}"):
        Store.open(store.location)


def test_an_older_header_is_brought_up_to_date(store, monkeypatch):
    def make_old(content):
        content["format_version"] = 0
        content["columns"] = content.pop("n_features")

    rewrite_json(Path(store.location) / "dataset.json", make_old)
    with pytest.raises(StoredFileError, match="format version 0, which is not known"):
        Store.open(store.location)
    monkeypatch.setitem(
        header.MIGRATIONS, 0, lambda content: content | {"n_features": content["columns"]}
    )

    Store.open(store.location).verify()


def test_an_array_of_objects_in_the_index_is_never_unpickled(store, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "boom",))

    store.build_index()
    path = next((Path(store.location) / "index").glob("*.doc.npy"))
    np.save(path, np.array([Bomb()], dtype=object), allow_pickle=True)

    with pytest.raises(StoredFileError, match=r"doc.npy .*(plain array|must hold)"):
        Store.open(store.location).top_documents(0)
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("part", ["ptr", "doc", "val", "sums"])
def test_a_flipped_byte_in_the_index_is_noticed(store, part):
    store.build_index()
    path = next((Path(store.location) / "index").glob(f"*.{part}.npy"))
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)

    opened = Store.open(store.location)
    with pytest.raises(StoredFileError, match="delete"):
        [opened.top_documents(feature) for feature in range(40)]


def test_a_damaged_snapshot_is_not_needed(full, caplog):
    before = full.digest()
    one_file(full.location, "snapshots").write_text("{}")

    assert Store.open(full.location).digest() == before
    assert "the commit records themselves are read instead" in caplog.text


def test_many_commits_become_a_snapshot(tmp_path, planted, monkeypatch):
    n = 20
    monkeypatch.setattr(commits, "SNAPSHOT_EVERY", n)
    store = planted.store(tmp_path / "d", n=n, rows_per_shard=1, tokens="none")
    Store.open(store.location).missing()

    assert one_file(store.location, "snapshots").name == f"{n:07d}.json"
    assert Store.open(store.location).digest() == store.digest()


def test_a_full_disk_is_said_and_leaves_nothing_half_written(tmp_path, planted, monkeypatch):
    store = planted.store(tmp_path / "d", shards=[0])
    before = sorted(p for p in (tmp_path / "d").rglob("*") if p.is_file())
    pooled, tokens = planted.shard(store.header, 1)
    real = local.write_all
    n_calls = 0

    def fail(file, data):
        nonlocal n_calls
        n_calls += 1
        if n_calls == fail_at:
            real(file, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file, data)

    monkeypatch.setattr(local, "write_all", fail)
    for fail_at in (1, 2, 3, 4):  # noqa: B007 - read by fail
        n_calls = 0
        with pytest.raises(StoredFileError, match="could not be written: the disk is full: free"):
            store.write_shard(1, pooled, tokens)
        assert sorted(p for p in (tmp_path / "d").rglob("*") if p.is_file()) == before
    monkeypatch.undo()

    assert planted.fill(store).is_done()


WRITE = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("planted", sys.argv[1])
planted = importlib.util.module_from_spec(spec)
spec.loader.exec_module(planted)
print("ready", flush=True)
sys.stdin.readline()
planted.make_store(sys.argv[2], n=int(sys.argv[3]))
"""


def start_writer(location, n):
    planted = str(Path(__file__).with_name("conftest.py"))
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITE, planted, str(location), str(n)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout.readline() == "ready\n"
    return writer


def go(writer):
    writer.stdin.write("go\n")
    writer.stdin.flush()


@pytest.mark.parametrize(
    "delay_s",
    [0.1, *(pytest.param(delay_s / 20, marks=pytest.mark.slow) for delay_s in range(12))],
)
def test_a_killed_writer_loses_nothing_committed_and_the_rest_is_resumed(
    tmp_path, planted, delay_s
):
    n, location = 50, tmp_path / "killed"
    reference = planted.store(tmp_path / "reference", n=n).digest()
    writer = start_writer(location, n)
    go(writer)
    time.sleep(delay_s)
    writer.send_signal(signal.SIGKILL)
    writer.wait()

    store = planted.store(location, n=n)

    assert store.digest() == reference
    store.gc(older_than_s=0)
    assert not list(location.rglob(".tmp-*"))
    assert len(list((location / "acts").iterdir())) == 5
    store.verify()


def test_two_writers_at_once_make_one_data_set_that_can_be_read_meanwhile(tmp_path, planted):
    n = 50
    reference = planted.store(tmp_path / "reference", n=n)
    expected = reference.load_csr().toarray()
    writers = [start_writer(tmp_path / "both", n) for _ in range(2)]
    for writer in writers:
        go(writer)
    n_seen = []
    while any(writer.poll() is None for writer in writers):
        if (tmp_path / "both/dataset.json").exists():
            reader = Store.open(tmp_path / "both")
            found = reader.load_csr()
            n_seen.append(reader.status().n_committed)
            rows = np.flatnonzero(np.diff(found.indptr))
            np.testing.assert_array_equal(found[rows].toarray(), expected[rows])

    assert [writer.returncode for writer in writers] == [0, 0]
    both = Store.open(tmp_path / "both")
    assert both.digest() == reference.digest()
    assert n_seen == sorted(n_seen)
    both.verify()
    assert not list((tmp_path / "both").rglob(".tmp-*"))


def test_leftovers_are_collected_once_they_are_old(full):
    root = Path(full.location)
    before = use_everything(root)
    leftovers = [
        root / "acts/.tmp-1",
        root / "acts/part-000001-00000000.parquet",
        root / "snapshots/0000001.json",
        root / "labels/mine/part-000009-00000000.parquet",
        root / "index/0123456789abcdef0123456789abcdef.ptr.npy",
    ]
    for path in leftovers:
        path.write_bytes(b"x")
    (root / ".tmp-build").mkdir()
    (root / ".tmp-build/ptr.npy").write_bytes(b"x")
    kept = root / "acts/notes.txt"
    kept.write_text("mine")

    assert full.gc() == []
    deleted = full.gc(older_than_s=0)

    assert set(deleted) == {str(p.relative_to(root)) for p in leftovers} | {".tmp-build"}
    assert kept.exists()
    assert use_everything(root) == before


@given(data=st.data())
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_damage_gives_an_error_of_ours_or_correct_data(damaged, data):
    copy, names, expected = damaged
    name = data.draw(st.sampled_from(names), label="file")
    path = copy / name
    content = path.read_bytes()
    changed = bytearray(content)
    if data.draw(st.booleans(), label="cut"):
        del changed[data.draw(st.integers(0, len(changed) - 1), label="length") :]
    else:
        place = data.draw(st.integers(0, len(changed) - 1), label="place")
        changed[place] ^= data.draw(st.integers(1, 255), label="bits")
    path.write_bytes(changed)
    try:
        found = use_everything(copy)
    except InterpEmbedError as error:
        found = str(error)
    path.write_bytes(content)
    assert found == expected or str(copy) in found


@pytest.fixture
def damaged(full):
    root = Path(full.location)
    expected = use_everything(root)
    names = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
    return root, names, expected
