"""The weights of a sparse autoencoder and what they do: encode and decode."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from interp_embed.errors import InputError
from interp_embed.sae import kernels
from interp_embed.sae.matrix import check_embeddings

# Rows encoded at once: the dense block of pre-activations stays below 64 MB.
_BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class SAEWeights:
    """A sparse autoencoder: activations = select(encoder x + bias), x ~ activations decoder + bias.

    Only positive pre-activations count. With ``threshold`` None each document keeps its ``k``
    largest (TopK: Gao et al. 2024, arXiv 2406.04093); with a threshold it keeps all above it
    (BatchTopK at inference: Bussmann et al. 2024, arXiv 2412.06410).
    """

    encoder: NDArray[np.float32]
    """Shape (n_features, d_in)."""
    encoder_bias: NDArray[np.float32]
    """Shape (n_features,)."""
    decoder: NDArray[np.float32]
    """The dictionary: unit-length rows, shape (n_features, d_in)."""
    decoder_bias: NDArray[np.float32]
    """Shape (d_in,)."""
    k: int
    """Active features a document: at most (TopK), or on average (BatchTopK)."""
    prefixes: tuple[int, ...]
    """Matryoshka prefix lengths, increasing, the last one n_features; one where there are none."""
    threshold: float | None = None
    """Activation above which a feature is active (BatchTopK), or None (TopK)."""

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.encoder)

    @property
    def d_in(self) -> int:
        """Width of the embeddings it reads."""
        return len(self.decoder_bias)

    def encode(self, embeddings: ArrayLike, *, threads: int = 1) -> csr_matrix:
        """Return the activations of documents, sparse, without a dense copy.

        Args:
            embeddings: Shape (n_documents, d_in), finite.
            threads: Threads of the matrix product.

        Returns:
            Activations > 0 as CSR, float32, shape (n_documents, n_features), features in order.

        Raises:
            InputError: The embeddings do not fit this SAE, or are not finite.
        """
        matrix = check_embeddings(embeddings, d_in=self.d_in)
        rows = max(1, _BLOCK_BYTES // (4 * self.n_features))
        parts = []
        with threadpool_limits(threads):
            for begin in range(0, len(matrix), rows):
                pre = matrix[begin : begin + rows] @ self.encoder.T  # (n_block, n_features)
                parts.append(
                    select_top_k(pre, self.encoder_bias, self.k)
                    if self.threshold is None
                    else select_above(pre, self.encoder_bias, self.threshold)
                )
        return _join(parts, self.n_features)

    def decode(self, activations: csr_matrix) -> NDArray[np.float32]:
        """Return the reconstruction of documents from their activations.

        Args:
            activations: Shape (n_documents, n_features).

        Returns:
            Dense float32, shape (n_documents, d_in).

        Raises:
            InputError: The activations have another number of features.
        """
        if activations.shape[1] != self.n_features:
            raise InputError(
                f"activations have {activations.shape[1]} features, this SAE has {self.n_features}"
            )
        out = np.tile(self.decoder_bias, (activations.shape[0], 1))
        kernels.add_decoded(
            activations.indptr.astype(np.int64),
            activations.indices.astype(np.int64),
            activations.data.astype(np.float32),
            self.decoder,
            out,
        )
        return out


@dataclass(frozen=True, slots=True, eq=False)
class ActiveRows:
    """Active features of a batch as compressed rows."""

    start: NDArray[np.int64]
    """Where each row begins, shape (n_rows + 1,)."""
    feature: NDArray[np.int64]
    value: NDArray[np.float32]


def select_top_k(pre: NDArray[np.float32], bias: NDArray[np.float32], k: int) -> ActiveRows:
    """Return the k largest positive of ``pre + bias`` of each row (TopK)."""
    n_rows = len(pre)
    start = np.empty(n_rows + 1, np.int64)
    feature = np.empty(n_rows * k, np.int64)
    value = np.empty(n_rows * k, np.float32)
    kernels.select_top_k(pre, bias, k, start, feature, value)
    return ActiveRows(start, feature[: start[-1]], value[: start[-1]])


def select_above(
    pre: NDArray[np.float32], bias: NDArray[np.float32], threshold: float
) -> ActiveRows:
    """Return all of ``pre + bias`` strictly above a threshold >= 0 (BatchTopK)."""
    n_active = kernels.count_above(pre, bias, threshold)
    start = np.empty(len(pre) + 1, np.int64)
    feature = np.empty(n_active, np.int64)
    value = np.empty(n_active, np.float32)
    kernels.select_above(pre, bias, threshold, start, feature, value)
    return ActiveRows(start, feature, value)


def _join(parts: list[ActiveRows], n_features: int) -> csr_matrix:
    counts = np.concatenate([np.diff(part.start) for part in parts])
    start = np.concatenate([[0], np.cumsum(counts)])
    index_type = np.int32 if start[-1] < np.iinfo(np.int32).max else np.int64
    return csr_matrix(
        (
            np.concatenate([part.value for part in parts]),
            np.concatenate([part.feature for part in parts]).astype(index_type),
            start.astype(index_type),
        ),
        shape=(len(counts), n_features),
    )


def reconstruction_nmse(
    weights: SAEWeights, embeddings: NDArray[np.float32], *, threads: int = 1
) -> float:
    """Return the plain normalised squared error of reconstruction; 0 is perfect, 1 is the mean.

    |x - reconstruction|^2 summed over the documents, divided by |x - mean|^2 summed.
    """
    error = spread = 0.0
    mean = embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows = max(1, _BLOCK_BYTES // (4 * (weights.n_features + weights.d_in)))
    for begin in range(0, len(embeddings), rows):
        block = embeddings[begin : begin + rows]
        rest = weights.decode(weights.encode(block, threads=threads)) - block
        error += float(np.square(rest).sum(dtype=np.float64))
        spread += float(np.square(block - mean).sum(dtype=np.float64))
    return error / spread
