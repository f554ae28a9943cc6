import numpy as np
import pytest
import torch

from interp_embed.errors import InputError
from interp_embed.sae import Declared, PretrainedSAE, ReaderSite, check_fit
from interp_embed.sae.rules import JumpRelu, Relu, TopK

N, D, F = 700, 16, 64


def make(rule=None, site=None, declared=None, normalization="none", seed=0):
    """An SAE with orthogonal directions in pairs: what it encodes it can decode."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((D, D)))[0]
    directions = np.concatenate([basis, -basis, 0 * basis, 0 * basis]).astype(np.float32)
    return PretrainedSAE(
        encoder=torch.from_numpy(directions),
        encoder_bias=torch.zeros(F),
        decoder=torch.from_numpy(3 * directions / 3),
        decoder_bias=torch.zeros(D),
        rule=rule or Relu(),
        normalization=normalization,
        site=site,
        declared=declared or Declared(),
        identity={"name": "made here", "units": "raw", "dtype": "float32"},
    )


HIDDEN = torch.from_numpy(np.random.default_rng(1).standard_normal((N, D))).float()


def test_activations_are_sparse_float32_in_order():
    activations = make().encode(HIDDEN)

    assert activations.shape == (N, F)
    assert activations.dtype == np.float32
    assert activations.has_sorted_indices
    assert activations.nnz == N * D


def test_no_tokens_give_no_rows():
    assert make().encode(HIDDEN[:0]).shape == (0, F)


def test_another_width_is_named_with_what_was_expected():
    sae = make(site=ReaderSite("org/model", 3, "resid_post"))

    with pytest.raises(InputError, match="reads width 16, the reader gives 15.*org/model, layer 3"):
        sae.encode(HIDDEN[:, :15])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_hidden_states_that_are_not_finite_are_refused_with_their_token(value):
    broken = HIDDEN.clone()
    broken[300, 3] = value

    with pytest.raises(InputError, match="finite.*those of token 300 of the batch"):
        make().encode(broken)


@pytest.mark.parametrize("hidden", [HIDDEN.int(), HIDDEN.numpy(), HIDDEN[None], HIDDEN[0]])
def test_what_is_no_matrix_of_floats_is_refused(hidden):
    with pytest.raises(InputError, match="floating-point torch.Tensor|shape"):
        make().encode(hidden)


def test_decoding_activations_of_another_sae_is_refused():
    with pytest.raises(InputError, match="64"):
        make().decode(make().encode(HIDDEN)[:, :9])


def test_decoder_norm_units_change_values_not_which_features_fire():
    raw = make(JumpRelu(torch.tensor(0.5)))
    raw = PretrainedSAE(
        raw.encoder, raw.encoder_bias, 3 * raw.decoder, raw.decoder_bias, raw.rule, "none", None,
        raw.declared, raw.identity,
    )  # fmt: skip

    scaled = raw.decoder_norm_units()

    before, after = raw.encode(HIDDEN), scaled.encode(HIDDEN)
    assert (before.indices == after.indices).all()
    assert after.data == pytest.approx(3 * before.data, rel=1e-5)
    assert scaled.decode(after) == pytest.approx(raw.decode(before), abs=1e-4)
    assert scaled.identity["units"] == "decoder_norm"
    with pytest.raises(InputError, match="TopK compares features"):
        make(TopK(3)).decoder_norm_units()


def test_bfloat16_is_close_and_another_identity():
    sae = make(JumpRelu(torch.tensor(0.5)))
    half = sae.to("cpu", "bfloat16")

    assert half.identity["dtype"] == "bfloat16"
    assert half.encode(HIDDEN).toarray() == pytest.approx(sae.encode(HIDDEN).toarray(), abs=0.52)
    assert half.decode(half.encode(HIDDEN)).dtype == np.float32
    with pytest.raises(InputError, match="unknown dtype 'float16'"):
        sae.to("cpu", "float16")


def test_centring_twice_is_centring_once():
    site = ReaderSite("gpt2", 8, "resid_pre", center=True)
    centered = HIDDEN - HIDDEN.mean(dim=1, keepdim=True)

    once, twice = make(site=site).encode(HIDDEN), make(site=site).encode(centered)

    assert once.toarray() == pytest.approx(twice.toarray(), abs=1e-5)


def test_a_fitting_sae_explains_all_and_warns_of_nothing():
    fit = check_fit(make(declared=Declared(0.99, 16.0)), HIDDEN)

    assert fit.variance_explained == pytest.approx(1, abs=1e-5)
    assert fit.l0 == 16
    assert fit.warnings == ()


@pytest.mark.parametrize("kind", ["constant_norm", "layer_norm"])
def test_the_fit_undoes_the_normalisation(kind):
    fit = check_fit(make(normalization=kind), 5 + 40 * HIDDEN)

    assert fit.variance_explained == pytest.approx(1, abs=1e-4)


def test_hidden_states_of_another_scale_are_loud():
    sae = make(JumpRelu(torch.tensor(1.0)), declared=Declared(0.9, 5.0))

    assert check_fit(sae, HIDDEN).warnings == ()
    (low, few) = check_fit(sae, HIDDEN / 3).warnings
    assert "0.90 is declared" in low
    assert "another layer" in low
    assert "5 are declared" in few


def test_another_model_is_worse_than_nothing_and_said_so():
    sae, other = make(), make(seed=9)
    mixed = PretrainedSAE(
        sae.encoder, sae.encoder_bias, other.decoder, sae.decoder_bias, Relu(), "none", None,
        Declared(), {},
    )  # fmt: skip

    (warning,) = check_fit(mixed, HIDDEN).warnings

    assert "worse than their mean" in warning
    assert "base instead of instruct" in warning


def test_a_topk_sae_that_hardly_fires_is_loud():
    assert any("fire" in w for w in check_fit(make(TopK(50)), HIDDEN).warnings)


def test_few_or_equal_tokens_are_no_check():
    assert "too few to rely on" in check_fit(make(), HIDDEN[:9]).warnings[0]
    with pytest.raises(InputError, match="2 tokens or more"):
        check_fit(make(), HIDDEN[:1])
    with pytest.raises(InputError, match="all equal"):
        check_fit(make(), HIDDEN[:1].expand(300, -1))
