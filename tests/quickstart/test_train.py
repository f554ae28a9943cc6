import logging

import numpy as np
import pytest
import torch

from interp_embed.errors import InputError
from interp_embed.quickstart import SparseAutoencoder, load_model, train_sae


@pytest.fixture(scope="module")
def embeddings():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 12)).astype(np.float32)


def train(embeddings, **options):
    return train_sae(embeddings, 16, 3, **{"show_progress": False, "n_epochs": 3} | options)


def test_it_offers_the_names_of_hypothesaes(embeddings):
    sae = train(embeddings)

    activations = sae.get_activations(embeddings)
    assert isinstance(activations, np.ndarray)
    assert activations.shape == (200, 16)
    assert (np.count_nonzero(activations, axis=1) <= 3).all()
    assert (sae.m_total_neurons, sae.k_active_neurons, sae.input_dim) == (16, 3, 12)
    assert sae.name == "SAE M=16, K=3"


def test_the_same_seed_gives_the_same_weights_and_another_one_others(embeddings):
    first, again, other = train(embeddings), train(embeddings), train(embeddings, seed=1)

    assert np.array_equal(first.weights.encoder, again.weights.encoder)
    assert not np.array_equal(first.weights.encoder, other.weights.encoder)


def test_lists_and_tensors_train_as_arrays_do(embeddings):
    tensor = torch.tensor(embeddings, requires_grad=True)

    for given in (embeddings.tolist(), tensor, list(embeddings)):
        assert np.array_equal(train(given).weights.encoder, train(embeddings).weights.encoder)
    sae = train(embeddings)
    assert np.array_equal(sae.get_activations(tensor), sae.get_activations(embeddings))


def test_a_checkpoint_is_found_again_for_the_same_data(embeddings, tmp_path, capsys):
    first = train(embeddings, checkpoint_dir=tmp_path)
    again = train(embeddings, checkpoint_dir=tmp_path)

    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("SAE_M=16_K=3_")
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".safetensors"]
    assert np.array_equal(first.weights.encoder, again.weights.encoder)
    assert f"Loaded model from {folder}" in capsys.readouterr().out
    assert np.array_equal(load_model(folder).weights.decoder, first.weights.decoder)


@pytest.mark.parametrize(
    "change", [{"n_epochs": 4}, {"seed": 1}, {"val_embeddings": "some"}, {"batch_topk": True}]
)
def test_other_settings_are_trained_anew_beside_the_old(embeddings, tmp_path, caplog, change):
    if "val_embeddings" in change:
        change = {"val_embeddings": embeddings[:20] + 1}
    train(embeddings, checkpoint_dir=tmp_path)
    train(embeddings, checkpoint_dir=tmp_path, **change)

    assert len(list(tmp_path.iterdir())) == 2
    assert "made from other embeddings or settings" in caplog.text


def test_an_sae_of_other_data_is_never_loaded(embeddings, tmp_path):
    train(embeddings, checkpoint_dir=tmp_path)
    sae = train(embeddings[:, :8], checkpoint_dir=tmp_path)

    assert sae.input_dim == 8


def test_a_damaged_checkpoint_is_trained_again(embeddings, tmp_path, caplog):
    first = train(embeddings, checkpoint_dir=tmp_path)
    (folder,) = tmp_path.iterdir()
    (folder / "sae.safetensors").write_bytes(b"cut off")

    again = train(embeddings, checkpoint_dir=tmp_path)

    assert np.array_equal(first.weights.encoder, again.weights.encoder)
    assert "training anew" in caplog.text
    assert load_model(folder).m_total_neurons == 16


def test_overwriting_trains_and_replaces(embeddings, tmp_path, capsys):
    train(embeddings, checkpoint_dir=tmp_path)
    train(embeddings, checkpoint_dir=tmp_path, overwrite_checkpoint=True)

    assert capsys.readouterr().out.count("Saved model to") == 2
    assert len(list(tmp_path.iterdir())) == 1


def test_prefixes_are_in_the_name(embeddings, tmp_path):
    sae = train(embeddings, checkpoint_dir=tmp_path, matryoshka_prefix_lengths=[4, 16])

    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("SAE_matryoshka_M=16_K=3_prefixes=4-16_")
    assert sae.prefix_lengths == [4, 16]


def test_arguments_without_a_counterpart_are_named(embeddings, caplog):
    with caplog.at_level(logging.WARNING):
        train(embeddings, aux_k=6, clip_grad=1.0)

    assert "ignores aux_k, clip_grad" in caplog.text


def test_nan_is_refused(embeddings):
    broken = embeddings.copy()
    broken[5, 2] = np.nan

    with pytest.raises(InputError, match="1 of 200 rows of embeddings are not finite"):
        train(broken)


@pytest.mark.parametrize("batch_topk", [False, True])
def test_a_checkpoint_of_hypothesaes_gives_its_activations(tmp_path, batch_topk):
    generator = torch.Generator().manual_seed(0)
    encoder = torch.randn(10, 6, generator=generator)
    decoder = torch.nn.functional.normalize(torch.randn(6, 10, generator=generator), dim=0)
    bias, center = torch.randn(10, generator=generator), torch.randn(6, generator=generator)
    tensors = {
        "encoder.weight": encoder, "neuron_bias": bias, "decoder.weight": decoder,
        "input_bias": center, "threshold": torch.tensor(0.4),
    }  # fmt: skip
    config = {
        "input_dim": 6, "m_total_neurons": 10, "k_active_neurons": 3,
        "use_batch_topk": batch_topk,
    }  # fmt: skip
    torch.save({"config": config, "state_dict": tensors}, tmp_path / "SAE_M=10_K=3.pt")
    x = torch.randn(5, 6, generator=generator)
    pre = (x - center) @ encoder.T + bias
    if batch_topk:
        expected = torch.where(pre > 0.4, pre, 0)
    else:
        values, places = pre.topk(3, dim=1)
        expected = torch.zeros_like(pre).scatter(1, places, values.relu())

    sae = load_model(tmp_path / "SAE_M=10_K=3.pt")

    assert isinstance(sae, SparseAutoencoder)
    assert np.allclose(sae.get_activations(x), expected.numpy(), atol=1e-5)
    with pytest.raises(InputError, match="was read from a file of HypotheSAEs"):
        sae.save(tmp_path / "out")


def test_a_checkpoint_of_hypothesaes_in_the_folder_is_named_not_loaded(
    embeddings, tmp_path, caplog
):
    (tmp_path / "SAE_M=16_K=3.pt").write_bytes(b"")

    train(embeddings, checkpoint_dir=tmp_path)

    assert "SAE_M=16_K=3.pt, made from other embeddings or settings" in caplog.text
