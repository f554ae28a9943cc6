"""encode, info, label, top and convert on a tiny real model."""

import json
import pickle

import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.sparse import random as random_sparse

from interp_embed import Dataset
from interp_embed.cli import main


def run(*arguments):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def file(tmp_path, documents):
    path = tmp_path / "reviews.jsonl"
    path.write_text("".join(json.dumps({"review": text}) + "\n" for text in [*documents * 4, ""]))
    return path


@pytest.fixture
def encode(file, tmp_path, tiny_model, tiny_sae_folder):
    def encode(*options, out="out"):
        sae = ("--sae", tiny_sae_folder, "--model", tiny_model)
        return run(
            "encode", file, "--text", "review", "--out", tmp_path / out, *sae, "--quiet", *options
        )

    return encode


def test_a_table_is_encoded_shown_labelled_and_searched(encode, tmp_path):
    result = encode()
    assert result.exit_code == 0, result.output
    assert "21 of 21 encoded" in result.output
    assert "1 have no activations" in result.output

    info = run("info", tmp_path / "out")
    assert "40, " in info.output
    assert "fire on no document" in info.output
    assert "columns     review" in info.output

    labelled = run("label", tmp_path / "out", "--out", tmp_path / "labels.csv")
    assert "features labelled" in labelled.output
    assert (tmp_path / "labels.csv").read_text().startswith("feature,label,density")

    dataset = Dataset.load_from_file(tmp_path / "out")
    feature = int(dataset.latents().indices[0])
    top = run("top", tmp_path / "out", "--feature", feature, "--k", 3)
    assert f"feature {feature}:" in top.output
    assert "<<" in top.output


def test_an_encoded_folder_is_gone_on_with_only_if_asked(encode, tmp_path):
    encode()
    digest = Dataset.load_from_file(tmp_path / "out").digest()
    refused = encode()
    assert refused.exit_code == 1
    assert "add --resume" in refused.output
    assert encode("--resume").exit_code == 0
    assert Dataset.load_from_file(tmp_path / "out").digest() == digest
    other = encode("--resume", "--tokens", "all")
    assert other.exit_code == 1
    assert "holds another data set: tokens is 'all' here" in other.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--layer", "3"), "layer"),
        (("--device", "tpu9"), "device"),
        (("--tokens", "some"), "Invalid value for '--tokens'"),
    ],
)
def test_what_cannot_be_encoded_says_why(encode, options, message):
    result = encode(*options)
    assert result.exit_code != 0
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_model_that_is_not_there_says_what_to_pass(file, tmp_path, tiny_sae_folder, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    result = run(
        "encode", file, "--text", "review", "--out", tmp_path / "o", "--sae", tiny_sae_folder,
        "--model", "nobody/nothing-7b",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "nobody/nothing-7b" in result.output
    assert "folder" in result.output


@pytest.mark.parametrize("command", [("top", "--feature", "1"), ("label",), ("info",)])
def test_a_folder_that_is_no_data_set_is_named(tmp_path, command):
    result = run(command[0], tmp_path / "nothing", *command[1:])
    assert result.exit_code == 1
    assert "nothing" in result.output
    assert "Traceback" not in result.output


def test_a_feature_past_the_end_is_refused(encode, tmp_path):
    encode()
    result = run("top", tmp_path / "out", "--feature", "40")
    assert result.exit_code == 1
    assert "use an index from 0 to 39" in result.output


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "pwned"), "w"))

    (tmp_path / "old.pkl").write_bytes(pickle.dumps({"dataset": Evil()}))
    result = run("convert", tmp_path / "old.pkl", tmp_path / "new")
    assert result.exit_code == 1
    assert not (tmp_path / "pwned").exists()
    assert not (tmp_path / "new").exists()


def test_a_pickle_of_the_first_library_is_converted(tmp_path, documents):
    tokens = [text.split() for text in documents]
    rows = [
        random_sparse(len(words), 30, density=0.2, format="csr", random_state=i, dtype="float32")
        for i, words in enumerate(tokens)
    ]
    rows[1] = None
    content = {
        "dataset": pd.DataFrame({"text": documents, "stars": range(5)}),
        "rows": rows,
        "aggregate_activations": [None] * 5,
        "tokenized_documents": [
            [("" if i == 0 else " ") + word for i, word in enumerate(words)] for words in tokens
        ],
        "field": "text",
        "dataset_description": "reviews",
        "id": "abc123",
        "sae_metadata": {"sae_id": "x", "release": "y", "truncate": True},
        "feature_labels": {"3": "about soup"},
    }
    (tmp_path / "old.pkl").write_bytes(pickle.dumps(content))

    result = run("convert", tmp_path / "old.pkl", tmp_path / "new")

    assert result.exit_code == 0, result.output
    dataset = Dataset.load_from_file(tmp_path / "new")
    assert dataset.feature_labels() == {3: "about soup"}
    assert list(dataset.errors()) == [1]
    assert dataset["stars"].tolist() == list(range(5))
    with pytest.warns(UserWarning, match="1 of 5 documents"):
        latents = dataset.latents(compress=False)
    feature = int(rows[0].indices[0])
    value = rows[0].toarray()[:, feature].max()
    assert latents[0, feature] == pytest.approx(value, rel=2**-10)
    marked = dataset[0].token_activations(feature)
    assert marked.replace("<<", "").replace(">>", "") == documents[0]
    assert "<<" in marked
