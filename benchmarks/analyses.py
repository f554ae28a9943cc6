"""Time and memory of the analyses, beside scipy or scikit-learn and the predecessor's formulas.

    python benchmarks/analyses.py           about two minutes
    python benchmarks/analyses.py --full    100,000 documents x 65,536 features; 12 GB for rivals

Every measurement is a process of its own on one thread. Processor seconds are of the analysis
alone; memory is the most the process held, with imports and input. Ours test every pair or feature
and correct for all of them; the others only compute the values. The predecessor's own package
cannot be installed beside ours, so that its formulas are written afresh (_analyses_predecessor.py).
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _children import print_table, run_child

_SCRIPT = "_analyses_run.py"


@dataclass(frozen=True)
class Shape:
    """A matrix of activations."""

    n_documents: int
    n_features: int
    mean_active: float | None = None

    @property
    def name(self) -> str:
        """As in a table."""
        return f"{self.n_documents:,} x {self.n_features:,}"


@dataclass(frozen=True)
class Sizes:
    """What is measured on which shapes."""

    together: Shape
    """Pairs, by all three."""
    alone: Shape
    """Pairs, by ours and scipy."""
    large: Shape | None
    """Pairs, by ours alone."""
    documents: Shape
    """Differences and retrieval."""
    clusters: Shape
    n_used: int
    """Features that documents are clustered by."""


QUICK = Sizes(
    Shape(2_000, 4_096, 120.0),
    Shape(10_000, 16_384),
    None,
    Shape(5_000, 65_536),
    Shape(2_000, 4_096),
    300,
)
FULL = Sizes(
    Shape(3_000, 16_384, 480.0),
    Shape(25_000, 16_384),
    Shape(100_000, 65_536),
    Shape(50_000, 65_536),
    Shape(5_000, 65_536),
    500,
)


class Bench:
    """Runs children on activations that are made once for each shape."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows = [["analysis", "documents x features", "by", "CPU s", "wall s", "peak MB"]]
        self._rows[0] += ["CPU", "memory", "result"]
        self._ours: dict[str, Any] = {}

    def path(self, shape: Shape) -> str:
        """Return the file of a shape's activations, made if need be."""
        path = self._folder / f"{shape.n_documents}x{shape.n_features}.npz"
        if not path.exists():
            run_child(
                sys.executable,
                _SCRIPT,
                "make",
                path=str(path),
                n_documents=shape.n_documents,
                n_features=shape.n_features,
                mean_active=shape.mean_active,
            )
        return str(path)

    def run(self, analysis: str, by: str, task: str, shape: Shape, **arguments: object) -> None:
        """Measure a task; ``ours`` first, the others get their ratio to it."""
        found = run_child(sys.executable, _SCRIPT, task, path=self.path(shape), **arguments)
        if by == "ours":
            self._ours = found
        ours = self._ours
        self._rows.append(
            [
                analysis,
                shape.name,
                by,
                f"{found['cpu_s']:.3g}",
                f"{found['wall_s']:.3g}",
                f"{found['peak_mb']:,.0f}",
                f"{found['cpu_s'] / max(ours['cpu_s'], 1e-6):.3g}x",
                f"{found['peak_mb'] / ours['peak_mb']:.3g}x",
                _short(found["result"]),
            ]
        )

    def print(self) -> None:
        """Print the table."""
        print_table(self._rows)


def _short(result: object) -> str:
    if isinstance(result, dict):
        return ", ".join(f"{name} {value:,}" for name, value in result.items())
    if isinstance(result, list):
        return f"{len(result)} documents"
    return f"{result:,}"


def pairs(bench: Bench, sizes: Sizes) -> None:
    """All pairs of features: NPMI, and which are more than chance."""
    bench.run("pairs", "ours", "npmi_ours", sizes.together)
    bench.run("pairs", "scipy", "npmi_plain", sizes.together, min_support=5)
    bench.run("pairs", "predecessor", "npmi_predecessor", sizes.together)
    support = max(20, sizes.alone.n_documents // 2_000)
    bench.run("pairs", "ours", "npmi_ours", sizes.alone)
    bench.run("pairs", "scipy", "npmi_plain", sizes.alone, min_support=support)
    if sizes.large is not None:
        bench.run("pairs", "ours", "npmi_ours", sizes.large)


def differences(bench: Bench, sizes: Sizes) -> None:
    """Rates of all features in two groups."""
    bench.run("difference", "ours", "diff_ours", sizes.documents)
    bench.run("difference", "ours, from counts", "diff_from_counts", sizes.documents)
    bench.run("difference", "scipy", "diff_plain", sizes.documents)
    if sizes.documents.n_documents <= 20_000:
        bench.run("difference", "predecessor", "diff_predecessor", sizes.documents)


def retrieval(bench: Bench, sizes: Sizes) -> None:
    """Twenty queries of twenty features."""
    bench.run("20 queries", "ours", "search_ours", sizes.documents)
    bench.run("20 queries", "scipy", "search_plain", sizes.documents)
    if sizes.documents.n_documents <= 20_000:
        bench.run("20 queries", "predecessor", "search_predecessor", sizes.documents)


def clusters(bench: Bench, sizes: Sizes) -> None:
    """Eight clusters of documents by what fires in them."""
    used = {"n_used": sizes.n_used}
    bench.run("8 clusters", "ours", "cluster_ours", sizes.clusters, **used)
    bench.run("8 clusters", "scikit-learn", "cluster_plain", sizes.clusters, **used)
    bench.run("8 clusters", "predecessor", "cluster_predecessor", sizes.clusters, **used)


SECTIONS = {
    "pairs": pairs,
    "differences": differences,
    "retrieval": retrieval,
    "clusters": clusters,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the large shapes")
    parser.add_argument("--only", choices=SECTIONS, nargs="*", help="some of the sections")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="analyses-") as folder:
        bench = Bench(Path(folder))
        for name in arguments.only or SECTIONS:
            SECTIONS[name](bench, FULL if arguments.full else QUICK)
        bench.print()


if __name__ == "__main__":
    main()
