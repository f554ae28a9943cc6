import numpy as np
import pytest
from scipy import sparse

from interp_embed.errors import InputError
from interp_embed.synthetic import match_features, plant_activations


def test_the_reference_setup_has_the_statistics_it_promises():
    planted = plant_activations(3000, d_in=64, n_concepts=16, mean_active=3.0, noise=0.05)

    assert planted.X.shape == (3000, 64)
    assert planted.X.dtype == np.float32
    assert np.allclose(np.linalg.norm(planted.directions, axis=1), 1, atol=1e-6)
    assert planted.truth.sum(axis=1).mean() == pytest.approx(3.0, abs=0.15)
    assert planted.truth.sum(axis=1).var() == pytest.approx(3.0, abs=0.3)  # Poisson
    noise = planted.X - planted.strengths @ planted.directions
    assert noise.std() == pytest.approx(0.05, abs=0.001)


def test_strengths_are_positive_exactly_where_the_concept_is_active():
    planted = plant_activations(500)

    assert ((planted.strengths > 0) == planted.truth).all()
    active = planted.strengths[planted.truth]
    assert active.min() >= 0.5
    assert active.max() <= 1.5


def test_more_active_concepts_than_there_are_means_all_of_them():
    planted = plant_activations(200, n_concepts=4, mean_active=50)

    assert planted.truth.all()


def test_the_same_seed_gives_the_same_vectors():
    first, again, other = (plant_activations(50, seed=seed).X for seed in (1, 1, 2))

    assert (first == again).all()
    assert not np.allclose(first, other)


def test_a_match_worked_by_hand():
    truth = np.array([[1, 0], [1, 0], [0, 1], [0, 0]], dtype=bool)
    activations = np.array([[0.0, 2.0, 0.0], [0.0, 1.0, 0.0], [3.0, 0.5, 0.0], [1.0, 0.0, 9.0]])

    match = match_features(activations, truth)

    # concept 0 with feature 1: 2 * 2 / (2 + 3); concept 1 with feature 0: 2 * 1 / (1 + 2)
    assert match.feature.tolist() == [1, 0]
    assert match.f1 == pytest.approx([0.8, 2 / 3])
    assert match.mean_f1 == pytest.approx(11 / 15)


def test_sparse_and_dense_activations_match_alike():
    planted = plant_activations(300)
    activations = np.maximum(planted.X, 0)

    dense = match_features(activations, planted.truth)
    for kind in (sparse.csr_matrix, sparse.csr_array, sparse.csc_array):
        other = match_features(kind(activations), planted.truth)
        assert (other.feature == dense.feature).all()
        assert other.f1 == pytest.approx(dense.f1)


def test_the_truth_matches_itself_perfectly_and_explicit_zeros_are_silent():
    truth = plant_activations(300).truth
    stored = sparse.csr_array(truth.astype(float) + 1)
    stored.data -= 1  # keeps the zeros as stored entries

    match = match_features(stored, truth)

    assert match.mean_f1 == 1
    assert match.feature.tolist() == list(range(16))


def test_concepts_left_without_a_feature_count_as_not_found():
    truth = np.eye(3, dtype=bool)

    match = match_features(np.eye(3)[:, :1], truth)

    assert match.feature.tolist() == [0, -1, -1]
    assert match.f1.tolist() == [1, 0, 0]
    assert match.mean_f1 == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("activations", "truth", "message"),
    [
        (np.ones((3, 2)), np.ones((4, 2)), "activations have 3 documents and truth has 4"),
        (np.full((3, 2), np.nan), np.ones((3, 2)), "must be finite"),
        (np.ones(3), np.ones((3, 2)), "n_documents, n_features"),
        (np.ones((3, 2)), np.ones((3, 0)), "n_concepts >= 1"),
        (np.ones((3, 2)), np.full((3, 2), 0.5), "only True and False"),
    ],
)
def test_input_that_does_not_fit_is_refused(activations, truth, message):
    with pytest.raises(InputError, match=message):
        match_features(activations, truth)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"n_documents": 0}, "n_documents"),
        ({"d_in": 0}, "d_in"),
        ({"n_concepts": 0}, "n_concepts"),
        ({"mean_active": -1.0}, "mean_active"),
        ({"noise": float("nan")}, "noise"),
    ],
)
def test_arguments_out_of_range_are_refused(argument, message):
    with pytest.raises(InputError, match=message):
        plant_activations(**{"n_documents": 10, **argument})
