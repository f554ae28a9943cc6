"""Encode a data set while being killed, over and over; print what came of it as JSON.

Run in a process of its own: it loads the model once and forks a child for every attempt.

    python kill_encode.py MODEL SAE OUT KILLS SEED DOCUMENTS
"""

import json
import os
import random
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import pandas as pd
import torch
from tqdm import tqdm

from interp_embed import Dataset
from interp_embed.sae import LocalSAE

WORDS = [
    "the",
    "soup",
    "was",
    "cold",
    "and",
    "waiter",
    "rude",
    "we",
    "waited",
    "long",
    "for",
    "a",
    "table",
    "lovely",
    "kind",
    "good",
]


def main() -> None:
    model, sae_folder, out, kills, seed, n_documents = sys.argv[1:]
    torch.set_num_threads(1)
    tqdm.monitor_interval = 0  # no thread that could hold a lock while we fork
    warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
    rng = random.Random(int(seed))  # noqa: S311
    lengths = [rng.randint(1, 30) for _ in range(int(n_documents))]
    frame = pd.DataFrame({"text": [" ".join(rng.choices(WORDS, k=k)) for k in lengths]})
    sae = LocalSAE(None, sae_folder, model=model, max_norm_ratio=None)
    sae.load()

    def encode(name: str) -> Dataset:
        return Dataset(
            frame, sae, save_path=Path(out) / name, shard_rows=12, tokens="all", progress=False
        )

    def fork(name: str) -> int:
        pid = os.fork()
        if pid == 0:
            # tqdm's own is shared with the parent, who would wait for it once we are killed.
            tqdm.set_lock(threading.RLock())
            encode(name)
            os._exit(0)
        return pid

    whole = encode("whole")
    begun = time.monotonic()  # the first also compiles: kills timed by it come too late
    encode("timed")
    took = time.monotonic() - begun
    killed, kept, lost = 0, 0, 0
    for _ in range(int(kills)):
        before = committed(out, "killed")
        pid = fork("killed")
        time.sleep(rng.uniform(0, took * 0.5))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        killed += os.WIFSIGNALED(status)
        after = committed(out, "killed")
        lost += len(before - after)
        kept = len(after)
    resumed = encode("killed")
    both = [fork("both"), fork("both")]
    codes = [os.waitpid(pid, 0)[1] for pid in both]
    print(  # noqa: T201 - read by the test
        json.dumps(
            {
                "killed": killed,
                "kept_before_the_last_run": kept,
                "lost": lost,
                "whole": whole.digest(),
                "resumed": resumed.digest(),
                "both": Dataset.load_from_file(Path(out) / "both").digest(),
                "writers": codes,
                "errors": len(resumed.errors()),
            }
        )
    )


def committed(out: str, name: str) -> set[str]:
    return {path.name for path in (Path(out) / name / "commits").glob("**/*.json")}


if __name__ == "__main__":
    main()
