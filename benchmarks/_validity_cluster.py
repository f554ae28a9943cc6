"""Documents that can be sorted in four ways, divided by the one asked for (X13)."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from _validity_rows import Row, Sizes, number_row, rate_row, share_row
from interp_embed.analysis import (
    EncodedDocuments,
    FeatureQuery,
    MethodComparison,
    cluster_documents,
    compare_methods,
    find_features,
)
from interp_embed.synthetic import PlantedAxes, plant_axes

_AXES = ("topic", "sentiment", "tense", "style")
_SLOW = 5
"""Runs an axis in which the number is chosen, features are shuffled and methods compared as well:
they take ten times as long as a division."""
_METHODS = ("spectral", "jaccard", "kmeans", "agglomerative")


@dataclass(frozen=True)
class AxisRun:
    """One division of planted documents, by one axis."""

    own: float
    """Adjusted Rand index with the axis that was asked for; -1 counts as a cluster."""
    others: float
    """The largest with another axis."""
    n_false: int
    """Features in the query that belong to another axis, or to none."""
    n_missed: int
    """Features of the axis that are not in the query."""
    k_chosen: int | None
    """Number of clusters chosen from the data; None where that was not asked."""
    p: float | None
    """Of the share explained, beside shuffled features; None where that was not asked."""
    accuracy: float
    """Documents found again from the five features of a description."""
    methods: dict[str, float]
    """Adjusted Rand index with the axis, by method; empty where that was not asked."""


def as_documents(planted: PlantedAxes) -> EncodedDocuments:
    """Return planted documents as the analyses read them."""
    return EncodedDocuments(
        texts=planted.texts,
        activations=planted.activations,
        n_tokens=np.array([len(text.split()) for text in planted.texts]),
        labels=dict(enumerate(planted.labels)),
    )


def divide(seed: int, *, axis: str) -> AxisRun:
    """Ask for one axis by its name, and compare with all four."""
    planted = plant_axes(seed=seed)
    documents = as_documents(planted)
    query = find_features(axis, documents.labels)
    k = len(planted.values[axis])
    slow = seed < _SLOW
    null = 19 if slow else 0
    given = cluster_documents(documents, features=query, k=k, seed=seed, n_resamples=1, null=null)
    k_chosen = _choose_count(documents, query, seed) if slow else None
    found = {
        name: float(adjusted_rand_score(truth, given.assignment))
        for name, truth in planted.truth.items()
    }
    truth, own = planted.truth[axis], set(planted.features_of(axis).tolist())
    compared = None
    if slow:
        compared = compare_methods(documents, features=query, k=k, seed=seed, n_resamples=1)
    judged = [(c.given_back.share, c.given_back.n) for c in given.clusters]
    return AxisRun(
        own=found[axis],
        others=max(value for name, value in found.items() if name != axis),
        n_false=len(set(query.features) - own),
        n_missed=len(own - set(query.features)),
        k_chosen=k_chosen,
        p=given.null.p_explained if null else None,
        accuracy=sum(share * n for share, n in judged) / sum(n for _, n in judged),
        methods={} if compared is None else _method_scores(compared, truth),
    )


def _choose_count(documents: EncodedDocuments, query: FeatureQuery, seed: int) -> int:
    found = cluster_documents(documents, features=query, seed=seed, n_resamples=1, null=0)
    return found.k


def _method_scores(compared: MethodComparison, truth: NDArray[np.int64]) -> dict[str, float]:
    return {
        result.method: float(adjusted_rand_score(truth, assignment))
        for result, assignment in zip(compared.results, compared.assignments, strict=True)
    }


def cluster_rows(sizes: Sizes) -> list[Row]:
    """Return X13: the axis asked for is found, the others are not."""
    n = sizes.pair_seeds
    how = (
        f"960 documents from 4 topics x 2 sentiments x 3 tenses x 2 styles, 133 features (33 of an "
        f"axis, silent on 25 % of their documents, false on 3 %), seeds 0 to {n - 1}"
    )
    runs = {axis: sizes.map(partial(divide, axis=axis), n) for axis in _AXES}
    rows: list[Row] = []
    for axis in _AXES:
        own, others = [run.own for run in runs[axis]], [run.others for run in runs[axis]]
        rows.append(
            number_row(
                "X13",
                f"Asked for {axis}: agreement with it (adjusted Rand index), worst run",
                min(own),
                least=0.8,
                shown=f"{min(own):.3f} (mean {np.mean(own):.3f})",
                meaning="documents are divided by what was asked for.",
                how=how + "; features found by their labels, number of clusters given",
            )
        )
        rows.append(
            number_row(
                "X13",
                f"Asked for {axis}: agreement with any other axis, worst run",
                max(others),
                most=0.2,
                shown=f"{max(others):.3f}",
                meaning="and by nothing else.",
                how=how,
            )
        )
    everything = [run for axis in _AXES for run in runs[axis]]
    rows += _whole_rows(everything, runs, how)
    return [*rows, _null_row(sizes)]


def _whole_rows(everything: list[AxisRun], runs: dict[str, list[AxisRun]], how: str) -> list[Row]:
    sizes = {axis: len(plant_axes(1, seed=0).values[axis]) for axis in _AXES}
    right = [
        run.k_chosen == sizes[axis]
        for axis in _AXES
        for run in runs[axis]
        if run.k_chosen is not None
    ]
    slow = [run.methods for run in everything if run.methods]
    by_method = {m: float(np.mean([methods[m] for methods in slow])) for m in _METHODS}
    first = f", the first {len(slow) // len(_AXES)} seeds"
    return [
        share_row(
            "X13",
            "Number of clusters chosen from the data is the planted one",
            right,
            least=0.9,
            meaning="stability times what is explained beyond shuffled features finds the number.",
            how=how + "; of 2 to 15" + first,
        ),
        share_row(
            "X13",
            "Clusters explain more than those of shuffled features (p at most .05)",
            [run.p <= 0.05 for run in everything if run.p is not None],
            least=0.95,
            meaning="structure that is there is told from none.",
            how=how + "; 19 shuffles" + first,
        ),
        number_row(
            "X13",
            "Held-out documents found again from the five features of a description",
            float(np.mean([run.accuracy for run in everything])),
            least=0.8,
            meaning="descriptions are enough to sort documents by.",
            how=how,
        ),
        number_row(
            "X13",
            "Features in a query that do not belong to it, or are missing from it",
            float(np.mean([run.n_false + run.n_missed for run in everything])),
            meaning="the query is found by the words of labels; this part is easy here.",
            how=how,
        ),
        *(
            number_row(
                "X13",
                f"Agreement with the axis asked for, method {method}, mean",
                value,
                meaning="methods side by side, the number of clusters given.",
                how=how + first,
            )
            for method, value in by_method.items()
        ),
    ]


def shuffled_p(seed: int) -> float:
    """Cluster documents whose features have nothing to do with each other."""
    planted = plant_axes(480, seed=seed, missed=0.7, false=0.3, n_nuisance=0)
    found = cluster_documents(as_documents(planted), k=4, seed=seed, n_resamples=1)
    return found.null.p_explained


def _null_row(sizes: Sizes) -> Row:
    n = max(8, sizes.simulations // 20)
    return rate_row(
        "X13",
        "Features that fire independently: clusters said to explain more than chance",
        [p <= 0.05 for p in sizes.map(shuffled_p, n)],
        meaning="clusters can always be made; the comparison with shuffled features tells.",
        how=f"480 documents, 33 features at 30 %, k = 4, 19 shuffles, seeds 0 to {n - 1}",
    )
