import logging
import os
import subprocess
import sys

import numpy as np
import pytest

from interp_embed.errors import InputError
from interp_embed.sae import TrainingSettings, reconstruction_nmse, train_sae
from interp_embed.synthetic import plant_activations

PLANTED = plant_activations(600, d_in=16, n_concepts=8, seed=0).X
SMALL = TrainingSettings(16, 3, max_epochs=3)


def same_weights(first, second):
    names = ("encoder", "encoder_bias", "decoder", "decoder_bias")
    return all((getattr(first, name) == getattr(second, name)).all() for name in names)


def test_training_learns_and_keeps_directions_at_unit_length():
    trained = train_sae(PLANTED, TrainingSettings(16, 3))

    assert trained.report.validation_nmse < 0.2 < trained.report.validation_history[0]
    assert np.linalg.norm(trained.weights.decoder, axis=1) == pytest.approx(1, abs=1e-6)
    assert trained.weights.encode(PLANTED).shape == (600, 16)
    assert trained.report.mean_active <= 3


def test_the_weights_kept_are_those_of_the_best_epoch():
    train, held_out = PLANTED[:400], PLANTED[400:]
    settings = TrainingSettings(60, 6, max_epochs=60, learning_rate=0.05)  # learns by heart

    trained = train_sae(train, settings, validation=held_out)

    history = trained.report.validation_history
    assert trained.report.best_epoch < trained.report.epochs  # later epochs were worse
    assert trained.report.best_epoch == np.argmin(history) + 1
    assert trained.report.validation_nmse == min(history)
    assert reconstruction_nmse(trained.weights, held_out) == min(history)
    assert reconstruction_nmse(trained.weights, train) == trained.report.train_nmse
    assert (trained.report.n_train, trained.report.n_validation) == (400, 200)


def test_it_stops_when_patience_runs_out():
    report = train_sae(PLANTED, TrainingSettings(16, 3, max_epochs=500, patience=2)).report

    assert report.stopped == "patience"
    assert report.epochs < 500
    best = report.best_epoch
    assert min(report.validation_history[best:]) >= report.validation_nmse


def test_it_says_when_the_cap_stopped_it_at_rest():
    standing_still = TrainingSettings(16, 3, max_epochs=5, patience=10, learning_rate=1e-7)

    report = train_sae(PLANTED, standing_still).report

    assert report.stopped == "cap"
    assert report.epochs == 5


def test_it_says_when_the_cap_stopped_it_still_improving():
    report = train_sae(PLANTED, TrainingSettings(16, 3, max_epochs=2)).report

    assert report.stopped == "cap, still improving"
    assert report.epochs == 2


def test_a_tenth_is_held_out_by_the_seed_and_nothing_is_mutated():
    before = PLANTED.copy()

    report = train_sae(PLANTED, SMALL).report

    assert (report.n_train, report.n_validation) == (540, 60)
    assert (before == PLANTED).all()


def test_too_few_documents_to_hold_out_is_logged_and_all_serve_for_both(caplog):
    with caplog.at_level(logging.WARNING, logger="interp_embed"):
        report = train_sae(PLANTED[:17], TrainingSettings(16, 3, max_epochs=2)).report

    assert (report.n_train, report.n_validation) == (17, 17)
    assert report.validation_nmse == report.train_nmse
    assert "17 documents are too few to hold some out from 16 features" in caplog.text


@pytest.mark.parametrize(
    ("n_documents", "batch_size"),
    [(65, 64), (65, 32), (40, 64), (40, 40), (64, 64), (33, 1)],
)
@pytest.mark.parametrize("rule", ["topk", "batch_topk"])
def test_any_batch_remainder_is_trained_on(n_documents, batch_size, rule):
    settings = TrainingSettings(16, 3, rule=rule, batch_size=batch_size, max_epochs=2)

    trained = train_sae(PLANTED[:n_documents], settings, validation=PLANTED[500:])

    assert trained.report.n_train == n_documents
    assert np.isfinite(trained.weights.encoder).all()


def test_every_document_of_an_incomplete_batch_counts():
    # Two documents in one batch of 64: the same as a batch of exactly 2.
    rows = PLANTED[:2]
    given = {"validation": PLANTED[500:]}

    wide = train_sae(rows, TrainingSettings(2, 1, batch_size=64, max_epochs=2), **given)
    exact = train_sae(rows, TrainingSettings(2, 1, batch_size=2, max_epochs=2), **given)

    assert same_weights(wide.weights, exact.weights)


@pytest.mark.parametrize("rule", ["topk", "batch_topk"])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(rule):
    first, again, other = (
        train_sae(PLANTED, TrainingSettings(16, 3, (4,), rule=rule, max_epochs=3, seed=seed))
        for seed in (1, 1, 2)
    )

    assert same_weights(first.weights, again.weights)
    assert first.report == again.report
    assert first.weights.threshold == again.weights.threshold
    assert not same_weights(first.weights, other.weights)


SAVE = """
from pathlib import Path
from interp_embed.sae import Origin, TrainingSettings, save_sae, train_sae
from interp_embed.synthetic import plant_activations
X = plant_activations(600, d_in=16, n_concepts=8, seed=0).X
settings = TrainingSettings(32, 3, (8,), rule="batch_topk", max_epochs=3)
save_sae(Path(folder), train_sae(X, settings), Origin.of(X, settings))
"""


def test_two_processes_save_the_same_bytes(tmp_path):
    folders = [tmp_path / "first", tmp_path / "second"]
    other = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    exec(SAVE, {"folder": folders[0]})  # noqa: S102 - the code above
    subprocess.run(
        [sys.executable, "-c", f"folder = {str(folders[1])!r}\n{SAVE}"],
        check=True,
        env=os.environ | {"PYTHONHASHSEED": other},
    )

    for name in ("sae.safetensors", "sae.json"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_a_list_and_float64_train_like_float32():
    expected = train_sae(PLANTED, SMALL).weights

    assert same_weights(train_sae(PLANTED.astype(np.float64), SMALL).weights, expected)
    assert same_weights(train_sae(PLANTED.tolist(), SMALL).weights, expected)
    assert same_weights(train_sae(np.asfortranarray(PLANTED), SMALL).weights, expected)


@pytest.mark.parametrize("factor", [1e-25, 1e25])
def test_the_scale_of_the_embeddings_does_not_matter(factor):
    plain = train_sae(PLANTED, SMALL).report
    scaled = train_sae(PLANTED * np.float32(factor), SMALL).report

    assert scaled.validation_nmse == pytest.approx(plain.validation_nmse, rel=1e-3)


def test_a_warm_start_goes_on_from_where_the_weights_were():
    held_out = PLANTED[500:]
    first = train_sae(
        PLANTED[:500], TrainingSettings(16, 3, (4,), max_epochs=10), validation=held_out
    )
    gently = TrainingSettings(16, 3, (4,), max_epochs=5, learning_rate=1e-3)

    cold = train_sae(PLANTED[:500], gently, validation=held_out).report
    warm = train_sae(PLANTED[:500], gently, validation=held_out, warm_start=first.weights).report

    assert warm.validation_nmse < first.report.validation_nmse < cold.validation_nmse


def test_a_warm_start_at_a_vanishing_rate_changes_nothing_but_rounding():
    first = train_sae(PLANTED, SMALL).weights
    still = TrainingSettings(16, 3, max_epochs=1, learning_rate=1e-12)

    again = train_sae(PLANTED + 5, still, warm_start=first)  # other mean, same directions

    # Another mean changes what is active, but not what a feature reads and writes.
    fired = again.weights.encode(PLANTED).getnnz(axis=0) > 0
    assert again.weights.decoder[fired] == pytest.approx(first.decoder[fired], abs=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (TrainingSettings(8, 3), r"needs weights of shape \(8, 16\) .* got \(16, 16\)"),
        (TrainingSettings(16, 3, (8,)), r"same prefixes, .* have \(16,\) .* \(8, 16\)"),
    ],
)
def test_a_warm_start_of_another_shape_is_refused(settings, message):
    weights = train_sae(PLANTED, SMALL).weights

    with pytest.raises(InputError, match=message):
        train_sae(PLANTED, settings, warm_start=weights)


def with_value(value, *, row=7, column=2):
    changed = PLANTED.copy()
    changed[row, column] = value
    return changed


def with_constant_columns(*columns):
    changed = PLANTED.copy()
    changed[:, columns] = 0.25
    return changed


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [
        (with_value(np.nan), "1 of 600 rows of embeddings are not finite .* such as 7"),
        (with_value(np.inf), "1 of 600 rows of embeddings are not finite"),
        (PLANTED.astype(np.float64) * 1e300, "600 of 600 rows of embeddings are not finite"),
        (with_constant_columns(3, 11), "2 of 16 columns .* constant, such as 3, 11"),
        (np.ones((600, 16)), "all 600 rows of embeddings are equal"),
        (np.ones((600, 16)) * np.arange(16), "all 600 rows of embeddings are equal"),
        (PLANTED.astype(str), "must hold numbers, but their dtype is <U"),
        (PLANTED.astype(object), "must hold numbers, but their dtype is object"),
        (PLANTED > 0, "must hold numbers, but their dtype is bool"),
        (PLANTED.astype(complex), "must hold numbers, but their dtype is complex"),
        ([[1.0, 2.0], [3.0]], "cannot be read as a matrix"),
        (PLANTED[0], r"must have shape \(n_documents, d_in\), .* got \(16,\)"),
        (PLANTED[None], r"must have shape .* got \(1, 600, 16\)"),
        (PLANTED[:0], r"both at least 1, but got \(0, 16\)"),
        ([], "both at least 1, but got"),
        (None, "must hold numbers"),
        (PLANTED[:15], "16 features cannot be learned from 15 documents"),
        (PLANTED[:1], "all 1 rows"),
    ],
)
def test_embeddings_that_cannot_be_learned_from_are_refused(embeddings, message):
    with pytest.raises(InputError, match=message):
        train_sae(embeddings, TrainingSettings(16, 3))


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (PLANTED[:, :15], "validation embeddings are 15 wide, but this SAE reads 16"),
        (with_value(np.nan), "1 of 600 rows of validation embeddings are not finite"),
        (PLANTED[:0], r"validation embeddings must have shape .* got \(0, 16\)"),
        (PLANTED[:1], "at least 2 documents that differ, but the 1 given is alone"),
        (PLANTED[[4, 4, 4]], "at least 2 documents that differ, but the 3 given are equal"),
    ],
)
def test_validation_that_does_not_fit_is_refused(validation, message):
    with pytest.raises(InputError, match=message):
        train_sae(PLANTED, SMALL, validation=validation)


def test_fewer_training_documents_than_features_are_refused_with_validation_too():
    with pytest.raises(InputError, match="16 features cannot be learned from 10 documents"):
        train_sae(PLANTED[:10], SMALL, validation=PLANTED[10:])


def test_divergence_is_an_error_not_nan_weights():
    with pytest.raises(InputError, match=r"training diverged: .* learning_rate below 1e\+30"):
        train_sae(PLANTED, TrainingSettings(16, 3, learning_rate=1e30))


def test_duplicate_documents_do_not_make_nan():
    rows = np.repeat(PLANTED[:5], 40, axis=0)

    trained = train_sae(rows, TrainingSettings(32, 4, max_epochs=20))

    assert np.isfinite(trained.weights.decoder).all()
    assert trained.report.train_nmse < 0.05


def test_as_many_features_as_documents_and_k_of_all_features():
    trained = train_sae(PLANTED[:20], TrainingSettings(20, 20, max_epochs=3))

    assert np.isfinite(trained.report.validation_nmse)


def test_progress_goes_to_the_standard_error_stream(capfd):
    train_sae(PLANTED, SMALL, progress=True)

    captured = capfd.readouterr()
    assert captured.out == ""
    assert "training the SAE" in captured.err


def test_reviving_dead_features_is_not_measured_before_they_learn():
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(20, 32))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    concepts = rng.random((4000, 20)).argsort(axis=1)[:, :3]
    weights = rng.uniform(0.5, 1.5, (4000, 3, 1))
    X = (weights * directions[concepts]).sum(axis=1) + rng.normal(0, 0.02, (4000, 32))
    settings = TrainingSettings(
        512, 4, rule="batch_topk", max_epochs=8, learning_rate=0.03, batch_size=64
    )

    report = train_sae(X.astype(np.float32), settings).report

    assert report.n_revived > 100
    lowest = np.minimum.accumulate(report.validation_history)
    assert (np.array(report.validation_history) < 1.5 * lowest).all()
