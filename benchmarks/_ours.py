"""Our side of the benchmarks: ``python _ours.py train|select '{...}'`` prints JSON last."""

import json
import sys
import time

import numpy as np
from scipy.sparse import csr_matrix, load_npz

from _memory import peak_mb
from interp_embed.hypotheses.select import select_features
from interp_embed.sae import SAEWeights, TrainingSettings, train_sae
from interp_embed.sae import train as trainer


def train(
    embeddings: str, n_train: int, n_features: int, k: int, prefixes: list[int], seed: int
) -> dict[str, object]:
    """Train with the default settings; note time and error after every epoch."""
    rows = np.load(embeddings)
    settings = TrainingSettings(n_features, k, tuple(prefixes), seed=seed)
    compile_s = _compile()
    seconds: list[float] = []
    validate = trainer._validation_error

    def noting_validate(*arguments: object) -> float:
        error = validate(*arguments)
        seconds.append(time.process_time() - begun)
        return error

    trainer._validation_error = noting_validate
    before = peak_mb()
    begun = time.process_time()
    trained = train_sae(rows[:n_train], settings, validation=rows[n_train:])
    total_s = time.process_time() - begun
    return {
        "seconds": seconds,
        "errors": trained.report.validation_history,
        "total_s": total_s,
        "compile_s": compile_s,
        "error": _plain_error(trained.weights, rows[n_train:]),
        "stopped": trained.report.stopped,
        "before_mb": before,
        "peak_mb": peak_mb(),
    }


def _compile() -> float:
    """Train on next to nothing, so that the kernels are compiled or read from numba's cache."""
    begun = time.process_time()
    tiny = np.random.default_rng(0).standard_normal((64, 8)).astype(np.float32)
    train_sae(tiny, TrainingSettings(16, 2, max_epochs=2))
    return time.process_time() - begun


def _plain_error(weights: SAEWeights, rows: np.ndarray) -> float:
    """Return |x - reconstruction|^2 / |x - mean|^2 by the plain formula."""
    rest = weights.decode(weights.encode(rows)) - rows
    return float((rest**2).sum() / ((rows - rows.mean(axis=0)) ** 2).sum())


def select(activations: str, target: str, n: int, method: str) -> dict[str, object]:
    """Select on the sparse matrix."""
    matrix = csr_matrix(load_npz(activations))
    values = np.load(target)
    before = peak_mb()
    begun = time.process_time()
    selection = select_features(matrix, values, n=n, method=method)
    return {
        "seconds": time.process_time() - begun,
        "features": selection.features.tolist(),
        "before_mb": before,
        "peak_mb": peak_mb(),
    }


if __name__ == "__main__":
    task = {"train": train, "select": select}[sys.argv[1]]
    print(json.dumps(task(**json.loads(sys.argv[2]))))
