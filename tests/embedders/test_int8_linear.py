import numpy as np
import pytest
import torch
from torch.nn import functional

from interp_embed.embedders.int8_linear import Int8Linear, feed_forward, has_fast_int8
from interp_embed.embedders.row_kernels import add_and_norm, gelu_row

pytestmark = pytest.mark.skipif(not has_fast_int8(), reason="no fast 8-bit integers here")


def layer(d_in, d_out, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(d_out, d_in, generator=generator) / d_in**0.5
    return weight, torch.randn(d_out, generator=generator)


def tokens(n, d_in, seed=1):
    x = torch.randn(n, d_in, generator=torch.Generator().manual_seed(seed))
    x[:, 3] *= 40  # an outlier, as transformers have them
    return x


def relative(ours, exact):
    return float((ours - exact).norm() / exact.norm())


@pytest.mark.parametrize("n_outliers", [8, 64])
@pytest.mark.parametrize("n", [1, 2, 37])
def test_a_layer_is_close_to_its_float32_twin(n, n_outliers):
    weight, bias = layer(128, 64)
    x = tokens(n, 128)
    ours = Int8Linear.from_weights(weight, bias, largest=x.abs().amax(0), n_outliers=n_outliers)

    assert relative(ours(x), functional.linear(x, weight, bias)) < 0.01


def test_a_token_does_not_depend_on_its_neighbours():
    weight, bias = layer(128, 64)
    x = tokens(20, 128)
    ours = Int8Linear.from_weights(weight, bias, largest=x.abs().amax(0))
    others = x.clone()
    others[1:] *= 100

    np.testing.assert_array_equal(ours(x)[0], ours(others)[0])


def test_equal_values_lose_nothing():
    weight, bias = torch.ones(32, 32), torch.zeros(32)
    ours = Int8Linear.from_weights(weight, bias, largest=torch.ones(32))

    np.testing.assert_allclose(ours(torch.zeros(2, 32)), 0, atol=1e-6)
    np.testing.assert_allclose(ours(torch.ones(2, 32)), 32, rtol=1e-2)


def test_the_fused_pair_is_the_two_layers_and_gelu():
    up, down = layer(64, 256), layer(256, 64, seed=2)
    x = tokens(9, 64)
    wide = functional.gelu(functional.linear(x, *up))
    first = Int8Linear.from_weights(*up, largest=x.abs().amax(0))
    second = Int8Linear.from_weights(*down, largest=wide.abs().amax(0), n_outliers=64)

    fused = feed_forward(first, second, x)

    assert relative(fused, second(functional.gelu(first(x)))) < 0.005
    assert relative(fused, functional.linear(wide, *down)) < 0.02


def test_gelu_is_within_three_ten_thousandths():
    x = np.linspace(-30, 30, 10_001, dtype=np.float32)
    exact = functional.gelu(torch.from_numpy(x.copy())).numpy()
    gelu_row(x)

    assert np.abs(x - exact).max() < 1e-3
    assert np.abs(x - exact)[4000:6000].max() < 3e-4


def test_add_and_norm_is_the_layer_norm_of_the_sum():
    y, hidden = tokens(5, 48), tokens(5, 48, seed=3)
    gain, bias = torch.rand(48), torch.rand(48)
    exact = functional.layer_norm(y + hidden, (48,), gain, bias, 1e-12)

    add_and_norm(y.numpy(), hidden.numpy(), gain.numpy(), bias.numpy(), np.float32(1e-12))

    np.testing.assert_allclose(y, exact, atol=1e-4)
