import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from interp_embed.errors import InputError, StoredFileError
from interp_embed.sae import EmbeddingSAE, TrainingSettings, train_sae
from interp_embed.synthetic import plant_activations

PLANTED = plant_activations(400, d_in=16, n_concepts=8, seed=0)
X = PLANTED.X


def small(**changes):
    return EmbeddingSAE(**{"n_features": 24, "k": 3, "max_epochs": 2} | changes)


def test_it_trains_like_the_function():
    estimator = small(prefixes=(8,), seed=4).fit(X)

    trained = train_sae(X, TrainingSettings(24, 3, (8,), max_epochs=2, seed=4))
    assert estimator.report_ == trained.report
    assert (estimator.weights_.decoder == trained.weights.decoder).all()
    assert estimator.n_features_in_ == 16


def test_transform_is_sparse_and_goes_back():
    estimator = small(rule="batch_topk").fit(X)

    activations = estimator.transform(X)

    assert sparse.isspmatrix_csr(activations)
    assert activations.shape == (400, 24)
    assert (activations != small(rule="batch_topk").fit_transform(X)).nnz == 0
    rest = estimator.inverse_transform(activations) - X
    error = (rest**2).sum() / ((X - X.mean(axis=0)) ** 2).sum()
    assert error < 0.6


def test_parameters_are_read_set_and_cloned():
    estimator = small(prefixes=(8,), seed=4)

    assert estimator.get_params()["prefixes"] == (8,)
    assert clone(estimator).get_params() == estimator.get_params()
    assert estimator.set_params(k=5, seed=6).settings == TrainingSettings(
        24, 5, (8,), max_epochs=2, seed=6
    )
    fitted = clone(estimator.fit(X))
    assert not hasattr(fitted, "weights_")


def test_the_defaults_are_those_of_the_settings():
    assert EmbeddingSAE(24, k=3).settings == TrainingSettings(24, 3)


def test_it_works_in_a_pipeline():
    truth = PLANTED.truth[:, 0]
    pipeline = make_pipeline(small(max_epochs=60), LogisticRegression())

    pipeline.fit(X[:300], truth[:300])

    assert pipeline.score(X[300:], truth[300:]) > 0.85
    assert pipeline.set_params(embeddingsae__k=2)[0].k == 2


def test_saved_and_loaded_it_transforms_alike(tmp_path):
    estimator = small(prefixes=(8,)).fit(X)
    estimator.save(tmp_path / "sae")

    loaded = EmbeddingSAE.load(tmp_path / "sae", embeddings=X.tolist())

    assert loaded.get_params() == estimator.get_params()
    assert loaded.report_ == estimator.report_
    assert (loaded.transform(X) != estimator.transform(X)).nnz == 0
    loaded.save(tmp_path / "again")
    for name in ("sae.json", "sae.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "sae" / name).read_bytes()


def test_a_saved_sae_of_other_embeddings_is_refused(tmp_path):
    small().fit(X).save(tmp_path)

    with pytest.raises(StoredFileError, match="was made from other embeddings"):
        EmbeddingSAE.load(tmp_path, embeddings=X[::-1])


def test_validation_documents_are_part_of_what_a_saved_sae_remembers(tmp_path):
    small().fit(X[:300]).save(tmp_path / "drawn")
    small().fit(X[:300], validation=X[300:]).save(tmp_path / "given")

    drawn, given = ((tmp_path / name / "sae.json").read_text() for name in ("drawn", "given"))
    assert '"validation": null' in drawn
    assert '"validation": null' not in given


def test_it_must_be_fitted_first(tmp_path):
    for use in (
        lambda: small().transform(X),
        lambda: small().inverse_transform(sparse.csr_matrix((2, 24))),
        lambda: small().save(tmp_path),
    ):
        with pytest.raises(NotFittedError):
            use()


def test_bad_parameters_and_embeddings_are_refused_when_fitted():
    with pytest.raises(InputError, match="k=30 features cannot be active of n_features=24"):
        small(k=30).fit(X)
    with pytest.raises(InputError, match="1 of 400 rows"):
        small().fit(np.where(np.arange(400)[:, None] == 9, np.nan, X))
    with pytest.raises(InputError, match="are 15 wide, but this SAE reads 16"):
        small().fit(X).transform(X[:, :15])
