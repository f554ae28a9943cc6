"""The weights of a sparse autoencoder and what they do: encode and decode."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from interp_embed.errors import InputError
from interp_embed.sae import kernels
from interp_embed.sae.matrix import check_embeddings
from interp_embed.sae.rows import Rows

# Rows encoded at once: the dense block of pre-activations stays below 16 MB.
_BLOCK_BYTES = 16 * 2**20


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
    """The dictionary: rows of length 1, in a pooled SAE at most 1, shape (n_features, d_in)."""
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
        with threadpool_limits(threads):
            return self._encode(matrix)

    def _encode(self, matrix: NDArray[np.float32]) -> csr_matrix:
        parts = []
        for pre in self._pre_activations(matrix):
            parts.append(
                select_top_k(pre, self.encoder_bias, self.k)
                if self.threshold is None
                else select_above(pre, self.encoder_bias, self.threshold)
            )
        return _join(parts, self.n_features)

    def _pre_activations(self, matrix: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Yield pre-activations without their bias, a block of documents at a time."""
        rows = max(1, _BLOCK_BYTES // (4 * self.n_features))
        for begin in range(0, len(matrix), rows):
            yield matrix[begin : begin + rows] @ self.encoder.T  # (n_block, n_features)

    def decode(self, activations: csr_matrix) -> NDArray[np.float32]:
        """Return the reconstruction of documents from their activations.

        Args:
            activations: Shape (n_documents, n_features).

        Returns:
            Dense float32, shape (n_documents, d_in).

        Raises:
            InputError: The activations have another number of features.
        """
        rows = csr_matrix(activations)
        if rows.shape[1] != self.n_features:
            raise InputError(
                f"activations have {rows.shape[1]} features, this SAE has {self.n_features}; "
                "use those it encoded"
            )
        out = np.tile(self.decoder_bias, (rows.shape[0], 1))
        kernels.add_decoded(
            rows.indptr.astype(np.int64),
            rows.indices.astype(np.int64),
            rows.data.astype(np.float32),
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


def reconstruction_nmse(weights: SAEWeights, embeddings: ArrayLike, *, threads: int = 1) -> float:
    """Return the plain normalised squared error of reconstruction; 0 is perfect, 1 is the mean.

    |x - reconstruction|^2 summed over the documents, divided by |x - mean|^2 summed.

    Raises:
        InputError: The embeddings do not fit this SAE, are not finite, or are all equal.
    """
    matrix = check_embeddings(embeddings, d_in=weights.d_in)
    if (matrix == matrix[0]).all():
        raise InputError(
            f"the {len(matrix)} rows of embeddings are all equal: "
            "the error has nothing to be compared with; give documents that differ"
        )
    with threadpool_limits(threads):
        return measure_reconstruction(weights, Rows(matrix)).nmse


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """How well an SAE reconstructs documents, and how often it uses its features for it."""

    nmse: float
    """Plain normalised squared error."""
    density: NDArray[np.float64]
    """Share of the documents in which each feature fires, shape (n_features,)."""


def measure_reconstruction(weights: SAEWeights, rows: Rows) -> Reconstruction:
    """Return error and densities on checked documents that are not all equal, in one pass."""
    error = 0.0
    fired = np.zeros(weights.n_features, np.int64)
    for block in rows.blocks():
        activations = weights._encode(block)
        rest = weights.decode(activations)
        rest -= block
        error += float(np.square(rest, dtype=np.float64).sum())
        fired += np.bincount(activations.indices, minlength=weights.n_features)
    return Reconstruction(error / rows.squared_distance(rows.mean()), fired / len(rows))


def fit_threshold(weights: SAEWeights, rows: Rows) -> SAEWeights:
    """Return the weights with the threshold above which ``rows`` have k active features in mean.

    The threshold lies just below the (k n)-th largest of all n x n_features activations; only
    those that can still be among the largest are held, at most twice k n of them between cuts: a
    cut costs as much as what it looks at, so cutting after every block would make a million rows
    take hours.
    """
    kept = weights.k * len(rows)
    parts: list[NDArray[np.float32]] = []
    n_held = 0
    floor = np.float32(0)
    for block in rows.blocks():
        for pre in weights._pre_activations(block):
            pre += weights.encoder_bias
            parts.append(pre[pre > floor])
            n_held += len(parts[-1])
            if n_held > 2 * kept:
                largest = _largest(parts, kept)
                floor = largest.min()
                parts, n_held = [largest], kept
    if n_held < kept:
        return replace(weights, threshold=0.0)
    smallest = _largest(parts, kept).min()
    return replace(weights, threshold=float(np.nextafter(smallest, np.float32(0))))


def _largest(parts: list[NDArray[np.float32]], kept: int) -> NDArray[np.float32]:
    whole = np.concatenate(parts)
    return np.partition(whole, len(whole) - kept)[len(whole) - kept :]
