"""Each layout, written as its makers write it, gives what their own formula gives."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from interp_embed.errors import InputError, StoredFileError
from interp_embed.sae import (
    Declared,
    ReaderSAECard,
    ReaderSite,
    TrainingSettings,
    load_pretrained_sae,
    save_reader_sae,
    save_sae,
    train_sae,
)
from interp_embed.sae.checkpoint import Origin
from interp_embed.sae.rules import GroupMax, JumpRelu, TopK

D, F = 6, 40
RNG = np.random.default_rng(0)


def draw(*shape, scale=1.0):
    return (scale * RNG.standard_normal(shape)).astype(np.float32)


X = draw(30, D, scale=2.0)
ENC, DEC = draw(D, F), draw(F, D)  # as SAELens orients them
B_ENC, B_DEC = draw(F, scale=0.3), draw(D, scale=0.5)
THETA = np.abs(draw(F))
NORM = np.linalg.norm(DEC, axis=1)


def t(array):
    return torch.tensor(np.ascontiguousarray(array))


def relu(values):
    return np.maximum(values, 0)


def jump(pre, theta):
    return relu(pre) * (pre > theta)


def top_k(pre, k):
    kept = np.zeros_like(pre)
    for row, values in enumerate(pre):
        best = np.argsort(-values, kind="stable")[:k]
        kept[row, best] = relu(values[best])
    return kept


def check(sae, expected, x=X, atol=1e-5):
    got = sae.encode(torch.tensor(x)).toarray()
    assert ((got > 0) == (expected > 0)).all()
    assert got == pytest.approx(expected, abs=atol, rel=1e-6)
    if sae.decoder is not None:
        assert sae.decode(sae.encode(torch.tensor(x))).shape == x.shape


def write(folder, name, config, tensors, weights="sae_weights.safetensors"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(config))
    (folder / weights).parent.mkdir(exist_ok=True)
    save_file({key: t(value) for key, value in tensors.items()}, folder / weights)
    return folder


def saelens(folder, config, **tensors):
    base = {"W_enc": ENC, "W_dec": DEC, "b_enc": B_ENC, "b_dec": B_DEC}
    return write(folder, "cfg.json", {"d_in": D, "d_sae": F, **config}, base | tensors)


METADATA = {
    "sae_lens_version": "6.5.0",
    "model_name": "gpt2-small",
    "hook_name": "blocks.8.hook_resid_pre",
    "prepend_bos": False,
    "context_size": 128,
}


def test_an_old_flat_saelens_config_subtracts_the_decoder_bias_by_default(tmp_path):
    config = {
        "hook_point": "blocks.3.hook_resid_post",
        "model_name": "gemma-2-2b",
        "activation_fn_str": "relu",
        "normalize_activations": False,
        "context_size": 256,
    }
    sae = load_pretrained_sae(saelens(tmp_path / "a", config))

    check(sae, relu((X - B_DEC) @ ENC + B_ENC))
    assert sae.site == ReaderSite("google/gemma-2-2b", 3, "resid_post", True, 256)
    decoded = relu((X - B_DEC) @ ENC + B_ENC) @ DEC + B_DEC
    assert sae.decode(sae.encode(torch.tensor(X))) == pytest.approx(decoded, abs=1e-4)


def test_an_old_flat_saelens_config_with_topk_is_a_topk_sae(tmp_path):
    config = {
        "activation_fn_str": "topk",
        "activation_fn_kwargs": {"k": 7},
        "architecture": "standard",
        "apply_b_dec_to_input": False,
    }
    sae = load_pretrained_sae(saelens(tmp_path / "a", config))

    check(sae, top_k(X @ ENC + B_ENC, 7))


def test_a_new_nested_saelens_config_gives_site_and_rule(tmp_path):
    config = {
        "architecture": "jumprelu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "metadata": METADATA | {"model_from_pretrained_kwargs": {"center_writing_weights": True}},
    }
    sae = load_pretrained_sae(saelens(tmp_path / "a", config, threshold=THETA))

    centered = X - X.mean(axis=1, keepdims=True)
    check(sae, jump((centered - B_DEC) @ ENC + B_ENC, THETA))
    assert sae.site == ReaderSite("gpt2", 8, "resid_pre", False, 128, center=True)
    assert isinstance(sae.rule, JumpRelu)


def test_hf_hook_name_goes_before_hook_name(tmp_path):
    metadata = METADATA | {"hf_hook_name": "model.layers.5.output", "model_name": "org/model"}
    config = {"architecture": "standard", "metadata": metadata}

    site = load_pretrained_sae(saelens(tmp_path / "a", config)).site

    assert (site.model, site.layer, site.site) == ("org/model", 5, "resid_post")


def test_saelens_topk_rescaled_by_decoder_norm_chooses_in_those_units(tmp_path):
    config = {
        "architecture": "topk",
        "k": 5,
        "rescale_acts_by_decoder_norm": True,
        "apply_b_dec_to_input": False,
        "metadata": METADATA,
    }
    folder = saelens(tmp_path / "a", config)
    expected = top_k((X @ ENC + B_ENC) * NORM, 5)

    sae = load_pretrained_sae(folder)
    check(sae, expected)
    decoded = (expected / NORM) @ DEC + B_DEC
    assert sae.decode(sae.encode(torch.tensor(X))) == pytest.approx(decoded, abs=1e-4)
    check(load_pretrained_sae(folder, with_decoder=False), expected)


def test_saelens_gated(tmp_path):
    gate, mag, r_mag = draw(F, scale=0.3), draw(F, scale=0.3), draw(F, scale=0.3)
    config = {"architecture": "gated", "apply_b_dec_to_input": True, "metadata": METADATA}
    folder = saelens(tmp_path / "a", config, b_gate=gate, b_mag=mag, r_mag=r_mag)

    shifted = X - B_DEC
    expected = (shifted @ ENC + gate > 0) * relu(shifted @ (ENC * np.exp(r_mag)) + mag)
    check(load_pretrained_sae(folder), expected)


def test_saelens_normalisations(tmp_path):
    config = {"architecture": "standard", "apply_b_dec_to_input": False, "metadata": METADATA}
    a = saelens(tmp_path / "a", config | {"normalize_activations": "constant_norm_rescale"})
    b = saelens(tmp_path / "b", config | {"normalize_activations": "layer_norm"})
    c = saelens(tmp_path / "c", config | {"normalize_activations": "expected_average_only_in"})

    scaled = X * np.sqrt(D) / np.linalg.norm(X, axis=1, keepdims=True)
    centered = X - X.mean(axis=1, keepdims=True)
    normed = centered / (X.std(axis=1, ddof=1, keepdims=True) + 1e-5)
    check(load_pretrained_sae(a), relu(scaled @ ENC + B_ENC))
    check(load_pretrained_sae(b), relu(normed @ ENC + B_ENC))
    with pytest.raises(InputError, match="times a constant"):
        load_pretrained_sae(c)
    check(load_pretrained_sae(c, input_scale=0.5), relu(0.5 * X @ ENC + B_ENC))
    reconstructed = load_pretrained_sae(b).reconstruct(torch.tensor(X)).numpy()
    spread, mean = X.std(axis=1, ddof=1, keepdims=True), X.mean(axis=1, keepdims=True)
    decoded = (relu(normed @ ENC + B_ENC) @ DEC + B_DEC) * spread + mean
    assert reconstructed == pytest.approx(decoded, abs=1e-4)


def test_a_saelens_transcoder_is_its_encoder(tmp_path):
    config = {
        "architecture": "jumprelu_transcoder",
        "d_out": 4,
        "apply_b_dec_to_input": False,
        "metadata": METADATA | {"hook_name": "blocks.2.hook_mlp_in"},
    }
    folder = saelens(tmp_path / "a", config, W_dec=draw(F, 4), b_dec=draw(4), threshold=THETA)

    sae = load_pretrained_sae(folder)

    check(sae, jump(X @ ENC + B_ENC, THETA))
    assert sae.decoder is None
    assert sae.site.site == "mlp_in"
    with pytest.raises(InputError, match="no decoder"):
        sae.decode(sae.encode(torch.tensor(X)))


def test_saelens_architectures_not_supported_are_named(tmp_path):
    folder = saelens(tmp_path / "a", {"architecture": "temporal", "metadata": METADATA})

    with pytest.raises(InputError, match="'temporal', which is not supported"):
        load_pretrained_sae(folder)


def gemma_scope(folder):
    folder.mkdir(parents=True)
    arrays = {"W_enc": ENC, "W_dec": DEC, "b_enc": B_ENC, "b_dec": B_DEC, "threshold": THETA}
    np.savez(folder / "params.npz", **arrays)
    return folder


def test_gemma_scope_1_has_a_threshold_a_feature_and_is_known_by_its_path(tmp_path):
    place = "gemma-scope-9b-it-res/layer_20/width_16k/average_l0_91"
    sae = load_pretrained_sae(gemma_scope(tmp_path / place))

    check(sae, jump(X @ ENC + B_ENC, THETA))
    assert sae.site == ReaderSite("google/gemma-2-9b-it", 20, "resid_post", True, 1024)
    assert sae.declared.l0 == 91


def test_gemma_scope_1_reads_attention_before_its_last_projection(tmp_path):
    folder = gemma_scope(tmp_path / "gemma-scope-2b-pt-att" / "layer_3/width_16k/average_l0_9")

    assert load_pretrained_sae(folder).site.site == "attn_z"


def test_gemma_scope_1_embedding_saes_read_embeddings_before_their_scale(tmp_path):
    place = "gemma-scope-2b-pt-res/embedding/width_4k/average_l0_21"
    sae = load_pretrained_sae(gemma_scope(tmp_path / place))

    check(sae, jump(X / np.sqrt(D) @ ENC + B_ENC, THETA))
    decoded = np.sqrt(D) * (jump(X / np.sqrt(D) @ ENC + B_ENC, THETA) @ DEC + B_DEC)
    assert sae.decode(sae.encode(torch.tensor(X))) == pytest.approx(decoded, abs=1e-4)


SCOPE_2 = {"w_enc": ENC, "w_dec": DEC, "b_enc": B_ENC, "b_dec": B_DEC, "threshold": THETA}


def test_gemma_scope_2_with_and_without_its_config(tmp_path):
    config = {
        "architecture": "jump_relu",
        "model_name": "gemma-v3-1b-it",
        "hf_hook_point_in": "model.layers.22.output",
    }
    place = "gemma-scope-2-1b-it/resid_post/layer_22_width_16k_l0_medium"
    folder = write(tmp_path / place, "config.json", config, SCOPE_2, "params.safetensors")
    told = load_pretrained_sae(folder)
    (folder / "config.json").unlink()
    guessed = load_pretrained_sae(folder)

    check(told, jump(X @ ENC + B_ENC, THETA))
    check(guessed, jump(X @ ENC + B_ENC, THETA))
    assert told.site == guessed.site
    assert told.site == ReaderSite("google/gemma-3-1b-it", 22, "resid_post", True, 1024)


def llama_scope(folder, decoder, **changes):
    config = {
        "d_model": D,
        "d_sae": F,
        "act_fn": "jumprelu",
        "jump_relu_threshold": 0.2,
        "dataset_average_activation_norm": {"in": 1.25, "out": 1.25},
        "hook_point_in": "blocks.15.hook_resid_post",
        "hook_point_out": "blocks.15.hook_resid_post",
        "sparsity_include_decoder_norm": True,
        **changes,
    }
    tensors = {
        "encoder.weight": ENC.T,
        "encoder.bias": B_ENC,
        "decoder.weight": decoder.T,
        "decoder.bias": B_DEC,
    }
    return write(folder, "hyperparams.json", config, tensors, "checkpoints/final.safetensors")


def test_llama_scope_scales_its_input_and_its_one_threshold(tmp_path):
    scale = np.sqrt(D) / 1.25
    unit = DEC / NORM[:, None]
    sae = load_pretrained_sae(llama_scope(tmp_path / "a", unit))

    # The native library folds the scale away: its pre-activations are 1/scale times these.
    native = X @ ENC + B_ENC / scale
    check(sae, scale * jump(native, 0.2), atol=2e-5)
    assert sae.site == ReaderSite("meta-llama/Llama-3.1-8B", 15, "resid_post", True, 1024)
    decoded = jump(native, 0.2) @ unit + B_DEC / scale
    assert sae.decode(sae.encode(torch.tensor(X))) == pytest.approx(decoded, abs=1e-4)


def test_llama_scope_compares_with_the_threshold_in_units_of_the_decoder(tmp_path):
    scale = np.sqrt(D) / 1.25
    sae = load_pretrained_sae(llama_scope(tmp_path / "a", DEC))

    native = (X @ ENC + B_ENC / scale) * NORM
    check(sae, scale * jump(native, 0.2), atol=1e-4)


def test_llama_scope_r1_keeps_the_logarithm_of_its_thresholds(tmp_path):
    config = {
        "d_model": D,
        "norm_activation": "dataset-wise",
        "hook_point_in": "blocks.15.hook_resid_post",
        "sparsity_include_decoder_norm": False,
    }
    tensors = {
        "encoder.weight": ENC.T,
        "encoder.bias": B_ENC,
        "decoder.weight": DEC.T,
        "decoder.bias": B_DEC,
        "log_jumprelu_threshold": np.log(THETA),
    }
    folder = write(tmp_path / "a", "config.json", config, tensors)

    with pytest.raises(InputError, match="mean norm"):
        load_pretrained_sae(folder)
    check(load_pretrained_sae(folder, input_scale=3.0), jump(3 * X @ ENC + B_ENC, THETA), atol=2e-5)


def test_goodfire_of_any_width(tmp_path):
    path = tmp_path / "Llama-3.3-70B-Instruct-SAE-l50.pt"
    linear = {
        "encoder_linear.weight": t(ENC.T),
        "encoder_linear.bias": t(B_ENC),
        "decoder_linear.weight": t(DEC.T),
        "decoder_linear.bias": t(B_DEC),
    }
    torch.save(linear, path)

    sae = load_pretrained_sae(path)

    check(sae, relu(X @ ENC + B_ENC))
    assert (sae.d_in, sae.n_features) == (D, F)
    assert (sae.site.model, sae.site.layer) == ("meta-llama/Llama-3.3-70B-Instruct", 50)


def test_qwen_scope_takes_k_from_the_repository_name(tmp_path):
    folder = tmp_path / "SAE-Res-Qwen3-1.7B-Base-W32K-L0_9"
    folder.mkdir()
    parts = {"W_enc": t(ENC.T), "W_dec": t(DEC.T), "b_enc": t(B_ENC), "b_dec": t(B_DEC)}
    torch.save(parts, folder / "layer4.sae.pt")
    torch.save(parts, tmp_path / "layer4.sae.pt")

    sae = load_pretrained_sae(folder, sae_id="layer4.sae.pt")

    check(sae, top_k(X @ ENC + B_ENC, 9))
    assert sae.site == ReaderSite("Qwen/Qwen3-1.7B-Base", 4, "resid_post", False, 1024)
    with pytest.raises(InputError, match="told only by the name"):
        load_pretrained_sae(tmp_path / "layer4.sae.pt")


LINEAR = {"encoder.weight": ENC.T, "decoder.weight": DEC.T, "encoder.bias": B_ENC}
TRANSPOSED = {"W_enc": ENC, "W_dec": DEC, "b_enc": B_ENC, "b_dec": B_DEC}
GATED = {
    "encoder.weight": ENC.T,
    "decoder.weight": DEC.T,
    "decoder_bias": B_DEC,
    "gate_bias": 0.5 * B_ENC,
    "mag_bias": B_ENC,
    "r_mag": 0.2 * B_ENC,
}
SHIFTED = (X - B_DEC) @ ENC
DICTIONARY_LEARNING = {
    "AutoEncoder": (LINEAR | {"bias": B_DEC}, relu(SHIFTED + B_ENC)),
    "AutoEncoderNew": (LINEAR | {"decoder.bias": B_DEC}, relu(X @ ENC + B_ENC)),
    "AutoEncoderTopK": (
        LINEAR | {"b_dec": B_DEC, "k": np.array(6), "threshold": np.float32(1e9)},
        top_k(SHIFTED + B_ENC, 6),
    ),
    "BatchTopKSAE": (
        LINEAR | {"b_dec": B_DEC, "k": np.array(6), "threshold": np.float32(0.7)},
        jump(SHIFTED + B_ENC, 0.7),
    ),
    "MatryoshkaBatchTopKSAE": (
        TRANSPOSED | {"k": np.array(6), "threshold": np.float32(0.7)},
        jump(SHIFTED + B_ENC, 0.7),
    ),
    "JumpReluAutoEncoder": (TRANSPOSED | {"threshold": THETA}, jump(X @ ENC + B_ENC, THETA) * NORM),
    "GatedAutoEncoder": (
        GATED,
        NORM * (SHIFTED + 0.5 * B_ENC > 0) * relu(np.exp(0.2 * B_ENC) * SHIFTED + B_ENC),
    ),
}


@pytest.mark.parametrize("name", DICTIONARY_LEARNING)
def test_dictionary_learning_by_class(tmp_path, name):
    tensors, expected = DICTIONARY_LEARNING[name]
    torch.save({key: torch.tensor(value) for key, value in tensors.items()}, tmp_path / "ae.pt")
    trainer = {"dict_class": name, "layer": 12, "lm_name": "openai/gpt-oss-20b", "k": 6}
    config = {"trainer": trainer, "buffer": {"ctx_len": 512}}
    (tmp_path / "config.json").write_text(json.dumps(config))

    sae = load_pretrained_sae(tmp_path)

    check(sae, expected, atol=3e-5)
    check(load_pretrained_sae(tmp_path, with_decoder=False), expected, atol=3e-5)
    assert sae.site == ReaderSite("openai/gpt-oss-20b", 12, "resid_post", True, 512)


@pytest.mark.parametrize("transcode", [False, True])
@pytest.mark.parametrize("activation", ["topk", "groupmax"])
def test_sparsify_subtracts_the_decoder_bias_but_in_transcoders(tmp_path, activation, transcode):
    config = {"d_in": D, "k": 8, "activation": activation, "normalize_decoder": True}
    tensors = {"encoder.weight": ENC.T, "encoder.bias": B_ENC, "W_dec": DEC, "b_dec": B_DEC}
    folder = tmp_path / "layers.3"
    write(folder, "cfg.json", config | {"transcode": transcode}, tensors, "sae.safetensors")
    (tmp_path / "config.json").write_text('{"model": "EleutherAI/pythia-160m", "ctx_len": 2048}')

    sae = load_pretrained_sae(folder)

    pre = relu((X - (0 if transcode else B_DEC)) @ ENC + B_ENC)
    groups = pre.reshape(len(X), 8, F // 8)
    largest = (groups * (groups == groups.max(axis=2, keepdims=True))).reshape(len(X), F)
    check(sae, top_k(pre, 8) if activation == "topk" else largest)
    assert isinstance(sae.rule, TopK if activation == "topk" else GroupMax)
    assert (sae.site.model, sae.site.layer) == ("EleutherAI/pythia-160m", 3)


@pytest.mark.parametrize("batch", [False, True])
def test_hypothesaes_checkpoints(tmp_path, batch):
    state = {
        "encoder.weight": t(ENC.T),
        "decoder.weight": t(DEC.T),
        "input_bias": t(B_DEC),
        "neuron_bias": t(B_ENC),
        "threshold": torch.tensor(0.6),
    }
    config = {"input_dim": D, "m_total_neurons": F, "k_active_neurons": 4, "use_batch_topk": batch}
    torch.save({"config": config, "state_dict": state}, tmp_path / "SAE_M=40_K=4.pt")

    sae = load_pretrained_sae(tmp_path / "SAE_M=40_K=4.pt")

    pre = SHIFTED + B_ENC
    check(sae, jump(pre, 0.6) if batch else top_k(pre, 4))
    assert sae.site is None


@pytest.mark.parametrize("rule", ["topk", "batch_topk"])
def test_own_saes_of_both_kinds_encode_as_they_did(tmp_path, rule):
    settings = TrainingSettings(16, 3, rule=rule, max_epochs=2)
    x = draw(80, D)
    trained = train_sae(x, settings)
    save_sae(tmp_path / "embedding", trained, Origin.of(x, settings))
    site = ReaderSite("org/model", 3, "resid_post", True, 128)
    card = ReaderSAECard(site, Declared(0.8, 3.0, 0.0), data={"n": 80})
    save_reader_sae(tmp_path / "reader", trained.weights, card)

    expected = trained.weights.encode(x).toarray()
    embedding = load_pretrained_sae(tmp_path / "embedding")
    reader = load_pretrained_sae(tmp_path / "reader")

    check(embedding, expected, x)
    halves = {
        name: getattr(trained.weights, name).astype(np.float16).astype(np.float32)
        for name in ("encoder", "encoder_bias", "decoder", "decoder_bias")
    }
    check(reader, replace(trained.weights, **halves).encode(x).toarray(), x)
    assert reader.site == site
    assert reader.declared == card.declared


def test_a_reader_sae_with_changed_weights_is_refused(tmp_path):
    weights = train_sae(draw(80, D), TrainingSettings(16, 3, max_epochs=1)).weights
    save_reader_sae(tmp_path, weights, ReaderSAECard(ReaderSite("org/model", 3, "resid_post")))
    content = bytearray((tmp_path / "sae.safetensors").read_bytes())
    content[-3] ^= 1
    (tmp_path / "sae.safetensors").write_bytes(content)

    with pytest.raises(StoredFileError, match="changed since it was written"):
        load_pretrained_sae(tmp_path)
