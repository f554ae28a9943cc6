import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel

FAMILIES = ["llama", "mistral", "qwen3", "gemma2", "gemma3", "gpt2", "gpt_neox", "bert"]
N_LAYERS = 4
TEXT = "Waves crash on the shore, and the soup was cold."


def hook_full_model(folder, family, ids):
    """Return what passes each place of the whole model, attention computed the plain way."""
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    seen = {}

    def keep(layer, name):
        def hook(_module, inputs, output):
            value = inputs[0] if name in ("resid_pre", "attn_z") else output
            seen[layer, name] = value if isinstance(value, torch.Tensor) else value[0]

        return hook

    for layer in (0, N_LAYERS - 1):
        block = model.get_submodule(family.layers)[layer]
        block.register_forward_hook(keep(layer, "resid_post"))
        block.register_forward_hook(keep(layer, "resid_pre"))
        for name in ("attn_out", "attn_z", "mlp_out"):
            submodule = block.get_submodule(getattr(family, name))
            submodule.register_forward_hook(keep(layer, name))
    with torch.no_grad():
        model(torch.tensor([ids]))
    return {place: value[0] for place, value in seen.items()}


@pytest.fixture(scope="module")
def full_model(saved, families):
    """What passes each place of the whole model of a family, which is run once."""
    made = {}

    def get(family, ids):
        key = (family, *ids)
        if key not in made:
            made[key] = hook_full_model(saved(family), families[family], ids)
        return made[key]

    return get


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("layer", "site"),
    [
        (0, "resid_pre"),
        (0, "resid_post"),
        (3, "resid_pre"),
        (3, "resid_post"),
        (3, "attn_out"),
        (3, "attn_z"),
        (3, "mlp_out"),
    ],
)
def test_the_cut_model_gives_what_passes_the_full_one(
    saved, load, read_all, full_model, family, site, layer
):
    reader = load(saved(family), layer=layer, site=site)

    (tokens,), (hidden,), _, _ = read_all(reader, [TEXT])

    wrapping = reader.rules.wrapping
    ids = [*wrapping.prefix, *tokens.token_ids.tolist(), *wrapping.suffix]
    expected = full_model(family, ids)[layer, site]
    begin = len(wrapping.prefix)
    expected = expected[begin : begin + len(hidden)]
    assert reader.d_in == expected.shape[1]
    torch.testing.assert_close(hidden, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "bert"])
def test_the_last_layer_is_read_before_the_final_norm(saved, load, read_all, family):
    folder = saved(family)
    reader = load(folder, layer=N_LAYERS - 1)

    (tokens,), (hidden,), _, _ = read_all(reader, [TEXT])

    model = AutoModel.from_pretrained(folder).eval()
    ids = torch.tensor([[*reader.rules.wrapping.prefix, *tokens.token_ids.tolist()]])
    with torch.no_grad():
        normed = model(ids).last_hidden_state[0, 1:]
    assert not torch.allclose(hidden, normed, atol=0.01)


def test_layers_above_are_not_built(saved, load):
    reader = load(saved("llama"), layer=1)

    names = dict(reader._model._model.named_parameters())
    assert any(name.startswith("layers.1.") for name in names)
    assert not any(name.startswith(("layers.2.", "lm_head")) for name in names)


@pytest.mark.parametrize("layer", [-1, N_LAYERS])
def test_a_layer_past_the_end_is_refused_with_the_number_there_is(saved, load, layer):
    with pytest.raises(
        ValueError, match=rf"layer {layer} is out of range: .* has 4 layers; .* 0 to 3"
    ):
        load(saved("llama"), layer=layer)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_encoders_are_told_from_causal_models_by_what_they_do(saved, load, dtype):
    assert load(saved("llama"), dtype=dtype)._model.is_causal
    assert load(saved("gemma3"), dtype=dtype)._model.is_causal
    assert load(saved("qwen3_moe"), dtype=dtype)._model.is_causal
    assert not load(saved("bert"), dtype=dtype)._model.is_causal


def test_the_text_part_of_a_multimodal_model_is_read(
    load, read_all, families, tokenizer_maker, tmp_path
):
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, SiglipVisionConfig

    torch.manual_seed(0)
    vision = SiglipVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=4, num_attention_heads=2,
        image_size=28, patch_size=14,
    )  # fmt: skip
    config = Gemma3Config(
        text_config=families["gemma3"].options, vision_config=vision.to_dict(),
        mm_tokens_per_image=4, image_token_index=419, boi_token_index=418, eoi_token_index=417,
    )  # fmt: skip
    model = Gemma3ForConditionalGeneration(config).eval()
    model.save_pretrained(tmp_path)
    tokenizer_maker().save_pretrained(tmp_path)

    (tokens,), (hidden,), _, _ = read_all(load(tmp_path, layer=1), [TEXT])

    ids = torch.tensor([[0, *tokens.token_ids.tolist()]])
    with torch.no_grad():
        out = model.model.language_model(ids, output_hidden_states=True)
    torch.testing.assert_close(hidden, out.hidden_states[2][0, 1:], rtol=1e-4, atol=1e-4)


def test_only_the_shards_of_the_first_layers_are_read(saved, load, read_all, tmp_path):
    folder = saved("llama")
    for path in folder.iterdir():
        if path.name != "model.safetensors":
            shutil.copy(path, tmp_path)
    weights = load_file(folder / "model.safetensors")
    late = {key: value for key, value in weights.items() if ".layers.3." in key or "lm_head" in key}
    early = {key: value for key, value in weights.items() if key not in late}
    save_file(early, tmp_path / "model-00001-of-00002.safetensors")
    names = {key: f"model-0000{1 + (key in late)}-of-00002.safetensors" for key in weights}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))

    _, (hidden,), _, _ = read_all(load(tmp_path, layer=2), [TEXT])
    _, (whole,), _, _ = read_all(load(folder, layer=2), [TEXT])

    assert torch.equal(hidden, whole)
    with pytest.raises(Exception, match=r"00002\.safetensors is missing although the index names"):
        load(tmp_path, layer=3)


def test_missing_weights_are_refused_not_drawn_at_random(saved, load, tmp_path):
    shutil.copytree(saved("llama"), tmp_path / "m")
    weights = load_file(tmp_path / "m" / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, tmp_path / "m" / "model.safetensors", {"format": "pt"})

    with pytest.raises(Exception, match=r"lacks weights .* layers\.1\.mlp\.up_proj\.weight"):
        load(tmp_path / "m", layer=1)
    assert load(tmp_path / "m", layer=0).d_in == 32


def test_damaged_weights_are_named(saved, load, tmp_path):
    shutil.copytree(saved("llama"), tmp_path / "m")
    path = tmp_path / "m" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(Exception, match=r"model\.safetensors is damaged or cut off"):
        load(tmp_path / "m")


def test_sites_inside_unknown_families_are_refused_and_residuals_read(
    load, tokenizer_maker, tmp_path
):
    from transformers import StableLmConfig, StableLmForCausalLM

    config = StableLmConfig(
        vocab_size=420, hidden_size=16, intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=32,
    )  # fmt: skip
    StableLmForCausalLM(config).save_pretrained(tmp_path)
    tokenizer_maker().save_pretrained(tmp_path)

    assert load(tmp_path, layer=1).d_in == 16
    with pytest.raises(
        ValueError, match=r"not known where mlp_out is in models of type 'stablelm'"
    ):
        load(tmp_path, layer=1, site="mlp_out")


def test_encoder_decoders_are_refused(load, tokenizer_maker, tmp_path):
    from transformers import T5Config

    T5Config(num_layers=2, d_model=8).save_pretrained(tmp_path)
    tokenizer_maker().save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")

    with pytest.raises(ValueError, match="encoder-decoder"):
        load(tmp_path)


def test_older_names_of_weights_are_understood(saved, load, read_all, tmp_path):
    shutil.copytree(saved("bert"), tmp_path / "m")
    path = tmp_path / "m" / "model.safetensors"
    weights = {
        key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("Norm.bias", "Norm.beta"): value
        for key, value in load_file(path).items()
    }
    save_file(weights, path, {"format": "pt"})

    _, (hidden,), _, _ = read_all(load(tmp_path / "m"), [TEXT])
    _, (expected,), _, _ = read_all(load(saved("bert")), [TEXT])

    assert torch.equal(hidden, expected)


def test_a_model_without_safetensors_is_read_without_running_code(saved, load, read_all, tmp_path):
    shutil.copytree(saved("gpt2"), tmp_path / "m")
    path = tmp_path / "m" / "model.safetensors"
    torch.save(load_file(path), tmp_path / "m" / "pytorch_model.bin")
    path.unlink()

    _, (hidden,), _, _ = read_all(load(tmp_path / "m"), [TEXT])
    _, (expected,), _, _ = read_all(load(saved("gpt2")), [TEXT])

    assert torch.equal(hidden, expected)
    torch.save({"transformer.h.0.x": Exception("code")}, tmp_path / "m" / "pytorch_model.bin")
    with pytest.raises(Exception, match="holds more than tensors"):
        load(tmp_path / "m")
