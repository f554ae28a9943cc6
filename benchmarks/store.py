"""Measure the data set on disk: bytes per activation, time to find and to load, memory.

    python benchmarks/store.py                         # a million documents: 25 minutes, 9 GB
    python benchmarks/store.py --documents 50000       # 2 minutes, 0.5 GB

Activations are drawn as a sparse autoencoder's look: 65,536 features of which the median one fires
in 0.23 % of the documents, the 99th percentile in 5.9 %, the top one in 66 %; log-normal values and
lengths. Shards of 25,000 documents have the same pattern and values of their own. Times are
wall-clock, the median and the slowest of many calls, each made once before (``warm``). One thread.

- sizes: Parquet bytes of each column, pooled and by token, over the number of activations > 0.
- top: the ten strongest documents of a feature over all documents, from the feature index.
- tokens: all activations of one document's tokens, from 500 documents of 256 tokens.
- open: ``Store.open``, and with all commit records read, for as many shards as ``--shards``.
- load: ``load_csr`` of 3,000 documents x 65,536 features at 3 % density; memory added at the peak,
  in a process of its own.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from _children import print_table, run_child
from _memory import MB, peak_mb
from interp_embed._fingerprint import digest_texts
from interp_embed.analysis import rank_weights
from interp_embed.analysis.retrieval.postings import ScaledColumns
from interp_embed.store import Header, PooledShard, Store, TokenDetail, TokenShard

N_FEATURES = 65_536


def feature_densities(rng: np.random.Generator) -> np.ndarray:
    """Return the share of documents in which each feature fires, shape (n_features,)."""
    return np.minimum(0.66, 0.0023 * np.exp(rng.normal(0, 1.393, N_FEATURES)))


def draw_rows(n_rows: int, density: np.ndarray, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return pointers and features of rows in which each feature fires independently."""
    n_draws = rng.poisson(-n_rows * np.log1p(-density))  # with repeats: exact once they are dropped
    feature = np.repeat(np.arange(len(density)), n_draws)
    key = rng.integers(0, n_rows, len(feature)) * len(density) + feature
    key.sort()
    key = key[np.diff(key, prepend=-1) > 0]
    row, feature = np.divmod(key, len(density))
    start = np.searchsorted(row, np.arange(n_rows + 1)).astype(np.int64)
    return start, feature.astype(np.int32)


def draw_pooled(n_documents: int, density: np.ndarray, rng: np.random.Generator) -> PooledShard:
    """Return pooled activations of documents."""
    start, feature = draw_rows(n_documents, density, rng)
    n = len(feature)
    n_counted = np.clip(np.exp(rng.normal(5.3, 0.6, n_documents)), 8, 2_000).astype(np.int32)
    length = np.repeat(n_counted, np.diff(start))
    maximum = np.exp(rng.normal(0, 0.8, n)).astype(np.float32)
    count = np.minimum(rng.geometric(0.5, n), length).astype(np.int32)
    return PooledShard(
        start=start,
        feature=feature,
        maximum=maximum,
        peak=(rng.random(n, np.float32) * length).astype(np.int32),
        total=(maximum * (1 + rng.random(n, np.float32) * (count - 1))).astype(np.float32),
        count=count,
        n_counted=n_counted,
        errors=(None,) * n_documents,
    )


def vary(pooled: PooledShard, n_documents: int, rng: np.random.Generator) -> PooledShard:
    """Return the last documents of a shard with new values: cheaper than drawing anew."""
    first = pooled.n_documents - n_documents
    start = pooled.start[first:] - pooled.start[first]
    inside = slice(pooled.start[first], None)
    factor = rng.uniform(0.5, 2, len(pooled.feature[inside])).astype(np.float32)
    return PooledShard(
        start=start,
        feature=pooled.feature[inside],
        maximum=pooled.maximum[inside] * factor,
        peak=pooled.peak[inside],
        total=pooled.total[inside] * factor,
        count=pooled.count[inside],
        n_counted=pooled.n_counted[first:],
        errors=(None,) * n_documents,
    )


def draw_tokens(n_documents: int, density: np.ndarray, rng: np.random.Generator) -> TokenShard:
    """Return token activations of documents of 256 tokens, 46.6 a token on average."""
    n_tokens = 256 * n_documents
    start, feature = draw_rows(n_tokens, density * 46.6 / density.sum(), rng)
    length = rng.integers(2, 8, (n_documents, 256))
    end = length.cumsum(axis=1).ravel()
    return TokenShard(
        token_start=np.arange(0, n_tokens + 1, 256),
        span=np.stack([end - length.ravel() + 1, end], axis=1).astype(np.int32),
        counted=np.ones(n_tokens, np.bool_),
        start=start,
        feature=feature,
        value=np.exp(rng.normal(0, 0.8, len(feature))).astype(np.float32),
    )


def create(folder: Path, n_documents: int, rows_per_shard: int, tokens: TokenDetail) -> Store:
    """Return a new data set of short texts."""
    texts = [f"Document {i}." for i in range(n_documents)]
    header = Header(
        n_documents=n_documents,
        n_features=N_FEATURES,
        rows_per_shard=rows_per_shard,
        text_field="text",
        documents_digest=digest_texts(texts),
        source={"made by": "benchmarks/store.py"},
        tokens=tokens,
    )
    return Store.create(folder, header, pd.DataFrame({"text": texts}))


def time_calls(call: Callable[[Any], object], arguments: list[Any]) -> tuple[float, float]:
    """Return the median and the largest time of calls in ms, each argument called once before."""
    seconds = []
    for argument in arguments:
        call(argument)
        begin = time.perf_counter()
        call(argument)
        seconds.append(time.perf_counter() - begin)
    return 1e3 * float(np.median(seconds)), 1e3 * max(seconds)


def column_sizes(store: Store, folder: str, n_entries: int) -> list[list[str]]:
    """Return rows of (what, bytes per activation) for the columns of a folder's files."""
    sizes: dict[str, int] = {}
    n_bytes = 0
    for path in sorted((Path(store.location) / folder).glob("*.parquet")):
        n_bytes += path.stat().st_size
        metadata = pq.read_metadata(path)
        for group in range(metadata.num_row_groups):
            for place in range(metadata.num_columns):
                column = metadata.row_group(group).column(place)
                name = column.path_in_schema.partition(".")[0]
                sizes[name] = sizes.get(name, 0) + column.total_compressed_size
    rows = [[f"{folder}: {name}", f"{size / n_entries:.2f} B"] for name, size in sizes.items()]
    return [*rows, [f"{folder}: whole files", f"{n_bytes / n_entries:.2f} B"]]


def measure_pooled(folder: Path, n_documents: int, rng: np.random.Generator) -> list[list[str]]:
    """Write pooled activations, index them, find the top documents of features."""
    density = feature_densities(rng)
    store = create(folder, n_documents, min(25_000, n_documents), "none")
    write_s = 0.0
    drawn = draw_pooled(len(store.header.rows_of(0)), density, rng)
    for shard in store.missing():
        pooled = vary(drawn, len(store.header.rows_of(shard)), rng)
        begin = time.perf_counter()
        store.write_shard(shard, pooled, None)
        write_s += time.perf_counter() - begin
        print(f"shard {shard + 1} of {store.header.n_shards}", file=sys.stderr, flush=True)
    n_entries = store.status().n_entries
    begin = time.perf_counter()
    store.build_index()
    index_s = time.perf_counter() - begin
    index_bytes = sum(path.stat().st_size for path in (folder / "index").iterdir())
    rows = column_sizes(store, "acts", n_entries)
    rows += column_sizes(store, "stats", n_entries)[-1:]
    rows += [
        ["activations", f"{n_entries:,}"],
        ["write", f"{1e9 * write_s / n_entries:.0f} ns"],
        ["index: build", f"{1e9 * index_s / n_entries:.0f} ns"],
        ["index", f"{index_bytes / n_entries:.2f} B"],
    ]
    opened = Store.open(folder)
    for name, low, high in (("30-66 %", 0.3, 1.0), ("1-5 %", 0.01, 0.05), ("0.2 %", 0.002, 0.003)):
        features = np.flatnonzero((density > low) & (density < high))
        chosen = rng.permutation(features)[:100].tolist()
        if chosen:
            median_ms, worst_ms = time_calls(opened.top_documents, chosen)
            rows.append([f"top 10 of a feature in {name}", f"{median_ms:.2f} / {worst_ms:.2f} ms"])
    rows.append(measure_searches(opened, density, rng))
    begin = time.perf_counter()
    opened.stats()
    return [*rows, ["stats of all features", f"{time.perf_counter() - begin:.2f} s"]]


def measure_searches(store: Store, density: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Find the best ten documents of 20 queries of 20 features each, read from the index."""

    def column(feature: int) -> tuple[np.ndarray, np.ndarray]:
        found = store.column(feature)
        return found.document, found.activation

    header = store.header
    columns = ScaledColumns(column, header.n_documents, header.n_features)
    live = np.flatnonzero(density > 5 / header.n_documents)
    queries = [rng.choice(live, 20, replace=False).tolist() for _ in range(20)]
    weights = rank_weights(20).tolist()
    seconds = []
    for _ in range(2):  # the first reads the index, and finds the unit of each feature
        begin, used = time.perf_counter(), time.process_time()
        for query in queries:
            scores = columns.sum(query, weights)
            best = np.argpartition(-scores, 10)[:10]
            best[np.argsort(-scores[best])]
        seconds = [time.perf_counter() - begin, time.process_time() - used]
    return ["20 searches by 20 features", f"{seconds[0]:.2f} s ({seconds[1]:.2f} CPU s)"]


def measure_tokens(folder: Path, rng: np.random.Generator) -> list[list[str]]:
    """Write token activations, read those of single documents."""
    density = feature_densities(rng)
    store = create(folder, 500, 250, "all")
    n_entries = 0
    for shard in store.missing():
        pooled = draw_pooled(250, density, rng)
        pooled.peak[:] = -1
        commit = store.write_shard(shard, pooled, draw_tokens(250, density, rng))
        n_entries += commit.n_token_entries
    chosen = rng.permutation(500)[:100].tolist()
    median_ms, worst_ms = time_calls(Store.open(folder).tokens, chosen)
    rows = column_sizes(store, "tokens", n_entries)
    return [*rows, ["tokens of a document", f"{median_ms:.2f} / {worst_ms:.2f} ms"]]


def measure_open(folder: Path, n_shards: int, rng: np.random.Generator) -> list[list[str]]:
    """Write many small shards, open the data set."""
    density = feature_densities(rng)
    store = create(folder, n_shards, 1, "none")
    for shard in range(n_shards):
        store.write_shard(shard, draw_pooled(1, density, rng), None)
    first_ms = 1e3 * _time(lambda: Store.open(folder).missing())
    open_ms, _ = time_calls(Store.open, [folder] * 20)
    missing_ms, _ = time_calls(lambda path: Store.open(path).missing(), [folder] * 20)
    return [
        [f"open, {n_shards} shards", f"{open_ms:.2f} ms"],
        ["open and read all commits", f"{missing_ms:.1f} ms"],
        ["the same before a snapshot", f"{first_ms:.0f} ms"],
    ]


def _time(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def load_whole(folder: str) -> dict[str, Any]:
    """Load a data set as one matrix; return time, size and the memory added, in MB."""
    store = Store.open(folder)
    store.load_csr(range(2), [0])  # what importing and opening costs is not counted
    before = current_mb()
    begin = time.perf_counter()
    matrix = store.load_csr()
    seconds = time.perf_counter() - begin
    held = (matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes) / MB
    return {"seconds": seconds, "added": peak_mb() - before, "held": held, "nnz": matrix.nnz}


def current_mb() -> float:
    """Return the memory this process holds now, in MB; the peak so far where that is unknown."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / MB
    return peak_mb()


def measure_load(folder: Path, rng: np.random.Generator) -> list[list[str]]:
    """Write 3,000 documents at 3 % density, load them in a fresh process."""
    store = create(folder, 3_000, 3_000, "none")
    density = np.full(N_FEATURES, 0.03)
    store.write_shard(0, draw_pooled(3_000, density, rng), None)
    found = run_child(sys.executable, "store.py", "load", folder=str(folder))
    return [
        ["load_csr 3,000 x 65,536 at 3 %", f"{found['seconds']:.2f} s"],
        ["its matrix", f"{found['held']:.0f} MB"],
        ["memory added at the peak", f"{found['added']:.0f} MB"],
    ]


def main() -> None:
    """Parse the command line, write, measure, print."""
    if sys.argv[1:2] == ["load"]:
        print(json.dumps(load_whole(**json.loads(sys.argv[2]))))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=1_000, help="for the time to open")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary one by default")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        table = [["what", "measured"]]
        table += measure_load(folder / "load", rng)
        table += measure_tokens(folder / "tokens", rng)
        table += measure_open(folder / "open", options.shards, rng)
        table += measure_pooled(folder / "pooled", options.documents, rng)
        print_table(table)


if __name__ == "__main__":
    main()
