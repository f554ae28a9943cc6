"""The predecessor's side of ``predict.py``: run by an interpreter that holds hypothesaes==2.0.1.

``python _predict_predecessor.py predict '{...}'`` reads the documents and folds, trains and selects
with the published functions as they are, writes the activations of the selected neurons on all
documents, and prints one line of JSON last: where each matrix is, and the CPU seconds.
"""

import json
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import torch
from hypothesaes.quickstart import train_sae
from hypothesaes.select_neurons import select_neurons

METHODS = ("correlation", "lasso", "separation_score")
_VALIDATION = 0.1


def predict(
    folder: str,
    n_features: int,
    k: int,
    prefixes: list[int],
    seeds: int,
    n_selected: int,
    methods: list[str],
) -> dict[str, object]:
    """Train once a fold and seed, select by each method; a tenth of the fold's rows validates.

    Its README passes validation rows too; selection then sees all rows of the fold that it may.
    """
    embeddings = np.load(f"{folder}/embeddings.npy")
    target, folds = np.load(f"{folder}/target.npy"), np.load(f"{folder}/folds.npy")
    runs: list[dict[str, object]] = []
    for seed in range(seeds):
        for fold in range(int(folds.max()) + 1):
            begun = time.process_time()
            train = np.flatnonzero(folds != fold)
            held_out = np.random.default_rng(seed).permutation(len(train)) < _VALIDATION * len(
                train
            )
            torch.manual_seed(seed)
            with redirect_stdout(sys.stderr):
                sae = train_sae(
                    embeddings[train[~held_out]],
                    M=n_features,
                    K=k,
                    matryoshka_prefix_lengths=prefixes or None,
                    val_embeddings=embeddings[train[held_out]],
                    show_progress=False,
                )
                activations = sae.get_activations(embeddings, show_progress=False)
            trained_s = time.process_time() - begun
            for method in methods:
                begun = time.process_time()
                with redirect_stdout(sys.stderr):
                    chosen, _ = select_neurons(
                        activations[train], target[train], n_selected, method=method
                    )
                seconds = trained_s + time.process_time() - begun
                name = f"{folder}/theirs-{n_features}-{len(prefixes)}-{method}-{seed}-{fold}.npy"
                np.save(name, activations[:, list(map(int, chosen))])
                runs.append(
                    {"method": method, "seed": seed, "fold": fold, "file": name, "s": seconds}
                )
            print(Path(folder).name, seed, fold, round(trained_s, 1), file=sys.stderr, flush=True)
    return {"runs": runs}


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps({"predict": predict}[sys.argv[1]](**json.loads(sys.argv[2]))))
