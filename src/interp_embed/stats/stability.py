"""Which features come back when the same SAE is trained again from other seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array, csr_matrix

from interp_embed.errors import InputError
from interp_embed.stats._checks import finite_matrix


@dataclass(frozen=True, slots=True)
class FeatureMatching:
    """Features of two SAEs matched one to one."""

    match: NDArray[np.int64]
    """Feature of the second for each of the first, shape (n_first,); -1 where none is left over."""
    similarity: NDArray[np.float64]
    """Similarity to it, in [-1, 1], shape (n_first,); NaN where there is no match, or where one of
    the two is dead (a zero direction, or activations that never change)."""


@dataclass(frozen=True, slots=True)
class ConsensusFeature:
    """A feature that several seeds found."""

    members: tuple[tuple[int, int], ...]
    """(seed, feature) of each, by seed; the first of ``SeedStability`` counts from 0."""
    similarity: float
    """Mean similarity of all pairs of members that were matched, in [-1, 1]."""


@dataclass(frozen=True, slots=True)
class SeedStability:
    """How far SAEs of several seeds found the same features."""

    share_matched: NDArray[np.float64]
    """Share of the features of seed i (row) matched at or above ``threshold`` in seed j (column),
    in [0, 1], shape (n_seeds, n_seeds); dead features are out; the diagonal is NaN."""
    per_feature: tuple[NDArray[np.float64], ...]
    """For each seed, the share of the other seeds in which each feature is found again, in [0, 1],
    shape (n_features,); NaN for dead ones."""
    mean_similarity: tuple[NDArray[np.float64], ...]
    """For each seed, each feature's mean similarity to its matches, NaN for dead ones."""
    consensus: tuple[ConsensusFeature, ...]
    """Features that at least ``min_seeds`` seeds share, most stable first; none is in two."""
    n_dead: tuple[int, ...]
    """Dead features of each seed."""
    threshold: float
    min_seeds: int
    chance: float
    """Share matched against one seed turned at random (dictionaries) or with its documents
    shuffled (activations): what ``share_matched`` is when nothing is shared."""


def match_features(similarity: ArrayLike) -> FeatureMatching:
    """Return the one-to-one matching with the largest sum of similarities (Hungarian method).

    A negative similarity counts as 0 in the sum: opposite is no worse than unrelated.

    [[0.9, 0.8], [0.8, 0.1]] -> match [1, 0], similarity [0.8, 0.8]: 1.6 is more than 0.9 + 0.1

    Args:
        similarity: Of each feature of the first SAE to each of the second, such as from
            ``dictionary_similarity``, shape (n_first, n_second); NaN for dead features, which get
            what is left over. A few seconds at 4,000 features, minutes at 16,000.

    Raises:
        InputError: There are not two axes, or a value is outside [-1, 1].

    Source: Kuhn 1955, Naval Res. Logist. 2, 83-97; scipy's solver.
    """
    values = np.asarray(similarity, dtype=np.float64)
    if values.ndim != 2:
        raise InputError(f"similarity must have 2 axes, got shape {values.shape}")
    outside = values[np.abs(values) > 1.0 + 1e-6]
    if outside.size:
        raise InputError(f"similarities must lie in [-1, 1], got {outside[0]}")
    # A dead feature is worth less than any live one, so that it takes no match from them.
    worth = np.where(np.isnan(values), -1.0, np.maximum(values, 0.0))
    rows, columns = linear_sum_assignment(worth, maximize=True)
    match = np.full(values.shape[0], -1, dtype=np.int64)
    match[rows] = columns
    found = np.full(values.shape[0], np.nan)
    found[rows] = values[rows, columns]
    return FeatureMatching(match=match, similarity=found)


def dictionary_similarity(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return the cosine of each direction of one dictionary with each of another.

    [[1, 0]], [[0, 2], [3, 3]] -> [[0, 0.707]]

    Args:
        first: Shape (n_first, d_in).
        second: Shape (n_second, d_in).

    Returns:
        In [-1, 1], shape (n_first, n_second); NaN for a direction of length 0.

    Raises:
        InputError: A value is NaN or infinite, or ``d_in`` differs.
    """
    one = _unit_rows(finite_matrix(first, name="first"))
    two = _unit_rows(finite_matrix(second, name="second"))
    if one.shape[1] != two.shape[1]:
        raise InputError(
            f"the dictionaries have {one.shape[1]} and {two.shape[1]} dimensions: they are of "
            "different inputs and cannot be compared; compare their activations"
        )
    return np.clip(one @ two.T, -1.0, 1.0)


def activation_similarity(
    first: csr_matrix | csr_array, second: csr_matrix | csr_array
) -> NDArray[np.float64]:
    """Return the correlation of each feature of one SAE with each of another on the same documents.

    Args:
        first: Activations, shape (n_documents, n_first).
        second: Activations of the same documents in the same order, (n_documents, n_second).

    Returns:
        In [-1, 1], shape (n_first, n_second); NaN for a feature that never changes.

    Raises:
        InputError: A value is NaN or infinite, or the numbers of documents differ or are 0.
    """
    one, two = _as_csr(first, "first"), _as_csr(second, "second")
    n = one.shape[0]
    if n != two.shape[0] or n == 0:
        raise InputError(
            f"the activations have {n} and {two.shape[0]} documents: both must be of the same ones"
        )
    mean_1, spread_1 = _moments(one)
    mean_2, spread_2 = _moments(two)
    joint = np.asarray((one.T @ two).toarray(), dtype=np.float64) / n
    correlation = (joint - np.outer(mean_1, mean_2)) / np.outer(spread_1, spread_2)
    return np.clip(correlation, -1.0, 1.0)


def seed_stability(
    saes: Sequence[ArrayLike | csr_matrix | csr_array],
    *,
    threshold: float = 0.7,
    min_seeds: int | None = None,
    seed: int = 0,
) -> SeedStability:
    """Return how far SAEs trained from several seeds found the same features.

    two seeds with directions [[1, 0], [0, 1]] and [[0, 1], [-1, 0]] -> share matched 0.5; the
    consensus is feature 1 of the first with feature 0 of the second

    Every two seeds are matched one to one. A consensus feature is grown from the most stable
    feature not yet taken, with its match in each other seed at or above the threshold.

    Args:
        saes: For each seed its dictionary (dense, (n_features, d_in); compared by cosine) or its
            activations on the same documents (CSR, (n_documents, n_features); by correlation).
        threshold: Similarity in (0, 1] from which a match counts as the same feature.
        min_seeds: Seeds that must share a consensus feature, from 2; by default more than half.
        seed: Decides the chance comparison.

    Raises:
        InputError: Fewer than two SAEs, dictionaries mixed with activations, shapes that do not
            fit, or a setting out of range.

    Source: Paulo and Belrose 2025, arXiv 2501.16615 (Hungarian matching, cosine above 0.7). They
    ask for encoder and decoder both; here one matrix, with a chance level beside it.
    """
    least = _check_settings(len(saes), threshold, min_seeds)
    sparse = [getattr(sae, "format", None) is not None for sae in saes]
    if len(set(sparse)) > 1:
        raise InputError("some SAEs are given by activations (CSR) and some by dictionaries")
    compare = activation_similarity if sparse[0] else dictionary_similarity
    n_seeds = len(saes)
    matchings: dict[tuple[int, int], FeatureMatching] = {}
    for i in range(n_seeds):
        for j in range(i + 1, n_seeds):
            table = compare(saes[i], saes[j])  # type: ignore[arg-type]
            matchings[i, j] = match_features(table)
            matchings[j, i] = _reverse(matchings[i, j], table.shape[1])
    alive = [_alive(sae) for sae in saes]
    shares = np.full((n_seeds, n_seeds), np.nan)
    for (i, j), matching in matchings.items():
        shares[i, j] = _share_matched(matching, alive[i], threshold)
    others = [
        np.stack([matchings[i, j].similarity for j in range(n_seeds) if j != i])
        for i in range(n_seeds)
    ]
    per_feature = tuple(
        np.where(alive[i], (others[i] >= threshold).mean(axis=0), np.nan) for i in range(n_seeds)
    )
    means = tuple(_mean_known(others[i]) for i in range(n_seeds))
    turned = match_features(compare(saes[0], _by_chance(saes[1], seed)))  # type: ignore[arg-type]
    return SeedStability(
        share_matched=shares,
        per_feature=per_feature,
        mean_similarity=means,
        consensus=_consensus(matchings, per_feature, means, threshold, least),
        n_dead=tuple(int((~side).sum()) for side in alive),
        threshold=threshold,
        min_seeds=least,
        chance=_share_matched(turned, alive[0], threshold),
    )


def _check_settings(n_seeds: int, threshold: float, min_seeds: int | None) -> int:
    if n_seeds < 2:
        raise InputError(f"stability needs SAEs of at least 2 seeds, got {n_seeds}")
    if not 0.0 < threshold <= 1.0:
        raise InputError(f"threshold must lie above 0 and at most at 1, got {threshold}")
    least = n_seeds // 2 + 1 if min_seeds is None else min_seeds
    if not 2 <= least <= n_seeds:
        raise InputError(f"min_seeds must lie between 2 and the {n_seeds} seeds, got {least}")
    return least


def _unit_rows(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.where(norms > 0.0, norms, np.nan), dtype=np.float64)


def _as_csr(matrix: csr_matrix | csr_array, name: str) -> csr_array:
    if getattr(matrix, "format", None) != "csr":
        raise InputError(f"{name} must be a scipy CSR matrix, got {type(matrix).__name__}")
    copied: csr_array = csr_array(matrix).astype(np.float64)
    copied.sum_duplicates()
    if not np.isfinite(copied.data).all():
        raise InputError(f"some activations of {name} are NaN or infinite")
    return copied


def _moments(matrix: csr_array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means and standard deviations of columns, NaN where constant."""
    n, p = matrix.shape
    means = np.bincount(matrix.indices, weights=matrix.data, minlength=p) / n
    gaps = (matrix.data - means[matrix.indices]) ** 2
    stored = np.bincount(matrix.indices, minlength=p)
    squares = np.bincount(matrix.indices, weights=gaps, minlength=p) + (n - stored) * means**2
    spread = np.sqrt(squares / n)
    spread[spread <= 1e-12 * np.abs(means)] = np.nan
    return means, spread


def _alive(sae: ArrayLike | csr_matrix | csr_array) -> NDArray[np.bool_]:
    if getattr(sae, "format", None) is not None:
        return ~np.isnan(_moments(_as_csr(sae, "activations"))[1])  # type: ignore[arg-type]
    return np.asarray(np.linalg.norm(finite_matrix(sae, name="dictionary"), axis=1) > 0.0)  # type: ignore[arg-type]


def _by_chance(
    sae: ArrayLike | csr_matrix | csr_array, seed: int
) -> NDArray[np.float64] | csr_array:
    """Return the SAE turned at random, or with its documents shuffled."""
    rng = np.random.default_rng(seed)
    if getattr(sae, "format", None) is not None:
        matrix = _as_csr(sae, "activations")  # type: ignore[arg-type]
        return matrix[rng.permutation(matrix.shape[0])]
    dictionary = finite_matrix(sae, name="dictionary")  # type: ignore[arg-type]
    d_in = dictionary.shape[1]
    q, r = np.linalg.qr(rng.normal(size=(d_in, d_in)))
    return np.asarray(dictionary @ (q * np.sign(np.diag(r))), dtype=np.float64)


def _reverse(matching: FeatureMatching, n_second: int) -> FeatureMatching:
    match = np.full(n_second, -1, dtype=np.int64)
    similarity = np.full(n_second, np.nan)
    rows = np.flatnonzero(matching.match >= 0)
    match[matching.match[rows]] = rows
    similarity[matching.match[rows]] = matching.similarity[rows]
    return FeatureMatching(match=match, similarity=similarity)


def _share_matched(matching: FeatureMatching, alive: NDArray[np.bool_], threshold: float) -> float:
    if not alive.any():
        return float("nan")
    return float((matching.similarity[alive] >= threshold).mean())


def _mean_known(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means over the first axis of what is not NaN, NaN where nothing is left."""
    known = ~np.isnan(rows)
    counts = known.sum(axis=0)
    return np.asarray(np.where(known, rows, 0.0).sum(axis=0) / np.where(counts > 0, counts, np.nan))


def _consensus(
    matchings: dict[tuple[int, int], FeatureMatching],
    per_feature: tuple[NDArray[np.float64], ...],
    means: tuple[NDArray[np.float64], ...],
    threshold: float,
    min_seeds: int,
) -> tuple[ConsensusFeature, ...]:
    candidates = [
        (-float(share), -float(means[seed][feature]), seed, feature)
        for seed, shares in enumerate(per_feature)
        for feature, share in enumerate(shares)
        if share > 0.0
    ]
    taken: set[tuple[int, int]] = set()
    found = []
    for _, _, seed, feature in sorted(candidates):
        if (seed, feature) in taken:
            continue
        members = [(seed, feature)]
        for other in (other for other in range(len(per_feature)) if other != seed):
            matching = matchings[seed, other]
            partner = (other, int(matching.match[feature]))
            if matching.similarity[feature] >= threshold and partner not in taken:
                members.append(partner)
        if len(members) >= min_seeds:
            taken.update(members)
            found.append(_as_consensus(sorted(members), matchings))
    return tuple(found)


def _as_consensus(
    members: list[tuple[int, int]], matchings: dict[tuple[int, int], FeatureMatching]
) -> ConsensusFeature:
    similarities = [
        float(matchings[seed, other].similarity[feature])
        for seed, feature in members
        for other, partner in members
        if other > seed and matchings[seed, other].match[feature] == partner
    ]
    return ConsensusFeature(members=tuple(members), similarity=float(np.mean(similarities)))
