import numpy as np
import pytest
from scipy import sparse

from interp_embed.errors import InputError
from interp_embed.sae import SAEWeights, random_dictionary, reconstruction_nmse
from interp_embed.sae.rows import Rows
from interp_embed.sae.weights import fit_threshold, measure_reconstruction


def random_weights(n_features=30, d_in=10, k=4, threshold=None, seed=0):
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.standard_normal(shape, dtype=np.float32)

    decoder = draw(n_features, d_in)
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    return SAEWeights(
        encoder=draw(n_features, d_in),
        encoder_bias=draw(n_features),
        decoder=decoder,
        decoder_bias=draw(d_in),
        k=k,
        prefixes=(n_features,),
        threshold=threshold,
    )


@pytest.fixture
def embeddings():
    return np.random.default_rng(7).standard_normal((50, 10), dtype=np.float32)


def dense_activations(weights, embeddings):
    """The definition, with numpy alone."""
    pre = embeddings @ weights.encoder.T + weights.encoder_bias
    if weights.threshold is None:
        cut = np.sort(pre, axis=1)[:, -weights.k, None]
        return np.where((pre >= cut) & (pre > 0), pre, 0)
    return np.where(pre > weights.threshold, pre, 0)


@pytest.mark.parametrize("threshold", [None, 0.0, 1.5])
def test_encode_and_decode_are_the_plain_formula(embeddings, threshold):
    weights = random_weights(threshold=threshold)
    expected = dense_activations(weights, embeddings)

    activations = weights.encode(embeddings)

    assert sparse.isspmatrix_csr(activations)
    assert activations.dtype == np.float32
    assert activations.has_sorted_indices
    assert activations.data.min() > 0
    assert activations.toarray() == pytest.approx(expected, abs=1e-5)
    rebuilt = weights.decode(activations)
    assert rebuilt == pytest.approx(expected @ weights.decoder + weights.decoder_bias, abs=1e-4)


def test_encoding_in_blocks_is_encoding_at_once(embeddings, monkeypatch):
    weights = random_weights()
    at_once = weights.encode(embeddings)

    monkeypatch.setattr("interp_embed.sae.weights._BLOCK_BYTES", 4 * 30 * 7)
    in_blocks = weights.encode(embeddings)

    assert (in_blocks.indptr == at_once.indptr).all()
    assert (in_blocks.indices == at_once.indices).all()
    assert in_blocks.data == pytest.approx(at_once.data, rel=1e-5)


def test_topk_has_at_most_k_active_features(embeddings):
    counts = np.diff(random_weights(k=4).encode(embeddings).indptr)

    assert counts.max() == 4


def test_a_list_and_float64_encode_alike(embeddings):
    weights = random_weights()
    expected = weights.encode(embeddings).toarray()

    assert (weights.encode(embeddings.tolist()).toarray() == expected).all()
    assert (weights.encode(embeddings.astype(np.float64)).toarray() == expected).all()


def test_any_layout_of_activations_decodes_alike(embeddings):
    weights = random_weights()
    activations = weights.encode(embeddings)
    expected = weights.decode(activations)

    for other in (activations.tocsc(), sparse.csr_array(activations), activations.toarray()):
        assert (weights.decode(other) == expected).all()


def test_embeddings_and_activations_of_another_width_are_refused(embeddings):
    weights = random_weights()

    with pytest.raises(InputError, match="are 9 wide, but this SAE reads 10"):
        weights.encode(embeddings[:, :9])
    with pytest.raises(InputError, match="have 29 features, this SAE has 30"):
        weights.decode(sparse.csr_matrix((5, 29)))


def test_nan_rows_are_refused_by_number(embeddings):
    embeddings[[3, 17]] = np.nan

    with pytest.raises(InputError, match=r"2 of 50 rows .* such as 3, 17"):
        random_weights().encode(embeddings)


def test_error_is_squared_error_over_spread(embeddings):
    weights = random_weights()
    rest = weights.decode(weights.encode(embeddings)) - embeddings
    spread = ((embeddings - embeddings.mean(axis=0)) ** 2).sum()

    error = reconstruction_nmse(weights, embeddings)

    assert error == pytest.approx((rest**2).sum() / spread, rel=1e-5)


def test_a_dictionary_that_says_nothing_has_error_one(embeddings):
    silent = random_dictionary(embeddings, n_features=5, k=1)
    silent.encoder_bias[:] = -1e9

    assert reconstruction_nmse(silent, embeddings) == pytest.approx(1, abs=1e-5)


def test_error_on_equal_rows_is_refused_not_infinite():
    with pytest.raises(InputError, match="3 rows of embeddings are all equal"):
        reconstruction_nmse(random_weights(), np.ones((3, 10)))


def test_density_is_the_share_of_documents_with_the_feature(embeddings):
    weights = random_weights()
    expected = (weights.encode(embeddings).toarray() > 0).mean(axis=0)

    measured = measure_reconstruction(weights, Rows(embeddings))

    assert measured.density == pytest.approx(expected)


@pytest.mark.parametrize("k", [1, 3, 14])
def test_the_threshold_is_the_quantile_over_all_documents(k):
    embeddings = np.random.default_rng(0).standard_normal((3_000, 10), dtype=np.float32)
    weights = random_weights(k=k)
    pre = embeddings @ weights.encoder.T + weights.encoder_bias
    expected = np.sort(pre.ravel())[-k * 3_000]

    fitted = fit_threshold(weights, Rows(embeddings))

    assert fitted.threshold == pytest.approx(expected, rel=1e-4)
    assert fitted.encode(embeddings).nnz / 3_000 == pytest.approx(k, abs=0.002)


def test_the_threshold_is_zero_where_too_few_activations_are_positive(embeddings):
    fitted = fit_threshold(random_weights(k=30), Rows(embeddings))

    assert fitted.threshold == 0


def test_the_threshold_in_blocks_is_the_threshold_at_once(embeddings, monkeypatch):
    weights = random_weights(k=2)
    at_once = fit_threshold(weights, Rows(embeddings)).threshold

    monkeypatch.setattr("interp_embed.sae.weights._BLOCK_BYTES", 4 * 30 * 3)

    assert fit_threshold(weights, Rows(embeddings)).threshold == pytest.approx(at_once, rel=1e-6)
