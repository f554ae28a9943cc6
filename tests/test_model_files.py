import shutil

import pytest

from interp_embed import _model_files
from interp_embed._model_files import digest_files, find_model, needed_shards
from interp_embed.errors import InputError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_a_local_folder_is_known_by_its_content(model, tmp_path):
    shutil.copytree(model, tmp_path / "other" / "model")
    first = find_model(str(model))

    assert first == find_model(str(model))
    assert first.sha256 == find_model(str(tmp_path / "other" / "model")).sha256
    (model / "model.safetensors").write_bytes(b"Weights")
    assert first.sha256 != find_model(str(model)).sha256


@pytest.mark.parametrize("name", ["./gone", "~/gone", "/gone"])
def test_a_path_that_is_not_there_is_not_looked_up_on_the_hub(name):
    with pytest.raises(InputError, match="there is no folder"):
        find_model(name)


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no weights \(\*\.safetensors\)"):
        find_model(str(tmp_path))


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


@pytest.mark.parametrize("n_layers", [None, 2])
def test_a_model_in_the_hub_cache_is_found_offline(model, hub_cache, n_layers):
    repository = hub_cache / "models--acme--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    shutil.copytree(model, repository / "snapshots" / COMMIT)

    found = find_model("acme/tiny", n_layers=n_layers)

    assert found.name == "acme/tiny"
    assert found.revision == COMMIT
    assert (found.folder / "model.safetensors").read_bytes() == b"weights"


def test_an_unknown_name_offline_says_what_to_pass_instead(hub_cache):
    with pytest.raises(
        InputError, match=r"is not on this machine .* use a folder's path, or 'all-"
    ):
        find_model("acme/none")


def test_a_name_no_repository_can_have_is_refused(hub_cache):
    with pytest.raises(InputError, match="not the name of a model"):
        find_model("a/b/c")


def test_only_shards_with_the_first_layers_are_needed():
    weight_map = {
        "model.embed_tokens.weight": "1",
        "model.layers.0.mlp.weight": "1",
        "model.layers.1.mlp.weight": "2",
        "model.layers.10.mlp.weight": "3",
        "model.norm.weight": "4",
        "lm_head.weight": "5",
    }

    assert needed_shards(weight_map, 1) == {"1", "4"}
    assert needed_shards(weight_map, 2) == {"1", "2", "4"}
    assert needed_shards(weight_map, 11) == {"1", "2", "3", "4"}
    assert needed_shards({"transformer.h.3.ln.bias": "1", "encoder.layer.0.w": "2"}, 1) == {"2"}


def test_large_files_are_sampled_from_start_to_end(tmp_path, monkeypatch):
    monkeypatch.setattr(_model_files, "_WHOLE", 1000)
    monkeypatch.setattr(_model_files, "_SAMPLE", 10)
    path = tmp_path / "large"
    content = bytearray(range(256)) * 8
    digests = set()
    for change in (None, 0, len(content) - 1):
        changed = bytearray(content)
        if change is not None:
            changed[change] ^= 1
        path.write_bytes(changed)
        digests.add(digest_files([path]))

    assert len(digests) == 3
