"""TF-IDF and a truncated SVD, fitted on the user's own corpus: dense vectors with no model at all.

Source: Deerwester et al. 1990, "Indexing by latent semantic analysis".
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from interp_embed._fingerprint import digest_texts
from interp_embed.embedders.protocol import Progress
from interp_embed.errors import InputError
from interp_embed.records import Json

logger = logging.getLogger(__name__)


class TfidfEmbedder:
    """Latent semantic analysis; must be fitted before it embeds."""

    chunk_size = 4096
    is_slow = False

    def __init__(
        self,
        n_components: int = 256,
        *,
        min_df: int = 2,
        max_features: int = 50_000,
        seed: int = 0,
    ) -> None:
        if n_components < 1 or min_df < 1 or max_features < 2:
            raise InputError(
                "n_components and min_df must be at least 1 and max_features at least 2, got "
                f"n_components={n_components}, min_df={min_df}, max_features={max_features}"
            )
        self._settings = {
            "n_components": n_components,
            "min_df": min_df,
            "max_features": max_features,
            "seed": seed,
        }
        self._vectorizer: TfidfVectorizer | None = None
        self._svd: TruncatedSVD | None = None
        self._corpus: str | None = None

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything that changes a vector: the settings and the corpus it was fitted on.

        Raises:
            InputError: The embedder is not fitted.
        """
        self._fitted()
        return {"kind": "tfidf", **self._settings, "corpus": self._corpus}

    @property
    def d_in(self) -> int:
        """Dimensions of a vector; fewer than ``n_components`` on a tiny corpus.

        Raises:
            InputError: The embedder is not fitted.
        """
        return int(self._fitted()[1].components_.shape[0])

    def fit(self, documents: Sequence[str]) -> Self:
        """Learn vocabulary, weights and directions from these documents, and return itself.

        Raises:
            InputError: The documents hold too few words to learn from.
        """
        vectorizer = TfidfVectorizer(
            sublinear_tf=True,
            ngram_range=(1, 2),
            min_df=min(self._settings["min_df"], max(1, len(documents) // 2)),
            max_features=self._settings["max_features"],
            dtype=np.float32,
        )
        try:
            weights = vectorizer.fit_transform(documents)
        except ValueError as error:
            raise InputError(
                f"TF-IDF found no usable words in {len(documents)} documents ({error}); give more "
                "documents, or use min_df=1"
            ) from error
        wanted = self._settings["n_components"]
        n_components = min(wanted, weights.shape[0], weights.shape[1])
        if n_components < wanted:
            logger.warning(
                "%d documents with %d words and word pairs carry at most %d dimensions, not %d",
                *weights.shape,
                n_components,
                wanted,
            )
        svd = TruncatedSVD(n_components, random_state=self._settings["seed"])
        svd.fit(weights)
        self._vectorizer, self._svd = vectorizer, svd
        self._corpus = digest_texts(documents)
        return self

    def embed(
        self, documents: Sequence[str], *, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Return vectors of length 1 in the order of the documents, shape (n_documents, d_in).

        A document without any known word is the zero vector.

        Raises:
            InputError: The embedder is not fitted.
        """
        vectorizer, svd = self._fitted()
        vectors = np.asarray(svd.transform(vectorizer.transform(documents)), dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if progress is not None:
            progress(len(documents))
        lengths[lengths == 0] = 1.0
        scaled: NDArray[np.float32] = vectors / lengths
        return scaled

    def _fitted(self) -> tuple[TfidfVectorizer, TruncatedSVD]:
        if self._vectorizer is None or self._svd is None:
            raise InputError(
                "this TfidfEmbedder has not learnt its words yet; call fit(documents) first, on "
                "the documents a study may learn from"
            )
        return self._vectorizer, self._svd
