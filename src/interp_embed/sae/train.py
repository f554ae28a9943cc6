"""Train a sparse autoencoder on embeddings, on a CPU, in seconds to minutes.

Walk of the data: embeddings (n_documents, d_in) are centred and scaled to mean squared length 1;
a batch gives pre-activations by one matrix product; the k largest become active; each Matryoshka
prefix leaves a residual; every feature that was active takes one Adam step (``kernels.py``).
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from interp_embed.errors import InputError
from interp_embed.records import TrainingReport
from interp_embed.sae import kernels
from interp_embed.sae.matrix import check_embeddings, check_varying
from interp_embed.sae.settings import Schedule, TrainingSettings
from interp_embed.sae.weights import (
    ActiveRows,
    SAEWeights,
    reconstruction_nmse,
    select_above,
    select_top_k,
)

_log = logging.getLogger(__name__)

_REVIVE_UNTIL = 0.6
"""Share of the planned steps after which dead features are left alone, so that they settle."""
_PROBE_ROWS = 4_096
"""Documents looked at to scale the start and to aim dead features."""
_STILL_IMPROVING = 5e-3
"""Relative gain over the last ``patience`` epochs above which a capped training says so."""
_MIN_GAIN = 1e-4
"""Relative gain in validation error that counts as an improvement."""


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
            the training documents, drawn with the seed, is held out.
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
    train, held_out = _hold_out(matrix, validation, settings)
    schedule = settings.schedule(n_documents=len(train))
    with threadpool_limits(settings.threads):
        state = _start(train, settings, warm_start)
        return _run(state, train, held_out, settings, schedule, progress=progress)


def _hold_out(
    matrix: NDArray[np.float32], validation: ArrayLike | None, settings: TrainingSettings
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if validation is not None:
        held_out = check_embeddings(validation, d_in=matrix.shape[1], name="validation embeddings")
        if len(held_out) < 2:
            raise InputError(f"validation needs at least 2 documents, but got {len(held_out)}")
        return matrix, held_out
    n_held_out = max(1, round(0.1 * len(matrix)))
    if len(matrix) - n_held_out < settings.n_features or n_held_out < 2:
        if len(matrix) < max(settings.n_features, 2):
            raise InputError(
                f"{settings.n_features} features cannot be learned from {len(matrix)} documents; "
                f"use at most {len(matrix)} features, or give more documents"
            )
        return matrix, matrix
    order = np.random.default_rng([settings.seed, 1]).permutation(len(matrix))
    return matrix[np.sort(order[n_held_out:])], matrix[np.sort(order[:n_held_out])]


@dataclass(slots=True, eq=False)
class _State:
    """Weights on the scaled data and all that the optimiser remembers."""

    mean: NDArray[np.float32]
    scale: np.float32
    encoder: NDArray[np.float32]
    encoder_bias: NDArray[np.float32]
    decoder: NDArray[np.float32]
    decoder_bias: NDArray[np.float32]
    moments: NDArray[np.float32]
    """Adam's first and second moments of encoder and decoder, shape (4, n_features, d_in)."""
    bias_moments: NDArray[np.float32]
    output_moments: NDArray[np.float32]
    n_updates: NDArray[np.int64]
    """Adam steps taken by each feature since it began or was revived."""
    n_steps: int = 0

    def scaled(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return (rows - self.mean) / self.scale

    def folded(self, settings: TrainingSettings) -> SAEWeights:
        """Return copies of the weights that read and write unscaled embeddings."""
        offset = self.encoder.astype(np.float64) @ self.mean.astype(np.float64)
        return SAEWeights(
            encoder=self.encoder.copy(),
            encoder_bias=(self.scale * self.encoder_bias - offset).astype(np.float32),
            decoder=self.decoder.copy(),
            decoder_bias=self.scale * self.decoder_bias + self.mean,
            k=settings.k,
            prefixes=settings.all_prefixes,
        )


def _start(
    train: NDArray[np.float32], settings: TrainingSettings, warm_start: SAEWeights | None
) -> _State:
    n_features, d_in = settings.n_features, train.shape[1]
    mean = train.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = np.float32(np.sqrt(_mean_square_distance(train, mean)))
    state = _State(
        mean=mean,
        scale=scale,
        encoder=np.empty((n_features, d_in), np.float32),
        encoder_bias=np.zeros(n_features, np.float32),
        decoder=np.empty((n_features, d_in), np.float32),
        decoder_bias=np.zeros(d_in, np.float32),
        moments=np.zeros((4, n_features, d_in), np.float32),
        bias_moments=np.zeros((2, n_features), np.float32),
        output_moments=np.zeros((2, d_in), np.float32),
        n_updates=np.zeros(n_features, np.int64),
    )
    if warm_start is None:
        _start_from_data(state, train, settings)
    else:
        _start_from_weights(state, warm_start, settings)
    return state


def _mean_square_distance(rows: NDArray[np.float32], center: NDArray[np.float32]) -> float:
    total = 0.0
    for begin in range(0, len(rows), 16_384):
        difference = rows[begin : begin + 16_384] - center
        total += float(np.square(difference, out=difference).sum(dtype=np.float64))
    return total / len(rows)


def _start_from_data(state: _State, train: NDArray[np.float32], settings: TrainingSettings) -> None:
    """Directions are documents; encoder tied to them, scaled to reconstruct best as a whole.

    Without the scale, near-parallel directions that fire together overshoot: at 8,192 features
    the first epochs are then spent undoing that.
    """
    rng = np.random.default_rng([settings.seed, 2])
    drawn = np.sort(rng.choice(len(train), settings.n_features, replace=False))
    directions = state.scaled(train[rng.permutation(drawn)])
    directions += rng.standard_normal(directions.shape, dtype=np.float32) * np.float32(
        1e-2 / np.sqrt(directions.shape[1])  # tells equal documents apart
    )
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    state.decoder[:] = directions
    probe = state.scaled(train[np.sort(rng.permutation(len(train))[:_PROBE_ROWS])])
    active = select_top_k(probe @ directions.T, state.encoder_bias, settings.k)
    rebuilt = np.zeros_like(probe)
    kernels.add_decoded(active.start, active.feature, active.value, directions, rebuilt)
    best = float(np.vdot(rebuilt, probe)) / float(np.vdot(rebuilt, rebuilt))
    state.encoder[:] = directions * np.float32(best)


def _start_from_weights(state: _State, weights: SAEWeights, settings: TrainingSettings) -> None:
    wanted = state.encoder.shape
    if weights.encoder.shape != wanted:
        raise InputError(
            f"a warm start needs weights of shape {wanted} (n_features, d_in), "
            f"but got {weights.encoder.shape}; train from the data instead"
        )
    if weights.prefixes != settings.all_prefixes:
        raise InputError(
            f"a warm start needs the same prefixes, but the weights have {weights.prefixes} "
            f"and the settings {settings.all_prefixes}"
        )
    offset = weights.encoder.astype(np.float64) @ state.mean.astype(np.float64)
    state.encoder[:] = weights.encoder
    state.encoder_bias[:] = (weights.encoder_bias + offset) / state.scale
    state.decoder[:] = weights.decoder
    state.decoder_bias[:] = (weights.decoder_bias - state.mean) / state.scale


def _run(
    state: _State,
    train: NDArray[np.float32],
    held_out: NDArray[np.float32],
    settings: TrainingSettings,
    schedule: Schedule,
    *,
    progress: bool,
) -> TrainedSAE:
    rng = np.random.default_rng([settings.seed, 3])
    history: list[float] = []
    best: SAEWeights | None = None
    best_epoch = n_revived = 0
    with tqdm(
        total=schedule.epochs, desc="training the SAE", unit="epoch", disable=not progress
    ) as bar:
        for epoch in range(1, schedule.epochs + 1):
            n_fired = _run_epoch(state, train, settings, schedule, rng.permutation(len(train)))
            if state.n_steps < _REVIVE_UNTIL * schedule.n_steps:
                n_revived += _revive(state, train, np.flatnonzero(n_fired == 0), settings, rng)
            weights = _with_threshold(state.folded(settings), train, settings)
            history.append(reconstruction_nmse(weights, held_out, threads=settings.threads))
            if best is None or history[-1] < history[best_epoch - 1] * (1 - _MIN_GAIN):
                best, best_epoch = weights, epoch
            bar.update()
            bar.set_postfix(validation_error=f"{history[-1]:.4f}")
            if epoch - best_epoch >= schedule.patience:
                break
    if best is None or not np.isfinite(history[best_epoch - 1]):
        raise InputError(
            "training diverged: the validation error is not finite; "
            f"use a learning_rate below {settings.learning_rate}"
        )
    return TrainedSAE(
        best,
        _report(best, train, len(held_out), history, best_epoch, n_revived, settings, schedule),
    )


def _run_epoch(
    state: _State,
    train: NDArray[np.float32],
    settings: TrainingSettings,
    schedule: Schedule,
    order: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Take one step a batch; return how many batches each feature was active in."""
    before = state.n_updates.copy()
    for begin in range(0, len(order), schedule.batch_size):
        rate = settings.learning_rate * (1.0 - state.n_steps / schedule.n_steps)
        _step(
            state, state.scaled(train[order[begin : begin + schedule.batch_size]]), settings, rate
        )
    return state.n_updates - before


def _step(state: _State, x: NDArray[np.float32], settings: TrainingSettings, rate: float) -> None:
    active = _select(x @ state.encoder.T, state.encoder_bias, settings)
    prefixes = np.array(settings.all_prefixes, np.int64)
    residual = np.empty((len(prefixes), *x.shape), np.float32)
    kernels.prefix_residuals(
        x, active.start, active.feature, active.value,
        state.decoder, state.decoder_bias, prefixes, residual,
    )  # fmt: skip
    first = np.empty(settings.n_features + 1, np.int64)
    entry_row = np.empty(len(active.value), np.int64)
    entry_at = np.empty(len(active.value), np.int64)
    kernels.group_by_feature(
        active.start, active.feature, settings.n_features, first, entry_row, entry_at
    )
    kernels.update_features(
        x, active.value, first, entry_row, entry_at, residual, prefixes,
        state.encoder, state.encoder_bias, state.decoder,
        state.moments, state.bias_moments, state.n_updates, rate,
    )  # fmt: skip
    state.n_steps += 1
    kernels.adam_step(
        state.decoder_bias,
        residual[0].mean(axis=0) * np.float32(2.0),  # d_in
        state.output_moments[0],
        state.output_moments[1],
        state.n_steps,
        rate,
    )


def _select(
    pre: NDArray[np.float32], bias: NDArray[np.float32], settings: TrainingSettings
) -> ActiveRows:
    if settings.rule == "topk":
        return select_top_k(pre, bias, settings.k)
    pooled = (pre + bias).ravel()
    kept = min(settings.k * len(pre), pooled.size)
    # One below the smallest kept value, so that "strictly above" keeps it.
    cut = np.nextafter(np.partition(pooled, pooled.size - kept)[pooled.size - kept], -np.inf)
    return select_above(pre, bias, max(float(cut), 0.0))


def _revive(
    state: _State,
    train: NDArray[np.float32],
    dead: NDArray[np.int64],
    settings: TrainingSettings,
    rng: np.random.Generator,
) -> int:
    """Point features that were silent for a whole epoch at what is reconstructed worst.

    Documents are drawn in proportion to their squared error; the direction is their residual,
    the encoder is tied to it at the mean length of the living.
    """
    if len(dead) == 0:
        return 0
    probe = state.scaled(train[np.sort(rng.permutation(len(train))[:_PROBE_ROWS])])
    active = _select(probe @ state.encoder.T, state.encoder_bias, settings)
    rebuilt = np.tile(state.decoder_bias, (len(probe), 1))
    kernels.add_decoded(active.start, active.feature, active.value, state.decoder, rebuilt)
    rest = probe - rebuilt
    squares = np.square(rest).sum(axis=1, dtype=np.float64)
    usable = np.flatnonzero(squares > 0)
    dead = dead[: len(usable)]
    if len(dead) == 0:
        return 0
    chance = squares[usable] / squares[usable].sum()
    rows = rng.choice(usable, len(dead), replace=False, p=chance)
    directions = rest[rows] / np.linalg.norm(rest[rows], axis=1, keepdims=True)
    alive = np.delete(np.arange(settings.n_features), dead)
    length = np.linalg.norm(state.encoder[alive], axis=1).mean() if len(alive) else 1.0
    state.decoder[dead] = directions
    state.encoder[dead] = directions * np.float32(length)
    state.encoder_bias[dead] = 0.0
    state.moments[:, dead] = 0.0
    state.bias_moments[:, dead] = 0.0
    state.n_updates[dead] = 0
    return len(dead)


def _with_threshold(
    weights: SAEWeights, train: NDArray[np.float32], settings: TrainingSettings
) -> SAEWeights:
    """Set the BatchTopK threshold: the training documents then have k active features in mean."""
    if settings.rule == "topk":
        return weights
    wide = replace(weights, k=min(weights.n_features, 8 * weights.k))
    values = wide.encode(train, threads=settings.threads).data
    kept = min(weights.k * len(train), len(values))
    if kept == 0:
        return replace(weights, threshold=0.0)
    cut = np.partition(values, len(values) - kept)[len(values) - kept]
    return replace(weights, threshold=max(float(np.nextafter(cut, np.float32(0))), 0.0))


def _report(
    weights: SAEWeights,
    train: NDArray[np.float32],
    n_held_out: int,
    history: list[float],
    best_epoch: int,
    n_revived: int,
    settings: TrainingSettings,
    schedule: Schedule,
) -> TrainingReport:
    activations = weights.encode(train, threads=settings.threads)
    fired = np.bincount(activations.indices, minlength=weights.n_features)
    stopped = "patience"
    if len(history) - best_epoch < schedule.patience:
        earlier = history[max(0, len(history) - 1 - schedule.patience)]
        gaining = history[best_epoch - 1] < earlier * (1 - _STILL_IMPROVING)
        stopped = "cap, still improving" if gaining else "cap"
    report = TrainingReport(
        epochs=len(history),
        best_epoch=best_epoch,
        stopped=stopped,
        validation_nmse=history[best_epoch - 1],
        train_nmse=reconstruction_nmse(weights, train, threads=settings.threads),
        validation_history=tuple(history),
        mean_active=activations.nnz / len(train),
        n_dead=int((fired == 0).sum()),
        n_revived=n_revived,
        n_train=len(train),
        n_validation=n_held_out,
    )
    _log.info("trained an SAE: %s", report)
    return report
