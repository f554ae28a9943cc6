"""Train a sparse autoencoder on embeddings, on a CPU, in seconds to minutes.

Walk of the data: embeddings (n_documents, d_in) are centred and scaled to mean squared length 1;
a batch gives pre-activations by one matrix product; the k largest become active; each Matryoshka
prefix leaves a residual; every feature that was active takes one Adam step (``kernels.py``).
"""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from interp_embed.errors import InputError
from interp_embed.records import TrainingReport
from interp_embed.sae.matrix import check_embeddings, check_varying
from interp_embed.sae.optimiser import State, revive, start, take_step
from interp_embed.sae.rows import HeldOut, Rows, hold_out
from interp_embed.sae.settings import Schedule, TrainingSettings
from interp_embed.sae.weights import SAEWeights, fit_threshold, measure_reconstruction

_log = logging.getLogger(__name__)

_REVIVE_UNTIL = 0.6
"""Share of the planned steps after which dead features are left alone, so that they settle."""
_STILL_IMPROVING = 5e-3
"""Relative gain over the last ``patience`` epochs above which a capped training says so."""
_MIN_GAIN = 1e-4
"""Relative gain in validation error that patience counts as an improvement."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainedSAE:
    """What training gives: the best weights and an honest account of how it went."""

    weights: SAEWeights
    report: TrainingReport


def train_sae(
    embeddings: ArrayLike,
    settings: TrainingSettings,
    *,
    validation: ArrayLike | None = None,
    warm_start: SAEWeights | None = None,
    progress: bool = False,
) -> TrainedSAE:
    """Return a sparse autoencoder of the embeddings.

    The weights of the epoch with the lowest validation error are kept. The same input, settings
    and versions on one machine give the same bytes.

    Args:
        embeddings: Training documents, shape (n_documents, d_in), finite, no constant column.
        settings: Size, sparsity, schedule and seed.
        validation: Other documents, shape (n, d_in), for early stopping; without them a tenth of
            the training documents, drawn with the seed, is held out. If that leaves fewer documents
            than features, all are trained on, and training stops by their own error (logged).
        warm_start: Weights to start from instead of the data, of the same shape.
        progress: Show a progress bar on the standard error stream.

    Raises:
        InputError: The embeddings cannot be learned from, or do not fit the settings.

    Source: TopK, Gao et al. 2024, arXiv 2406.04093; Matryoshka prefixes, Bussmann et al. 2025,
    arXiv 2503.17547; BatchTopK, Bussmann et al. 2024, arXiv 2412.06410; revival of dead features
    on poorly reconstructed data, Bricken et al. 2023, "Towards monosemanticity", appendix. We
    differ: the start is a scaled tied dictionary of data points; a feature is dead when a whole
    epoch passed without it, so revival works on small data; the BatchTopK threshold is a quantile
    over all training documents, not an average that lags behind; Adam is lazy (silent features
    rest); the pre-encoder bias is folded into the encoder bias.
    """
    matrix = check_embeddings(embeddings)
    check_varying(matrix)
    rows = hold_out(matrix, validation, settings)
    schedule = settings.schedule(n_documents=len(rows.train))
    with threadpool_limits(settings.threads):
        state = start(rows.train, settings, warm_start)
        run = _run(state, rows, settings, schedule, progress=progress)
        return TrainedSAE(run.best, _report(run, rows, settings, schedule))


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What the epochs left behind."""

    best: SAEWeights
    history: list[float]
    """Validation error after each epoch."""
    n_revived: int
    out_of_patience: bool


def _run(
    state: State, rows: HeldOut, settings: TrainingSettings, schedule: Schedule, *, progress: bool
) -> _Run:
    rng = np.random.default_rng([settings.seed, 3])
    history: list[float] = []
    best = state.folded(settings)
    n_revived = n_waited = 0
    to_beat = np.inf
    with tqdm(
        total=schedule.epochs, desc="training the SAE", unit="epoch", disable=not progress
    ) as bar:
        while len(history) < schedule.epochs and n_waited < schedule.patience:
            n_fired = _run_epoch(state, rows.train, settings, schedule, rng)
            weights = state.folded(settings)
            if settings.rule == "batch_topk":
                weights = fit_threshold(weights, rows.train)
            error = _validation_error(weights, rows.validation, schedule)
            if error < min(history, default=np.inf):
                best = weights
            history.append(error)
            n_waited += 1
            if error < to_beat * (1 - _MIN_GAIN):
                to_beat, n_waited = error, 0
            # After measuring: revived features have learnt nothing yet and take others' places.
            if state.n_steps < _REVIVE_UNTIL * schedule.n_steps:
                dead = np.flatnonzero(n_fired == 0)
                n_revived += revive(state, rows.train, dead, settings, rng)
            bar.update()
            bar.set_postfix(validation_error=f"{error:.4f}")
    return _Run(best, history, n_revived, out_of_patience=n_waited >= schedule.patience)


def _run_epoch(
    state: State,
    train: Rows,
    settings: TrainingSettings,
    schedule: Schedule,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Take one step a batch; return how many batches each feature was active in."""
    before = state.n_updates.copy()
    order = rng.permutation(len(train))
    for begin in range(0, len(order), schedule.batch_size):
        rate = schedule.learning_rate * (1.0 - state.n_steps / schedule.n_steps)
        batch = train.take(order[begin : begin + schedule.batch_size])
        take_step(state, state.scaled(batch), settings, rate)
    return state.n_updates - before


def _validation_error(weights: SAEWeights, validation: Rows, schedule: Schedule) -> float:
    error = measure_reconstruction(weights, validation).nmse
    if not np.isfinite(error):
        raise InputError(
            f"training diverged: the validation error is {error}; "
            f"use a learning_rate below {schedule.learning_rate:g}"
        )
    return error


def _report(
    run: _Run, rows: HeldOut, settings: TrainingSettings, schedule: Schedule
) -> TrainingReport:
    on_train = measure_reconstruction(run.best, rows.train)
    report = TrainingReport(
        epochs=len(run.history),
        best_epoch=int(np.argmin(run.history)) + 1,
        stopped="patience" if run.out_of_patience else _how_capped(run.history, schedule.patience),
        validation_nmse=min(run.history),
        train_nmse=on_train.nmse,
        validation_history=tuple(run.history),
        mean_active=float(on_train.density.sum()),
        n_dead=int((on_train.density == 0).sum()),
        n_revived=run.n_revived,
        n_train=len(rows.train),
        n_validation=len(rows.validation),
    )
    _log.info("trained an SAE: %s", report)
    return report


def _how_capped(history: list[float], patience: int) -> str:
    earlier = history[max(0, len(history) - 1 - patience)]
    gaining = min(history) < earlier * (1 - _STILL_IMPROVING)
    return "cap, still improving" if gaining else "cap"
