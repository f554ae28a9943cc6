"""Training does not copy the data: measured in a process of its own."""

import json
import subprocess
import sys

import pytest

TRAIN = """
import json, sys
import numpy as np
from pathlib import Path
from interp_embed.sae import TrainingSettings, train_sae

def peak_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))

settings = json.loads(sys.argv[1])
tiny = np.random.default_rng(0).standard_normal((64, 8), dtype=np.float32)
train_sae(tiny, TrainingSettings(16, 2, rule=settings["rule"], max_epochs=1))  # loads the kernels
imported = peak_mb()
X = np.random.default_rng(0).standard_normal((100_000, 768), dtype=np.float32)
train_sae(X, TrainingSettings(**settings))
print(json.dumps({"data": X.nbytes / 2**20, "imported": imported, "peak": peak_mb()}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize("rule", ["topk", "batch_topk"])
@pytest.mark.parametrize(("n_features", "k"), [(256, 8), (8_192, 32)])
def test_training_needs_less_than_500_mb_beside_the_data(n_features, k, rule):
    settings = {"n_features": n_features, "k": k, "rule": rule, "max_epochs": 1}

    done = subprocess.run(
        [sys.executable, "-c", TRAIN, json.dumps(settings)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )

    held = json.loads(done.stdout)
    beside = held["peak"] - held["data"] - held["imported"]
    sys.stdout.write(f"\n{settings}: MB {held}, training {beside:.0f}\n")  # seen with -s
    assert beside < 500
