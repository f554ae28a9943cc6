"""Run a measurement in a process of its own, on one thread, and read what it says."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
HERE = Path(__file__).parent


def run_child(python: str, script: str, task: str, **arguments: object) -> dict[str, Any]:
    """Run ``script task arguments-as-JSON`` in a fresh process; return the JSON it prints last."""
    command = [python, str(HERE / script), task, json.dumps(arguments)]
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, "1")
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def print_table(rows: list[list[str]]) -> None:
    """Print rows of text as columns; the first row is the heading."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
