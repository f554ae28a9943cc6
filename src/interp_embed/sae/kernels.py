"""Compiled loops of the sparse autoencoder: select, reconstruct, update.

One training step of a TopK autoencoder needs a single dense matrix product, the pre-activations.
All else touches only the active features, k of n_features a document. The active entries of a
batch are held as compressed rows: ``start`` (n_batch + 1), ``feature`` and ``value`` (n_active),
features increasing within a document.

Callers check shapes, ranges and finiteness before they come here.
"""

import numba
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Index = NDArray[np.int64]

# Sums may be reordered and fused so that they vectorise; NaN and infinity keep their meaning.
_FAST = {"reassoc", "contract", "nsz"}
_BETA_1, _REST_1 = np.float32(0.9), np.float32(0.1)
_BETA_2, _REST_2 = np.float32(0.999), np.float32(0.001)
_EPSILON = np.float32(1e-8)
_CHUNK = 64


@numba.njit(cache=True, nogil=True)
def select_top_k(
    pre: Float, bias: Float, k: int, start: Index, feature: Index, value: Float
) -> None:
    """Write the k largest positive pre-activations of each row; fewer where fewer are positive.

    Of equal values the lower feature wins. ``feature`` and ``value`` have room for k a row.
    """
    n_rows, n_features = pre.shape
    best_value = np.empty(k, np.float32)
    best_feature = np.empty(k, np.int64)
    end = 0
    start[0] = 0
    for row in range(n_rows):
        held = 0
        smallest = np.float32(0.0)
        for begin in range(0, n_features, _CHUNK):
            chunk = pre[row, begin : begin + _CHUNK]
            chunk_bias = bias[begin : begin + _CHUNK]
            candidates = np.int32(0)  # counting vectorises, branching does not; most have none
            for j in range(len(chunk)):
                candidates += np.int32(chunk[j] + chunk_bias[j] > smallest)
            if candidates == 0:
                continue
            for j in range(len(chunk)):
                v = chunk[j] + chunk_bias[j]
                if v > smallest:
                    held = min(held + 1, k)
                    at = held - 1
                    while at > 0 and best_value[at - 1] < v:  # largest first, ties in order
                        best_value[at] = best_value[at - 1]
                        best_feature[at] = best_feature[at - 1]
                        at -= 1
                    best_value[at] = v
                    best_feature[at] = begin + j
                    if held == k:
                        smallest = best_value[k - 1]
        order = np.argsort(best_feature[:held])
        for i in range(held):
            feature[end + i] = best_feature[order[i]]
            value[end + i] = best_value[order[i]]
        end += held
        start[row + 1] = end


@numba.njit(cache=True, nogil=True)
def count_above(pre: Float, bias: Float, threshold: float) -> int:
    """Return how many pre-activations lie strictly above a threshold >= 0."""
    n_rows, n_features = pre.shape
    count = 0
    for row in range(n_rows):
        for j in range(n_features):
            count += pre[row, j] + bias[j] > threshold
    return count


@numba.njit(cache=True, nogil=True)
def select_above(
    pre: Float, bias: Float, threshold: float, start: Index, feature: Index, value: Float
) -> None:
    """Write all pre-activations strictly above a threshold >= 0; room as ``count_above`` says."""
    n_rows, n_features = pre.shape
    end = 0
    start[0] = 0
    for row in range(n_rows):
        for j in range(n_features):
            v = pre[row, j] + bias[j]
            if v > threshold:
                feature[end] = j
                value[end] = v
                end += 1
        start[row + 1] = end


@numba.njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def add_decoded(start: Index, feature: Index, value: Float, decoder: Float, out: Float) -> None:
    """Add each row's active directions to ``out``, shape (n_rows, d_in)."""
    d_in = decoder.shape[1]
    for row in range(len(start) - 1):
        for entry in range(start[row], start[row + 1]):
            v = value[entry]
            direction = decoder[feature[entry]]
            for i in range(d_in):
                out[row, i] += v * direction[i]


@numba.njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def prefix_residuals(
    x: Float,
    start: Index,
    feature: Index,
    value: Float,
    decoder: Float,
    decoder_bias: Float,
    prefixes: Index,
    residual: Float,
) -> float:
    """Write what each feature block must still explain; return the batch's squared error.

    The loss is the mean over prefixes p of |x - reconstruction from the first p features|^2.
    A feature in block j takes part in all prefixes from j on, so its gradient sees the mean
    of those residuals: ``residual[j]``, shape (n_prefixes, n_rows, d_in), reconstruction minus x.
    """
    n_prefixes = len(prefixes)
    n_rows, d_in = x.shape
    weight = np.float32(1.0 / n_prefixes)
    loss = 0.0
    current = np.empty(d_in, np.float32)
    for row in range(n_rows):
        for i in range(d_in):
            current[i] = decoder_bias[i] - x[row, i]
        entry = start[row]
        for block in range(n_prefixes):
            while entry < start[row + 1] and feature[entry] < prefixes[block]:
                v = value[entry]
                direction = decoder[feature[entry]]
                for i in range(d_in):
                    current[i] += v * direction[i]
                entry += 1
            squares = np.float32(0.0)
            for i in range(d_in):
                squares += current[i] * current[i]
                residual[block, row, i] = weight * current[i]
            loss += squares * weight
        for block in range(n_prefixes - 2, -1, -1):
            for i in range(d_in):
                residual[block, row, i] += residual[block + 1, row, i]
    return loss


@numba.njit(cache=True, nogil=True)
def group_by_feature(
    start: Index, feature: Index, n_features: int, first: Index, entry_row: Index, entry_at: Index
) -> None:
    """Order a batch's active entries by feature (a counting sort, stable in the document)."""
    first[:] = 0
    for entry in range(start[-1]):
        first[feature[entry] + 1] += 1
    for j in range(n_features):
        first[j + 1] += first[j]
    cursor = first[:n_features].copy()
    for row in range(len(start) - 1):
        for entry in range(start[row], start[row + 1]):
            at = cursor[feature[entry]]
            entry_row[at] = row
            entry_at[at] = entry
            cursor[feature[entry]] = at + 1


@numba.njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _dot(a: Float, b: Float) -> float:
    total = np.float32(0.0)
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@numba.njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def _add_scaled(out: Float, scale: float, a: Float) -> None:
    for i in range(len(out)):
        out[i] += scale * a[i]


@numba.njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def adam_step(
    weight: Float, gradient: Float, first: Float, second: Float, n_updates: int, rate: float
) -> None:
    """Take one Adam step on a vector in place; ``n_updates`` counts this one, from 1.

    Source: Kingma and Ba 2015, arXiv 1412.6980, algorithm 1.
    """
    step = np.float32(rate / (1.0 - 0.9**n_updates))
    unbias = np.float32(1.0 / (1.0 - 0.999**n_updates))
    for i in range(len(weight)):
        m = _BETA_1 * first[i] + _REST_1 * gradient[i]
        v = _BETA_2 * second[i] + _REST_2 * (gradient[i] * gradient[i])
        first[i] = m
        second[i] = v
        weight[i] -= step * m / (np.sqrt(v * unbias) + _EPSILON)


@numba.njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def update_features(  # noqa: PLR0913 - compiled code takes plain arrays
    x: Float,
    value: Float,
    first: Index,
    entry_row: Index,
    entry_at: Index,
    residual: Float,
    prefixes: Index,
    encoder: Float,
    encoder_bias: Float,
    decoder: Float,
    moments: Float,
    bias_moments: Float,
    n_updates: Index,
    learning_rate: float,
) -> None:
    """Take one Adam step on every feature that was active in the batch.

    Gradient and update of a feature happen together, while its weights are in cache. The decoder
    gradient's part along the direction is removed and the direction made unit length again.
    Features that were silent keep weights and moments (lazy Adam): their gradient is zero.

    ``moments`` is (4, n_features, d_in): first and second of the encoder, then of the decoder.
    ``bias_moments`` is (2, n_features).
    """
    n_rows, d_in = x.shape
    scale = np.float32(2.0 / n_rows)
    encoder_gradient = np.empty(d_in, np.float32)
    decoder_gradient = np.empty(d_in, np.float32)
    bias_gradient = np.empty(1, np.float32)
    block = 0
    for j in range(len(first) - 1):
        while j >= prefixes[block]:
            block += 1
        if first[j] == first[j + 1]:
            continue
        direction = decoder[j]
        encoder_gradient[:] = 0.0
        decoder_gradient[:] = 0.0
        bias_gradient[0] = 0.0
        for at in range(first[j], first[j + 1]):
            row = entry_row[at]
            error = residual[block, row]
            slope = scale * _dot(error, direction)
            bias_gradient[0] += slope
            _add_scaled(decoder_gradient, scale * value[entry_at[at]], error)
            _add_scaled(encoder_gradient, slope, x[row])
        _add_scaled(decoder_gradient, -_dot(decoder_gradient, direction), direction)

        n_updates[j] += 1
        n = n_updates[j]
        adam_step(encoder[j], encoder_gradient, moments[0, j], moments[1, j], n, learning_rate)
        adam_step(direction, decoder_gradient, moments[2, j], moments[3, j], n, learning_rate)
        adam_step(
            encoder_bias[j : j + 1],
            bias_gradient,
            bias_moments[0, j : j + 1],
            bias_moments[1, j : j + 1],
            n,
            learning_rate,
        )
        shrink = np.float32(1.0) / np.sqrt(_dot(direction, direction))
        for i in range(d_in):
            direction[i] *= shrink
