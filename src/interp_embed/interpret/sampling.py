"""Which documents to label a feature from, and which to test its label on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csc_matrix, csr_matrix

from interp_embed.errors import InputError

Sampling = Literal["top", "deciles", "random"]

_N_STRATA = 10


@dataclass(frozen=True, slots=True)
class LabelSample:
    """Documents to show for one feature, by position; no text twice."""

    positive: tuple[int, ...]
    """Where it fires."""
    negative: tuple[int, ...]
    """Where it is silent."""


@dataclass(frozen=True, slots=True)
class ScoringSample:
    """Documents to test a label on, and how many of the corpus each stands for."""

    positions: NDArray[np.int64]
    """In rising order, shape (n,)."""
    weights: NDArray[np.float64]
    """Sum over those that fire: the number that fire in the corpus; so too the silent ones."""


def choose_label_documents(
    texts: Sequence[str],
    column: NDArray[np.floating],
    *,
    n: int,
    sampling: Sampling = "top",
    seed: Sequence[int] = (0,),
    n_skip: int = 0,
    first_positive: Sequence[int] = (),
    first_negative: Sequence[int] = (),
) -> LabelSample:
    """Return up to n documents, half of them with the feature; empty texts are left out.

    Args:
        texts: n_documents.
        column: The feature's activations, shape (n_documents,), values >= 0.
        n: How many, >= 2; fewer where there are fewer.
        sampling: Positive ones are the strongest (``top``), one from each of n/2 parts from the
            weakest to the strongest (``deciles``), or any (``random``). Negative ones are any.
        seed: Of what is drawn.
        n_skip: With ``top``, so many of the strongest are passed over if enough others are there.
        first_positive: Positions to take before all others.
        first_negative: Positions to take before all others.
    """
    rng = np.random.default_rng(list(seed))
    values = np.asarray(column)
    fires = np.flatnonzero(values > 0)
    n_positive = n // 2
    strongest = fires[np.argsort(-values[fires], kind="stable")]
    taken: set[str] = {""}
    positive = _distinct(first_positive, texts, n_positive, taken)
    wanted = n_positive - len(positive)
    if sampling == "deciles" and wanted:
        positive += _one_of_each(np.array_split(strongest, wanted), texts, taken, rng)
    if sampling == "top" and n_skip and len(strongest) >= n_skip + n_positive:
        strongest = np.concatenate([strongest[n_skip:], strongest[:n_skip]])
    rest = strongest if sampling == "top" else rng.permutation(fires)
    positive += _distinct(rest.tolist(), texts, n_positive - len(positive), taken)
    silent = rng.permutation(np.flatnonzero(values == 0))
    order = [*first_negative, *silent.tolist()] if len(first_negative) else silent.tolist()
    negative = _distinct(order, texts, n - n_positive, taken)
    return LabelSample(tuple(positive), tuple(negative))


def choose_scoring_documents(
    activation_column: ArrayLike, *, n: int = 100, seed: int = 0
) -> ScoringSample:
    """Return documents to test a label on: half fire, from weak to strong, half are silent.

    4 of 10 fire, n=4 -> 2 that fire with weight 2, 2 silent ones with weight 3

    Features of one corpus share their silent documents as far as they can, so that an annotator
    can be asked for many labels at once.

    Args:
        activation_column: Of one feature on documents its label was not made from, shape
            (n_documents,), values >= 0.
        n: How many, >= 2; fewer where fewer fire or are silent.
        seed: Of the draw.

    Raises:
        InputError: An activation is negative or not finite, or n is too small.
    """
    values = np.asarray(activation_column, np.float64).ravel()
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise InputError("activations must be finite and >= 0; this column holds other values")
    if n < 2:
        raise InputError(f"a label is tested on at least 2 documents, but n is {n}")
    # One order for all columns of the corpus: a stretch of it is a simple random sample of any
    # stratum, and different features meet in the same documents.
    rank = np.random.default_rng(seed).permutation(len(values))
    fires, silent = np.flatnonzero(values > 0), np.flatnonzero(values == 0)
    n_fires, n_silent = min(n // 2, len(fires)), min(n - n // 2, len(silent))
    by_strength = fires[np.argsort(values[fires], kind="stable")]
    n_strata = max(1, min(_N_STRATA, n_fires))
    strata = [*np.array_split(by_strength, n_strata), silent]
    sizes = [len(part) for part in np.array_split(np.arange(n_fires), n_strata)] + [n_silent]
    chosen, weights = [], []
    for stratum, size in zip(strata, sizes, strict=True):
        drawn = stratum[np.argsort(rank[stratum], kind="stable")[:size]]
        chosen.append(drawn)
        weights.append(np.full(size, len(stratum) / max(1, size)))
    positions = np.concatenate(chosen)
    order = np.argsort(positions)
    return ScoringSample(positions[order].astype(np.int64), np.concatenate(weights)[order])


def take_columns(activations: csr_matrix, features: Sequence[int], n_documents: int) -> csc_matrix:
    """Return the columns of the features, shape (n_documents, len(features)).

    Raises:
        InputError: There are not as many rows as documents, a feature is out of range, or an
            activation is negative or not finite.
    """
    rows, n_features = activations.shape
    if rows != n_documents:
        raise InputError(
            f"there are {n_documents} documents but activations of {rows}; give one row a document"
        )
    for feature in features:
        if not 0 <= feature < n_features:
            raise InputError(
                f"feature {feature} is out of range: there are {n_features} features; use an "
                f"index from 0 to {n_features - 1}"
            )
    columns = csc_matrix(csr_matrix(activations)[:, list(features)])
    if not (np.isfinite(columns.data).all() and (columns.data >= 0).all()):
        raise InputError("activations must be finite and >= 0; these hold other values")
    return columns


def _distinct(order: Iterable[int], texts: Sequence[str], n: int, taken: set[str]) -> list[int]:
    """Return the first n positions whose texts are not yet taken, and take these."""
    chosen: list[int] = []
    for position in order:
        if len(chosen) >= n:
            break
        text = texts[position].strip()
        if text not in taken:
            taken.add(text)
            chosen.append(int(position))
    return chosen


def _one_of_each(
    parts: Sequence[NDArray[np.int64]],
    texts: Sequence[str],
    taken: set[str],
    rng: np.random.Generator,
) -> list[int]:
    return [
        position
        for part in parts
        for position in _distinct(rng.permutation(part).tolist(), texts, 1, taken)
    ]
