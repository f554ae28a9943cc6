"""State of a training and what changes it: the start, one step, revival of dead features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interp_embed.errors import InputError
from interp_embed.sae import kernels
from interp_embed.sae.rows import Rows
from interp_embed.sae.settings import TrainingSettings
from interp_embed.sae.weights import ActiveRows, SAEWeights, select_above, select_top_k

_PROBE_ROWS = 4_096
"""Documents looked at to scale the start and to aim dead features."""
_PROBE_BATCH = 512


@dataclass(slots=True, eq=False)
class State:
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
        """Return embeddings as the weights see them: centred, mean squared length 1."""
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


def start(train: Rows, settings: TrainingSettings, warm_start: SAEWeights | None) -> State:
    """Return the state before the first step, from the data or from given weights.

    Raises:
        InputError: The data cannot be scaled, or the weights do not fit the data and settings.
    """
    n_features, d_in = settings.n_features, train.matrix.shape[1]
    mean = train.mean()
    scale = np.float32(np.sqrt(train.squared_distance(mean) / len(train)))
    if not (np.isfinite(scale) and scale > 0):
        raise InputError(
            f"the embeddings are {scale:g} away from their mean in root mean square, which float32 "
            "cannot divide by; scale them to a length of about 1"
        )
    state = State(
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


def _start_from_data(state: State, train: Rows, settings: TrainingSettings) -> None:
    """Directions are documents and noise in equal parts, the encoder tied to them and scaled.

    Documents alone are a mixture each, and training stays near that; noise alone takes longer to
    find the data. Half and half ended lower on text embeddings than either. The scale makes the
    reconstruction best as a whole: without it, near-parallel directions that fire together
    overshoot, and at 8,192 features the first epochs are spent undoing that.
    """
    rng = np.random.default_rng([settings.seed, 2])
    drawn = np.sort(rng.choice(len(train), settings.n_features, replace=False))
    directions = state.scaled(train.take(rng.permutation(drawn)))
    noise = rng.standard_normal(directions.shape, dtype=np.float32)
    directions += noise / np.float32(np.sqrt(directions.shape[1]))  # of mean length 1, as the data
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    state.decoder[:] = directions
    state.encoder[:] = directions
    probe = _probe(state, train, rng)
    rebuilt = _rebuilt(state, probe, settings)
    best = float(np.vdot(rebuilt, probe)) / float(np.vdot(rebuilt, rebuilt))
    state.encoder *= np.float32(best)


def _probe(state: State, train: Rows, rng: np.random.Generator) -> NDArray[np.float32]:
    return state.scaled(train.take(np.sort(rng.permutation(len(train))[:_PROBE_ROWS])))


def _rebuilt(
    state: State, probe: NDArray[np.float32], settings: TrainingSettings
) -> NDArray[np.float32]:
    """Return the reconstruction of scaled embeddings, a few at a time to spare memory."""
    rebuilt = np.tile(state.decoder_bias, (len(probe), 1))
    for begin in range(0, len(probe), _PROBE_BATCH):
        rows = slice(begin, begin + _PROBE_BATCH)
        active = select_active(probe[rows] @ state.encoder.T, state.encoder_bias, settings)
        kernels.add_decoded(
            active.start, active.feature, active.value, state.decoder, rebuilt[rows]
        )
    return rebuilt


def _start_from_weights(state: State, weights: SAEWeights, settings: TrainingSettings) -> None:
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


def take_step(
    state: State, x: NDArray[np.float32], settings: TrainingSettings, rate: float
) -> None:
    """Take one Adam step on a batch of scaled embeddings, shape (n_batch, d_in)."""
    active = select_active(x @ state.encoder.T, state.encoder_bias, settings)
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


def select_active(
    pre: NDArray[np.float32], bias: NDArray[np.float32], settings: TrainingSettings
) -> ActiveRows:
    """Return the active features of a training batch, by the rule of the settings."""
    if settings.rule == "topk":
        return select_top_k(pre, bias, settings.k)
    pooled = (pre + bias).ravel()
    kept = min(settings.k * len(pre), pooled.size)
    # One below the smallest kept value, so that "strictly above" keeps it.
    cut = np.nextafter(np.partition(pooled, pooled.size - kept)[pooled.size - kept], -np.inf)
    return select_above(pre, bias, max(float(cut), 0.0))


def revive(
    state: State,
    train: Rows,
    dead: NDArray[np.int64],
    settings: TrainingSettings,
    rng: np.random.Generator,
) -> int:
    """Point features that were silent for a whole epoch at what is reconstructed worst.

    Documents are drawn in proportion to their squared error; the direction is their residual,
    the encoder is tied to it at the mean length of the living. Returns how many were revived.
    """
    if len(dead) == 0:
        return 0
    probe = _probe(state, train, rng)
    rest = probe - _rebuilt(state, probe, settings)
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
