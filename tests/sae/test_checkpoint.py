import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from interp_embed._fingerprint import digest_settings
from interp_embed.errors import StoredFileError
from interp_embed.sae import Origin, TrainingSettings, load_sae, save_sae, train_sae
from interp_embed.synthetic import plant_activations

X = plant_activations(300, d_in=12, n_concepts=8, seed=0).X
SETTINGS = TrainingSettings(24, 3, (6,), rule="batch_topk", max_epochs=2)
EMBEDDER = {"name": "tiny", "dimensions": [12], "normalised": True}
ORIGIN = Origin.of(X, SETTINGS, EMBEDDER)
NAMES = ("encoder", "encoder_bias", "decoder", "decoder_bias")


@pytest.fixture(scope="module")
def trained():
    return train_sae(X, SETTINGS)


@pytest.fixture
def folder(tmp_path, trained):
    save_sae(tmp_path / "sae", trained, ORIGIN)
    return tmp_path / "sae"


def change_record(folder, **changes):
    """Change the record and sign it anew, as a careful forger or another version would."""
    path = folder / "sae.json"
    record = json.loads(path.read_text()) | changes
    record.pop("record_digest")
    path.write_text(json.dumps(record | {"record_digest": digest_settings(record)}))


def test_a_saved_sae_is_read_back_as_it_was(folder, trained):
    saved = load_sae(folder, origin=ORIGIN)

    for name in NAMES:
        loaded, original = getattr(saved.trained.weights, name), getattr(trained.weights, name)
        assert loaded.dtype == np.float32
        assert (loaded == original).all()
    weights = saved.trained.weights
    assert (weights.k, weights.prefixes) == (3, (6, 24))
    assert weights.threshold == trained.weights.threshold
    assert saved.trained.report == trained.report
    assert saved.origin == ORIGIN
    assert (weights.encode(X) != trained.weights.encode(X)).nnz == 0


def test_topk_has_no_threshold_on_disk(tmp_path):
    settings = TrainingSettings(24, 3, max_epochs=1)
    save_sae(tmp_path, train_sae(X, settings), Origin.of(X, settings))

    assert load_sae(tmp_path).trained.weights.threshold is None


def test_saving_twice_writes_the_same_bytes_and_leaves_nothing_else(folder, trained):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    save_sae(folder, trained, ORIGIN)

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert set(before) == {"sae.safetensors", "sae.json"}


def test_nothing_on_disk_is_pickled(folder):
    header_length = int.from_bytes((folder / "sae.safetensors").read_bytes()[:8], "little")
    header = (folder / "sae.safetensors").read_bytes()[8 : 8 + header_length]

    assert set(json.loads(header)) - {"__metadata__"} == set(NAMES)
    json.loads((folder / "sae.json").read_text())
    for path in folder.iterdir():
        assert not path.read_bytes().startswith((b"\x80", b"PK"))


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (Origin.of(X + 1, SETTINGS, EMBEDDER), "embeddings"),
        (Origin.of(X, replace(SETTINGS, seed=1), EMBEDDER), "settings"),
        (Origin.of(X, replace(SETTINGS, max_epochs=3), EMBEDDER), "settings"),
        (Origin.of(X, SETTINGS, {"name": "other"}), "embedder"),
        (Origin.of(X, SETTINGS), "embedder"),
        (Origin.of(X, SETTINGS, EMBEDDER, validation=X), "validation"),
        (Origin.of(X[:200], replace(SETTINGS, k=4), EMBEDDER), "embeddings and settings"),
    ],
)
def test_an_sae_made_from_something_else_is_not_reused(folder, other, named):
    with pytest.raises(StoredFileError, match=f"was made from other {named}; use another folder"):
        load_sae(folder, origin=other)


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_cut_off_weights_are_refused(folder, kept):
    path = folder / "sae.safetensors"
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(StoredFileError, match=r"sae\.safetensors is damaged or cut off"):
        load_sae(folder)


def test_a_flipped_byte_in_the_weights_is_refused(folder):
    path = folder / "sae.safetensors"
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)

    with pytest.raises(StoredFileError, match="does not match its record"):
        load_sae(folder)


def test_no_flipped_bit_in_the_record_goes_unnoticed(folder):
    path = folder / "sae.json"
    content = path.read_bytes()
    intact = json.loads(content)

    for position in range(0, len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 1
        try:
            if json.loads(changed) == intact:  # another space: nothing said was changed
                continue
        except ValueError:
            pass
        path.write_bytes(changed)
        with pytest.raises(StoredFileError):
            load_sae(folder)


def test_a_cut_off_record_is_refused(folder):
    path = folder / "sae.json"
    path.write_text(path.read_text()[:200])

    with pytest.raises(StoredFileError, match=r"sae\.json is not readable as JSON"):
        load_sae(folder)


@pytest.mark.parametrize("name", ["sae.json", "sae.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()

    with pytest.raises(StoredFileError, match=f"{name} does not exist"):
        load_sae(folder)


def test_another_format_version_is_refused(folder):
    change_record(folder, format_version=2)

    with pytest.raises(StoredFileError, match=r"has format version 2, but .* reads 1; update"):
        load_sae(folder)


@pytest.mark.parametrize("content", ["[]", '{"format": "other"}', "3"])
def test_json_of_something_else_is_refused(folder, content):
    (folder / "sae.json").write_text(content)

    with pytest.raises(StoredFileError, match="is not the record of a saved SAE"):
        load_sae(folder)


def test_a_record_without_a_part_is_refused(folder):
    path = folder / "sae.json"
    record = json.loads(path.read_text())
    del record["threshold"]
    path.write_text(json.dumps(record))

    with pytest.raises(StoredFileError, match="lacks threshold"):
        load_sae(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"k": 25},
        {"k": "many"},
        {"k": None},
        {"prefixes": 5},
        {"prefixes": [30]},
        {"threshold": "high"},
        {"training": {}},
        {"training": 4},
        {"origin": {"surprise": 1}},
        {"origin": []},
        {"digests": []},
    ],
)
def test_a_record_that_makes_no_sense_is_refused_even_when_signed(folder, changes):
    change_record(folder, **changes)

    with pytest.raises(StoredFileError):
        load_sae(folder, origin=ORIGIN)


def test_weights_of_another_sae_under_this_record_are_refused(folder, tmp_path):
    settings = replace(SETTINGS, seed=5)
    save_sae(tmp_path / "other", train_sae(X, settings), Origin.of(X, settings, EMBEDDER))
    (tmp_path / "other" / "sae.safetensors").replace(folder / "sae.safetensors")

    with pytest.raises(StoredFileError, match="does not match its record"):
        load_sae(folder)


def test_an_origin_survives_json():
    assert Origin(**json.loads(json.dumps(asdict(ORIGIN)))) == ORIGIN
