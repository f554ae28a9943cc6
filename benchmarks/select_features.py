"""Select features with HypotheSAEs 2.0.1 and with this library, and compare time and memory.

    python benchmarks/select_features.py --predecessor .venv-bench/bin/python

20,000 documents x 8,192 features with 32 active a document; the target is the sum of 20 planted
features and noise. ``--predecessor`` is the interpreter of an environment that holds
hypothesaes==2.0.1; ``make bench`` makes one. Each method runs in a process of its own, on one
thread: ours on the sparse matrix, the predecessor's on the dense array it takes (making it is not
counted). Time is CPU seconds of the selection. Memory is the peak of the process, and how much
selecting added to what was held before. A few minutes, mostly the predecessor's lasso.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, save_npz

from _children import print_table, run_child

REQUIRED = {"correlation": 50, "separation": 50, "lasso": 5}
N_SELECTED = 20


def plant_activations(
    n_documents: int, n_features: int, *, n_active: int = 32, seed: int = 0
) -> csr_matrix:
    """Return activations with exactly ``n_active`` features a document, drawn evenly."""
    rng = np.random.default_rng(seed)
    feature = np.concatenate(
        [
            np.sort(rng.choice(n_features, n_active, replace=False)).astype(np.int32)
            for _ in range(n_documents)
        ]
    )
    start = np.arange(0, len(feature) + 1, n_active, dtype=np.int32)
    value = rng.gamma(2, 1, len(feature)).astype(np.float32)
    return csr_matrix((value, feature, start), shape=(n_documents, n_features))


def main() -> None:
    """Parse the command line, plant the data, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--predecessor", required=True, metavar="PYTHON")
    parser.add_argument("--methods", default=",".join(REQUIRED))
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=8_192)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    activations = plant_activations(options.rows, options.features, seed=options.seed)
    rng = np.random.default_rng([options.seed, 1])
    planted = rng.choice(options.features, N_SELECTED, replace=False)
    target = np.asarray(activations[:, planted].sum(axis=1)).ravel()
    target += rng.standard_normal(options.rows)
    print(f"the dense array alone is {options.rows * options.features * 4 / 2**20:.0f} MB")
    table = [
        [
            "method", "its s", "its peak MB", "found", "our s", "our peak MB", "added MB", "found",
            "speed-up", "asked",
        ]
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        task = {"activations": f"{folder}/A.npz", "target": f"{folder}/y.npy", "n": N_SELECTED}
        save_npz(Path(folder) / "A.npz", activations)
        np.save(Path(folder) / "y.npy", target)
        for method in options.methods.split(","):
            ours = run_child(sys.executable, "_ours.py", "select", **task, method=method)
            theirs = run_child(
                options.predecessor, "_predecessor.py", "select", **task, method=method
            )
            found = [len(set(side["features"]) & set(planted.tolist())) for side in (theirs, ours)]
            table.append(
                [
                    method,
                    f"{theirs['seconds']:.2f}",
                    f"{theirs['peak_mb']:.0f}",
                    f"{found[0]}/{N_SELECTED}",
                    f"{ours['seconds']:.3f}",
                    f"{ours['peak_mb']:.0f}",
                    f"{ours['peak_mb'] - ours['before_mb']:.0f}",
                    f"{found[1]}/{N_SELECTED}",
                    f"{theirs['seconds'] / ours['seconds']:.0f}x",
                    f"{REQUIRED[method]}x",
                ]
            )
    print_table(table)


if __name__ == "__main__":
    main()
