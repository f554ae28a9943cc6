"""Divide documents by the features one asks for, and say how far the division can be trusted."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from tqdm.auto import tqdm

from interp_embed.analysis.clusters.count import CandidateCount, choose_count
from interp_embed.analysis.clusters.description import Described, describe
from interp_embed.analysis.clusters.features import Clusterable, Weighting, prepare_documents
from interp_embed.analysis.clusters.null import compare_with_shuffled
from interp_embed.analysis.clusters.partition import (
    METHODS,
    Method,
    Space,
    graph_points,
    make_space,
)
from interp_embed.analysis.clusters.records import Clusters
from interp_embed.analysis.clusters.stability import MOST_SAMPLED, explained_share, resample
from interp_embed.analysis.documents import EncodedDocuments
from interp_embed.analysis.retrieval.feature_query import FeatureQuery
from interp_embed.errors import InputError
from interp_embed.interpret import Annotator, LLMLike, as_roles

_CHOICE_RESAMPLES = 6


def cluster_documents(
    documents: EncodedDocuments,
    *,
    features: "NDArray[np.int64] | FeatureQuery | None" = None,
    k: int | None = None,
    k_range: tuple[int, int] = (2, 15),
    method: Method = "auto",
    weighting: Weighting = "idf",
    seed: int = 0,
    n_resamples: int = 10,
    null: int = 19,
    annotator: Annotator | None = None,
    roles: LLMLike | None = None,
    progress: bool = False,
) -> Clusters:
    """Return documents divided by which of the features fire.

    Documents with the same features are always together; those in which none fires are in no
    cluster (-1). Descriptions are made from one half of the documents, their rates and whether
    they find their documents again are measured on the other.

    Args:
        documents: What to cluster.
        features: What to cluster by: indices; a query (``find_features("tone", ...)``); or None
            for all that fire in .5 % to 50 % of the documents.
        k: Number of clusters; None: the one of ``k_range`` that scores best (``choose_count``).
        k_range: Least and largest number to choose from.
        method: ``auto`` (``spectral``), ``spectral``, ``jaccard``, ``kmeans`` or
            ``agglomerative``; see ``make_space``.
        weighting: ``idf`` counts features less that fire in many documents; ``none``; ``query``
            also counts the weights of the query.
        seed: Of everything that is drawn.
        n_resamples: Samples of 80 % that are clustered anew, >= 1.
        null: Times the features are shuffled for comparison, >= 0.
        annotator: Says which documents have what a description says: of names where a model
            makes them, else of the labels of features. None: the model of ``roles``; without
            one, whether these features fire.
        roles: A language model that names the clusters.
        progress: Whether to show a progress bar.

    Raises:
        InputError: There are fewer than two documents, or fewer distinct ones than clusters; k or
            a number is out of range; a feature is out of range or none fires; or there are too
            many documents for the method.
        LLMError: The server cannot be used at all.

    Source: Jiang et al. 2025, arXiv 2512.10092, targeted clustering; see ``make_space`` for where
    we differ.
    """
    _check_numbers(k, k_range, n_resamples, null, seed)
    if method != "auto" and method not in METHODS:
        raise InputError(f"method must be auto or one of {', '.join(METHODS)}, got {method!r}")
    used_method: Method = "spectral" if method == "auto" else method
    found = prepare_documents(documents, features, weighting=weighting)
    rows, weights = found.rows, found.weights
    if k is not None:
        check_count(k, found)
    bar = tqdm(total=3 + null, desc="Clustering", disable=not progress)
    with bar:
        sample = _sample(found.fires, seed)
        candidates = () if k is not None else _candidates(found, sample, k_range, used_method, seed)
        chosen = k if k is not None else next(tried.k for tried in candidates if tried.chosen)
        bar.update()
        space = make_space(rows, weights, method=used_method, most=chosen, seed=seed)
        of_row = space.cut(chosen, seed=seed)
        drawn = resample(
            rows, weights, [of_row], method=used_method, n_resamples=n_resamples, seed=seed
        )
        bar.update()
        compared = compare_with_shuffled(
            sample, weights, chosen, method=used_method, n_shuffles=null, seed=seed, done=bar.update
        )
        described = describe(
            documents, found, rows.spread(of_row), annotator, as_roles(roles), seed
        )
        bar.update()
    assignment = rows.spread(of_row)
    return Clusters(
        clusters=described.clusters(documents, assignment, drawn.clusters[0]),
        assignment=assignment,
        coordinates=_map(found, space, seed),
        positions=documents.positions,
        texts=documents.texts,
        query=found.query,
        features=found.features,
        weights=weights,
        method=used_method,
        weighting=weighting,
        candidates=candidates,
        agreement=drawn.agreement[:, 0],
        explained=explained_share(rows, weights, of_row),
        null=compared,
        named_by=described.names.by,
        judged_by=described.judged_by,
        seed=seed,
        notes=(
            *_query_notes(features),
            *_notes(found, candidates, described, chosen, sample.shape[0]),
        ),
    )


def check_count(k: int, found: Clusterable) -> None:
    """Raise unless so many clusters can be made.

    Raises:
        InputError: There are fewer distinct documents.
    """
    n_rows = len(found.rows.counts)
    if k > n_rows:
        raise InputError(
            f"k={k} clusters cannot be made: the {found.rows.n_clusterable:,} documents in which "
            f"a feature fires have {n_rows} different sets of features; use k of at most {n_rows}, "
            "or more features"
        )


def _sample(fires: csr_matrix, seed: int) -> csr_matrix:
    """Return the rows of at most 5,000 of the documents in which a feature fires."""
    places = np.flatnonzero(np.diff(fires.indptr))
    if len(places) > MOST_SAMPLED:
        drawn = np.random.default_rng([seed, 6]).choice(places, MOST_SAMPLED, replace=False)
        places = np.sort(drawn)
    return fires[places]


def _candidates(
    found: Clusterable,
    sample: csr_matrix,
    k_range: tuple[int, int],
    method: Method,
    seed: int,
) -> tuple[CandidateCount, ...]:
    least, largest = k_range
    ks = range(least, min(largest, len(found.rows.counts)) + 1)
    if not ks:
        check_count(least, found)
    return choose_count(
        sample, found.weights, ks, method=method, n_resamples=_CHOICE_RESAMPLES, seed=seed
    )


def _map(found: Clusterable, space: Space, seed: int) -> NDArray[np.float64]:
    """Return the second and third coordinate of each document, NaN where no feature fires."""
    known = space.method == "spectral"
    points = space.points if known else graph_points(found.rows, found.weights, seed=seed)
    points = points[:, 1:3]
    padded = np.pad(points, ((0, 1), (0, 2 - points.shape[1])))
    padded[-1] = np.nan
    return padded[found.rows.row_of]


def _query_notes(features: "NDArray[np.int64] | FeatureQuery | None") -> tuple[str, ...]:
    """Return what went wrong when the features of a query were found."""
    note = features.note.rstrip(".") if isinstance(features, FeatureQuery) else ""
    return (note,) if note else ()


def _notes(
    found: Clusterable,
    candidates: Sequence[CandidateCount],
    described: Described,
    k: int,
    n_sampled: int,
) -> tuple[str, ...]:
    notes = list(described.notes)
    if found.n_dropped:
        notes.append(f"{found.n_dropped} features fire in no document or in all, and were left out")
    if len(described.listed) < k:
        notes.append(f"only {len(described.listed)} of {k} clusters can be told apart")
    if len(candidates) > 2 and candidates[-1].chosen:
        notes.append(
            f"the largest number of clusters tried, {candidates[-1].k}, scores best: there may be "
            "more; raise k_range"
        )
    if n_sampled < found.rows.n_clusterable:
        notes.append(
            "the number of clusters and the comparison with shuffled features are of "
            f"{n_sampled:,} documents drawn at random"
        )
    small = [str(n) for n, own in enumerate(described.standout) if not own.features.size]
    if small:
        notes.append(f"nothing sets cluster {', '.join(small)} apart in the half it is named from")
    return tuple(notes)


def _check_numbers(
    k: int | None, k_range: tuple[int, int], n_resamples: int, null: int, seed: int
) -> None:
    if k is not None and (int(k) != k or k < 2):
        raise InputError(f"k must be a whole number of at least 2, got {k!r}")
    least, largest = k_range
    if not 2 <= least <= largest:
        raise InputError(f"k_range must be two numbers from 2 up, such as (2, 15), got {k_range}")
    for name, value, at_least in (("n_resamples", n_resamples, 1), ("null", null, 0)):
        if value < at_least:
            raise InputError(f"{name} must be at least {at_least}, got {value}")
    if seed < 0:
        raise InputError(f"seed must be at least 0, got {seed}")
