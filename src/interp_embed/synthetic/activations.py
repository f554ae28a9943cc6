"""Planted activation matrices, and how well features recover the planted concepts."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from interp_embed.errors import InputError
from interp_embed.synthetic._checks import check_count, check_range, stream


@dataclass(frozen=True, slots=True)
class PlantedActivations:
    """Dense vectors made from known concepts: ``X = strengths @ directions + noise``."""

    X: NDArray[np.float32]
    """The vectors, shape (n_documents, d_in)."""
    truth: NDArray[np.bool_]
    """Which concept is active in which document, shape (n_documents, n_concepts)."""
    strengths: NDArray[np.float32]
    """How strongly: 0 where not active, else in [0.5, 1.5), shape (n_documents, n_concepts)."""
    directions: NDArray[np.float32]
    """Unit direction of each concept, shape (n_concepts, d_in)."""
    seed: int


@dataclass(frozen=True, slots=True)
class FeatureMatch:
    """The best one-to-one match of features with planted concepts."""

    f1: NDArray[np.float64]
    """F1 of "the matched feature is active" against the truth, shape (n_concepts,); 0 where
    there were fewer features than concepts and none was left."""
    feature: NDArray[np.int64]
    """Index of the matched feature, shape (n_concepts,); -1 where none was left."""
    mean_f1: float
    """Mean of ``f1`` over all concepts, in [0, 1]."""


def plant_activations(
    n_documents: int,
    *,
    d_in: int = 64,
    n_concepts: int = 16,
    mean_active: float = 3.0,
    noise: float = 0.05,
    seed: int = 0,
) -> PlantedActivations:
    """Return dense vectors that are sparse sums of random unit directions, with noise.

    Each document has Poisson(``mean_active``) concepts (at most all of them), drawn without
    repetition, each with a strength from 0.5 to 1.5. The directions depend on ``seed``, ``d_in``
    and ``n_concepts`` alone. For a training and a test set with the same directions draw both at
    once and cut: 3,000 documents give the 2,000 and 1,000 of the reference set-up.

    Args:
        n_documents: Number of documents, >= 1.
        d_in: Length of the vectors, >= 1.
        n_concepts: Number of directions, >= 1; above ``d_in`` they overlap more.
        mean_active: Mean of the Poisson number of concepts in a document, >= 0.
        noise: Standard deviation of the Gaussian noise on every coordinate, >= 0.
        seed: Seed of everything that is drawn, >= 0.

    Raises:
        InputError: An argument is out of range.
    """
    check_count(n_documents, least=1, what="n_documents")
    check_count(d_in, least=1, what="d_in")
    check_count(n_concepts, least=1, what="n_concepts")
    check_count(seed, least=0, what="seed")
    check_range(mean_active, 0, 1e6, what="mean_active")
    check_range(noise, 0, math.inf, what="noise")
    directions = stream(seed, "directions").standard_normal((n_concepts, d_in))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    random = stream(seed, "activations")
    n_active = np.minimum(random.poisson(mean_active, n_documents), n_concepts)
    rank = random.random((n_documents, n_concepts)).argsort(axis=1).argsort(axis=1)
    truth: NDArray[np.bool_] = rank < n_active[:, None]
    strengths = np.where(truth, random.uniform(0.5, 1.5, truth.shape), 0.0)
    X = strengths @ directions + noise * random.standard_normal((n_documents, d_in))
    return PlantedActivations(
        X=X.astype(np.float32),
        truth=truth,
        strengths=strengths.astype(np.float32),
        directions=directions.astype(np.float32),
        seed=seed,
    )


def match_features(
    activations: NDArray[Any] | sparse.spmatrix | sparse.sparray, truth: NDArray[Any]
) -> FeatureMatch:
    """Return the one-to-one match of features with concepts that has the highest total F1.

    A feature is active in a document where its activation is above 0. Concepts that no document
    has count with F1 0.

    Args:
        activations: Shape (n_documents, n_features), dense or scipy sparse, finite.
        truth: True where a document has a concept, shape (n_documents, n_concepts).

    Raises:
        InputError: The shapes do not fit, there are no concepts, or an activation is not finite.
    """
    concepts = np.asarray(truth)
    if concepts.ndim != 2 or concepts.shape[1] == 0:
        raise InputError(
            f"truth must have shape (n_documents, n_concepts) with n_concepts >= 1, "
            f"got {concepts.shape}"
        )
    if not np.isin(concepts, (0, 1)).all():
        raise InputError("truth must hold only True and False (or 1 and 0)")
    active = _active(activations)
    if active.shape[0] != concepts.shape[0]:
        raise InputError(
            f"activations have {active.shape[0]} documents and truth has {concepts.shape[0]}; "
            "give both for the same documents"
        )
    wanted = concepts.astype(np.float64)
    both = np.asarray((active.T @ wanted).T)  # (n_concepts, n_features)
    n_active = np.asarray(active.sum(axis=0), dtype=np.float64).ravel()
    total = wanted.sum(axis=0)[:, None] + n_active
    f1 = np.divide(2 * both, total, out=np.zeros_like(both), where=total > 0)
    matched, features = linear_sum_assignment(f1, maximize=True)
    feature = np.full(len(f1), -1, dtype=np.int64)
    feature[matched] = features
    best = np.zeros(len(f1))
    best[matched] = f1[matched, features]
    return FeatureMatch(f1=best, feature=feature, mean_f1=float(best.mean()))


def _active(activations: Any) -> sparse.csr_array:  # noqa: ANN401 - dense or any scipy sparse
    """Return 1.0 where an activation is above 0, as a sparse array."""
    if not sparse.issparse(activations):
        activations = np.asarray(activations)
        if activations.ndim != 2:
            raise InputError(
                f"activations must have shape (n_documents, n_features), got {activations.shape}"
            )
    matrix = sparse.csr_array(activations)
    matrix.sum_duplicates()
    if not np.isfinite(matrix.data).all():
        raise InputError("activations must be finite; found NaN or infinity")
    return sparse.csr_array((matrix > 0).astype(np.float64))
