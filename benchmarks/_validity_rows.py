"""One line of the validity table, its gates, and how the table is written."""

import math
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

R = TypeVar("R")
_MANY = 50
"""Cases from which a share is held to its bound as it is."""


@dataclass(frozen=True)
class Row:
    """A claim, what was measured, and what it has to be."""

    experiment: str
    """Number of the experiment, such as ``X7``."""
    claim: str
    value: str
    gate: str
    """What the value has to be; empty where it stands for comparison only."""
    passed: bool | None
    """None for a comparison, or where the experiment was left out."""
    meaning: str
    """What it says, in a sentence."""
    how: str
    """Sizes and seeds."""

    @property
    def verdict(self) -> str:
        """The outcome in a word."""
        if self.passed is None:
            return "-"
        return "yes" if self.passed else "**NO**"


@dataclass(frozen=True)
class Sizes:
    """How much is simulated."""

    null_studies: int = 200
    planted_studies: int = 20
    same_row_runs: int = 40
    simulations: int = 500
    """Runs of what takes milliseconds."""
    concepts: tuple[int, ...] = (16, 32, 64)
    """Planted concepts of the recovery of features."""
    recovery_seeds: int = 3
    pair_seeds: int = 20
    stability_seeds: int = 5
    processes: int = 2

    def map(self, function: Callable[[int], R], n: int) -> list[R]:
        """Return the function's values for seeds 0 to n - 1, in order, by several processes."""
        if self.processes < 2:
            return [function(seed) for seed in range(n)]
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        with ProcessPoolExecutor(self.processes) as pool:
            return list(pool.map(function, range(n), chunksize=max(1, n // 40)))


FULL = Sizes()
QUICK = Sizes(
    null_studies=5,
    planted_studies=1,
    same_row_runs=4,
    simulations=40,
    concepts=(16,),
    recovery_seeds=1,
    pair_seeds=1,
    stability_seeds=3,
    processes=1,
)


def standard_error(rate: float, n: int) -> float:
    """Return the standard error of a share of n."""
    return math.sqrt(rate * (1 - rate) / n)


def rate_row(
    experiment: str,
    claim: str,
    hits: Iterable[bool],
    *,
    level: float = 0.05,
    meaning: str,
    how: str,
) -> Row:
    """Return the row of a rate of false findings, which may be the level and two errors more."""
    outcomes = list(hits)
    n, rate = len(outcomes), sum(outcomes) / len(outcomes)
    most = level + 2 * standard_error(level, n)
    return Row(
        experiment,
        claim,
        f"{rate:.3f} ({sum(outcomes)} of {n})",
        f"at most {most:.3f} ({level:g} + 2 standard errors)",
        rate <= most,
        meaning,
        how,
    )


def share_row(
    experiment: str,
    claim: str,
    hits: Iterable[bool],
    *,
    least: float,
    meaning: str,
    how: str,
) -> Row:
    """Return the row of a share that has to reach a bound; of few, two standard errors below it."""
    outcomes = list(hits)
    share = sum(outcomes) / len(outcomes)
    if len(outcomes) < _MANY:
        least -= 2 * standard_error(least, len(outcomes))
    return Row(
        experiment,
        claim,
        f"{share:.1%} ({sum(outcomes)} of {len(outcomes)})",
        f"at least {least:.0%}",
        share >= least,
        meaning,
        how,
    )


def false_share_row(
    experiment: str, claim: str, shares: Iterable[float], *, meaning: str, how: str
) -> Row:
    """Return the row of the share of false ones among what runs list, at a false discovery rate.

    It may be the rate and two standard errors of the mean over runs more.
    """
    values = list(shares)
    n, mean = len(values), sum(values) / len(values)
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / max(n - 1, 1) / n)
    most = 0.05 + 2 * max(spread, standard_error(0.05, n) / 3)
    return Row(
        experiment,
        claim,
        f"{mean:.3f}",
        f"at most {most:.3f} (0.05 + 2 standard errors)",
        mean <= most,
        meaning,
        how,
    )


def number_row(
    experiment: str,
    claim: str,
    value: float,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    shown: str = "",
    meaning: str,
    how: str,
) -> Row:
    """Return the row of a number that has to lie between bounds; without any, a comparison."""
    bounds = []
    if least > -math.inf:
        bounds.append(f"at least {least:.3g}")
    if most < math.inf:
        bounds.append(f"at most {most:.3g}")
    passed = least <= value <= most if bounds else None
    return Row(
        experiment,
        claim,
        shown or f"{value:.3f}",
        ", ".join(bounds),
        passed,
        meaning,
        how,
    )


def skipped_row(experiment: str, claim: str, reason: str) -> Row:
    """Return the row of an experiment that cannot be run here."""
    return Row(experiment, claim, "left out", "", None, reason, "")


def write_markdown(rows: Sequence[Row], *, command: str) -> str:
    """Return the document: what is checked, the table, and a line on each of its rows."""
    failed = sum(row.passed is False for row in rows)
    gates = sum(row.passed is not None for row in rows)
    told = "all pass" if not failed else f"{failed} fail"
    lines = [
        "# How far the numbers can be trusted",
        "",
        "Every method is run on data whose truth is known: where there is nothing to find, where",
        "something was planted, and where annotators err. Each figure stands beside the gate it",
        "has to pass. Rows without a gate are for comparison. No language model is asked; labels",
        "are contrasting words and a rule reads them, or the truth stands in for the annotator.",
        "",
        "    " + command,
        "",
        f"{gates} gates, {told}. The same command gives the same table.",
        "",
        "| | claim | measured | gate | passed |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row.experiment} | {row.claim} | {row.value} | {row.gate or '-'} | {row.verdict} |"
        for row in rows
    ]
    lines += ["", "## What each row means", ""]
    for experiment in dict.fromkeys(row.experiment for row in rows):
        lines.append(f"**{experiment}**")
        lines.append("")
        for row in (row for row in rows if row.experiment == experiment):
            how = f" *({row.how})*" if row.how else ""
            lines.append(f"- {row.claim}: {row.meaning}{how}")
        lines.append("")
    return "\n".join(lines)
