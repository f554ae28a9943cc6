"""Annotate through a server that limits and fails: what is lost, paid twice, and how long it takes.

    python benchmarks/annotate.py --predecessor .venv-bench/bin/python
    python benchmarks/annotate.py --scenarios clean,faults,hangs,kills

Client and server talk over real sockets; the server is that of the tests, with OpenAI's limits,
headers and words. ``--predecessor`` is the interpreter of an environment that holds
hypothesaes==2.0.1 (``make bench`` makes one): it gets the same pairs from a server with the same
settings, in the same run. Every client runs in a process of its own, one thread.

- lost: pairs without a verdict in the end. false: verdicts that are not the server's truth.
- again: answers paid for beyond the first to a question whose answer was useless (its fault), and
  after the slash those paid though a whole answer had been sent (a client's fault).
- 429: share of requests refused. waste: share of requests that gave no usable answer.
- used: of the limit that binds, what was admitted / (limit x minutes + a full bucket at the start).
- ideal: (what it takes - a full bucket) / rate of the limit that binds, and one latency. ours and
  the predecessor's differ, since prompts and calls do; "-" where a full bucket holds it all.
- first: seconds from the first request to the first answer. CPU: of the client, a call paid for.
- grown: peak memory beyond that before the first call.

Times are those of the clock client and server share; where only ours runs it is ``--factor`` times
as fast as the machine's. On a machine that has no time for it, it is the machine that is measured.
"""

import argparse
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from _children import HERE, print_table, run_child
from interp_embed.synthetic import plant_corpus

sys.path.insert(0, str(HERE.parent / "tests" / "llm"))
from fast_clock import FastClock
from fault_server import FaultServer, Limits, Stats, truth_answer

PRICES = (0.15, 0.6)
PASSING = ("http_500", "http_502", "http_503_retry_after", "http_529", "reset_before", "ok_error",
           "choices_null", "malformed_json", "truncated", "half_wrong_enum", "empty_content",
           "reset_mid_body", "duplicate_disagree", "rate_limit_bare", "empty_body")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is asked, of which server."""

    n_documents: int
    n_concepts: int
    limits: Limits = field(default_factory=Limits)
    per_call: int = 10
    """Concepts a call of ours asks about."""
    faults: Mapping[str, float] = field(default_factory=dict)
    headers: bool = True
    latency_s: float = 0.6
    shared: bool = False
    """Whether the predecessor gets it as well; then in real time."""
    clients: int = 1
    kills: int = 0

    @property
    def n_pairs(self) -> int:
        """How many verdicts are asked for."""
        return self.n_documents * self.n_concepts


def _spread(share: float, *more: str) -> dict[str, float]:
    names = (*PASSING, *more)
    return dict.fromkeys(names, share / len(names))


_TIER = Limits(rpm=500, tpm=200_000)
SCENARIOS = {
    # In real time, beside the predecessor
    "tpm": Scenario(50, 3, Limits(rpm=500, tpm=30_000), shared=True),
    "tpm-single": Scenario(50, 3, Limits(rpm=500, tpm=30_000), per_call=1, shared=True),
    "rpm": Scenario(300, 4, Limits(rpm=600, tpm=400_000), shared=True),
    "rpm-single": Scenario(300, 4, Limits(rpm=600, tpm=400_000), per_call=1, shared=True),
    "failing": Scenario(75, 4, Limits(rpm=500, tpm=200_000), faults=_spread(0.15), shared=True),
    # Ours alone, on a fast clock
    "clean": Scenario(900, 10, _TIER),
    "clean-tpm": Scenario(400, 10, Limits(rpm=500, tpm=60_000)),
    "no-headers": Scenario(900, 10, _TIER, headers=False),
    "two-jobs": Scenario(900, 10, _TIER, clients=2),
    "faults-5": Scenario(900, 10, _TIER, faults=_spread(0.05)),
    "faults": Scenario(900, 10, _TIER, faults=_spread(0.15)),
    "hangs": Scenario(900, 10, _TIER, faults=_spread(0.15, "hang", "trickle")),
    "kills": Scenario(900, 10, _TIER, kills=20),
    "whole": Scenario(2_000, 20, latency_s=0.1),
    "large": Scenario(4_000, 10, latency_s=0.1),
}
_ALWAYS = "tpm,tpm-single,rpm,failing,clean,clean-tpm,no-headers,two-jobs,faults-5,faults,hangs"


def make_task(scenario: Scenario, seed: int) -> dict[str, Any]:
    """Return documents and concepts, all different."""
    corpus = plant_corpus(2 * scenario.n_documents, domain="reviews", seed=seed)
    texts = list(dict.fromkeys(corpus.texts))[: scenario.n_documents]
    concepts = list(dict.fromkeys(corpus.descriptions))[: scenario.n_concepts]
    if (len(texts), len(concepts)) != (scenario.n_documents, scenario.n_concepts):
        raise ValueError(f"there are only {len(texts)} texts and {len(concepts)} concepts")
    return {"documents": texts, "concepts": concepts, "seed": seed}


def start_server(scenario: Scenario, seed: int, factor: float) -> FaultServer:
    """Return a server for a scenario, not yet running."""
    return FaultServer(
        truth_answer(seed),
        clock=FastClock(factor, waits=False),
        seed=seed,
        limits=scenario.limits,
        headers=scenario.headers,
        retry_after="both" if scenario.headers else None,
        faults=scenario.faults,
        latency_s=scenario.latency_s,
        prices=PRICES,
    )


def row_of(
    name: str, side: str, scenario: Scenario, stats: Stats, got: dict[str, Any]
) -> list[str]:
    """Return a row of the table."""
    n_needed = stats.billed - stats.duplicates
    useful = sum(n > 0 for n in stats.whole_by_prompt.values())
    ideal_s, used = compare_with_limits(scenario, stats, n_needed)
    return [
        name,
        side,
        f"{scenario.n_pairs:,}",
        f"{n_needed:,}",
        str(got["lost"]),
        str(got["false"]),
        f"{stats.requests:,}",
        f"{(stats.prompt_tokens + stats.completion_tokens) / 1e3:,.0f}",
        f"{stats.limited_share:.1%}",
        f"{1 - useful / max(1, stats.requests):.1%}",
        f"{stats.duplicates - stats.avoidable}/{stats.avoidable}",
        "-" if used is None else f"{used:.0%}",
        f"{got['wall_s']:.0f}",
        "-" if ideal_s <= scenario.latency_s else f"{got['wall_s'] / ideal_s:.2f}",
        f"{stats.answered_at - stats.first_at:.1f}",
        f"{1000 * got['cpu_s'] / max(1, stats.billed):.1f}",
        f"{got['peak_mb'] - got['before_mb']:.0f}",
    ]


HEADING = [
    "scenario", "side", "pairs", "calls", "lost", "false", "HTTP", "K tokens", "429", "waste",
    "again", "used", "wall s", "/ ideal", "first s", "CPU ms", "grown MB",
]  # fmt: skip


def compare_with_limits(
    scenario: Scenario, stats: Stats, n_needed: int
) -> tuple[float, float | None]:
    """Return the shortest possible time, and how much of the limit that binds was used."""
    limits, minutes = scenario.limits, (stats.last_at - stats.first_at) / 60
    per_call = stats.charged_tokens / max(1, stats.admitted)
    loads = [
        (limit, n_needed * each, stats.admitted * each)
        for limit, each in ((limits.rpm, 1.0), (limits.tpm, per_call))
        if limit
    ]
    if not loads:
        return scenario.latency_s, None
    binding, needed, admitted = max(loads, key=lambda load: load[1] / load[0])
    ideal_s = max(0.0, needed - binding) / binding * 60 + scenario.latency_s
    return ideal_s, admitted / (binding * minutes + binding)


def measure_ours(
    name: str, scenario: Scenario, task: dict[str, Any], factor: float
) -> list[list[str]]:
    """Run our client, or several, against a server of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        start_server(scenario, task["seed"], factor) as server,
    ):
        asked = task | {
            "base_url": server.base_url,
            "factor": factor,
            "concepts_per_call": scenario.per_call,
        }
        if scenario.kills:
            got = run_with_kills(scenario, server, asked, folder)
        elif scenario.clients > 1:
            got = run_side_by_side(scenario, server, asked, folder)
        else:
            got = run_child(sys.executable, "_annotate_ours.py", "annotate", **save(asked, folder))
        rows = [row_of(name, "ours", scenario, server.stats(), got)]
    print(f"{name}: {got['note']}", flush=True)
    return rows


def save(task: dict[str, Any], folder: str, name: str = "answers.sqlite") -> dict[str, Any]:
    """Put the texts into a file, which is longer than a command line may be."""
    texts = Path(folder) / f"{name}.npz"
    np.savez(texts, documents=np.array(task["documents"]), concepts=np.array(task["concepts"]))
    rest = {key: value for key, value in task.items() if key not in ("documents", "concepts")}
    return rest | {"texts": str(texts), "store": str(Path(folder) / name)}


def start_child(arguments: dict[str, Any]) -> "subprocess.Popen[str]":
    """Start our client without waiting for it."""
    command = [sys.executable, str(HERE / "_annotate_ours.py"), "annotate", json.dumps(arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def run_side_by_side(
    scenario: Scenario, server: FaultServer, task: dict[str, Any], folder: str
) -> dict[str, Any]:
    """Give each of two clients half the documents and a store of its own; both share the key."""
    step = -(-scenario.n_documents // scenario.clients)
    parts = [task["documents"][i : i + step] for i in range(0, scenario.n_documents, step)]
    children = [
        start_child(save(task | {"documents": part}, folder, f"{i}.sqlite"))
        for i, part in enumerate(parts)
    ]
    results = [json.loads(child.communicate()[0].splitlines()[-1]) for child in children]
    stats = server.stats()
    summed = {key: sum(got[key] for got in results) for key in ("lost", "false", "cpu_s")}
    return (
        max(results, key=lambda got: got["peak_mb"])
        | summed
        | {
            "wall_s": stats.last_at - stats.first_at,
            "note": f"{scenario.clients} processes, each with a store of its own",
        }
    )


def run_with_kills(
    scenario: Scenario, server: FaultServer, task: dict[str, Any], folder: str
) -> dict[str, Any]:
    """Kill the client again and again, then let it finish; count what was in flight."""
    rng = np.random.default_rng(task["seed"])
    saved, factor = save(task, folder), task["factor"]
    goals = np.sort(rng.choice(scenario.n_documents - 50, scenario.kills, replace=False)) + 20
    unstored = 0
    for goal in goals.tolist():
        child = start_child(saved)
        while server.stats().billed - unstored < goal and child.poll() is None:
            time.sleep(0.002)
        child.kill()
        child.wait()
        time.sleep(3 * scenario.latency_s / factor)
        unstored = server.stats().billed - count_stored(saved["store"])
    got = run_child(sys.executable, "_annotate_ours.py", "annotate", **saved)
    stats = server.stats()
    extra = stats.billed - scenario.n_documents
    return got | {
        "wall_s": stats.last_at - stats.first_at,
        "note": f"{scenario.kills} kills left {unstored} calls paid and not stored, which were in "
        f"flight; {extra} paid twice",
    }


def count_stored(store: str) -> int:
    """Return how many answers a store holds."""
    with contextlib.closing(sqlite3.connect(store)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM calls").fetchone()
    return int(count)


def measure_predecessor(
    name: str, scenario: Scenario, task: dict[str, Any], python: str
) -> list[str]:
    """Run the predecessor's client in real time."""
    with tempfile.TemporaryDirectory() as folder, start_server(scenario, task["seed"], 1) as server:
        os.environ |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_KEY_SAE": "any-key"}
        saved = save(task, folder)
        got = run_child(
            python, "_annotate_predecessor.py", "annotate", texts=saved["texts"], seed=task["seed"]
        )
        row = row_of(name, "predecessor", scenario, server.stats(), got)
    print(f"{name}: predecessor's matrix: {got['matrix']}", flush=True)
    return row


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--predecessor", metavar="PYTHON", help="compare where this is given")
    parser.add_argument("--scenarios", default=_ALWAYS, help="of: " + ",".join(SCENARIOS))
    parser.add_argument("--factor", type=float, default=5.0, help="of the clock, ours alone")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the documents")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    table = [HEADING]
    for name in options.scenarios.split(","):
        scenario = SCENARIOS[name]
        n_documents = max(1, round(scenario.n_documents * options.scale))
        scenario = replace(scenario, n_documents=n_documents)
        task = make_task(scenario, options.seed)
        factor = 1.0 if scenario.shared else options.factor
        table += measure_ours(name, scenario, task, factor)
        if options.predecessor and scenario.shared and scenario.per_call > 1:
            table.append(measure_predecessor(name, scenario, task, options.predecessor))
    print_table(table)


if __name__ == "__main__":
    main()
