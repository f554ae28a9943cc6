"""One analysis in a process of its own: time and memory, from arrays in memory to the result.

Called by ``analyses.py``. What counts is the processor time of the analysis alone, with compiled
loops loaded before, and the most memory the process held, its imports and the input included.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

import _analyses_plain as plain
import _analyses_predecessor as predecessor
from _analyses_data import zipf_activations
from _memory import peak_mb
from interp_embed.analysis import (
    EncodedDocuments,
    LinkLimits,
    Neighbours,
    correlate_features,
    diff_counts,
    diff_groups,
)
from interp_embed.analysis.clusters.features import prepare_documents
from interp_embed.analysis.clusters.partition import make_space
from interp_embed.analysis.retrieval.postings import ScaledColumns, matrix_column

Arguments = dict[str, Any]


def make(arguments: Arguments) -> dict[str, Any]:
    """Write activations to a file."""
    matrix = zipf_activations(
        arguments["n_documents"],
        arguments["n_features"],
        mean_active=arguments.get("mean_active"),
        seed=arguments.get("seed", 0),
    )
    np.savez(
        arguments["path"],
        data=matrix.data,
        indices=matrix.indices,
        indptr=matrix.indptr,
        shape=matrix.shape,
    )
    return {"active": matrix.nnz / matrix.shape[0]}


def load(path: str) -> csr_matrix:
    """Return activations from a file."""
    with np.load(path) as parts:
        entries = (parts["data"], parts["indices"], parts["indptr"])
        return csr_matrix(entries, tuple(parts["shape"].tolist()))


def encoded(matrix: csr_matrix) -> EncodedDocuments:
    """Return activations as the analyses read them."""
    n = matrix.shape[0]
    return EncodedDocuments([""] * n, matrix, np.full(n, 200, np.int64))


def measure(run: Callable[[], object], warm: Callable[[], object]) -> dict[str, Any]:
    """Return processor and wall seconds and the peak, after ``warm`` has loaded what it needs."""
    warm()
    before = peak_mb()
    cpu, wall = time.process_time(), time.perf_counter()
    result = run()
    return {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
        "before_mb": before,
        "peak_mb": peak_mb(),
        "result": result,
    }


def npmi_ours(arguments: Arguments) -> dict[str, Any]:
    """All pairs, tested and corrected, the 50 strongest of each feature and sign kept."""
    documents = encoded(load(arguments["path"]))
    tiny = documents.take(np.arange(40))
    near = None
    if not arguments.get("links", True):
        near = Neighbours(limits=LinkLimits(activation_cosine=2.0, activation_jaccard=2.0))

    def run() -> dict[str, int]:
        found = correlate_features(documents, top=50, near=near)
        kept = found.pairs_kept
        return {"tested": kept.n_tests, "kept": kept.n_kept, "listed": kept.first.size}

    return measure(run, lambda: correlate_features(tiny, top=50))


def npmi_plain(arguments: Arguments) -> dict[str, Any]:
    """NPMI of every pair that occurs, by scipy; no test, nothing negative."""
    matrix = load(arguments["path"])
    support = arguments["min_support"]
    return measure(
        lambda: plain.npmi_pairs(matrix, support), lambda: plain.npmi_pairs(matrix[:40], 1)
    )


def npmi_predecessor(arguments: Arguments) -> dict[str, Any]:
    """NPMI of every pair, dense; no test, no support."""
    dense = load(arguments["path"]).toarray()
    return measure(
        lambda: predecessor.npmi_pairs(dense), lambda: predecessor.npmi_pairs(dense[:40, :40])
    )


def diff_ours(arguments: Arguments) -> dict[str, Any]:
    """Rates of two groups with tests, intervals and correction, from activations."""
    first, second = (encoded(half) for half in _halves(load(arguments["path"])))
    few = np.arange(20)
    return measure(
        lambda: int(diff_groups(first, second).significant.sum()),
        lambda: diff_groups(first.take(few), second.take(few)),
    )


def diff_from_counts(arguments: Arguments) -> dict[str, Any]:
    """The same from counts that a stored data set keeps; families are not looked for."""
    first, second = _halves(load(arguments["path"]))
    counts = [np.bincount(half.indices, minlength=half.shape[1]) for half in (first, second)]
    sizes = {"n_first": first.shape[0], "n_second": second.shape[0]}
    return measure(
        lambda: int(diff_counts(*counts, **sizes).significant.sum()),
        lambda: diff_counts([1, 2], [2, 1], n_first=5, n_second=5),
    )


def diff_plain(arguments: Arguments) -> dict[str, Any]:
    """Rates of two groups, by scipy; no test."""
    halves = _halves(load(arguments["path"]))
    return measure(lambda: plain.rate_differences(*halves), lambda: None)


def diff_predecessor(arguments: Arguments) -> dict[str, Any]:
    """Rates of two groups, dense; no test."""
    halves = [half.toarray() for half in _halves(load(arguments["path"]))]
    return measure(lambda: predecessor.rate_differences(*halves), lambda: None)


def search_ours(arguments: Arguments) -> dict[str, Any]:
    """Twenty queries of twenty features by postings; the units are measured in the first."""
    matrix = load(arguments["path"])
    columns = ScaledColumns(matrix_column(matrix), *matrix.shape)
    queries = _queries(matrix)
    return measure(lambda: [int(columns.sum(*query).argmax()) for query in queries], lambda: None)


def search_plain(arguments: Arguments) -> dict[str, Any]:
    """The same by a product with the whole sparse matrix, its units given."""
    matrix = load(arguments["path"])
    queries = _queries(matrix)
    units = plain.units(matrix, np.unique([query[0] for query in queries]))
    return measure(
        lambda: [plain.best_document(matrix, units, *query) for query in queries], lambda: None
    )


def search_predecessor(arguments: Arguments) -> dict[str, Any]:
    """The same by a dense matrix of all activations, scaled and multiplied."""
    matrix = load(arguments["path"])
    queries = _queries(matrix)
    dense = matrix.toarray()
    del matrix
    return measure(lambda: predecessor.best_documents(dense, queries), lambda: None)


def cluster_ours(arguments: Arguments) -> dict[str, Any]:
    """Eight clusters by the graph of documents and features."""
    documents = encoded(load(arguments["path"]))
    chosen = _common(documents.activations, arguments["n_used"])

    def run() -> int:
        found = prepare_documents(documents, chosen, weighting="none")
        weights = np.ones(found.rows.rows.shape[1])
        space = make_space(found.rows, weights, method="spectral", most=8)
        return int(space.cut(8, n_starts=10).max() + 1)

    return measure(run, lambda: None)


def cluster_plain(arguments: Arguments) -> dict[str, Any]:
    """Eight clusters by scikit-learn's spectral clustering of nearest neighbours."""
    matrix = load(arguments["path"])
    fires = (matrix[:, _common(matrix, arguments["n_used"])] > 0).astype(np.float32)
    return measure(lambda: plain.spectral_clusters(fires, 8), lambda: None)


def cluster_predecessor(arguments: Arguments) -> dict[str, Any]:
    """Eight clusters by scikit-learn's spectral clustering of all Jaccard similarities."""
    matrix = load(arguments["path"])
    dense = matrix[:, _common(matrix, arguments["n_used"])].toarray()
    return measure(lambda: predecessor.spectral_clusters(dense, 8), lambda: None)


def _halves(matrix: csr_matrix) -> tuple[csr_matrix, csr_matrix]:
    middle = matrix.shape[0] // 2
    return matrix[:middle], matrix[middle:]


def _queries(matrix: csr_matrix) -> list[tuple[list[int], list[float]]]:
    rng = np.random.default_rng(1)
    counts = np.bincount(matrix.indices, minlength=matrix.shape[1])
    often = np.flatnonzero(counts >= 20)
    weights = np.exp(-np.arange(20) / 20 / 0.2)
    return [(rng.choice(often, 20, replace=False).tolist(), weights.tolist()) for _ in range(20)]


def _common(matrix: csr_matrix, n_used: int) -> np.ndarray:
    counts = np.bincount(matrix.indices, minlength=matrix.shape[1])
    common = np.flatnonzero(counts < matrix.shape[0] // 2)
    return np.sort(common[np.argsort(-counts[common], kind="stable")[:n_used]])


TASKS: dict[str, Callable[[Arguments], dict[str, Any]]] = {
    task.__name__: task
    for task in (
        make,
        npmi_ours,
        npmi_plain,
        npmi_predecessor,
        diff_ours,
        diff_from_counts,
        diff_plain,
        diff_predecessor,
        search_ours,
        search_plain,
        search_predecessor,
        cluster_ours,
        cluster_plain,
        cluster_predecessor,
    )
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](json.loads(sys.argv[2]))))
