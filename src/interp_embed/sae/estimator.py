"""The trainer as a scikit-learn estimator."""

from dataclasses import fields
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from interp_embed.records import TrainingReport
from interp_embed.sae.checkpoint import Origin, load_sae, save_sae
from interp_embed.sae.matrix import check_embeddings
from interp_embed.sae.settings import TrainingSettings
from interp_embed.sae.train import TrainedSAE, train_sae
from interp_embed.sae.weights import SAEWeights


class EmbeddingSAE(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Sparse autoencoder of embeddings with ``fit``, ``transform`` and ``get_params``.

    The arguments are those of ``TrainingSettings``, and the name of the embedder that
    ``Dataset(data, sae=EmbeddingSAE())`` uses. After ``fit``: ``weights_`` (``SAEWeights``),
    ``report_`` (``TrainingReport``), ``n_features_in_``.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 16))
    >>> EmbeddingSAE(n_features=32, k=4, max_epochs=2).fit_transform(X).shape
    (200, 32)
    """

    def __init__(
        self,
        n_features: int = 256,
        *,
        k: int = 8,
        prefixes: tuple[int, ...] = (),
        rule: str = "topk",
        max_epochs: int | None = None,
        patience: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        seed: int = 0,
        threads: int = 1,
        embedder: str = "minilm",
    ) -> None:
        self.embedder = embedder
        self.n_features = n_features
        self.k = k
        self.prefixes = prefixes
        self.rule = rule
        self.max_epochs = max_epochs
        self.patience = patience
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.seed = seed
        self.threads = threads

    @property
    def settings(self) -> TrainingSettings:
        """The settings as the trainer takes them.

        Raises:
            InputError: A value is out of range.
        """
        return TrainingSettings(**{f.name: getattr(self, f.name) for f in fields(TrainingSettings)})

    def fit(self, X: ArrayLike, y: object = None, *, validation: ArrayLike | None = None) -> Self:
        """Train on embeddings of shape (n_documents, d_in); ``y`` is ignored.

        Raises:
            InputError: The embeddings cannot be learned from, or do not fit the settings.
        """
        embeddings = check_embeddings(X)
        held_out = None if validation is None else check_embeddings(validation)
        trained = train_sae(embeddings, self.settings, validation=held_out)
        self._origin = Origin.of(embeddings, self.settings, validation=held_out)
        return self._keep(trained)

    def transform(self, X: ArrayLike) -> csr_matrix:
        """Return sparse activations, shape (n_documents, n_features).

        Raises:
            InputError: The embeddings do not fit.
        """
        check_is_fitted(self, "weights_")
        return self.weights_.encode(X, threads=self.threads)

    def inverse_transform(self, activations: csr_matrix) -> NDArray[np.float32]:
        """Return the reconstruction of the embeddings, shape (n_documents, d_in)."""
        check_is_fitted(self, "weights_")
        return self.weights_.decode(activations)

    def save(self, directory: str | Path) -> None:
        """Write the fitted SAE into a folder (safetensors and JSON)."""
        check_is_fitted(self, "weights_")
        save_sae(Path(directory), TrainedSAE(self.weights_, self.report_), self._origin)

    @classmethod
    def load(cls, directory: str | Path, *, embeddings: ArrayLike | None = None) -> Self:
        """Return a saved SAE; with ``embeddings``, only if it was trained on exactly those.

        Raises:
            StoredFileError: It is missing, damaged, or was trained on other embeddings.
        """
        saved = load_sae(Path(directory))
        origin = saved.origin
        if embeddings is not None:
            origin.require_embeddings(check_embeddings(embeddings), Path(directory))
        settings = dict(origin.settings) | {"prefixes": tuple(origin.settings["prefixes"])}
        estimator = cls(**settings)
        estimator._origin = origin
        return estimator._keep(saved.trained)

    def _keep(self, trained: TrainedSAE) -> Self:
        self.weights_: SAEWeights = trained.weights
        self.report_: TrainingReport = trained.report
        self.n_features_in_ = trained.weights.d_in
        return self
