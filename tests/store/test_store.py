from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from interp_embed.errors import InputError, StoredFileError
from interp_embed.store import Store, round_mantissa


def test_what_was_written_is_read_back_rounded(store, planted):
    expected = round_mantissa(planted.dense(store.header), "half")

    matrix = store.load_csr()

    assert matrix.shape == (25, 40)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix.toarray(), expected)
    matrix.check_format(full_check=True)


def test_full_precision_keeps_every_bit(tmp_path, planted):
    store = planted.store(tmp_path / "d", precision="full")

    np.testing.assert_array_equal(store.load_csr().toarray(), planted.dense(store.header))


@pytest.mark.parametrize("documents", [range(3, 21, 4), [24, 0, 0, 13], np.array([7]), []])
@pytest.mark.parametrize("features", [None, [5, 2, 39], []])
def test_any_documents_and_features_come_in_the_order_asked_for(store, documents, features):
    whole = store.load_csr().toarray()

    part = store.load_csr(documents, features).toarray()

    rows = np.asarray(documents, int)
    columns = slice(None) if features is None else np.asarray(features, int)
    np.testing.assert_array_equal(part, whole[rows][:, columns])


def test_pools_agree_with_the_tokens(tmp_path, planted):
    store = planted.store(tmp_path / "d", precision="full")
    total, count = planted.dense(store.header, "total"), planted.dense(store.header, "count")
    counted = np.maximum(store.load_counted(), 1)[:, None]

    for pool, expected in {
        "sum": total,
        "mean": total / counted,
        "count": count,
        "binarize": count > 0,
    }.items():
        np.testing.assert_allclose(store.load_csr(pool=pool).toarray(), expected, rtol=1e-6)


def test_a_threshold_leaves_out_what_is_not_above_it(store):
    whole = store.load_csr().toarray()

    above = store.load_csr(threshold=1.5).toarray()
    fires = store.load_csr(threshold=1.5, pool="binarize").toarray()

    np.testing.assert_array_equal(above, np.where(whole > 1.5, whole, 0))
    np.testing.assert_array_equal(fires, whole > 1.5)


def test_documents_of_missing_shards_are_empty_rows_and_status_tells(tmp_path, planted):
    store = planted.store(tmp_path / "d", shards=[0, 2])

    status = store.status()

    assert store.missing() == [1]
    assert not store.is_done()
    assert (status.n_committed, status.missing, status.is_done) == (15, (1,), False)
    assert store.load_csr(range(10, 20)).nnz == 0
    assert store.load_csr().nnz == status.n_entries > 0
    with pytest.raises(InputError, match="document 12 has no activations yet: shard 1 is missing"):
        store.tokens(12)


def test_failed_documents_are_told_with_their_reason(store):
    assert store.errors() == dict.fromkeys((6, 13, 20), "too long")
    assert store.status().n_failed == 3
    assert store.load_csr([6, 13, 20]).nnz == 0
    assert (store.load_counted([5, 6]) > 0).tolist() == [True, False]


def test_tokens_of_a_document(store, planted):
    _pooled, tokens = planted.shard(store.header, 1)
    begin, end = tokens.token_start[4:6]

    found = store.tokens(14)

    np.testing.assert_array_equal(found.span, tokens.span[begin:end])
    np.testing.assert_array_equal(found.counted, tokens.counted[begin:end])
    assert found.activations.shape == (end - begin, 40)
    expected = round_mantissa(tokens.value[tokens.start[begin] : tokens.start[end]], "half")
    np.testing.assert_array_equal(found.activations.data, expected)
    np.testing.assert_allclose(
        found.activations.max(axis=0).toarray()[0], store.load_csr([14]).toarray()[0]
    )


def test_peaks_point_to_the_strongest_token(store):
    tokens, peaks = store.tokens(3), store.peaks(3)

    for feature, position, activation in zip(
        peaks.feature, peaks.position, peaks.activation, strict=True
    ):
        assert tokens.activations[position, feature] == activation
    assert len(peaks.feature) == store.load_csr([3]).nnz
    assert len(store.peaks(6).feature) == 0


def test_where_only_peaks_are_kept_tokens_have_spans_alone(tmp_path, planted):
    store = planted.store(tmp_path / "d", tokens="peaks")

    assert store.tokens(0).activations is None
    assert len(store.tokens(0).span) == store.load_counted()[0]
    store.verify()


def test_where_no_tokens_are_kept_asking_for_them_says_so(tmp_path, planted):
    store = planted.store(tmp_path / "d", tokens="none")

    store.verify()
    with pytest.raises(InputError, match='was made with tokens="none"'):
        store.tokens(0)


def test_statistics_agree_with_the_matrix(store):
    whole = store.load_csr().toarray().astype(np.float64)

    stats = store.stats()

    assert stats.n_documents == 25
    np.testing.assert_array_equal(stats.count, (whole > 0).sum(axis=0))
    np.testing.assert_allclose(stats.total, whole.sum(axis=0))
    np.testing.assert_allclose(stats.squares, (whole**2).sum(axis=0))
    np.testing.assert_array_equal(stats.maximum, whole.max(axis=0))


def test_the_same_header_opens_what_is_there_and_another_is_refused(store, planted, tmp_path):
    again = Store.create(tmp_path / "data", store.header, planted.documents(25))
    assert again.missing() == []

    other = replace(store.header, precision="full", source={"reader": "other"})
    with pytest.raises(StoredFileError, match="precision is 'full' here, 'half' there.*delete"):
        Store.create(tmp_path / "data", other, planted.documents(25))


def test_a_folder_with_other_files_is_refused(tmp_path, planted):
    (tmp_path / "thesis.docx").write_text("mine")

    with pytest.raises(InputError, match="holds other files.*thesis.docx.*empty folder"):
        planted.store(tmp_path)


def test_opening_where_nothing_is_says_so(tmp_path):
    with pytest.raises(StoredFileError, match="there is no data set at this place"):
        Store.open(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_documents": 0}, "n_documents must be a whole number from 1"),
        ({"n_features": 2**60}, "n_features must be a whole number from 1"),
        ({"rows_per_shard": True}, "rows_per_shard must be"),
        ({"n_documents": 2**31 - 1, "rows_per_shard": 1}, "shards are too many"),
        ({"precision": "int8"}, "precision must be full, half or bf16"),
        ({"tokens": "some"}, "tokens must be all, peaks or none"),
        ({"documents_digest": "x"}, "64 hexadecimal digits"),
        ({"source": {"a": {1, 2}}}, "source must be JSON-like"),
        ({"source": {"a": float("nan")}}, "source must be JSON-like"),
    ],
)
def test_headers_that_cannot_be_are_refused(tmp_path, planted, change, message):
    header = planted.header(**change)

    with pytest.raises(InputError, match=message):
        Store.create(tmp_path / "d", header, planted.documents(25))


def test_documents_that_are_not_the_headers_are_refused(tmp_path, planted):
    header = planted.header(25)
    with pytest.raises(InputError, match="25 documents, got 24"):
        Store.create(tmp_path / "d", header, planted.documents(24))
    other = planted.documents(25).assign(text="x")
    with pytest.raises(InputError, match="not those that the header's documents_digest is of"):
        Store.create(tmp_path / "d", header, other)


def with_entry(array, place, value):
    changed = array.copy()
    changed[place] = value
    return changed


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("maximum", 3, np.nan, "maximum must be finite and above 0, got nan at entry 3"),
        ("maximum", 3, np.inf, "maximum must be finite"),
        ("maximum", 3, -1.0, "maximum must be finite and above 0, got -1"),
        ("total", 0, 0.0, "total must be finite and above 0"),
        ("feature", -1, 40, "feature 40 is out of range: there are 40 features"),
        ("feature", 0, -1, "feature -1 is out of range"),
        ("feature", 1, 0, "features do not increase"),
        ("start", 2, 9999, "start decreases at row 2"),
        ("start", -1, 3, "start decreases|start ends at"),
        ("count", 0, 0, "count must be at least 1, got 0"),
        ("count", 0, 99, "count is larger than n_counted"),
        ("peak", 0, -2, "peak must be at least -1"),
        ("peak", 0, 30, "a peak lies behind"),
    ],
)
def test_arrays_that_make_no_sense_are_refused(tmp_path, planted, name, place, value, message):
    store = planted.store(tmp_path / "d", shards=[])
    pooled, tokens = planted.shard(store.header, 0)
    broken = replace(pooled, **{name: with_entry(getattr(pooled, name), place, value)})

    with pytest.raises(InputError, match=f"shard 0 cannot be stored: .*({message})"):
        store.write_shard(0, broken, tokens)
    assert store.missing() == [0, 1, 2]


def test_token_arrays_that_make_no_sense_are_refused(tmp_path, planted):
    store = planted.store(tmp_path / "d", shards=[])
    pooled, tokens = planted.shard(store.header, 0)

    with pytest.raises(InputError, match='has tokens="all": tokens must be given'):
        store.write_shard(0, pooled, None)
    spanless = replace(tokens, start=None, feature=None, value=None)
    with pytest.raises(InputError, match='kept where tokens="all"'):
        store.write_shard(0, pooled, spanless)
    with pytest.raises(InputError, match="span must be"):
        store.write_shard(0, pooled, replace(tokens, span=tokens.span[:, ::-1].copy()))
    with pytest.raises(InputError, match="value must be float32"):
        store.write_shard(0, pooled, replace(tokens, value=tokens.value.astype(np.float64)))


@pytest.mark.parametrize("call", ["load_csr", "load_documents", "load_counted"])
def test_documents_out_of_range_are_refused(store, call):
    with pytest.raises(InputError, match="document 25 is out of range: there are 25"):
        getattr(store, call)([0, 25])
    with pytest.raises(InputError, match="document -1 is out of range"):
        getattr(store, call)([-1])
    with pytest.raises(InputError, match="documents must be whole numbers"):
        getattr(store, call)([0.5])


def test_arguments_that_cannot_be_are_refused(store):
    with pytest.raises(InputError, match="names a feature twice"):
        store.load_csr(features=[1, 1])
    with pytest.raises(InputError, match="pool must be one of max, sum, mean, count, binarize"):
        store.load_csr(pool="median")
    with pytest.raises(InputError, match="threshold must be"):
        store.load_csr(threshold=float("nan"))
    with pytest.raises(InputError, match="feature 40 is out of range"):
        store.top_documents(40)
    with pytest.raises(InputError, match="k must be at least 1"):
        store.top_documents(0, k=0)
    with pytest.raises(InputError, match="shard 3 is out of range"):
        store.write_shard(3, *[None, None])


def test_the_digest_does_not_depend_on_the_order_of_writing_or_on_resuming(tmp_path, planted):
    one = planted.store(tmp_path / "one")
    two = planted.store(tmp_path / "two", shards=[2])
    two = planted.fill(Store.open(two.location), [1, 0])

    assert one.digest() == two.digest()
    other = planted.store(tmp_path / "three", shards=[0, 1])
    assert other.digest() != one.digest()
    planted.fill(other, [2], seed=1)
    assert other.digest() != one.digest()


def test_writing_a_committed_shard_again_returns_its_record(store, planted):
    first = Store.open(store.location)._log.find(1)

    assert store.write_shard(1, *planted.shard(store.header, 1)) == first
    with pytest.raises(StoredFileError, match="shard 1 .* is committed with other activations"):
        store.write_shard(1, *planted.shard(store.header, 1, seed=5))
    store.verify()


def test_errors_that_quote_broken_text_are_kept(tmp_path, planted):
    store = planted.store(tmp_path / "d", shards=[])
    pooled, tokens = planted.shard(store.header, 0)
    errors = tuple(error and "cannot read '\ud83d'" for error in pooled.errors)

    store.write_shard(0, replace(pooled, errors=errors), tokens)

    assert store.errors() == {6: "cannot read '?'"}
    store.verify()


def test_a_source_with_tuples_is_the_one_with_lists(tmp_path, planted):
    header = planted.header(source=MappingProxyType({"layers": (1, 2)}))

    Store.create(tmp_path / "d", header, planted.documents(25))
    again = Store.create(tmp_path / "d", header, planted.documents(25))

    assert again.header.source == {"layers": [1, 2]}


def test_a_dropped_shard_can_be_made_again(store, planted):
    before = store.digest()
    store.top_documents(0)

    store.drop_shard(1)

    assert store.missing() == [1]
    assert Store.open(store.location).missing() == [1]
    planted.fill(store)
    assert store.digest() == before
    assert len(store.top_documents(3, k=99).document) == store.stats().count[3]


def test_features_without_activations_and_empty_shards_work(tmp_path, planted):
    store = planted.store(tmp_path / "d", shards=[], tokens="none")
    for shard in range(3):
        n = len(store.header.rows_of(shard))
        empty = replace(
            planted.shard(store.header, shard)[0],
            start=np.zeros(n + 1, np.int64),
            feature=np.empty(0, np.int32),
            maximum=np.empty(0, np.float32),
            peak=np.empty(0, np.int32),
            total=np.empty(0, np.float32),
            count=np.empty(0, np.int32),
        )
        store.write_shard(shard, empty, None)

    assert store.load_csr().nnz == 0
    assert len(store.top_documents(0).document) == 0
    assert store.stats().count.sum() == 0
    store.verify()
