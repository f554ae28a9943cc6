"""Check every method against data whose truth is known, and write docs/validity.md.

    python benchmarks/validity.py                     the whole table, about 20 minutes on two cores
    python benchmarks/validity.py --quick             fewer runs, half a minute; writes no file
    python benchmarks/validity.py --only X5,X7        some experiments; writes no file

The exit status is 1 if a gate fails. Everything is seeded: the same command gives the same table.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from _validity_cluster import cluster_rows
from _validity_correlate import correlation_rows, listed_npmi_rows
from _validity_diff import diff_rows, group_trend_rows
from _validity_errors import error_rows, strata_rows
from _validity_null import null_rows, preference_rows
from _validity_pairs import author_rows, difference_rows, npmi_rows, pair_rows, trend_rows
from _validity_planted import planted_rows, recovery_rows, stability_rows, yelp_rows
from _validity_rows import FULL, QUICK, Row, Sizes, write_markdown
from _validity_search import search_rows

EXPERIMENTS: dict[str, Callable[[Sizes], list[Row]]] = {
    "X1": recovery_rows,
    "X2": planted_rows,
    "X3": yelp_rows,
    "X5": lambda sizes: [*pair_rows(sizes), *correlation_rows(sizes), *author_rows(sizes)],
    "X6": lambda sizes: [*npmi_rows(sizes), *listed_npmi_rows(sizes)],
    "X7": null_rows,
    "X8": preference_rows,
    "X9": lambda sizes: [*difference_rows(sizes), *diff_rows(sizes)],
    "X10": error_rows,
    "X11": strata_rows,
    "X12": search_rows,
    "X13": cluster_rows,
    "X14": lambda sizes: [*trend_rows(sizes), *group_trend_rows(sizes)],
    "X15": stability_rows,
}
DOCUMENT = Path(__file__).parents[1] / "docs" / "validity.md"


def run_experiments(names: list[str], sizes: Sizes) -> list[Row]:
    """Run experiments, printing each row as it comes, and return the rows."""
    rows: list[Row] = []
    for name in names:
        started = time.perf_counter()
        for row in EXPERIMENTS[name](sizes):
            print(f"{row.experiment:4} {row.verdict:7} {row.claim}: {row.value}; {row.gate or '-'}")
            rows.append(row)
        print(f"{name:4} took {time.perf_counter() - started:.0f} s", flush=True)
    return rows


def main() -> None:
    """Parse the command line, run, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer runs; writes no file")
    parser.add_argument("--only", default="", metavar="X5,X7", help="some experiments")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default docs/validity.md")
    parser.add_argument("--processes", type=int, default=FULL.processes)
    options = parser.parse_args()
    names = [name for name in options.only.split(",") if name] or list(EXPERIMENTS)
    unknown = [name for name in names if name not in EXPERIMENTS]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(EXPERIMENTS)}")
    sizes = replace(QUICK if options.quick else FULL, processes=options.processes)
    rows = run_experiments(names, sizes)
    whole = not options.quick and not options.only
    if options.out or whole:
        command = "python benchmarks/validity.py"
        command += " --quick" if options.quick else ""
        command += f" --only {options.only}" if options.only else ""
        out = options.out or DOCUMENT
        out.write_text(write_markdown(rows, command=command), encoding="utf-8")
    failed = sum(row.passed is False for row in rows)
    print(f"{sum(row.passed is not None for row in rows)} gates, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
