import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score

from interp_embed.analysis.clusters.null import shuffle_features
from interp_embed.analysis.clusters.partition import METHODS, make_space
from interp_embed.analysis.clusters.rows import find_rows
from interp_embed.analysis.clusters.spectral import (
    affinity_coordinates,
    bipartite_coordinates,
    jaccard_similarity,
)
from interp_embed.analysis.clusters.stability import explained_share, rand_index, resample
from interp_embed.errors import InputError


def matrix(values):
    return csr_matrix(np.array(values, np.float64))


def blocks(n=120, k=3, n_features=12, seed=0):
    """Documents of k kinds, each with its own features, some missing and some false."""
    random = np.random.default_rng(seed)
    kind = np.arange(n) % k
    own = np.arange(n_features) % k == kind[:, None]
    fires = random.random((n, n_features)) < np.where(own, 0.8, 0.05)
    return kind, csr_matrix(fires.astype(np.float64))


def test_equal_rows_are_one_and_empty_rows_none():
    found = find_rows(matrix([[1, 0], [0, 0], [0, 1], [1, 0]]))

    assert found.rows.toarray().tolist() == [[1, 0], [0, 1]]
    assert found.counts.tolist() == [2, 1]
    assert found.row_of.tolist() == [0, -1, 1, 0]
    assert found.spread(np.array([4, 7])).tolist() == [4, -1, 7, 4]


def test_jaccard_is_the_weight_shared_by_the_weight_either_has():
    rows = matrix([[1, 1, 0], [0, 1, 1]])

    assert jaccard_similarity(rows, np.ones(3))[0, 1] == pytest.approx(1 / 3)
    assert jaccard_similarity(rows, np.array([1.0, 2.0, 1.0]))[0, 1] == pytest.approx(2 / 4)


def test_bipartite_coordinates_are_the_singular_vectors_of_the_scaled_matrix():
    _, fires = blocks(n=40)
    fires = fires[np.flatnonzero(np.diff(fires.indptr))]
    dense = fires.toarray()
    scaled = dense / np.sqrt(np.outer(dense.sum(axis=1), dense.sum(axis=0)))
    left, values, _ = np.linalg.svd(scaled)

    found = bipartite_coordinates(fires, np.ones(fires.shape[0]), n_components=4)

    expected = left[:, :4] / np.sqrt(dense.sum(axis=1))[:, None]
    assert np.allclose(found.strength, values[:4])
    assert np.allclose(np.abs(found.points), np.abs(expected))
    assert np.ptp(found.points[:, 0]) == pytest.approx(0.0, abs=1e-12)


def test_a_truncated_decomposition_gives_the_same_coordinates():
    random = np.random.default_rng(0)
    fires = csr_matrix((random.random((700, 340)) < 0.1).astype(np.float64))
    whole = bipartite_coordinates(fires, np.ones(700), n_components=340)

    found = bipartite_coordinates(fires, np.ones(700), n_components=5, seed=1)

    assert np.allclose(found.points, whole.points[:, :5], atol=1e-8)


def test_a_row_that_occurs_twice_counts_as_two_documents():
    fires = matrix([[1, 1, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1]])
    rows = find_rows(fires)

    one_by_one = bipartite_coordinates(fires, np.ones(5), n_components=3).points
    counted = bipartite_coordinates(rows.rows, rows.counts, n_components=3).points
    similarity = jaccard_similarity(fires, np.ones(4))
    alike = affinity_coordinates(similarity, np.ones(5), n_components=2).points
    alike_counted = affinity_coordinates(
        jaccard_similarity(rows.rows, np.ones(4)), rows.counts, n_components=2
    ).points

    assert np.allclose(np.abs(one_by_one), np.abs(counted[rows.row_of]))
    assert np.allclose(np.abs(alike), np.abs(alike_counted[rows.row_of]))


def test_jaccard_clusters_are_those_of_scikit_learn():
    _, fires = blocks(seed=1)
    rows = find_rows(fires)
    weights = np.ones(fires.shape[1])
    places = np.flatnonzero(rows.row_of >= 0)
    affinity = jaccard_similarity(fires[places], weights)

    own = rows.spread(make_space(rows, weights, method="jaccard", most=3).cut(3))[places]
    theirs = SpectralClustering(3, affinity="precomputed", random_state=0).fit_predict(affinity)

    assert adjusted_rand_score(own, theirs) > 0.95


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_plain_groups(method):
    kind, fires = blocks(seed=2)
    rows = find_rows(fires)

    cluster = rows.spread(make_space(rows, np.ones(12), method=method, most=3).cut(3, seed=1))

    inside = cluster >= 0
    assert adjusted_rand_score(kind[inside], cluster[inside]) > 0.8
    assert np.bincount(cluster[inside]).tolist() == sorted(np.bincount(cluster[inside]))[::-1]


def test_methods_that_compare_all_pairs_refuse_many_documents():
    random = np.random.default_rng(0)
    many = find_rows(csr_matrix((random.random((3_500, 60)) < 0.3).astype(np.float64)))

    with pytest.raises(InputError, match=r'takes at most 3,000 documents.*"spectral" or "kmeans"'):
        make_space(many, np.ones(60), method="jaccard", most=3)
    twelve = find_rows(csr_matrix(np.ones((12_000, 1))))
    with pytest.raises(InputError, match="takes at most 10,000 documents, but got 12,000"):
        make_space(twelve, np.ones(1), method="agglomerative", most=2)


def test_the_rand_index_is_scikit_learns():
    random = np.random.default_rng(3)
    one, other = random.integers(0, 4, 50), random.integers(0, 3, 50)
    both = np.zeros((4, 3))
    np.add.at(both, (one, other), 1)

    assert rand_index(both) == pytest.approx(adjusted_rand_score(one, other))
    assert rand_index(np.array([[2.0, 0.0], [0.0, 2.0]])) == 1.0
    assert rand_index(np.array([[1.0, 1.0], [1.0, 1.0]])) == pytest.approx(-0.5)


def test_groups_without_overlap_explain_all_and_random_ones_nothing():
    rows = find_rows(matrix([[1, 0], [1, 0], [0, 1]]))

    assert explained_share(rows, np.ones(2), np.array([0, 1])) == pytest.approx(1.0)
    assert explained_share(rows, np.ones(2), np.array([0, 0])) == pytest.approx(0.0)


def test_clusters_that_are_there_come_back_in_samples():
    _, fires = blocks(seed=4)
    rows, weights = find_rows(fires), np.ones(12)
    whole = make_space(rows, weights, method="spectral", most=3).cut(3)

    found = resample(rows, weights, [whole], method="spectral", n_resamples=4, seed=0)

    assert found.agreement.min() > 0.8
    assert found.clusters[0].min() > 0.8


def test_shuffled_features_keep_their_densities_and_lose_their_company():
    _, fires = blocks(n=300, seed=5)

    shuffled = shuffle_features(fires, np.random.default_rng(0))

    assert shuffled.sum(axis=0).tolist() == fires.sum(axis=0).tolist()
    together, apart = np.corrcoef(fires.toarray().T), np.corrcoef(shuffled.toarray().T)
    assert together[0, 3] > 0.5 > 0.2 > abs(apart[0, 3])
    assert shuffled.has_canonical_format
