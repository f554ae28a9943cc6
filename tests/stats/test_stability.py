from itertools import permutations

import numpy as np
import pytest
from scipy.sparse import csr_array

from interp_embed.errors import InputError
from interp_embed.stats import (
    activation_similarity,
    dictionary_similarity,
    match_features,
    seed_stability,
)

NAN = float("nan")


def plant(seed, *, n_shared=12, n_own=20, d_in=64, n_seeds=3, noise=0.05):
    """Dictionaries with shared directions in any order among directions of their own."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n_shared, d_in)) / np.sqrt(d_in)
    dictionaries, places = [], []
    for _ in range(n_seeds):
        own = rng.normal(size=(n_own, d_in))
        rows = np.concatenate([shared + noise * rng.normal(size=shared.shape) / 8, own])
        order = rng.permutation(len(rows))
        dictionaries.append(rows[order] * rng.uniform(0.5, 2.0, (len(rows), 1)))
        places.append(np.argsort(order)[:n_shared])
    return dictionaries, places


def test_matching_takes_the_largest_sum_not_the_largest_first():
    found = match_features([[0.9, 0.8], [0.8, 0.1]])

    assert found.match.tolist() == [1, 0]
    assert found.similarity.tolist() == [0.8, 0.8]


def test_matching_agrees_with_all_permutations():
    rng = np.random.default_rng(0)
    for _ in range(20):
        table = rng.uniform(-1, 1, (5, 5))
        worth = np.maximum(table, 0.0)
        best = max(sum(worth[range(5), order]) for order in permutations(range(5)))
        found = match_features(table).similarity
        assert np.maximum(found, 0.0).sum() == pytest.approx(best)


def test_dead_features_take_no_match_from_others():
    found = match_features([[NAN, NAN], [-0.9, NAN], [0.2, NAN]])

    assert found.match[2] == 0
    np.testing.assert_array_equal(found.similarity, [NAN, NAN, 0.2])
    assert (found.match == -1).sum() == 1


def test_similarities_by_hand():
    cosine = dictionary_similarity([[1, 0], [0, 0]], [[0, 2], [3, 3]])
    np.testing.assert_allclose(cosine, [[0, np.sqrt(0.5)], [NAN, NAN]])


def test_activation_similarity_is_the_correlation():
    rng = np.random.default_rng(1)
    first = rng.random((50, 4)) * (rng.random((50, 4)) < 0.4)
    second = rng.random((50, 3)) * (rng.random((50, 3)) < 0.4)
    first[:, 2] = 0.0

    found = activation_similarity(csr_array(first), csr_array(second))

    expected = np.array(
        [
            [NAN if i == 2 else np.corrcoef(first[:, i], second[:, j])[0, 1] for j in range(3)]
            for i in range(4)
        ]
    )
    np.testing.assert_allclose(found, expected)


def test_two_seeds_by_hand():
    found = seed_stability([[[1, 0], [0, 1]], [[0, 1], [-1, 0]]])

    assert found.share_matched[0, 1] == 0.5
    assert [shares.tolist() for shares in found.per_feature] == [[0.0, 1.0], [1.0, 0.0]]
    assert [feature.members for feature in found.consensus] == [((0, 1), (1, 0))]
    assert found.consensus[0].similarity == 1.0


@pytest.mark.parametrize("seed", range(3))
def test_planted_shared_features_are_the_consensus_and_no_others(seed):
    dictionaries, places = plant(seed)

    found = seed_stability(dictionaries)

    expected = {tuple((s, int(places[s][k])) for s in range(3)) for k in range(12)}
    assert {feature.members for feature in found.consensus} == expected
    assert found.share_matched[0, 1] == pytest.approx(12 / 32)
    assert found.chance == 0.0
    for shares, where in zip(found.per_feature, places, strict=True):
        assert np.flatnonzero(shares == 1.0).tolist() == sorted(where.tolist())


def test_dictionaries_of_different_sizes_and_dead_features():
    dictionaries, places = plant(4)
    dictionaries[1] = np.vstack([dictionaries[1], np.zeros((2, 64))])

    found = seed_stability(dictionaries, min_seeds=3)

    assert found.n_dead == (0, 2, 0)
    assert np.isnan(found.per_feature[1][-2:]).all()
    assert np.isnan(found.mean_similarity[1][-2:]).all()
    assert found.share_matched[1, 0] == pytest.approx(12 / 32)
    assert len(found.consensus) == len(places[0])


def test_activations_give_the_same_consensus_whatever_the_inner_space():
    # Concepts fire in the documents; each seed sees 6 of them, noisily, and 6 features of its own.
    rng = np.random.default_rng(5)
    concepts = rng.random((400, 6)) < 0.1
    saes = []
    for _ in range(3):
        seen = concepts ^ (rng.random((400, 6)) < 0.01)
        own = rng.random((400, 6)) < 0.1
        saes.append(csr_array(np.hstack([seen, own]) * rng.uniform(0.5, 2.0, (400, 12))))

    found = seed_stability(saes, threshold=0.5)

    assert {feature.members for feature in found.consensus} == {
        tuple((seed, k) for seed in range(3)) for k in range(6)
    }
    assert found.chance == 0.0


def test_consensus_holds_more_of_the_truth_than_one_seed():
    # Each seed finds two thirds of 30 true directions; the rest of its features are its own.
    rng = np.random.default_rng(6)
    truth = rng.normal(size=(30, 64))
    saes = []
    for _ in range(5):
        found = truth[rng.choice(30, 20, replace=False)] + 0.2 * rng.normal(size=(20, 64))
        saes.append(np.vstack([found, rng.normal(size=(20, 64))]))

    stability = seed_stability(saes, min_seeds=2)

    def f1(directions):
        best = dictionary_similarity(truth, directions).max(axis=0) >= 0.7
        covered = dictionary_similarity(truth, directions).max(axis=1) >= 0.7
        return 2 * best.mean() * covered.mean() / (best.mean() + covered.mean())

    members = [feature.members[0] for feature in stability.consensus]
    assert f1(np.array([saes[s][f] for s, f in members])) >= 0.9
    assert max(f1(sae) for sae in saes) <= 0.65


def test_input_that_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="at least 2 seeds, got 1"):
        seed_stability([np.eye(2)])
    with pytest.raises(InputError, match="2 and 3 dimensions"):
        seed_stability([np.eye(2), np.eye(3)])
    with pytest.raises(InputError, match="some by dictionaries"):
        seed_stability([np.eye(2), csr_array(np.eye(2))])
    with pytest.raises(InputError, match="2 and 3 documents"):
        seed_stability([csr_array(np.eye(2)), csr_array(np.eye(3))])
    with pytest.raises(InputError, match="min_seeds must lie between 2 and the 2 seeds"):
        seed_stability([np.eye(2), np.eye(2)], min_seeds=3)
    with pytest.raises(InputError, match=r"in \[-1, 1\], got 2.0"):
        match_features([[2.0]])
