import asyncio
import logging

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from interp_embed import Dataset
from interp_embed.errors import InputError, StoredFileError
from interp_embed.sae import EmbeddingSAE, GoodfireSAE, LocalSAE


@pytest.fixture
def frame(documents):
    return pd.DataFrame({"text": documents, "stars": [1, 2, 5, 4, 4], "by": list("abaab")})


@pytest.fixture
def dataset(frame, tiny_sae, tmp_path):
    return Dataset(frame, tiny_sae, field="text", save_path=tmp_path / "data", progress=False)


def test_the_seed_readmes_steps_run_as_written(tiny_sae, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    df = pd.DataFrame(
        {
            "text": ["good soup", "the waiter waited", "lovely table"],
            "date": ["2022-01-10", "2021-08-23", "2023-03-14"],
        }
    )
    dataset = Dataset(data=df, sae=tiny_sae, field="text", save_path="my_dataset.pkl")
    dataset = Dataset.load_from_file("my_dataset.pkl")
    dataset = Dataset.load_from_file("my_dataset.pkl", resume=True)

    embeddings = dataset.latents()
    labels = dataset.feature_labels()
    feature = int(embeddings.indices[0])
    new_label = asyncio.run(dataset.label_feature(feature=feature))
    annotated = dataset[0].token_activations(feature=feature)
    top = dataset.top_documents_for_feature(feature=feature)

    assert isinstance(embeddings, csr_matrix)
    assert embeddings.shape == (3, 40)
    assert labels == {}
    assert new_label is None or isinstance(new_label, str)
    assert annotated.replace("<<", "").replace(">>", "") == "good soup"
    assert "<<" in annotated
    assert all("<<" in text for text in top)


def test_activations_are_those_of_the_model_computed_apart(dataset, documents, tiny_sae):
    tokens = tiny_sae.encode(documents)  # one matrix a document

    dense = dataset.latents(compress=False)

    for row, matrix in zip(dense, tokens, strict=True):
        np.testing.assert_allclose(row, matrix.toarray().max(axis=0), rtol=2**-10)


@pytest.mark.parametrize("pool", ["max", "mean", "sum", "count", "binarize"])
def test_every_pooling_agrees_with_token_activations(dataset, pool):
    values = dataset.latents(pool, compress=False)
    for row, matrix in zip(values, dataset.latents("all"), strict=True):
        dense = matrix.toarray()
        expected = {
            "max": dense.max(axis=0),
            "mean": dense.mean(axis=0),
            "sum": dense.sum(axis=0),
            "count": (dense > 0).sum(axis=0),
            "binarize": (dense > 0).any(axis=0),
        }[pool]
        np.testing.assert_allclose(row, expected, rtol=2**-9)


def test_kept_and_recomputed_tokens_are_marked_alike(frame, tiny_sae, tmp_path):
    peaks = Dataset(frame, tiny_sae, save_path=tmp_path / "p", progress=False)
    kept = Dataset(frame, tiny_sae, save_path=tmp_path / "a", tokens="all", progress=False)
    none = Dataset(frame, tiny_sae, save_path=tmp_path / "n", tokens="none", progress=False)

    for feature in range(0, 40, 7):
        expected = kept.token_activations(feature)
        assert peaks.token_activations(feature) == expected
        assert none.token_activations(feature) == expected


def test_every_marked_text_is_the_text_again(dataset, documents):
    for feature in range(40):
        for text, marked in zip(documents, dataset.token_activations(feature), strict=True):
            assert marked.replace("<<", "").replace(">>", "") == text


def test_top_documents_are_the_strongest_also_of_a_part(dataset):
    dense = dataset.latents(compress=False)
    for feature in range(0, 40, 5):
        order = np.argsort(-dense[:, feature], kind="stable")
        order = [i for i in order if dense[i, feature] > 0][:3]
        top = dataset.top_documents_for_feature(feature, k=3, document_only=False)
        assert top.documents() == [dataset.documents()[i] for i in order]
        part = dataset[[4, 1, 2]].top_documents_for_feature(feature, k=3, document_only=False)
        assert part.documents() == [dataset.documents()[i] for i in order if i in (4, 1, 2)] or (
            set(part.documents()) <= {dataset.documents()[i] for i in (4, 1, 2)}
        )


def test_documents_are_chosen_by_number_slice_mask_list_and_column(dataset, documents):
    dense = dataset.latents(compress=False)

    assert dataset[np.int64(1)].text == documents[1]
    assert dataset[-1].row_record()["stars"] == 4
    assert dataset["stars"].tolist() == [1, 2, 5, 4, 4]
    chosen = dataset[dataset["stars"] >= 4]
    assert chosen.documents() == [documents[i] for i in (2, 3, 4)]
    np.testing.assert_array_equal(chosen.latents(compress=False), dense[2:])
    np.testing.assert_array_equal(dataset[[3, 0, 3]].latents(compress=False), dense[[3, 0, 3]])
    assert dataset[::2][1:].documents() == [documents[2], documents[4]]
    assert {v: len(part) for v, part in dataset.groupby("by")} == {"a": 3, "b": 2}
    dataset.pandas()["kind"] = ["x", None, "y", "x", None]
    groups = [(value, part["stars"].tolist()) for value, part in dataset.groupby("kind")]
    assert groups[:2] == [("x", [1, 4]), ("y", [5])]
    assert groups[2][1] == [2, 4]
    assert dataset.sort_by_columns("stars")["stars"].tolist() == [5, 4, 4, 2, 1]
    with pytest.raises(InputError, match="no column 'star'; the columns are: text, stars, by"):
        dataset["star"]
    with pytest.raises(IndexError, match="document 5 is out of range"):
        dataset[5]


@pytest.mark.parametrize("feature", [40, -1, 2.0, "3", True, None])
def test_features_that_are_none_are_refused(dataset, feature):
    for call in (
        dataset[0].token_activations,
        dataset.top_documents_for_feature,
        dataset.label_feature_sync,
    ):
        with pytest.raises(InputError, match="feature"):
            call(feature)


def test_a_mask_of_the_users_own_index_is_matched(documents, tiny_sae):
    frame = pd.DataFrame({"text": documents, "n": range(5)}, index=list("vwxyz"))
    dataset = Dataset(frame, tiny_sae, progress=False)

    assert dataset[frame["n"] > 2].documents() == documents[3:]
    assert dataset[(frame["n"] > 2)[::-1]].documents() == documents[3:]


BAD = [None, "", "   ", float("nan"), 3, "good soup", "\x00", "😀 مرحبا", "soup " * 300, ["x"]]


def test_bad_documents_keep_their_rows_and_cost_no_other(tiny_sae, tmp_path, caplog):
    frame = pd.DataFrame({"text": pd.Series(BAD, dtype=object), "n": range(len(BAD))})
    dataset = Dataset(frame, tiny_sae, save_path=tmp_path / "d", progress=False)

    errors = dataset.errors()
    assert set(errors) == {0, 1, 2, 3, 4, 6, 9} or set(errors) == {0, 1, 2, 3, 4, 9}
    assert all(errors.values())
    with pytest.warns(UserWarning, match="documents have no activations, their rows are empty"):
        latents = dataset.latents()
    assert latents.shape == (len(BAD), 40)
    assert latents[5].nnz > 0
    assert latents[7].nnz > 0
    assert latents[8].nnz > 0
    good = dataset.filter_na_rows()
    assert len(good) == len(BAD) - len(errors)
    assert not good.errors()
    frame = dataset.to_frame(features=[1])
    assert np.isnan(frame["feature_1"][0])
    assert frame["error"][0] == errors[0]
    with pytest.raises(InputError, match="document 0 has no activations"):
        dataset[0].token_activations(1)
    assert dataset.token_activations(1)[0] is None
    again = Dataset.load_from_file(tmp_path / "d", resume=True)
    assert again.errors() == errors
    assert dataset.health().n_failed == len(errors)


def test_a_long_document_is_read_whole(tiny_sae, documents):
    long = " ".join(["the"] * 50 + ["rude"])
    dataset = Dataset([long, "the"], tiny_sae, progress=False)
    tokens = dataset[0].token_activations(0, as_string=False)
    assert tokens[-1]["token"] == "rude"
    assert tokens[-1]["span"] == (200, 204)


def test_chats_count_their_contents_alone(tiny_chat_model, tiny_sae_folder):
    sae = LocalSAE(None, str(tiny_sae_folder), model=str(tiny_chat_model), max_norm_ratio=None)
    chat = [
        {"role": "user", "content": "we waited long"},
        {"role": "assistant", "content": "good soup"},
    ]
    frame = pd.DataFrame({"text": [chat, [{"role": "user", "content": "kind waiter"}]]})
    dataset = Dataset(frame, sae, progress=False)

    assert not dataset.errors()
    marked = [dataset[0].token_activations(feature) for feature in range(40)]
    assert {m.replace("<<", "").replace(">>", "") for m in marked} == {"we waited long\ngood soup"}
    assert any("<<" in text for text in marked)
    assert dataset[1].document() == [{"role": "user", "content": "kind waiter"}]


def test_messages_for_a_model_without_a_template_say_what_to_do(tiny_sae):
    chat = [{"role": "user", "content": "we waited long"}]
    dataset = Dataset(pd.DataFrame({"text": [chat]}), tiny_sae, progress=False)
    assert "chat template" in dataset.errors()[0]


def test_a_folder_of_other_documents_or_another_sae_is_refused(
    frame, tiny_sae, tiny_model, tiny_sae_folder, tmp_path
):
    Dataset(frame, tiny_sae, save_path=tmp_path / "d", progress=False)
    with pytest.raises(StoredFileError, match="holds another data set: documents_digest"):
        Dataset(frame.assign(text="soup"), tiny_sae, save_path=tmp_path / "d", progress=False)
    other = LocalSAE(None, str(tiny_sae_folder), model=str(tiny_model), layer=2)
    with pytest.raises(StoredFileError, match="holds another data set: source"):
        Dataset(frame, other, save_path=tmp_path / "d", progress=False)


def test_a_stopped_run_goes_on_and_ends_the_same(frame, tiny_sae, tmp_path, monkeypatch):
    whole = Dataset(frame, tiny_sae, save_path=tmp_path / "w", shard_rows=2, progress=False)
    planned = Dataset(
        frame, tiny_sae, save_path=tmp_path / "s", shard_rows=2, progress=False,
        compute_activations=False,
    )  # fmt: skip
    assert planned.errors() == dict.fromkeys(range(5), "not encoded yet")
    store, calls = type(planned._store), []
    write = store.write_shard

    def stop_at_the_second(self, shard, *arrays):
        calls.append(shard)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return write(self, shard, *arrays)

    monkeypatch.setattr(store, "write_shard", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        planned.resume(progress=False)
    monkeypatch.undo()
    assert set(planned.errors()) == {2, 3, 4}

    resumed = Dataset.load_from_file(tmp_path / "s", resume=True, progress=False)

    assert resumed.digest() == whole.digest()
    assert not resumed.errors()


def test_opening_loads_no_model_and_highlights_load_it_once(frame, tiny_sae, tmp_path, monkeypatch):
    Dataset(frame, tiny_sae, save_path=tmp_path / "d", progress=False)
    loads = []
    load = LocalSAE._load_weights
    monkeypatch.setattr(
        LocalSAE, "_load_weights", lambda self, device: loads.append(1) or load(self, device)
    )

    opened = Dataset.load_from_file(tmp_path / "d")
    opened.latents()
    assert not loads
    opened.top_documents_for_feature(3)
    opened[1:][0].token_activations(3)
    assert len(loads) == 1


def test_a_part_is_written_as_a_data_set_of_its_own(dataset, tmp_path):
    dataset._labels.add({3: "about soup"})
    part = dataset[[4, 0]].save_to_file(tmp_path / "part")

    np.testing.assert_array_equal(
        part.latents(compress=False), dataset[[4, 0]].latents(compress=False)
    )
    assert part.documents() == dataset[[4, 0]].documents()
    assert part.feature_labels() == {3: "about soup"}
    assert part[0].token_activations(5) == dataset[4].token_activations(5)


def test_given_labels_are_kept_and_the_latest_wins(frame, tiny_sae, tmp_path):
    dataset = Dataset(
        frame, tiny_sae, save_path=tmp_path / "d", feature_labels={1: "a", 2: "b"}, progress=False
    )
    dataset._labels.add({2: "c"})
    assert Dataset.load_from_file(tmp_path / "d").feature_labels() == {1: "a", 2: "c"}
    with pytest.raises(InputError, match="feature 99 is out of range"):
        Dataset(frame, tiny_sae, feature_labels={99: "x"}, progress=False)


def test_labelling_works_inside_a_running_event_loop(dataset):
    async def notebook():
        return await dataset.label_feature(np.int64(3))

    label = asyncio.run(notebook())
    assert label is None or isinstance(label, str)


def test_it_shows_itself_with_every_text_escaped(tiny_sae):
    dataset = Dataset(["<script>alert(1)</script> good", "soup"], tiny_sae, progress=False)
    page = dataset._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "2 documents in 'text', 40 features" in repr(dataset)


def test_an_embedding_sae_is_trained_on_the_documents_and_found_again(documents, tmp_path):
    texts = documents * 12
    sae = EmbeddingSAE(12, k=3, embedder="tfidf")
    dataset = Dataset(texts, sae, save_path=tmp_path / "d", progress=False)
    assert dataset.latents().shape == (60, 12)
    assert np.diff(dataset.latents().indptr).max() <= 3
    opened = Dataset.load_from_file(tmp_path / "d")
    assert opened.digest() == dataset.digest()
    outcome = opened.label_features()
    assert outcome.labels
    assert opened.feature_labels() == {f: label.text for f, label in outcome.labels.items()}
    with pytest.raises(InputError, match="no activations of single tokens"):
        Dataset(texts, sae, tokens="all", progress=False)


def test_an_sae_that_does_not_fit_the_texts_is_said_loudly(frame, tiny_sae, caplog):
    with caplog.at_level(logging.WARNING):
        Dataset(frame, tiny_sae, progress=False)
    assert "variance" in caplog.text


def test_what_is_no_sae_is_refused(frame):
    with pytest.raises(InputError, match=r"LocalSAE.default\(\) needs no download"):
        Dataset(frame, "gpt2")
    with pytest.raises(InputError, match="there is no Goodfire SAE"):
        GoodfireSAE("Llama-9")


@pytest.mark.parametrize(
    ("data", "field", "message"),
    [
        ([], "text", "data must be"),
        (pd.DataFrame({"text": []}), "text", "no rows"),
        (pd.DataFrame({"body": ["a"]}), "text", "no column 'text'"),
        (7, "text", "data must be"),
    ],
)
def test_data_that_cannot_be_used_is_refused(tiny_sae, data, field, message):
    with pytest.raises(InputError, match=message):
        Dataset(data, tiny_sae, field=field, progress=False)


def test_a_file_that_is_no_data_set_is_refused(tmp_path):
    (tmp_path / "old.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(StoredFileError, match="interp-embed convert"):
        Dataset.load_from_file(tmp_path / "old.pkl")
    with pytest.raises(StoredFileError, match="there is no data set"):
        Dataset.load_from_file(tmp_path / "nothing")
