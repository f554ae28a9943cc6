import numpy as np
import pytest
import torch

from interp_embed.sae import TrainingSettings, kernels
from interp_embed.sae.optimiser import State, select_active, take_step
from interp_embed.sae.weights import select_above, select_top_k


def random_state(n_features, d_in, seed=0):
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.standard_normal(shape, dtype=np.float32)

    decoder = draw(n_features, d_in)
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    return State(
        mean=np.zeros(d_in, np.float32),
        scale=np.float32(1),
        encoder=draw(n_features, d_in),
        encoder_bias=draw(n_features),
        decoder=decoder,
        decoder_bias=draw(d_in),
        moments=np.zeros((4, n_features, d_in), np.float32),
        bias_moments=np.zeros((2, n_features), np.float32),
        output_moments=np.zeros((2, d_in), np.float32),
        n_updates=np.zeros(n_features, np.int64),
    )


def autograd(state, x, mask, prefixes):
    """Gradients of the mean over prefixes of the squared error a document, by torch."""
    names = ("encoder", "encoder_bias", "decoder", "decoder_bias")
    encoder, bias, decoder, output = (
        torch.tensor(getattr(state, name), dtype=torch.float64, requires_grad=True)
        for name in names
    )
    documents = torch.tensor(x, dtype=torch.float64)
    value = (documents @ encoder.T + bias) * torch.tensor(mask, dtype=torch.float64)
    errors = [
        ((value[:, :end] @ decoder[:end] + output - documents) ** 2).sum() / len(x)
        for end in prefixes
    ]
    loss = torch.stack(errors).mean()
    loss.backward()
    gradients = dict(
        zip(names, (t.grad.numpy() for t in (encoder, bias, decoder, output)), strict=True)
    )
    directions = state.decoder.astype(np.float64)
    along = (gradients["decoder"] * directions).sum(axis=1, keepdims=True)
    gradients["decoder"] = gradients["decoder"] - along * directions
    return loss.item(), gradients


def dense_mask(active, shape):
    mask = np.zeros(shape, bool)
    mask[np.repeat(np.arange(shape[0]), np.diff(active.start)), active.feature] = True
    return mask


@pytest.mark.parametrize("rule", ["topk", "batch_topk"])
@pytest.mark.parametrize("prefixes", [(), (3,), (1, 4, 9)])
def test_gradients_are_those_of_torch_autograd(rule, prefixes):
    settings = TrainingSettings(12, 4, prefixes, rule=rule)
    state = random_state(12, 7)
    x = np.random.default_rng(1).standard_normal((9, 7), dtype=np.float32)
    active = select_active(x @ state.encoder.T, state.encoder_bias, settings)
    mask = dense_mask(active, (9, 12))
    _, expected = autograd(state, x, mask, settings.all_prefixes)

    take_step(state, x, settings, rate=1e-9)

    # After one step Adam's first moment is a tenth of the gradient, the second a thousandth of
    # its square.
    assert state.moments[0] == pytest.approx(0.1 * expected["encoder"], abs=1e-5)
    assert state.moments[2] == pytest.approx(0.1 * expected["decoder"], abs=1e-5)
    assert state.moments[3] == pytest.approx(0.001 * expected["decoder"] ** 2, abs=1e-5)
    assert state.bias_moments[0] == pytest.approx(0.1 * expected["encoder_bias"], abs=1e-5)
    assert state.output_moments[0] == pytest.approx(0.1 * expected["decoder_bias"], abs=1e-5)
    assert (state.n_updates == mask.any(axis=0)).all()


def test_the_loss_is_the_mean_squared_error_over_prefixes():
    settings = TrainingSettings(12, 4, (3, 5))
    state = random_state(12, 7)
    x = np.random.default_rng(1).standard_normal((9, 7), dtype=np.float32)
    active = select_active(x @ state.encoder.T, state.encoder_bias, settings)
    expected, _ = autograd(state, x, dense_mask(active, (9, 12)), (3, 5, 12))

    loss = kernels.prefix_residuals(
        x,
        active.start,
        active.feature,
        active.value,
        state.decoder,
        state.decoder_bias,
        np.array([3, 5, 12]),
        np.empty((3, 9, 7), np.float32),
    )

    assert loss / 9 == pytest.approx(expected, rel=1e-5)


def test_adam_takes_the_steps_of_its_paper():
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((5, 6))
    weight = rng.standard_normal(6)
    ours = weight.astype(np.float32)
    first, second = np.zeros((2, 6), np.float32)
    m, v = np.zeros((2, 6))

    for t, gradient in enumerate(gradients, start=1):
        kernels.adam_step(ours, gradient.astype(np.float32), first, second, t, 0.05)
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        weight = weight - 0.05 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)

    assert ours == pytest.approx(weight, abs=1e-5)


def test_steps_keep_directions_at_unit_length_and_silent_features_as_they_were():
    settings = TrainingSettings(40, 1)
    state = random_state(40, 5)
    before = state.decoder.copy()
    x = np.random.default_rng(1).standard_normal((6, 5), dtype=np.float32)

    take_step(state, x, settings, rate=0.1)

    assert np.linalg.norm(state.decoder, axis=1) == pytest.approx(1, abs=1e-6)
    silent = state.n_updates == 0
    assert 34 <= silent.sum() < 40
    assert (state.decoder[silent] == before[silent]).all()
    assert not (state.decoder[~silent] == before[~silent]).all(axis=1).any()


@pytest.mark.parametrize("n_features", [1, 63, 64, 65, 300])
@pytest.mark.parametrize("k", [1, 8, 63])
def test_the_k_largest_are_those_of_torch(n_features, k):
    k = min(k, n_features)
    rng = np.random.default_rng(n_features)
    pre = rng.standard_normal((20, n_features), dtype=np.float32)
    bias = rng.standard_normal(n_features, dtype=np.float32)

    active = select_top_k(pre, bias, k)

    values, places = torch.topk(torch.from_numpy(pre + bias), k)
    expected = np.zeros((20, n_features), np.float32)
    np.put_along_axis(expected, places.numpy(), np.maximum(values.numpy(), 0), axis=1)
    mask = dense_mask(active, expected.shape)
    assert (mask == (expected > 0)).all()
    assert (active.value == expected[mask]).all()


def test_of_equal_values_the_lower_features_win():
    pre = np.array([[1, 2, 1, 2, 1, 3], [5, 5, 5, 5, 5, 5]], np.float32)

    active = select_top_k(pre, np.zeros(6, np.float32), 4)

    assert active.feature.tolist() == [0, 1, 3, 5, 0, 1, 2, 3]
    assert active.value.tolist() == [1, 2, 2, 3, 5, 5, 5, 5]


def test_many_ties_across_chunks_are_cut_like_a_stable_sort():
    rng = np.random.default_rng(0)
    pre = rng.integers(-3, 4, (50, 200)).astype(np.float32)

    active = select_top_k(pre, np.zeros(200, np.float32), 40)

    for row in range(50):
        best = np.argsort(-pre[row], kind="stable")[:40]
        expected = np.sort(best[pre[row, best] > 0])
        assert active.feature[active.start[row] : active.start[row + 1]].tolist() == list(expected)


def test_only_positive_values_are_active():
    pre = np.array([[-1, -2, 0], [-1, 4, 0], [np.nan, 1, -np.inf]], np.float32)

    active = select_top_k(pre, np.zeros(3, np.float32), 2)

    assert active.start.tolist() == [0, 0, 1, 2]
    assert active.feature.tolist() == [1, 1]


def test_above_a_threshold_is_strict():
    pre = np.array([[0.5, 1, 2], [1, 1, 1], [3, 0, 1.5]], np.float32)

    active = select_above(pre, np.zeros(3, np.float32), 1.0)

    assert active.start.tolist() == [0, 1, 1, 3]
    assert active.feature.tolist() == [2, 0, 2]
    assert active.value.tolist() == [2, 3, 1.5]


def test_a_training_batch_under_batch_topk_has_k_active_features_in_mean():
    rng = np.random.default_rng(0)
    pre = rng.standard_normal((32, 50), dtype=np.float32)
    settings = TrainingSettings(50, 3, rule="batch_topk")

    active = select_active(pre, np.zeros(50, np.float32), settings)

    assert len(active.value) == 3 * 32
    assert active.value.min() == np.sort(pre.ravel())[-96]
    assert len(set(np.diff(active.start))) > 1  # not the same number everywhere
