import pytest

from interp_embed.errors import InputError
from interp_embed.sae import ReaderSite
from interp_embed.sae.site import parse_hook, resolve_model


@pytest.mark.parametrize(
    ("hook", "layer", "site"),
    [
        ("blocks.8.hook_resid_pre", 8, "resid_pre"),
        ("blocks.0.hook_resid_post", 0, "resid_post"),
        ("blocks.3.attn.hook_z", 3, "attn_z"),
        ("blocks.3.hook_mlp_out", 3, "mlp_out"),
        ("blocks.8.ln2.hook_normalized", 8, "mlp_in"),
        ("model.layers.22.output", 22, "resid_post"),
        ("model.layers.7", 7, "resid_post"),
        ("model.language_model.layers.7", 7, "resid_post"),
        ("transformer.h.5", 5, "resid_post"),
        ("gpt_neox.layers.5.mlp", 5, "mlp_out"),
        ("layers.11", 11, "resid_post"),
        ("model.layers.2.self_attn.o_proj.input", 2, "attn_z"),
        ("model.layers.2.post_feedforward_layernorm.output", 2, "mlp_out"),
        ("model.layers.2.pre_feedforward_layernorm.output", 2, "mlp_in"),
    ],
)
def test_hook_names_of_both_worlds_are_understood(hook, layer, site):
    assert (parse_hook(hook).layer, parse_hook(hook).site) == (layer, site)


@pytest.mark.parametrize("hook", [None, "", "hook_embed", "blocks.x.hook_resid_post", "lm_head"])
def test_other_names_are_not_guessed(hook):
    assert parse_hook(hook) is None


def test_models_by_alias_and_where_a_config_is_known_to_be_wrong():
    assert resolve_model("gpt2-small") == "gpt2"
    assert resolve_model("Qwen2.5-7B-Instruct") == "Qwen/Qwen2.5-7B-Instruct"
    assert resolve_model("org/other") == "org/other"
    assert (
        resolve_model("meta-llama/Llama-3.1-8B", "fnlp/Llama-Scope-R1-Distill")
        == "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"
    )


def test_a_site_that_cannot_be_is_refused():
    with pytest.raises(InputError, match="unknown site 'resid'"):
        ReaderSite("m", 1, "resid")
    with pytest.raises(InputError, match="0 or more"):
        ReaderSite("m", -1, "resid_post")
