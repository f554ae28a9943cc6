import json
import shutil

import numpy as np
import pytest

from interp_embed._model_files import find_model
from interp_embed.embedders import SentenceEmbedder, embed_chunks, embed_documents
from interp_embed.errors import InputError, StoredFileError

TEXTS = [
    "The soup was cold.",
    "Waves crash on the shore while gulls cry overhead.",
    "ok",
    "We waited an hour, the host was rude, and nobody apologised. " * 12,
    "😀 très bien, 谢谢!",
    "def add(a, b):\n    return a + b",
    "Numbers 1 2 3, and [brackets] (of) {all} kinds; tabs\tand\nlines.",
]


def cosines(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.fixture(scope="module")
def folder(minilm):
    return find_model("minilm").folder


@pytest.fixture(scope="module")
def reference(folder):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu")


def test_vectors_are_those_of_sentence_transformers(minilm, reference):
    ours = embed_documents(TEXTS, minilm, cache=None, progress=False)
    theirs = reference.encode(TEXTS, show_progress_bar=False)

    assert ours.shape == (7, 384)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_a_vector_does_not_depend_on_what_else_is_embedded(minilm):
    together = minilm.embed(TEXTS * 3)
    alone = np.concatenate([minilm.embed([text]) for text in TEXTS])

    np.testing.assert_allclose(together[:7], alone, atol=2e-6)
    np.testing.assert_array_equal(minilm.embed(TEXTS * 3), together)


def test_a_prompt_is_put_before_the_text(minilm):
    prompted = SentenceEmbedder.load(prompt="query: ", threads=1, precision="float32")

    np.testing.assert_allclose(prompted.embed(["soup"]), minilm.embed(["query: soup"]), atol=2e-6)
    assert prompted.identity != minilm.identity


def test_other_models_run_through_sentence_transformers(folder, tmp_path, reference):
    # CLS pooling is none of the packed path's business.
    copy = tmp_path / "cls"
    shutil.copytree(folder, copy)
    pooling = json.loads((copy / "1_Pooling" / "config.json").read_text())
    pooling.update(pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)
    (copy / "1_Pooling" / "config.json").write_text(json.dumps(pooling))

    embedder = SentenceEmbedder.load(str(copy), device="cpu", threads=1, precision="float32")
    vectors = embedder.embed(TEXTS)

    tokens = reference.encode(TEXTS, output_value="token_embeddings", show_progress_bar=False)
    first = np.stack([own[0].numpy() for own in tokens])
    assert cosines(vectors, first).min() > 0.99999
    spans = embedder.chunk_spans([TEXTS[3] * 3])
    assert len(spans[0]) > 1


def test_a_local_folder_has_an_identity_of_its_contents(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    before = SentenceEmbedder.load(str(copy)).identity
    config = copy / "sentence_bert_config.json"
    config.write_text(config.read_text().replace("256", "200"))

    after = SentenceEmbedder.load(str(copy)).identity

    assert before["sha256"] != after["sha256"]
    assert (before["max_tokens"], after["max_tokens"]) == (256, 200)


def test_long_documents_are_cut_and_it_is_said_once(folder, caplog):
    embedder = SentenceEmbedder.load(max_tokens=16, threads=1, precision="float32")

    whole = embedder.embed(TEXTS)
    embedder.embed(TEXTS)

    assert caplog.text.count("longer than 16 tokens are cut") == 1
    cut = embedder.embed([TEXTS[3][:200]])
    np.testing.assert_allclose(whole[3], cut[0], atol=2e-6)


def test_pooling_reads_the_end_of_a_long_document(minilm):
    long = "The room was quiet. " * 60
    texts = [long, long + "The volcano erupted and lava ran into the sea."]
    pooled = SentenceEmbedder.load(long="pool", threads=1, precision="float32")

    cut, whole = minilm.embed(texts), pooled.embed(texts)

    assert cosines(cut[:1], cut[1:])[0] > 0.999999
    assert cosines(whole[:1], whole[1:])[0] < 0.99
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(pooled.embed(["short"]), minilm.embed(["short"]), atol=2e-6)


def test_chunks_cover_the_document_and_name_their_parent(minilm):
    long = "Rain fell, then 雪 and hail; nobody minded. " * 80
    texts = ["short", long, "also short"]

    chunks = embed_chunks(texts, minilm, cache=None, progress=False)

    assert chunks.parents[0] == 0
    assert chunks.parents[-1] == 2
    own = chunks.spans[chunks.parents == 1]
    assert len(own) > 2
    assert own[0, 0] == 0
    assert own[-1, 1] >= len(long.rstrip())
    assert (own[1:, 0] < own[:-1, 1]).all()
    np.testing.assert_allclose(
        chunks.vectors[1], minilm.embed([long[own[0, 0] : own[0, 1]]])[0], atol=2e-6
    )


def test_unpaired_surrogates_and_very_long_texts_embed(minilm):
    vectors = minilm.embed(["\ud800 half \udfff", "word " * 200_000, "\x00\u200b"])

    assert np.isfinite(vectors).all()


def test_threads_change_no_vector(minilm):
    two = SentenceEmbedder.load(threads=2, precision="float32")

    np.testing.assert_allclose(two.embed(TEXTS), minilm.embed(TEXTS), atol=2e-6)


def test_changed_weights_are_refused(folder, tmp_path, monkeypatch):
    copy = tmp_path / "model"
    shutil.copytree(folder, copy)
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    monkeypatch.setattr("interp_embed._model_files._offline_folder", lambda: copy)

    with pytest.raises(StoredFileError, match=r"not the published .* --force-reinstall"):
        SentenceEmbedder.load()


def test_a_model_that_is_nowhere_says_how_to_get_one(monkeypatch):
    from huggingface_hub.errors import LocalEntryNotFoundError

    def unreachable(*args, **kwargs):
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr("interp_embed._model_files.snapshot_download", unreachable)
    with pytest.raises(InputError, match=r"cannot be reached .* 'interp-embed\[offline\]'"):
        SentenceEmbedder.load("nomic-ai/modernbert-embed-base")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"long": "split"}, "'truncate' or 'pool'"),
        ({"max_tokens": 2}, "from 3 to 512"),
        ({"max_tokens": 600}, "from 3 to 512"),
        ({"max_tokens": 20, "overlap": 18}, "overlap must be from 0 to 17"),
        ({"threads": 0}, "at least 1"),
        ({"precision": "int4"}, "'auto', 'float32' or 'int8'"),
    ],
)
def test_arguments_out_of_range_are_named(minilm, options, message):
    with pytest.raises(InputError, match=message):
        SentenceEmbedder.load(**options)


def test_int8_stays_within_a_thousandth_of_float32(minilm, minilm_int8):
    texts = [*TEXTS, *(text * 4 for text in TEXTS), "Résumé: 静かな海と山。 Спасибо! " * 5]

    alike = cosines(minilm_int8.embed(texts), minilm.embed(texts))

    assert alike.min() > 0.999
    assert minilm_int8.identity["precision"] == "int8"


def test_int8_vectors_do_not_depend_on_what_else_is_embedded(minilm_int8):
    texts = [text * 3 for text in TEXTS]
    together = minilm_int8.embed(texts * 2)
    alone = np.concatenate([minilm_int8.embed([text]) for text in texts])

    # Float sums may differ in their last bit, which can move an integer by one.
    assert cosines(together[:7], alone).min() > 0.99999
    np.testing.assert_array_equal(minilm_int8.embed(texts * 2), together)


def test_short_documents_stay_in_float32(minilm, minilm_int8):
    short = TEXTS[:3]

    np.testing.assert_allclose(minilm_int8.embed(short), minilm.embed(short), atol=2e-6)


def test_without_fast_integers_the_default_is_float32(minilm, monkeypatch):
    monkeypatch.setattr("interp_embed.embedders.sentence.has_fast_int8", lambda: False)

    assert SentenceEmbedder.load().identity["precision"] == "float32"
    with pytest.raises(InputError, match="int8 needs"):
        SentenceEmbedder.load(precision="int8")
