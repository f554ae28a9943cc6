"""Several SAEs of the same embeddings as one: every granularity and seed, near-equals merged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.sae import SAEWeights
from interp_embed.stats import activation_similarity

_LEAST_THRESHOLD = 1e-6
"""Share of the largest threshold that stands for a threshold of 0, which cannot be scaled."""
_SLACK = 1e-6
"""Share by which the common threshold is lower: a threshold lies next to an activation it lets
through, which must not be lost to rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class PooledSAE:
    """One SAE with the features of several."""

    weights: SAEWeights
    activations: csr_matrix
    """Of the documents it was pooled on, shape (n_documents, n_features)."""
    source: NDArray[np.int64]
    """Which of the SAEs each feature is from, shape (n_features,)."""
    stability: NDArray[np.float64]
    """Correlation of each feature with the one most like it in each other SAE, on average, in
    [0, 1], shape (n_features,); NaN where there is one SAE only, or the feature never changes."""
    n_merged: int
    """Features left out because another one does the same."""


def pool_saes(
    saes: Sequence[SAEWeights], embeddings: NDArray[np.float32], *, merge_above: float
) -> PooledSAE:
    """Return the features of all SAEs in one, without those that repeat an earlier one.

    Each SAE's encoder is scaled so that all have the same threshold: every feature fires where it
    did. Reconstructions are averaged: each feature's direction is divided by the number of SAEs,
    and what stands for others does their part as well.

    Args:
        saes: Of the rule ``batch_topk`` (with a threshold), or a single one of any rule.
        embeddings: Discover documents, on which activations are compared, (n_documents, d_in).
        merge_above: Correlation of activations above which two features count as the same, in
            (0, 1]. At 1 nothing is merged.

    Raises:
        InputError: Several SAEs are given and one of them has no threshold.
    """
    if len(saes) > 1 and any(sae.threshold is None for sae in saes):
        raise InputError(
            "SAEs without a threshold (rule 'topk') cannot be pooled: a document's k largest would "
            "be chosen over all of them; use rule 'batch_topk', or a single SAE"
        )
    joined = saes[0] if len(saes) == 1 else _join(saes)
    activations = joined.encode(embeddings)
    source = np.repeat(np.arange(len(saes)), [sae.n_features for sae in saes])
    similarity = np.nan_to_num(activation_similarity(activations, activations))
    if merge_above >= 1.0 or joined.threshold is None:  # of topk, leaving one out changes others
        stands_for = np.arange(joined.n_features)
    else:
        stands_for = _representatives(similarity, source, merge_above)
    kept = np.unique(stands_for)
    alive = np.asarray(similarity.diagonal() > 0)
    return PooledSAE(
        weights=_merge(joined, stands_for, kept, _slopes(activations, similarity, stands_for)),
        activations=activations[:, kept],
        source=source[kept],
        stability=np.where(alive, _mean_best(similarity, source), np.nan)[kept],
        n_merged=int(joined.n_features - len(kept)),
    )


def _join(saes: Sequence[SAEWeights]) -> SAEWeights:
    thresholds = np.array([sae.threshold for sae in saes], np.float64)
    common = thresholds.max() or 1.0
    scales = common / np.maximum(thresholds, _LEAST_THRESHOLD * common)
    n_features = sum(sae.n_features for sae in saes)
    return SAEWeights(
        encoder=_stack([s * sae.encoder for s, sae in zip(scales, saes, strict=True)]),
        encoder_bias=_stack([s * sae.encoder_bias for s, sae in zip(scales, saes, strict=True)]),
        decoder=_stack(
            [sae.decoder / (s * len(saes)) for s, sae in zip(scales, saes, strict=True)]
        ),
        decoder_bias=np.mean([sae.decoder_bias for sae in saes], axis=0, dtype=np.float32),
        k=sum(sae.k for sae in saes),
        prefixes=(n_features,),
        threshold=float(common * (1.0 - _SLACK)),
    )


def _stack(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.concatenate(parts), dtype=np.float32)


def _representatives(
    similarity: NDArray[np.float64], source: NDArray[np.int64], above: float
) -> NDArray[np.int64]:
    """Return the feature that stands for each: itself, or the first of another SAE so like it."""
    n = len(similarity)
    stands_for = np.arange(n)
    kept = np.zeros(n, bool)
    for feature in range(n):
        alike = np.where(kept & (source != source[feature]), similarity[feature], 0.0)
        best = int(alike.argmax())
        if alike[best] > above:
            stands_for[feature] = best
        else:
            kept[feature] = True
    return stands_for


def _slopes(
    activations: csr_matrix, similarity: NDArray[np.float64], stands_for: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return how much each feature's activation grows with that of its representative."""
    n = activations.shape[0]
    sums = np.asarray(activations.sum(axis=0), np.float64).ravel()
    squares = np.asarray(activations.multiply(activations).sum(axis=0), np.float64).ravel()
    spread = np.sqrt(np.maximum(squares - sums**2 / n, 0.0))
    slopes = similarity[np.arange(len(spread)), stands_for] * spread
    return np.where(
        stands_for == np.arange(len(spread)), 1.0, slopes / np.maximum(spread[stands_for], 1e-12)
    )


def _merge(
    joined: SAEWeights,
    stands_for: NDArray[np.int64],
    kept: NDArray[np.int64],
    slopes: NDArray[np.float64],
) -> SAEWeights:
    if len(kept) == joined.n_features:
        return joined
    decoder = np.zeros_like(joined.decoder)
    np.add.at(decoder, stands_for, (joined.decoder * slopes[:, None]).astype(np.float32))
    return SAEWeights(
        encoder=joined.encoder[kept],
        encoder_bias=joined.encoder_bias[kept],
        decoder=decoder[kept],
        decoder_bias=joined.decoder_bias,
        k=min(joined.k, len(kept)),
        prefixes=(len(kept),),
        threshold=joined.threshold,
    )


def _mean_best(similarity: NDArray[np.float64], source: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each feature's largest similarity in each other SAE, averaged over these."""
    n_saes = int(source.max()) + 1
    best = np.stack(
        [similarity[:, source == i].max(axis=1) for i in range(n_saes)]
    )  # (n_saes, n_features)
    others = np.arange(n_saes)[:, None] != source[None, :]
    counts = np.maximum(others.sum(axis=0), 1)
    means = np.where(others, np.maximum(best, 0.0), 0.0).sum(axis=0) / counts
    return np.asarray(means if n_saes > 1 else np.full(len(source), np.nan))
