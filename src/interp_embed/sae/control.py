"""A control for every claim about features: the same sparsity with directions drawn at random."""

import numpy as np
from numpy.typing import ArrayLike

from interp_embed.sae.matrix import check_embeddings
from interp_embed.sae.settings import TrainingSettings
from interp_embed.sae.weights import SAEWeights


def random_dictionary(
    embeddings: ArrayLike, *, n_features: int, k: int, seed: int = 0
) -> SAEWeights:
    """Return an SAE of random unit directions, tied and centred on the embeddings' mean.

    What its features recover is what sparsity alone recovers; a trained SAE has to beat it.

    Args:
        embeddings: Training documents, shape (n_documents, d_in); only their mean is used.
        n_features: Number of random directions.
        k: Active features a document.
        seed: Of the directions.

    Raises:
        InputError: The embeddings are no finite matrix, or n_features, k or seed is out of range.

    Source: the frozen-decoder baseline of arXiv 2602.14111.
    """
    TrainingSettings(n_features, k, seed=seed)  # checks them
    matrix = check_embeddings(embeddings)
    mean = matrix.mean(axis=0, dtype=np.float64).astype(np.float32)
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((n_features, matrix.shape[1]), dtype=np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return SAEWeights(
        encoder=directions,
        encoder_bias=-(directions @ mean),
        decoder=directions,
        decoder_bias=mean,
        k=k,
        prefixes=(n_features,),
    )
