import numpy as np
import pytest

from interp_embed.errors import InputError
from interp_embed.sae import random_dictionary, reconstruction_nmse

EMBEDDINGS = np.random.default_rng(0).standard_normal((300, 12)).astype(np.float32) + 3


def test_directions_are_random_unit_vectors_tied_and_centred():
    control = random_dictionary(EMBEDDINGS, n_features=40, k=5, seed=1)

    assert control.decoder.shape == (40, 12)
    assert np.linalg.norm(control.decoder, axis=1) == pytest.approx(1, abs=1e-6)
    assert (control.encoder == control.decoder).all()
    assert control.decoder_bias == pytest.approx(EMBEDDINGS.mean(axis=0), abs=1e-5)
    # A document at the mean activates nothing.
    at_mean = control.encode(EMBEDDINGS.mean(axis=0, keepdims=True))
    assert at_mean.nnz == 0 or at_mean.max() < 1e-5


def test_it_has_the_sparsity_asked_for():
    control = random_dictionary(EMBEDDINGS, n_features=40, k=5)

    assert (np.diff(control.encode(EMBEDDINGS).indptr) == 5).all()
    assert np.isfinite(reconstruction_nmse(control, EMBEDDINGS))


def test_the_seed_decides():
    first, again, other = (
        random_dictionary(EMBEDDINGS, n_features=8, k=2, seed=seed).decoder for seed in (1, 1, 2)
    )

    assert (first == again).all()
    assert not np.allclose(first, other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_features": 0}, "n_features must be"),
        ({"k": 9}, "k=9 features cannot be active of n_features=8"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_sizes_out_of_range_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        random_dictionary(EMBEDDINGS, **{"n_features": 8, "k": 2} | changes)
