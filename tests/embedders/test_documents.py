import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from interp_embed.embedders import embed_documents
from interp_embed.errors import InputError, StoredFileError

TEXTS = [f"text number {i}" for i in range(10)]


def test_result_order_is_input_order_and_equal_texts_are_embedded_once(hashing):
    embedder = hashing()
    texts = ["b", "a", "b", "c", "a", "b"]

    vectors = embed_documents(texts, embedder, cache=None, progress=False)

    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, [embedder.vector(text) for text in texts])
    assert embedder.asked == ["b", "a", "c"]


def test_a_second_call_embeds_only_what_is_new(hashing, tmp_path):
    first = embed_documents(TEXTS[:6], hashing(), cache=tmp_path, progress=False)
    again = hashing()

    vectors = embed_documents(TEXTS[::-1], again, cache=tmp_path, progress=False)

    assert sorted(again.asked) == sorted(TEXTS[6:])
    np.testing.assert_array_equal(vectors[::-1][:6], first)
    np.testing.assert_array_equal(vectors, [again.vector(text) for text in TEXTS[::-1]])


@pytest.mark.parametrize("change", [{"prompt": "p: "}, {"revision": "v2"}, {"model": "other"}])
def test_another_prompt_revision_or_model_shares_nothing(hashing, tmp_path, change):
    embed_documents(TEXTS, hashing(), cache=tmp_path, progress=False)
    other = hashing(**change)

    embed_documents(TEXTS, other, cache=tmp_path, progress=False)

    assert other.asked == TEXTS


def test_texts_that_differ_only_in_the_middle_are_told_apart(hashing, tmp_path):
    texts = ["a" * 100 + middle + "z" * 100 for middle in ("good", "bad")]

    embed_documents(texts[:1], hashing(), cache=tmp_path, progress=False)
    vectors = embed_documents(texts, hashing(), cache=tmp_path, progress=False)

    assert not np.array_equal(vectors[0], vectors[1])


def test_an_interrupt_keeps_the_finished_chunks(hashing, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        embed_documents(TEXTS, hashing(fail_at=8), cache=tmp_path, progress=False)
    again = hashing()

    embed_documents(TEXTS, again, cache=tmp_path, progress=False)

    assert again.asked == TEXTS[8:]


def test_a_killed_process_loses_at_most_one_chunk(hashing, tmp_path):
    script = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from conftest import HashingEmbedder
from pathlib import Path
from interp_embed.embedders import embed_documents
class Slow(HashingEmbedder):
    def embed(self, documents, *, progress=None):
        time.sleep(0.2)
        print(len(self.asked), flush=True)
        return super().embed(documents, progress=progress)
texts = [f"text number {{i}}" for i in range(400)]
embed_documents(texts, Slow(), cache=Path({str(tmp_path)!r}), progress=False)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    started = 0
    while started < 12:  # three chunks of four are then committed
        started = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    texts = [f"text number {i}" for i in range(400)]
    again = hashing(chunk_size=400)

    vectors = embed_documents(texts, again, cache=tmp_path, progress=False)

    assert 380 <= len(again.asked) <= 388
    np.testing.assert_array_equal(vectors, [again.vector(text) for text in texts])


def test_two_writers_at_once_lose_nothing(hashing, tmp_path):
    class Nested(hashing):
        def embed(self, documents, *, progress=None):
            embed_documents(TEXTS[5:], hashing(), cache=tmp_path, progress=False)
            return super().embed(documents, progress=progress)

    embed_documents(TEXTS[:5], Nested(), cache=tmp_path, progress=False)
    after = hashing()

    vectors = embed_documents(TEXTS, after, cache=tmp_path, progress=False)

    assert after.asked == []
    np.testing.assert_array_equal(vectors, [after.vector(text) for text in TEXTS])


def test_nan_rows_are_an_error_and_are_not_stored(hashing, tmp_path):
    class Broken(hashing):
        def vector(self, document):
            return np.full(8, np.nan if document == TEXTS[5] else 1.0, dtype=np.float32)

    with pytest.raises(InputError, match=r"NaN or infinite values for 1 of 4 .* number 5"):
        embed_documents(TEXTS, Broken(), cache=tmp_path, progress=False)
    again = hashing()
    embed_documents(TEXTS, again, cache=tmp_path, progress=False)

    assert again.asked == TEXTS[4:]


def test_a_wrong_number_of_vectors_is_an_error(hashing):
    class Short(hashing):
        def embed(self, documents, *, progress=None):
            return super().embed(documents[:-1])

    with pytest.raises(InputError, match="one vector each"):
        embed_documents(TEXTS, Short(), cache=None, progress=False)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", "", "b", "  \n"], r"2 of 4 .* positions 1 \(empty\), 3 \(empty\); leave"),
        (["a", None, 3.5], r"1 \(NoneType\), 2 \(float\)"),
        ("one text", "put it in a list"),
    ],
)
def test_empty_and_missing_texts_are_named_by_position(hashing, texts, message):
    with pytest.raises(InputError, match=message):
        embed_documents(texts, hashing(), cache=None, progress=False)


def test_no_documents_give_no_vectors(hashing):
    assert embed_documents([], hashing(), cache=None).shape == (0, 8)


def test_surrogates_emoji_and_long_texts_are_cached_as_they_are(hashing, tmp_path):
    texts = ["\ud800 alone", "\udfff alone", "👩‍👩‍👧 family", "x" * 1_000_000, "\x00"]

    vectors = embed_documents(texts, hashing(), cache=tmp_path, progress=False)
    again = hashing()

    np.testing.assert_array_equal(
        embed_documents(texts, again, cache=tmp_path, progress=False), vectors
    )
    assert again.asked == []


def test_a_folder_that_cannot_be_made_is_named_with_the_way_out(hashing, tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(InputError, match=r"INTERP_EMBED_CACHE.*cache=None"):
        embed_documents(TEXTS, hashing(), cache=tmp_path / "file" / "below", progress=False)


def test_the_environment_variable_moves_the_default_folder(hashing, tmp_path, monkeypatch):
    monkeypatch.setenv("INTERP_EMBED_CACHE", str(tmp_path))

    embed_documents(TEXTS, hashing(), progress=False)

    assert list((tmp_path / "embeddings").glob("*/*.vectors"))


def test_the_bar_shows_rate_and_time_left_on_stderr(hashing, capsys):
    embed_documents(TEXTS, hashing(), cache=None)

    shown = capsys.readouterr()
    assert "10/10" in shown.err
    assert "documents/s" in shown.err
    assert shown.out == ""


def _files(folder, pattern):
    return sorted(folder.glob(f"*/{pattern}"))


def test_a_torn_last_record_is_dropped_with_one_warning(hashing, tmp_path, caplog):
    embed_documents(TEXTS, hashing(), cache=tmp_path, progress=False)
    (commits,) = _files(tmp_path, "*.commits")
    commits.write_bytes(commits.read_bytes()[:-5])
    again = hashing()

    with caplog.at_level(logging.WARNING):
        vectors = embed_documents(TEXTS, again, cache=tmp_path, progress=False)
    assert "cut off after 2 whole chunks" in caplog.text
    assert again.asked == TEXTS[8:]
    np.testing.assert_array_equal(vectors, [again.vector(text) for text in TEXTS])
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        embed_documents(TEXTS, hashing(), cache=tmp_path, progress=False)
    assert caplog.text == ""


def test_a_torn_vector_file_costs_the_chunks_it_lacks(hashing, tmp_path, caplog):
    embed_documents(TEXTS, hashing(), cache=tmp_path, progress=False)
    (rows,) = _files(tmp_path, "*.vectors")
    rows.write_bytes(rows.read_bytes()[:-3])
    again = hashing()

    with caplog.at_level(logging.WARNING):
        vectors = embed_documents(TEXTS, again, cache=tmp_path, progress=False)

    assert "cut off" in caplog.text
    assert again.asked == TEXTS[8:]
    np.testing.assert_array_equal(vectors, [again.vector(text) for text in TEXTS])


def test_rows_without_their_record_do_not_exist(hashing, tmp_path):
    embed_documents(TEXTS[:4], hashing(), cache=tmp_path, progress=False)
    (rows,) = _files(tmp_path, "*.vectors")
    rows.write_bytes(rows.read_bytes() + b"\x01" * 20)
    again = hashing()

    vectors = embed_documents(TEXTS, again, cache=tmp_path, progress=False)

    assert again.asked == TEXTS[4:]
    np.testing.assert_array_equal(vectors, [again.vector(text) for text in TEXTS])


@pytest.mark.parametrize("pattern", ["*.vectors", "*.commits"])
@pytest.mark.parametrize("place", [0, 0.5, 0.99])
def test_a_flipped_byte_is_an_error_that_names_the_file(hashing, tmp_path, pattern, place):
    embed_documents(TEXTS, hashing(), cache=tmp_path, progress=False)
    (path,) = _files(tmp_path, pattern)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0x10
    path.write_bytes(content)

    with pytest.raises(StoredFileError, match=rf"{path.stem}\S* is damaged .* delete it"):
        embed_documents(TEXTS, hashing(), cache=tmp_path, progress=False)


def test_float16_halves_the_file_and_returns_what_is_stored(hashing, tmp_path):
    full, half = tmp_path / "full", tmp_path / "half"
    embed_documents(TEXTS, hashing(), cache=full, progress=False)
    first = embed_documents(TEXTS, hashing(), cache=half, precision="float16", progress=False)
    second = embed_documents(TEXTS, hashing(), cache=half, precision="float16", progress=False)

    sizes = [path.stat().st_size for folder in (full, half) for path in _files(folder, "*.vectors")]
    assert sizes == [10 * 8 * 4, 10 * 8 * 2]
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, [hashing().vector(t) for t in TEXTS], atol=1e-3)


def test_a_value_beyond_float16_is_an_error_not_an_infinity(hashing, tmp_path):
    class Large(hashing):
        def vector(self, document):
            return np.full(8, 1e6, dtype=np.float32)

    with pytest.raises(InputError, match="float16 cannot hold"):
        embed_documents(TEXTS, Large(), cache=tmp_path, precision="float16", progress=False)


def test_a_large_cache_is_searched_quickly(hashing, tmp_path):
    texts = [f"t{i}" for i in range(20_000)]
    embed_documents(texts, hashing(chunk_size=5000), cache=tmp_path, progress=False)
    started = time.process_time()

    embed_documents(texts[::1000], hashing(), cache=tmp_path, progress=False)

    assert time.process_time() - started < 1.0
