"""The predecessor's side of the benchmarks: run by an interpreter that holds hypothesaes==2.0.1.

``python _predecessor.py train|select '{...}'`` prints one line of JSON last. It uses the published
functions as they are; only ``eval`` is wrapped, to note time and error after every epoch.
"""

import json
import sys
import time

import numpy as np
import torch
from hypothesaes.sae import SparseAutoencoder
from hypothesaes.select_neurons import (
    select_neurons_correlation,
    select_neurons_lasso,
    select_neurons_separation_score,
)
from scipy.sparse import load_npz

from _memory import peak_mb

SELECT = {
    "correlation": select_neurons_correlation,
    "separation": select_neurons_separation_score,
    "lasso": select_neurons_lasso,
}


def train(
    embeddings: str,
    n_train: int,
    n_features: int,
    k: int,
    prefixes: list[int],
    max_epochs: int,
    seed: int,
) -> dict[str, object]:
    """Train as its quickstart does; its own stopping rule, at most ``max_epochs``."""
    torch.manual_seed(seed)
    rows = torch.from_numpy(np.load(embeddings))
    train_rows, held_out = rows[:n_train], rows[n_train:]
    spread = float(((held_out - held_out.mean(0)) ** 2).sum())
    sae = SparseAutoencoder(
        input_dim=rows.shape[1],
        m_total_neurons=n_features,
        k_active_neurons=k,
        prefix_lengths=prefixes or None,
        device="cpu",
    )
    to_eval = sae.eval
    seconds: list[float] = []
    errors: list[float] = []
    begun = time.process_time()
    aside = 0.0

    def noting_eval() -> SparseAutoencoder:
        nonlocal aside
        now = time.process_time()
        to_eval()
        seconds.append(now - begun - aside)
        with torch.no_grad():
            error = float(((sae(held_out)[0] - held_out) ** 2).sum())
        errors.append(error / spread)
        print(len(errors), round(seconds[-1], 1), round(errors[-1], 4), file=sys.stderr)
        aside += time.process_time() - now
        return sae

    sae.eval = noting_eval  # fit calls it once an epoch, before it validates
    before = peak_mb()
    sae.fit(train_rows, held_out, n_epochs=max_epochs, patience=3, show_progress=False)
    return {
        "seconds": seconds,
        "errors": errors,
        "total_s": time.process_time() - begun - aside,
        "before_mb": before,
        "peak_mb": peak_mb(),
    }


def select(activations: str, target: str, n: int, method: str) -> dict[str, object]:
    """Select on the dense array that its functions take."""
    dense = load_npz(activations).toarray()
    values = np.load(target)
    before = peak_mb()
    begun = time.process_time()
    features, _ = SELECT[method](dense, values, n)
    return {
        "seconds": time.process_time() - begun,
        "features": [int(feature) for feature in features],
        "before_mb": before,
        "peak_mb": peak_mb(),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    task = {"train": train, "select": select}[sys.argv[1]]
    print(json.dumps(task(**json.loads(sys.argv[2]))))
