"""What training recovers of planted concepts: sparsity, prefixes, revival, the control."""

import numpy as np
import pytest

from interp_embed.sae import TrainingSettings, random_dictionary, train_sae
from interp_embed.synthetic import match_features, plant_activations


def recovered(n_concepts, seed):
    """F1 on fresh documents of the trained SAE, and of a random dictionary of the same size."""
    planted = plant_activations(3_000, n_concepts=n_concepts, seed=seed)
    train, fresh, truth = planted.X[:2_000], planted.X[2_000:], planted.truth[2_000:]
    settings = TrainingSettings(2 * n_concepts, 4, rule="batch_topk", seed=seed)
    trained = train_sae(train, settings).weights
    control = random_dictionary(train, n_features=2 * n_concepts, k=4, seed=seed)
    return [match_features(sae.encode(fresh), truth).mean_f1 for sae in (trained, control)]


@pytest.mark.parametrize("n_concepts", [16, 32])
def test_planted_concepts_are_recovered_far_beyond_a_random_dictionary(n_concepts):
    trained, control = recovered(n_concepts, seed=0)

    assert trained >= 0.80
    assert trained >= control + 0.30


@pytest.mark.slow
@pytest.mark.parametrize("n_concepts", [16, 32])
def test_planted_concepts_are_recovered_for_every_seed(n_concepts):
    results = np.array([recovered(n_concepts, seed) for seed in range(5)])

    assert results[:, 0].min() >= 0.80
    assert (results[:, 0] - results[:, 1]).min() >= 0.30


def test_batch_topk_has_k_active_features_in_mean_on_old_and_new_documents():
    planted = plant_activations(3_000, n_concepts=16, seed=0)
    train, fresh = planted.X[:2_000], planted.X[2_000:]

    trained = train_sae(train, TrainingSettings(32, 4, rule="batch_topk"), validation=fresh)

    assert trained.report.mean_active == pytest.approx(4, abs=0.01)
    counts = np.diff(trained.weights.encode(fresh).indptr)
    assert counts.mean() == pytest.approx(4, rel=0.1)
    assert counts.min() < 4 < counts.max()


def error_from(weights, rows, features):
    """Share of the spread left when only these features may speak."""
    activations = weights.encode(rows).toarray()
    silent = np.setdiff1d(np.arange(weights.n_features), features)
    activations[:, silent] = 0
    rest = weights.decode(activations) - rows
    return (rest**2).sum() / ((rows - rows.mean(axis=0)) ** 2).sum()


def test_matryoshka_prefixes_say_the_most_first():
    planted = plant_activations(2_500, d_in=32, n_concepts=24, seed=0)
    train, fresh = planted.X[:2_000], planted.X[2_000:]
    nested = train_sae(train, TrainingSettings(48, 8, (6, 16))).weights
    plain = train_sae(train, TrainingSettings(48, 8)).weights
    energy = np.asarray(plain.encode(train).power(2).sum(axis=0)).ravel()
    strongest = np.argsort(-energy)

    errors = [error_from(nested, fresh, np.arange(end)) for end in (6, 16, 48)]

    assert errors[0] > errors[1] > errors[2]
    # Better than as many features of a plain SAE, even if those are picked by hand.
    assert errors[0] < 0.8 * error_from(plain, fresh, strongest[:6])
    assert errors[1] < 0.8 * error_from(plain, fresh, strongest[:16])


def clumped_embeddings():
    """Nine documents of ten in one tight clump: directions drawn from it duplicate each other."""
    planted = plant_activations(1_500, d_in=24, n_concepts=20, seed=0)
    rng = np.random.default_rng(0)
    X = planted.X.copy()
    clump = rng.random(1_500) < 0.9
    X[clump] = 3 * planted.directions[0]
    X[clump] += 0.02 * rng.standard_normal((clump.sum(), 24))
    return X


def test_revival_brings_dead_features_back_on_small_data(monkeypatch):
    embeddings = clumped_embeddings()
    settings = TrainingSettings(64, 3, max_epochs=40)
    revived = train_sae(embeddings, settings).report

    monkeypatch.setattr("interp_embed.sae.train._REVIVE_UNTIL", 0.0)
    left_alone = train_sae(embeddings, settings).report

    assert left_alone.n_revived == 0
    assert left_alone.n_dead > 15
    assert revived.n_revived > 0
    assert revived.n_dead < left_alone.n_dead / 3
    assert revived.validation_nmse < left_alone.validation_nmse


def test_no_feature_stays_dead_where_there_is_enough_to_say():
    planted = plant_activations(2_000, n_concepts=32, seed=1)

    report = train_sae(planted.X, TrainingSettings(64, 4, rule="batch_topk")).report

    assert report.n_revived > 0
    assert report.n_dead == 0
