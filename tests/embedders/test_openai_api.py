import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from interp_embed.embedders import OpenAIEmbedder, embed_documents
from interp_embed.errors import InputError

TEXTS = [f"text {i}" for i in range(10)]


def vector(text):
    return [float(len(text)), float(sum(text.encode())), 1.0]


class Server:
    """A local server; ``faults`` are used up one per request before it answers properly."""

    def __init__(self):
        self.faults, self.requests, self.headers = [], [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(body)
                outer.headers.append({k.lower(): v for k, v in self.headers.items()})
                items = [
                    {"object": "embedding", "index": i, "embedding": vector(text)}
                    for i, text in enumerate(body["input"])
                ]
                answer = {
                    "object": "list",
                    "data": items,
                    "model": body["model"],
                    "usage": {"prompt_tokens": 1, "total_tokens": 1},
                }
                status, headers = 200, {}
                if outer.faults:
                    status, headers = outer.faults.pop(0)(answer)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                content = json.dumps(answer).encode()
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"


@pytest.fixture
def server():
    own = Server()
    yield own
    own.http.shutdown()
    own.http.server_close()


@pytest.fixture
def waits():
    return []


@pytest.fixture
def embedder(server, waits):
    return OpenAIEmbedder(
        "m", base_url=server.url, api_key="sk-secret", batch_size=4, wait=waits.append
    )


def refuse(status, message="no", **headers):
    def fault(answer):
        answer.clear()
        answer["error"] = {"message": message, "code": headers.pop("code", None)}
        return status, {name.replace("_", "-"): value for name, value in headers.items()}

    return fault


def change(edit):
    def fault(answer):
        edit(answer["data"])
        return 200, {}

    return fault


def test_batches_are_asked_and_put_in_input_order(server, embedder):
    server.faults = [change(list.reverse)]

    vectors = embed_documents(TEXTS, embedder, cache=None, progress=False)

    assert [len(request["input"]) for request in server.requests] == [4, 4, 2]
    np.testing.assert_array_equal(vectors, [vector(text) for text in TEXTS])
    assert embedder.d_in == 3
    assert server.headers[0]["authorization"] == "Bearer sk-secret"


def test_a_busy_server_is_asked_again_when_it_says(server, embedder, waits):
    server.faults = [refuse(429, retry_after="7"), refuse(500), refuse(503)]

    vectors = embedder.embed(TEXTS[:2])

    np.testing.assert_array_equal(vectors, [vector(text) for text in TEXTS[:2]])
    assert waits[0] == 7
    assert 1 <= waits[1] <= 2
    assert len(server.requests) == 4


def test_a_server_that_stays_down_is_given_up_after_six_attempts(server, embedder, tmp_path):
    embed_documents(TEXTS[:4], embedder, cache=tmp_path, progress=False)
    server.faults = [refuse(500, "down")] * 6

    with pytest.raises(InputError, match=r"after 6 attempts: HTTP 500.*kept in the cache"):
        embed_documents(TEXTS, embedder, cache=tmp_path, progress=False)
    assert len(server.requests) == 7

    embed_documents(TEXTS, embedder, cache=tmp_path, progress=False)
    assert [len(request["input"]) for request in server.requests[7:]] == [4, 2]


@pytest.mark.parametrize(
    "fault",
    [
        refuse(401, "bad key"),
        refuse(400, "too long"),
        refuse(429, "no money", code="insufficient_quota"),
        refuse(429, "tomorrow", retry_after="80000"),
    ],
)
def test_what_waiting_cannot_help_is_asked_once(server, embedder, waits, fault):
    server.faults = [fault]

    with pytest.raises(InputError, match="after 1 attempt:"):
        embedder.embed(TEXTS[:2])
    assert waits == []
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (list.pop, "asked for 4 embeddings and answered 3"),
        (lambda data: data[1].update(index=0), "numbered them wrongly"),
        (lambda data: data[2].update(embedding=[1.0]), r"\[1, 3\] dimensions"),
        (lambda data: data[2].update(embedding=[float("nan")] * 3), "NaN or infinite"),
        (list.clear, "answered 0"),
    ],
)
def test_an_answer_that_cannot_be_used_is_an_error_and_not_kept(
    server, embedder, tmp_path, edit, message
):
    server.faults = [change(edit)]

    with pytest.raises(InputError, match=message):
        embed_documents(TEXTS[:4], embedder, cache=tmp_path, progress=False)
    assert not [path for path in tmp_path.glob("*/*.vectors") if path.stat().st_size]


def test_wrong_dimensions_are_an_error(server):
    embedder = OpenAIEmbedder("m", base_url=server.url, api_key="k", dimensions=2)

    with pytest.raises(InputError, match=r"\[3\] dimensions where \[2\] were expected"):
        embedder.embed(TEXTS)
    assert server.requests[0]["dimensions"] == 2


def test_requests_are_bounded_in_characters(server, embedder):
    embedder.embed(["a" * 300_000, "b" * 300_000, "c", "\ud800"])

    assert [len(request["input"]) for request in server.requests] == [1, 3]
    assert server.requests[1]["input"][2] == "\ufffd"


def test_the_key_is_neither_logged_nor_stored(server, embedder, tmp_path, caplog):
    caplog.set_level("INFO", logger="interp_embed")
    server.faults = [refuse(500)]

    embed_documents(TEXTS, embedder, cache=tmp_path, progress=False)

    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"sk-secret" not in stored
    assert "sk-secret" not in caplog.text
    assert "trying again" in caplog.text


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "OPENAI_KEY_SAE", "OPENROUTER_API_KEY"])
def test_keys_come_from_the_environment(monkeypatch, variable):
    for name in ("OPENAI_API_KEY", "OPENAI_KEY_SAE", "OPENROUTER_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="there is no API key .* set one of OPENAI_API_KEY"):
        OpenAIEmbedder("m")

    monkeypatch.setenv(variable, "k")
    address = OpenAIEmbedder("m").identity["base_url"]

    assert ("openrouter" in address) == (variable == "OPENROUTER_API_KEY")


def test_the_length_of_a_vector_is_unknown_before_the_first_answer(embedder):
    with pytest.raises(InputError, match="known after the first answer"):
        _ = embedder.d_in
