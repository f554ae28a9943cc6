import numpy as np
import pytest

from interp_embed.store import Store, index, segments


def expected_top(matrix, feature, k):
    column = matrix[:, feature]
    fires = np.flatnonzero(column)
    return fires[np.lexsort((fires, -column[fires]))][:k]


def test_top_documents_are_those_of_the_matrix(store):
    matrix = store.load_csr().toarray()

    for feature in range(40):
        top = store.top_documents(feature, k=4)
        expected = expected_top(matrix, feature, 4)
        np.testing.assert_array_equal(top.document, expected)
        np.testing.assert_array_equal(top.activation, matrix[expected, feature])


def test_of_equal_documents_the_lower_number_comes_first():
    found = index.FeatureDocuments(np.array([9, 2, 5]), np.array([1, 2, 1], np.float32))

    assert index.strongest(found, 2).document.tolist() == [2, 5]


def test_candidates_hold_the_strongest_of_long_lists_with_ties():
    rng = np.random.default_rng(0)
    activation = rng.integers(1, 50, 10_000).astype(np.float32)

    chosen = np.arange(10_000)[index._candidates(activation, 10)]

    assert len(chosen) < 10_000
    assert set(np.lexsort((np.arange(10_000), -activation))[:10]) <= set(chosen)


def test_a_column_holds_all_documents_of_a_feature_ascending(store):
    matrix = store.load_csr().toarray()

    for feature in (0, 39):
        found = store.column(feature)
        np.testing.assert_array_equal(found.document, np.flatnonzero(matrix[:, feature]))
        np.testing.assert_array_equal(found.activation, matrix[found.document, feature])


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 2, 0]])
def test_the_index_follows_new_shards_and_equals_one_built_at_once(tmp_path, planted, order):
    store = planted.store(tmp_path / "d", shards=[])
    for shard in order:
        planted.fill(store, [shard])
        assert len(store.column(3).document) == store.stats().count[3]
    whole = store.load_csr().toarray()

    for feature in range(40):
        found = store.column(feature)
        np.testing.assert_array_equal(found.document, np.flatnonzero(whole[:, feature]))


def test_small_segments_are_merged_and_large_ones_left(tmp_path, planted):
    store = planted.store(tmp_path / "d", n=100, shards=[])
    n_segments = []
    for shard in range(10):
        planted.fill(store, [shard])
        store.build_index()
        n_segments.append(len(list((tmp_path / "d/index").glob("*.json"))))

    assert max(n_segments) <= 4
    assert len(store.column(0).document) == store.stats().count[0]


def test_a_deleted_index_is_built_again(store):
    before = store.top_documents(5).document.tolist()
    for path in (store._where.root / "index").iterdir():
        path.unlink()

    assert Store.open(store.location).top_documents(5).document.tolist() == before


def test_an_index_of_other_shards_is_not_used(tmp_path, planted):
    one = planted.store(tmp_path / "one")
    other = planted.fill(
        Store.create(tmp_path / "other", one.header, planted.documents(25)), seed=3
    )
    other.build_index()
    one.build_index()
    for path in (tmp_path / "one/index").iterdir():
        path.unlink()
    for path in (tmp_path / "other/index").iterdir():
        (tmp_path / "one/index" / path.name).write_bytes(path.read_bytes())

    opened = Store.open(one.location)

    np.testing.assert_array_equal(
        opened.column(7).document, np.flatnonzero(one.load_csr().toarray()[:, 7])
    )


def test_many_runs_and_pieces_give_the_same_index(store, planted, monkeypatch):
    expected = [store.column(feature).activation.tolist() for feature in range(40)]
    monkeypatch.setattr(index, "RUN_ENTRIES", 50)
    monkeypatch.setattr(segments, "_MERGED_AT_ONCE", 20)
    store.drop_shard(0)

    store.build_index()
    store.write_shard(0, *planted.shard(store.header, 0))
    found = [store.column(feature).activation.tolist() for feature in range(40)]

    assert found == expected


def test_without_an_index_and_the_right_to_write_one_the_shards_are_read(store, monkeypatch):
    expected = store.load_csr().toarray()
    opened = Store.open(store.location)
    monkeypatch.setattr(opened._where, "is_writable", lambda: False)

    assert opened.top_documents(3, 2).document.tolist() == expected_top(expected, 3, 2).tolist()
    assert not (store._where.root / "index").exists()
