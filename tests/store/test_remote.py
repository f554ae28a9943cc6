import uuid

import numpy as np
import pytest

from interp_embed.errors import InputError, StoredFileError
from interp_embed.records import Label
from interp_embed.store import Store, StoredAnnotation, remote


@pytest.fixture
def url():
    return f"memory://{uuid.uuid4().hex}/data"


def test_a_data_set_in_memory_is_the_one_on_disk(url, store, planted):
    there = planted.store(url, shards=[2])
    there = planted.fill(Store.open(url))

    assert there.digest() == store.digest()
    there.verify()
    np.testing.assert_array_equal(there.load_csr().toarray(), store.load_csr().toarray())
    np.testing.assert_array_equal(there.tokens(14).span, store.tokens(14).span)
    for feature in range(40):
        here, found = store.top_documents(feature, 3), there.top_documents(feature, 3)
        np.testing.assert_array_equal(here.document, found.document)
    there.append_labels("mine", [Label(3, "sea", "keywords", 5)])
    there.append_annotations("mine", [StoredAnnotation(1, "sea", "me", 1)])
    assert Store.open(url).labels()[3].label.text == "sea"
    assert len(Store.open(url).annotations("mine")) == 1
    assert there.gc(older_than_s=0) == []
    there.verify()


def test_a_file_url_is_a_local_folder(tmp_path, planted):
    planted.store(f"file://{tmp_path}/data")

    assert Store.open(tmp_path / "data").is_done()


def test_a_second_writer_in_memory_gets_the_first_ones_record(url, planted):
    one, two = planted.store(url, shards=[]), Store.open(url)
    record = one.write_shard(0, *planted.shard(one.header, 0))

    assert two.write_shard(0, *planted.shard(one.header, 0)) == record
    with pytest.raises(StoredFileError, match="committed with other activations"):
        two.write_shard(0, *planted.shard(one.header, 0, seed=1))


def test_an_absent_file_is_created_once_even_without_help_of_the_file_system(url):
    location = remote.open_location(url)

    class Plain(type(location.system)):
        cachable = False

        def pipe_file(self, path, value, **options):
            if options:
                raise TypeError("unexpected keyword 'mode'")
            super().pipe_file(path, value)

    location.system = Plain()
    assert location.put_if_absent("commits/part-000000.json", b"one")
    assert not location.put_if_absent("commits/part-000000.json", b"two")
    assert location.read("commits/part-000000.json") == b"one"


def test_a_document_is_read_from_the_index_and_shards_by_ranges(url, planted, monkeypatch):
    store = planted.store(url)
    store.build_index()
    opened = Store.open(url)
    opened.top_documents(0)
    asked = []
    read = opened._where.read

    def note(name, begin=0, size=None):
        asked.append((name.rpartition(".")[0].rpartition(".")[2], size))
        return read(name, begin, size)

    monkeypatch.setattr(opened._where, "read", note)
    n = len(opened.top_documents(3, k=99).document)

    assert asked == [("doc", 4 * n), ("val", 4 * n)]


def test_damage_in_memory_is_noticed(url, planted):
    store = planted.store(url)
    location = store._where
    entry = location.entries("acts")[0]
    data = bytearray(location.read(f"acts/{entry.name}"))
    data[60] ^= 1
    location.put(f"acts/{entry.name}", bytes(data))

    with pytest.raises(StoredFileError, match=f"{entry.name} cannot be read as Parquet"):
        Store.open(url).load_csr()
    with pytest.raises(StoredFileError, match=f"{entry.name} is damaged"):
        Store.open(url).verify()


def test_locations_that_are_none_are_refused():
    with pytest.raises(InputError, match="needs a folder or URL"):
        Store.open("")
    with pytest.raises(InputError, match="cannot be opened .*driver"):
        Store.open("nosuchscheme://bucket/data")
    with pytest.raises(StoredFileError, match="is no name of a file"):
        remote.open_location("memory://x").read("../y")
