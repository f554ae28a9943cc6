import numpy as np
import pytest
import torch

from interp_embed.sae import token_select
from interp_embed.sae.rules import Gated, GroupMax, JumpRelu, Relu, TopK
from interp_embed.sae.token_select import Encoder, HostTiles, select_on_device, select_on_host

N, D, F = 37, 5, 240


def draw(*shape):
    return torch.from_numpy(np.random.default_rng(len(shape)).standard_normal(shape)).float()


RULES = {
    "relu": Relu(),
    "scalar threshold": JumpRelu(torch.tensor(1.5)),
    "threshold a feature": JumpRelu(draw(F)),
    "topk": TopK(3),
    "topk of many": TopK(200),
    "groupmax": GroupMax(12),
    "gated": Gated(draw(F), draw(F, 1)[:, 0].exp()),
}


def dense(active):
    out = np.zeros((len(active.count), F), np.float32)
    out[np.repeat(np.arange(len(active.count)), active.count), active.feature] = active.value
    return out


def formula(rule, hidden, encoder):
    """Activations straight from the rule's words, dense."""
    product = (hidden @ encoder.weight.T).numpy()
    pre = product + encoder.bias.numpy()
    out = np.maximum(pre, 0)
    if isinstance(rule, JumpRelu):
        return out * (pre > rule.threshold.numpy())
    if isinstance(rule, Gated):
        value = product * rule.scale.numpy() + encoder.bias.numpy()
        return np.maximum(value, 0) * (product + rule.gate_bias.numpy() > 0)
    if isinstance(rule, TopK):
        rank = np.argsort(np.argsort(-pre, axis=1, kind="stable"), axis=1)
        return out * (rank < rule.k)
    if isinstance(rule, GroupMax):
        groups = out.reshape(len(out), rule.k, -1)
        return (groups * (groups == groups.max(axis=2, keepdims=True))).reshape(out.shape)
    return out


@pytest.mark.parametrize("block", [8192, 100])
@pytest.mark.parametrize("name", RULES)
def test_host_and_device_select_what_the_rule_says(monkeypatch, name, block):
    monkeypatch.setattr(token_select, "TILE_FEATURES", block)  # so that rules cross blocks
    encoder = Encoder(draw(F, D), draw(F), RULES[name])
    hidden = draw(N, D)

    host = select_on_host(HostTiles.of(encoder), hidden)
    device = select_on_device(encoder, hidden)

    expected = formula(RULES[name], hidden, encoder)
    assert dense(host) == pytest.approx(expected, abs=1e-5)
    assert dense(device) == pytest.approx(expected, abs=1e-5)
    for active in (host, device):
        rows = np.repeat(np.arange(N), active.count)
        assert (np.diff(rows * F + active.feature) > 0).all()
        assert (active.value > 0).all()


@pytest.mark.parametrize("k", [1, 7, 20])
def test_topk_prefers_the_lower_of_equal_features(k):
    encoder = Encoder(torch.ones(1000, 1), torch.zeros(1000), TopK(k))

    active = select_on_host(HostTiles.of(encoder), torch.ones(2, 1))

    assert active.feature.tolist() == [*range(k), *range(k)]


@pytest.mark.parametrize("seed", range(20))
def test_topk_over_a_wide_row_of_few_distinct_values_is_a_stable_sort(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(-2, 6, 3000).astype(np.float32)
    encoder = Encoder(torch.from_numpy(values[:, None]), torch.zeros(3000), TopK(40))

    active = select_on_host(HostTiles.of(encoder), torch.ones(1, 1))

    assert active.feature.tolist() == sorted(np.argsort(-values, kind="stable")[:40])


def test_fewer_than_k_fire_where_fewer_are_positive():
    encoder = Encoder(torch.tensor([[1.0], [-1.0], [-2.0]]), torch.zeros(3), TopK(2))

    active = select_on_host(HostTiles.of(encoder), torch.tensor([[3.0]]))

    assert (active.feature.tolist(), active.value.tolist()) == ([0], [3.0])


def test_jumprelu_is_strict_and_never_negative():
    rule = JumpRelu(torch.tensor([2.0, 1.0, -5.0]))
    encoder = Encoder(torch.tensor([[2.0], [2.0], [-1.0]]), torch.zeros(3), rule)

    active = select_on_host(HostTiles.of(encoder), torch.tensor([[1.0]]))

    assert active.feature.tolist() == [1]


def test_bfloat16_weights_are_compared_in_float32():
    encoder = Encoder(draw(F, D).bfloat16(), draw(F), RULES["threshold a feature"])
    hidden = draw(N, D).bfloat16()

    pre = (hidden @ encoder.weight.T).float() + encoder.bias
    expected = pre * (pre > encoder.cut)

    assert dense(select_on_host(HostTiles.of(encoder), hidden)) == pytest.approx(expected.numpy())
