import pytest

from interp_embed.errors import InputError
from interp_embed.hypotheses import StudySettings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n": 0}, "n must be a whole number of at least 1, but got 0"),
        ({"n": 2.5}, "n must be a whole number of at least 1, but got 2.5"),
        ({"n": True}, "n must be a whole number"),
        ({"n": "ten"}, "n must be a whole number"),
        ({"features": 0}, "n_features must be a whole number of at least 1, but got 0"),
        ({"features": -4}, "n_features must be a whole number"),
        ({"active": 0}, "k must be a whole number of at least 1, but got 0"),
        ({"features": 32, "active": 33}, "k=33 features cannot be active of n_features=32"),
        ({"features": 32, "n": 33}, "33 hypotheses were asked for, .* the SAE has 32"),
        ({"n": 513}, "513 hypotheses were asked for"),
        ({"confirm_share": 0}, "confirm_share must lie between 0 and 1, but got 0"),
        ({"confirm_share": 1.0}, "confirm_share must lie between 0 and 1"),
        ({"level": 5}, "level must lie between 0 and 1, but got 5"),
        ({"level": float("nan")}, "level must lie between 0 and 1"),
        ({"correction": "fdr"}, "correction must be one of bh, .*holm, by, but got 'fdr'"),
        ({"model": "probit"}, "model must be one of auto, linear, .* but got 'probit'"),
        ({"without_signal": "wait"}, "without_signal must be one of go_on, stop"),
        ({"tune_share": 0.6}, "tune_share .* beside confirm_share=0.4, but got 0.6"),
        ({"tune_share": -0.1}, "tune_share must be at least 0"),
        ({"select": "magic"}, "select must be one of lasso, correlation, separation"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"threads": 0}, "threads must be a whole number of at least 1"),
        ({"rule": "relu"}, "rule must be 'topk' or 'batch_topk'"),
    ],
)
def test_settings_out_of_range_are_refused_when_they_are_made(given, message):
    with pytest.raises(InputError, match=message):
        StudySettings(**given)


@pytest.mark.parametrize(
    ("n_documents", "features"),
    [(50, 32), (96, 32), (191, 32), (192, 64), (2_000, 512), (10**6, 512)],
)
def test_the_sae_grows_with_the_documents(n_documents, features):
    training = StudySettings().learning(n_documents=n_documents).training

    assert training.n_features == features
    assert training.prefixes[-1] == features


def test_every_setting_reaches_the_trainer():
    training = (
        StudySettings(features=40, active=3, rule="topk", max_epochs=7, seed=5, threads=2)
        .learning(n_documents=100)
        .training
    )

    assert (training.n_features, training.k, training.rule) == (40, 3, "topk")
    assert (training.max_epochs, training.seed, training.threads) == (7, 5, 2)
    assert training.prefixes == (32, 40)
