import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from interp_embed import Dataset
from interp_embed.errors import InputError
from interp_embed.readers import PrecomputedSource, SavedHidden
from interp_embed.sae import BoundSAE, GoodfireSAE, LocalSAE
from interp_embed.sae.bound import bundled_folder, sae_from_metadata

LAYER = 19


@pytest.fixture(scope="module")
def goodfire(tiny_chat_model, tmp_path_factory):
    """A Llama of 21 tiny layers and an SAE in Goodfire's layout."""
    folder = tmp_path_factory.mktemp("goodfire")
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=64,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=21,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=64,
            bos_token_id=1,
            eos_token_id=2,
        )
    )
    model.save_pretrained(folder / "model")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / "model" / name).write_bytes((tiny_chat_model / name).read_bytes())
    weights = {
        "encoder_linear.weight": torch.randn(24, 16), "encoder_linear.bias": torch.zeros(24),
        "decoder_linear.weight": torch.randn(16, 24), "decoder_linear.bias": torch.zeros(16),
    }  # fmt: skip
    torch.save(weights, folder / "Llama-3.1-8B-Instruct-SAE-l19.pth")
    return folder, model.eval(), weights


def test_goodfire_reads_the_layer_of_its_name_in_the_assistants_turn(goodfire):
    folder, model, weights = goodfire
    sae = GoodfireSAE(
        model=str(folder / "model"),
        sae=str(folder / "Llama-3.1-8B-Instruct-SAE-l19.pth"),
        max_norm_ratio=None,
    )
    text = "good soup"
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    turn = [{"role": "assistant", "content": text}]
    ids = tokenizer.apply_chat_template(turn, return_dict=True)["input_ids"]
    with torch.inference_mode():
        states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states[LAYER + 1][0]
    soup = ids.index(tokenizer.convert_tokens_to_ids("soup"))
    pre = states[soup] @ weights["encoder_linear.weight"].T + weights["encoder_linear.bias"]

    dataset = Dataset([text], sae, tokens="all", precision="full", progress=False)

    tokens = {
        token["token"]: [
            entry["activation"]
            for feature in range(24)
            for entry in dataset[0].token_activations(feature, as_string=False)
            if entry["token"] == token["token"]
        ]
        for token in dataset[0].token_activations(0, as_string=False)
        if token["token"]
    }
    np.testing.assert_allclose(tokens["soup"], pre.clamp_min(0).numpy(), rtol=1e-4, atol=1e-5)
    assert set(tokens) == {"good", "soup"}


def test_metadata_makes_the_same_object_again(goodfire, tiny_sae):
    folder, _, _ = goodfire
    sae = GoodfireSAE(model=str(folder / "model"), sae=str(folder), use_assistant_role=False)
    assert sae_from_metadata(sae.metadata()).metadata() == sae.metadata()
    assert sae_from_metadata(tiny_sae.metadata()).metadata() == tiny_sae.metadata()
    with pytest.raises(InputError, match="cannot be made again here; pass sae="):
        sae_from_metadata({"class": "os.system"})


def test_models_are_loaded_when_needed_and_let_go(tiny_sae):
    assert not tiny_sae.is_loaded()
    assert tiny_sae.encode(["good soup"])[0].shape == (2, 40)
    assert tiny_sae.is_loaded()
    assert tiny_sae.tokenize(["good soup"]) == [["good", "soup"]]
    tiny_sae.destroy()
    assert not tiny_sae.is_loaded()


def test_the_role_a_text_is_given_to_changes_the_identity(goodfire):
    folder, _, _ = goodfire
    options = {"model": str(folder / "model"), "sae": str(folder)}
    one, two = (GoodfireSAE(use_assistant_role=role, **options) for role in (True, False))
    assert one.source.identity != two.source.identity


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": {"model": "cpu"}}, "got keys"),
        ({"device": "abacus"}, "the device 'abacus' cannot be used here"),
        ({"layer": 3}, "layer"),
        ({"site": "attic"}, "site"),
        ({"dtype": "float7"}, "dtype"),
    ],
)
def test_what_cannot_be_loaded_says_why(tiny_model, tiny_sae_folder, arguments, message):
    sae = LocalSAE(None, str(tiny_sae_folder), model=str(tiny_model), **arguments)
    with pytest.raises(InputError, match=message):
        sae.load()


def test_an_sae_of_another_width_than_the_model_is_refused(goodfire, tiny_model, tmp_path):
    folder, _, weights = goodfire
    wide = {name: value.repeat(1, 2) if value.shape[-1] == 16 else value
            for name, value in weights.items() if "decoder" not in name}  # fmt: skip
    wide |= {
        "decoder_linear.weight": torch.randn(32, 24), "decoder_linear.bias": torch.zeros(32)
    }  # fmt: skip
    torch.save(wide, tmp_path / "wide.pth")
    sae = GoodfireSAE(model=str(folder / "model"), sae=str(tmp_path / "wide.pth"))
    with pytest.raises(InputError, match="width 16, but the SAE reads width 32"):
        Dataset(["good soup"], sae, progress=False)


def test_8_bit_models_are_refused_with_the_reason():
    with pytest.raises(InputError, match="8-bit models are not supported"):
        GoodfireSAE(quantize=True)


def test_no_path_is_taken_for_a_bundled_name():
    assert bundled_folder("../..") is None
    assert bundled_folder("/etc") is None


def test_goodfires_files_are_found_in_a_hub_cache_on_disk(goodfire, tmp_path, monkeypatch):
    folder, _, _ = goodfire
    name = "Llama-3.1-8B-Instruct-SAE-l19"
    snapshot = tmp_path / f"models--Goodfire--{name}" / "snapshots" / "0"
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0")
    (snapshot / f"{name}.pth").write_bytes((folder / f"{name}.pth").read_bytes())
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    sae = GoodfireSAE(model=str(folder / "model"))

    assert sae.weights.n_features == 24


def test_states_computed_elsewhere_and_a_given_sae_make_a_data_set(tiny_sae, documents, tmp_path):
    states = {
        text: next(tiny_sae.source.iter_hidden([tiny_sae.source.tokenize(text)]))
        for text in documents[:3]
    }
    saved = [
        SavedHidden.from_arrays(text, batch.hidden.numpy(), tiny_sae.source.tokenize(text).span)
        for text, batch in states.items()
    ]
    source = PrecomputedSource.from_arrays(saved)
    bound = BoundSAE.of(source, tiny_sae.weights)

    dataset = Dataset(documents[:3], bound, save_path=tmp_path / "d", progress=False)

    assert dataset.latents().shape == (3, 40)
    assert dataset.latents().nnz > 0
    opened = Dataset.load_from_file(tmp_path / "d")
    with pytest.raises(InputError, match="pass sae="):
        opened[0].token_activations(1)
    again = Dataset.load_from_file(tmp_path / "d", sae=bound)
    assert again[0].token_activations(1) == dataset[0].token_activations(1)
