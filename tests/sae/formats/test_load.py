"""Names, tables of releases, the hub's cache on disk, and files that are damaged or hostile."""

import json
import os
import pickle

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from interp_embed.errors import (
    InputError,
    InterpEmbedError,
    MissingExtraError,
    StoredFileError,
)
from interp_embed.sae import ReaderSite, from_saelens, load_pretrained_sae
from interp_embed.sae.formats.releases import find_release

D, F = 4, 8
CONFIG = {
    "architecture": "jumprelu",
    "apply_b_dec_to_input": False,
    "metadata": {"model_name": "gpt2-small", "hook_name": "blocks.8.hook_resid_pre"},
}


def tensors(seed=0, d=D, f=F):
    draw = torch.Generator().manual_seed(seed)
    return {
        "W_enc": torch.randn(d, f, generator=draw),
        "W_dec": torch.randn(f, d, generator=draw),
        "b_enc": torch.randn(f, generator=draw),
        "b_dec": torch.randn(d, generator=draw),
        "threshold": torch.rand(f, generator=draw),
    }


def write_saelens(folder, config=CONFIG, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cfg.json").write_text(json.dumps(config))
    save_file(tensors() | changes, folder / "sae_weights.safetensors")
    return folder


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache of the hub, and no connection."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def snapshot(hub, repository, commit="c" * 40):
    root = hub / f"models--{repository.replace('/', '--')}"
    (root / "refs").mkdir(parents=True, exist_ok=True)
    (root / "refs" / "main").write_text(commit)
    return root / "snapshots" / commit


def test_a_repository_is_read_from_the_hub_cache(hub):
    write_saelens(snapshot(hub, "org/saes") / "blocks.8.hook_resid_pre")

    sae = load_pretrained_sae("org/saes", sae_id="blocks.8.hook_resid_pre")

    assert (sae.n_features, sae.d_in) == (F, D)
    assert sae.site == ReaderSite("gpt2", 8, "resid_pre", True)
    assert sae.identity["name"] == "org/saes/blocks.8.hook_resid_pre"
    assert sae.identity["format"] == "saelens"
    assert sae.identity["rule"] == {"name": "JumpRelu"}


def test_the_digest_follows_the_content_not_the_place(tmp_path):
    first = load_pretrained_sae(write_saelens(tmp_path / "a"))
    same = load_pretrained_sae(write_saelens(tmp_path / "b"))
    other = load_pretrained_sae(write_saelens(tmp_path / "c", b_enc=torch.ones(F)))

    assert first.identity["sha256"] == same.identity["sha256"]
    assert first.identity["sha256"] != other.identity["sha256"]


def test_a_builtin_release_needs_no_extra_package(hub, monkeypatch):
    monkeypatch.setattr("interp_embed.sae.formats.load.find_table", lambda: None)
    folder = snapshot(hub, "Goodfire/Llama-3.1-8B-Instruct-SAE-l19")
    folder.mkdir(parents=True)
    parts = tensors()
    linear = {
        "encoder_linear.weight": parts["W_enc"].T.contiguous(),
        "encoder_linear.bias": parts["b_enc"],
        "decoder_linear.weight": parts["W_dec"].T.contiguous(),
        "decoder_linear.bias": parts["b_dec"],
    }
    torch.save(linear, folder / "Llama-3.1-8B-Instruct-SAE-l19.pth")

    sae = load_pretrained_sae("goodfire-llama-3.1-8b-instruct")

    assert sae.declared.l0 == 91
    assert sae.site == ReaderSite("meta-llama/Llama-3.1-8B-Instruct", 19, "resid_post", True)


def test_other_release_names_need_saelens_and_name_the_command(monkeypatch):
    monkeypatch.setattr("interp_embed.sae.formats.load.find_table", lambda: None)

    with pytest.raises(MissingExtraError, match=r"pip install 'interp-embed\[saelens\]'"):
        load_pretrained_sae("some-release", sae_id="x")


TABLE = """\
first-release:
  conversion_func: qwen_scope
  model: Qwen/Qwen3-8B-Base
  repo_id: Qwen/SAE-Res-Qwen3-8B-Base-W64K-L0_50
  saes:
  - id: layer0
    path: layer0.sae.pt
gpt2-small-mlp-tm:
  config_overrides:
    model_from_pretrained_kwargs:
      center_writing_weights: true
  conversion_func: null
  model: gpt2-small
  repo_id: org/gpt2-mlp
  saes:
  - id: blocks.0.hook_mlp_out
    l0: 15.0
    norm_scaling_factor: 0.25
    path: sae_group:v1
    variance_explained: 0.999
  - id: blocks.1.hook_mlp_out
    path: other
odd-release:
  conversion_func: temporal
  model: gpt2
  repo_id: org/odd
  saes:
  - id: a
    path: a
"""


@pytest.fixture
def table(tmp_path, monkeypatch):
    path = tmp_path / "pretrained_saes.yaml"
    path.write_text(TABLE)
    monkeypatch.setattr("interp_embed.sae.formats.load.find_table", lambda: path)
    return path


def test_a_release_of_saelens_brings_its_scale_centring_and_figures(hub, table):
    config = CONFIG | {"normalize_activations": "expected_average_only_in"}
    metadata = {"model_name": "gpt2-small", "hook_name": "blocks.0.hook_mlp_out"}
    folder = snapshot(hub, "org/gpt2-mlp") / "sae_group:v1"
    write_saelens(folder, config | {"metadata": metadata})

    sae = load_pretrained_sae("gpt2-small-mlp-tm", sae_id="blocks.0.hook_mlp_out")

    assert sae.site == ReaderSite("gpt2", 0, "mlp_out", True, None, center=True)
    assert (sae.declared.variance_explained, sae.declared.l0) == (0.999, 15.0)
    assert sae.identity["scale"] == 0.25
    assert torch.equal(sae.encoder, 0.25 * tensors()["W_enc"].T)


def test_wrong_releases_and_ids_are_answered_with_near_ones(table):
    with pytest.raises(InputError, match="near to it: gpt2-small-mlp-tm"):
        load_pretrained_sae("gpt2-small-mlp", sae_id="x")
    with pytest.raises(InputError, match=r"near to it: blocks\.0\.hook_mlp_out"):
        load_pretrained_sae("gpt2-small-mlp-tm", sae_id="blocks.0.hook_mlp")
    with pytest.raises(InputError, match="layout 'temporal', which is not supported"):
        load_pretrained_sae("odd-release")
    assert find_release("first-release", None, table=table).path == "layer0.sae.pt"


def test_a_damaged_table_is_named(table):
    table.write_text("broken:\n  saes: [1, {\n")

    with pytest.raises(StoredFileError, match="no readable entry 'broken'"):
        find_release("broken", None, table=table)


def test_names_that_lead_nowhere_say_what_was_understood(tmp_path, hub):
    with pytest.raises(InputError, match="does not exist"):
        load_pretrained_sae(tmp_path / "none")
    with pytest.raises(InputError, match="does not exist"):
        load_pretrained_sae("./none")
    with pytest.raises(InputError, match="as sae_id="):
        load_pretrained_sae("org/name/folder")
    with pytest.raises(InputError, match=r"no known SAE.*sae_weights\.safetensors"):
        load_pretrained_sae(tmp_path)
    with pytest.raises(InputError, match="the hub cannot be reached"):
        load_pretrained_sae("org/absent", sae_id="folder")
    with pytest.raises(InputError, match="unknown format 'npz'; known: interp_embed"):
        load_pretrained_sae(write_saelens(tmp_path / "a"), format="npz")


def test_the_decoder_can_be_left_out_and_a_site_given(tmp_path):
    site = ReaderSite("my/model", 2, "mlp_out")
    folder = write_saelens(tmp_path / "a")

    sae = load_pretrained_sae(folder, with_decoder=False, site=site, dtype="bfloat16", device="cpu")

    assert sae.decoder is None
    assert sae.site == site
    assert sae.encoder.dtype == torch.bfloat16
    assert sae.encoder_bias.dtype == torch.float32


class Config:
    def to_dict(self):
        return CONFIG


class LoadedSAE:
    cfg = Config()

    def state_dict(self):
        return tensors()


def test_an_sae_that_saelens_loaded_is_taken_over(tmp_path):
    hidden = torch.randn(9, D, generator=torch.Generator().manual_seed(1))
    from_files = load_pretrained_sae(write_saelens(tmp_path / "a"))

    taken = from_saelens(LoadedSAE())

    assert (taken.encode(hidden) != from_files.encode(hidden)).nnz == 0
    assert taken.site == from_files.site
    with pytest.raises(InputError, match="SAELens 6 or later, but got dict"):
        from_saelens({})


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["ae.pt", "layer0.sae.pt"])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path, name):
    (tmp_path / "config.json").write_text('{"trainer": {"dict_class": "AutoEncoder"}}')
    torch.save({"encoder.weight": Trap(tmp_path / "ran")}, tmp_path / name)
    target = tmp_path if name == "ae.pt" else tmp_path / name

    with pytest.raises(StoredFileError, match="asks to run code, which is refused"):
        load_pretrained_sae(target)
    (tmp_path / name).write_bytes(pickle.dumps(Trap(tmp_path / "ran")))
    with pytest.raises(StoredFileError):
        load_pretrained_sae(target)
    assert not (tmp_path / "ran").exists()


def test_an_npz_of_objects_is_refused(tmp_path):
    np.savez(tmp_path / "params.npz", W_enc=np.array([Trap(tmp_path / "ran")]))

    with pytest.raises(StoredFileError, match="damaged or cut off"):
        load_pretrained_sae(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b_enc": torch.zeros(F + 1)}, r"encoder bias should have the shape \(8,\)"),
        ({"W_dec": torch.zeros(D, F)}, r"decoder should have the shape \(8, 4\)"),
        ({"W_enc": torch.zeros(D, F, dtype=torch.int64)}, "encoder should be floating point"),
        ({"W_enc": torch.full((D, F), torch.nan)}, "encoder holds NaN"),
        ({"threshold": torch.full((F,), torch.inf)}, "threshold holds NaN, infinity"),
        ({"W_enc": torch.zeros(0, F)}, "encoder should be a matrix"),
        ({"W_enc": torch.zeros(F)}, "W_enc should be a matrix"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path, change, message):
    with pytest.raises(StoredFileError, match=message):
        load_pretrained_sae(write_saelens(tmp_path / "a", **change))


def test_configs_without_sense_are_named(tmp_path):
    folder = write_saelens(tmp_path / "a", {"architecture": "topk", "k": "many", "metadata": {}})
    with pytest.raises(StoredFileError, match="k should be a number, but is 'many'"):
        load_pretrained_sae(folder)
    (folder / "cfg.json").write_text('{"architecture": "topk", "k": 9}')
    with pytest.raises(StoredFileError, match="k=9 does not fit an SAE of 8 features"):
        load_pretrained_sae(folder)
    (folder / "cfg.json").write_text("[1]")
    with pytest.raises(StoredFileError, match="JSON object"):
        load_pretrained_sae(folder)


def sample_files(folder):
    """A checkpoint of each way of storing tensors, as bytes by file name."""
    parts = tensors()
    write_saelens(folder / "safetensors")
    (folder / "npz").mkdir()
    np.savez(folder / "npz" / "params.npz", **{k: v.numpy() for k, v in parts.items()})
    (folder / "torch").mkdir()
    torch.save(parts, folder / "torch" / "ae.pt")
    config = {"trainer": {"dict_class": "JumpReluAutoEncoder", "layer": 1, "lm_name": "gpt2"}}
    (folder / "torch" / "config.json").write_text(json.dumps(config))
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return sample_files(tmp_path_factory.mktemp("samples"))


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_files_give_an_sae_or_our_error_and_nothing_else(tmp_path, samples, data):
    name = data.draw(st.sampled_from(sorted(samples)))
    content = bytearray(samples[name])
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        # headers and directories lie at the ends: damage there is the most telling
        places = st.one_of(
            st.integers(0, len(content) - 1),
            st.integers(0, min(400, len(content) - 1)),
            st.integers(max(0, len(content) - 400), len(content) - 1),
        )
        for place in data.draw(st.lists(places, min_size=1, max_size=4)):
            content[place] ^= 1 << data.draw(st.integers(0, 7))
    for other, whole in samples.items():
        path = tmp_path / other
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(content) if other == name else whole)

    try:
        sae = load_pretrained_sae(tmp_path / name.parts[0])
    except InterpEmbedError:
        return
    assert np.isfinite(sae.encode(torch.ones(3, sae.d_in)).data).all()
