import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LinearRegression

from interp_embed.errors import InputError
from interp_embed.hypotheses import FeatureSettings, choose_features, learn_features
from interp_embed.hypotheses.aim import Aim
from interp_embed.hypotheses.pool import pool_saes
from interp_embed.sae import Origin, TrainingSettings, load_sae, save_sae, train_sae

TINY = TrainingSettings(64, 4, prefixes=(16, 64), rule="batch_topk", max_epochs=15)


def _documents(n=400, *, seed=0):
    """Embeddings in which the target is one direction of 24, of little variance."""
    rng = np.random.default_rng(seed)
    topics = (rng.random((n, 12)) < 0.2) @ rng.standard_normal((12, 24))
    mood = rng.standard_normal(n)
    along = rng.standard_normal(24) / 24**0.5
    embeddings = topics + 0.5 * np.outer(mood, along) + 0.05 * rng.standard_normal((n, 24))
    return embeddings.astype(np.float32), mood


@pytest.fixture(scope="module")
def learned():
    embeddings, target = _documents()
    settings = FeatureSettings(TINY, granularities=2, repeats=2)
    return learn_features(embeddings[:300], target[:300], settings=settings)


def _r2(train, train_target, test, test_target):
    fit = LinearRegression().fit(train.toarray(), train_target)
    return fit.score(test.toarray(), test_target)


def test_features_aimed_at_a_target_predict_it_on_new_documents():
    embeddings, target = _documents()
    scores = {}
    for weight in (0.0, 0.6):
        settings = FeatureSettings(TINY, granularities=1, repeats=1, target_weight=weight)
        found = learn_features(embeddings[:300], target[:300], settings=settings)
        chosen = choose_features(found.activations, target[:300], n=10).features
        scores[weight] = _r2(
            found.activations[:, chosen],
            target[:300],
            found.encode(embeddings[300:])[:, chosen],
            target[300:],
        )

    assert scores[0.6] > scores[0.0] + 0.1


def test_a_target_that_nothing_predicts_leaves_the_features_as_they_are():
    embeddings, _ = _documents()
    noise = np.random.default_rng(5).standard_normal(len(embeddings))

    aim = Aim.fit(embeddings, noise[:, None], np.arange(len(embeddings)), weight=0.4, seed=0)

    spread = np.sqrt(np.square(embeddings - embeddings.mean(0)).sum(axis=1).mean())
    assert aim.columns.std(axis=0).max(initial=0.0) < 0.15 * spread


def test_no_document_s_own_target_is_in_its_column():
    rng = np.random.default_rng(0)
    inside, outside = [], []
    for _ in range(10):
        embeddings = rng.standard_normal((120, 60)).astype(np.float32)
        noise = rng.standard_normal(120)
        aim = Aim.fit(embeddings, noise[:, None], np.arange(120), weight=1.0, seed=0)
        if aim.columns.shape[1]:
            fitted = (embeddings - aim.centre) @ aim.directions[:, 0]
            inside.append(np.corrcoef(fitted, noise)[0, 1])
            outside.append(np.corrcoef(aim.columns[:, 0], noise)[0, 1])

    assert np.mean(inside) > 0.4
    assert np.mean(outside) < 0.05


def test_without_weight_one_sae_is_the_plain_one():
    embeddings, target = _documents()
    settings = FeatureSettings(TINY, granularities=1, repeats=1, target_weight=0.0)

    found = learn_features(embeddings, target, settings=settings, seed=3)
    plain = train_sae(embeddings, settings.trainings(seed=3)[0])

    for name in ("encoder", "encoder_bias", "decoder", "decoder_bias"):
        np.testing.assert_array_equal(
            getattr(found.sae.weights, name), getattr(plain.weights, name)
        )
    assert np.isnan(found.stability).all()


def test_folding_gives_the_activations_of_the_wider_sae():
    embeddings, target = _documents()
    aim = Aim.fit(embeddings, target[:, None], np.arange(len(target)), weight=0.5, seed=0)
    wide = train_sae(np.hstack([embeddings, aim.columns]), TINY).weights
    column = (embeddings - aim.centre) @ aim.directions

    folded = aim.fold(wide)

    expected = wide.encode(np.hstack([embeddings, column.astype(np.float32)])).toarray()
    found = folded.encode(embeddings).toarray()
    assert np.mean((found > 0) != (expected > 0)) < 1e-3
    np.testing.assert_allclose(found, expected, atol=2e-2)


def test_pooled_features_fire_where_they_did():
    embeddings, _ = _documents()
    saes = [
        train_sae(embeddings, TINY),
        train_sae(embeddings, TrainingSettings(16, 2, rule="batch_topk", seed=1)),
    ]
    weights = [sae.weights for sae in saes]

    pooled = pool_saes(weights, embeddings, merge_above=1.0)

    apart = np.hstack([sae.encode(embeddings).toarray() for sae in weights])
    assert np.mean((pooled.activations.toarray() > 0) != (apart > 0)) < 1e-3
    assert pooled.source.tolist() == [0] * 64 + [1] * 16
    rebuilt = pooled.weights.decode(pooled.activations)
    mean = np.mean([sae.decode(sae.encode(embeddings)) for sae in weights], axis=0)
    np.testing.assert_allclose(rebuilt, mean, atol=1e-3)


def test_the_same_sae_twice_is_merged_into_one_that_is_wholly_stable():
    embeddings, _ = _documents()
    sae = train_sae(embeddings, TINY).weights

    pooled = pool_saes([sae, sae], embeddings, merge_above=0.9)

    alive = np.bincount(sae.encode(embeddings).indices, minlength=64) > 0
    assert pooled.n_merged == alive.sum()
    np.testing.assert_allclose(pooled.stability[:64][alive], 1.0, atol=1e-6)
    rebuilt = pooled.weights.decode(pooled.activations)
    np.testing.assert_allclose(rebuilt, sae.decode(sae.encode(embeddings)), atol=1e-2)


def test_learned_features_are_saved_and_loaded_as_an_ordinary_sae(learned, tmp_path):
    embeddings, _ = _documents()
    save_sae(tmp_path, learned.sae, Origin.of(embeddings[:300], TINY))

    loaded = load_sae(tmp_path).trained

    assert loaded.report == learned.report
    found = loaded.weights.encode(embeddings[300:])
    np.testing.assert_array_equal(found.toarray(), learned.encode(embeddings[300:]).toarray())


def test_what_is_learned_is_aligned(learned):
    n_features = learned.sae.weights.n_features
    assert learned.activations.shape == (300, n_features)
    assert learned.source.shape == learned.stability.shape == (n_features,)
    assert n_features + learned.n_merged == sum(sae.weights.n_features for sae in learned.saes)
    assert {sae.weights.n_features for sae in learned.saes} == {64, 32}
    assert len(learned.saes) == 4
    known = learned.stability[np.isfinite(learned.stability)]
    assert (known >= 0).all()
    assert (known <= 1 + 1e-9).all()


def test_the_same_seed_gives_the_same_features(learned):
    embeddings, target = _documents()
    settings = FeatureSettings(TINY, granularities=2, repeats=2)

    again = learn_features(embeddings[:300], target[:300], settings=settings)

    np.testing.assert_array_equal(again.sae.weights.encoder, learned.sae.weights.encoder)


def test_several_targets_are_each_aimed_at():
    embeddings, target = _documents()
    other = embeddings[:, 0].astype(float)

    aim = Aim.fit(embeddings, np.column_stack([target, other]), np.arange(400), weight=0.4, seed=0)

    assert aim.directions.shape == (24, 2)
    assert aim.columns.shape == (400, 2)
    assert abs(np.corrcoef(aim.columns[:, 1], other)[0, 1]) > 0.9


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(InputError, match="repeats must be a whole number of at least 1"):
        FeatureSettings(TINY, repeats=0)
    with pytest.raises(InputError, match="target_weight must be finite"):
        FeatureSettings(TINY, target_weight=-1.0)
    with pytest.raises(InputError, match="merge_above must lie above 0"):
        FeatureSettings(TINY, merge_above=1.5)
    with pytest.raises(InputError, match="only SAEs of the rule 'batch_topk' can be pooled"):
        FeatureSettings(TrainingSettings(64, 4), repeats=2)
    sae = train_sae(_documents()[0], TrainingSettings(8, 2, max_epochs=1)).weights
    with pytest.raises(InputError, match="cannot be pooled"):
        pool_saes([sae, sae], _documents()[0], merge_above=0.9)


def test_halving_ends_at_32_features():
    trainings = FeatureSettings(TINY, granularities=5, repeats=1).trainings(seed=0)

    assert [training.n_features for training in trainings] == [64, 32]
    assert [training.k for training in trainings] == [4, 2]


def test_forward_choice_takes_what_adds_not_what_repeats():
    rng = np.random.default_rng(0)
    strong, weak = rng.random(200) < 0.4, rng.random(200) < 0.4
    nearly = strong ^ (rng.random(200) < 0.02)
    activations = csr_matrix(np.column_stack([strong, nearly, weak]).astype(np.float32))
    target = 2.0 * strong + 1.0 * weak

    assert choose_features(activations, target, n=2, method="forward").features.tolist() == [0, 2]
    assert choose_features(activations, target, n=2, method="correlation").features.tolist() == [
        0,
        1,
    ]


def test_forward_choice_is_least_squares_one_feature_at_a_time():
    rng = np.random.default_rng(1)
    dense = np.maximum(rng.standard_normal((150, 12)), 0).astype(np.float32)
    target = dense @ rng.standard_normal(12) + rng.standard_normal(150)

    chosen = choose_features(csr_matrix(dense), target, n=5, method="forward").features.tolist()

    kept: list[int] = []
    for _ in range(5):
        scores = {
            j: LinearRegression()
            .fit(dense[:, [*kept, j]], target)
            .score(dense[:, [*kept, j]], target)
            for j in range(12)
            if j not in kept
        }
        kept.append(max(scores, key=scores.__getitem__))
    assert chosen == kept


def test_several_targets_take_turns_or_are_served_together():
    rng = np.random.default_rng(2)
    dense = (rng.random((200, 4)) < 0.4).astype(np.float32)
    targets = np.column_stack([dense[:, 1] + 0.3 * dense[:, 0], dense[:, 3]]) + 0.01 * rng.random(
        (200, 2)
    )

    turns = choose_features(csr_matrix(dense), targets, n=3, method="correlation").features
    together = choose_features(csr_matrix(dense), targets, n=2, method="forward").features

    assert turns.tolist() == [1, 3, 0]
    assert sorted(together.tolist()) == [1, 3]


def test_targets_that_cannot_be_used_are_refused():
    activations = csr_matrix(np.eye(20, 3, dtype=np.float32))
    with pytest.raises(InputError, match="one row for each of 20 documents"):
        choose_features(activations, np.arange(19), n=2)
    with pytest.raises(InputError, match="target 0 is 1 on every document"):
        choose_features(activations, np.ones(20), n=2)
    with pytest.raises(InputError, match="not finite"):
        choose_features(activations, np.full(20, np.nan), n=2)
    with pytest.raises(InputError, match="0 features were asked for"):
        choose_features(activations, np.arange(20), n=0)
    with pytest.raises(InputError, match="fires on at least 5"):
        choose_features(activations, np.arange(20), n=1, method="forward")
