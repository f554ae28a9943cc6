import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from interp_embed.errors import InputError, StoredFileError
from interp_embed.interpret import PremadeLabels, load_premade_labels
from interp_embed.interpret._downloads import fetch, unpack

SAE = "neuronpedia:gemma/12-res"
FIRST = "/v1/gemma/12-res/explanations/batch-0.jsonl.gz"
SECOND = "/v1/gemma/12-res/explanations/batch-1.jsonl.gz"


def line(index, text, model="gpt"):
    return {
        "modelId": "gemma",
        "layer": "12-res",
        "index": index,
        "description": text,
        "typeName": "oai",
        "explanationModelName": model,
        "embedding": [0.1],
    }


def packed(*lines):
    return gzip.compress("".join(json.dumps(own) + "\n" for own in lines).encode(), mtime=0)


@pytest.fixture
def server():
    """A server of files by path: bytes, or a function that answers; counts what is asked."""
    files = {}
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            answer = files.get(self.path)
            if callable(answer):
                answer(self)
            elif answer is None:
                self.send_error(404)
            else:
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *args):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
    running.files, running.asked = files, asked
    running.url = f"http://127.0.0.1:{running.server_port}"
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def load(server, tmp_path):
    def call(source=SAE, **options):
        options = {"n_features": 8, "timeout_s": 2, "base_url": server.url} | options
        return load_premade_labels(source, cache_folder=tmp_path / "labels", **options)

    return call


def texts(labels):
    return {feature: label.text for feature, label in labels.labels.items()}


def test_all_batches_of_an_export_are_read(server, load):
    server.files[FIRST] = packed(line("0", "cold  food\n"), line(1, "queues"))
    server.files[SECOND] = packed(line("7", "rain"))

    labels = load()

    assert texts(labels) == {0: "cold food", 1: "queues", 7: "rain"}
    assert labels.labels[7].source == f"{SAE} (oai gpt)"
    assert labels.labels[7].n_examples == 0
    assert (labels.source, labels.licence) == (SAE, "not stated by the source")


def test_of_several_labels_the_same_one_is_chosen_whatever_their_order(server, load):
    lines = [line(0, "b"), line(0, "a", "other"), line(0, "a"), line(1, "c"), line(0, "a")]
    chosen = []
    for order in (lines, lines[::-1]):
        server.files[FIRST] = packed(*order)
        chosen.append(load(refresh=True))

    assert texts(chosen[0]) == texts(chosen[1]) == {0: "a", 1: "c"}
    assert [label.text for label in chosen[0].alternates[0]] == ["b", "a"]
    assert chosen[0].alternates == chosen[1].alternates
    assert "other" in chosen[0].alternates[0][1].source


def test_what_was_fetched_is_kept(server, load):
    server.files[FIRST] = packed(line(0, "cold"), line(0, "warm"), line(1, " "))
    first = load(licence="CC0")
    n_asked = len(server.asked)
    server.files.clear()

    again = load()

    assert len(server.asked) == n_asked
    assert again == first
    assert again.licence == "CC0"
    assert again.n_empty == 1
    with pytest.raises(InputError, match="exports no labels"):
        load(refresh=True)
    assert load() == first  # a failed refresh loses nothing


def test_a_file_on_the_hub_is_read(server, load):
    server.files["/nick/labels/resolve/main/a/b.json"] = b'{"0": "cold", "3": null}'

    labels = load("hub:nick/labels/a/b.json")

    assert texts(labels) == {0: "cold"}
    assert labels.n_empty == 1


def test_a_redirect_is_followed_unless_it_leaves_https(server, load):
    def to(place):
        def answer(handler):
            handler.send_response(302)
            handler.send_header("Location", place)
            handler.end_headers()

        return answer

    path = "/nick/labels/resolve/main/b.json"
    server.files["/there"] = b'{"0": "cold"}'
    server.files[path] = to(server.url + "/there")
    assert texts(load("hub:nick/labels/b.json")) == {0: "cold"}

    for place in ("http://example.invalid/x", "file:///etc/passwd", "ftp://example.invalid/x"):
        server.files[path] = to(place)
        with pytest.raises(InputError):
            load("hub:nick/labels/b.json", refresh=True)


def test_local_files_are_read(tmp_path):
    plain, lines = tmp_path / "a.json", tmp_path / "a.jsonl.gz"
    plain.write_text('{"0": "cold", "2": "caf\u00e9"}', encoding="utf-8")
    lines.write_bytes(packed(line(1, "rain")))

    assert texts(load_premade_labels(str(plain), n_features=3)) == {0: "cold", 2: "caf\u00e9"}
    assert texts(load_premade_labels(str(lines), n_features=3)) == {1: "rain"}


def test_no_labels_is_an_answer_and_a_failure_is_not(tmp_path, server, load):
    empty = tmp_path / "empty.json"
    empty.write_text("{}")

    assert load_premade_labels(str(empty), n_features=3).labels == {}
    with pytest.raises(InputError, match=r"exports no labels for 'gemma/12-res' .*batch-0"):
        load()
    with pytest.raises(InputError, match=r"no labels at .*a\.json; check owner"):
        load("hub:nick/labels/a.json")


def test_a_gap_between_batches_is_seen(server, load):
    server.files[FIRST] = packed(line(0, "a"))
    server.files[SECOND.replace("-1", "-2")] = packed(line(1, "b"))

    with pytest.raises(InputError, match="have a gap"):
        load()


def cut(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"abc")


def cut_without_length(handler):
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(packed(line(0, "a"))[:-9])


def silent(handler):
    time.sleep(1)


def failing(handler):
    handler.send_error(503, "busy")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (cut, "cut off|IncompleteRead"),
        (cut_without_length, "not a whole gzip file"),
        (silent, "could not be fetched"),
        (failing, "answered 503 busy"),
        (b"<html>Not here</html>", "not a whole gzip file .*begins '<html>Not here"),
        (b"", "not a whole gzip file"),
        (gzip.compress(b"<html>", mtime=0), "line 1 of .* is not JSON"),
        (gzip.compress(b"[1]", mtime=0), "line 1 of .* has no index and description"),
        (gzip.compress(b"\xff\xfe", mtime=0), "is not JSON"),
        (gzip.compress(b"[" * 100_000, mtime=0), "is not JSON"),
        (packed({"index": 1}), "no index and description"),
        (packed(line(-1, "x")), "'-1' is no index"),
        (packed(line(1.5, "x")), "'1.5' is no index"),
        (packed(line(True, "x")), "'True' is no index"),
        (packed(line(None, "x")), "'None' is no index"),
        (packed(line("x", "x")), "'x' is no index"),
        (packed(line("9" * 5000, "x")), "is no index"),
        (packed(line(8, "x")), "labels feature 8, but the SAE has 8"),
        (packed(line(1, 3)), "label of feature 1 is no text"),
        (packed(line(1, "x" * 10_001)), "no text of at most 10000"),
    ],
)
def test_answers_that_cannot_be_used_are_errors_that_name_the_source(
    server, load, tmp_path, answer, message
):
    server.files[FIRST] = answer

    with pytest.raises(InputError, match=message) as caught:
        load(timeout_s=0.5)

    assert "12-res" in str(caught.value)
    assert not list(tmp_path.rglob("*.json"))  # nothing half read is kept


def test_files_that_unpack_to_too_much_are_refused(server):
    bomb = gzip.compress(b" " * 3_000_000, mtime=0)
    server.files["/large"] = b"x" * 3_000_000

    assert len(bomb) < 10_000
    with pytest.raises(InputError, match="x.gz unpacks to more than 1000000 bytes"):
        unpack(bomb, "x.gz", max_bytes=1_000_000)
    with pytest.raises(InputError, match="larger than 1000000 bytes"):
        fetch(server.url + "/large", timeout_s=2, max_bytes=1_000_000)


def test_a_server_that_is_not_there_is_named(load):
    with pytest.raises(InputError, match=r"127\.0\.0\.1:9/.* could not be fetched"):
        load(base_url="http://127.0.0.1:9")


def test_only_https_is_fetched():
    for url in ("http://example.invalid/x", "file:///etc/passwd", "ftp://example.invalid/x"):
        with pytest.raises(InputError, match="only https"):
            fetch(url, timeout_s=1)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("neuronpedia:gemma", "give neuronpedia:MODEL/SAE"),
        ("neuronpedia:gemma/../x", "give neuronpedia:MODEL/SAE"),
        ("neuronpedia:gemma/x?y=1", "give neuronpedia:MODEL/SAE"),
        ("hub:nick/labels", "give hub:OWNER/REPO/FILE.json"),
        ("hub:nick/labels/../../x", "give hub:OWNER"),
        ("nowhere.json", "labels nowhere.json cannot be read"),
    ],
)
def test_sources_that_are_none_are_named(load, source, message):
    with pytest.raises(InputError, match=message):
        load(source)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "holds list"),
        ("{", "not JSON"),
        ('{"a": "x"}', "'a' is no index"),
        ('{"0": {"x": 1}}', "feature 0 is no text"),
        ('{"9": "x"}', "labels feature 9, but the SAE has 3"),
    ],
)
def test_local_files_of_another_form_are_refused(tmp_path, content, message):
    path = tmp_path / "labels.json"
    path.write_text(content)

    with pytest.raises(InputError, match=message):
        load_premade_labels(str(path), n_features=3)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-20],
        lambda text: text.replace('"version": 1', '"version": 0'),
        lambda text: text.replace("gemma", "other"),
        lambda text: text.replace('"cold"', "3"),
        lambda text: "[]",
    ],
)
def test_a_damaged_cache_is_said_to_be(server, load, tmp_path, damage):
    server.files[FIRST] = packed(line(0, "cold"))
    load()
    (path,) = tmp_path.rglob("*.json")
    path.write_text(damage(path.read_text()))

    with pytest.raises(StoredFileError, match="delete it"):
        load()
    assert texts(load(refresh=True)) == texts(load()) == {0: "cold"}


def test_a_kept_answer_is_checked_against_the_sae_at_hand(server, load):
    server.files[FIRST] = packed(line(5, "cold"))

    assert isinstance(load(), PremadeLabels)
    with pytest.raises(InputError, match="labels feature 5, but the SAE has 4"):
        load(n_features=4)
