"""Compiled loops that pick the active features of tokens out of a tile of pre-activations.

A tile is (n_rows, n_block): some tokens by a block of neighbouring features, ``first`` the index of
the block's first feature. Each tile is read once. Most runs of 64 features hold no candidate;
counting them vectorises where branching does not, and a run is left at its last candidate.

Callers check shapes and finiteness before they come here.
"""

import numba
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Index = NDArray[np.int64]
Feature = NDArray[np.int32]

_CHUNK = 64
_RUN = 16
_HALVINGS = 12


@numba.njit(cache=True, nogil=True)
def select_above(
    pre: Float, bias: Float, cut: Float, first: int, count: Index, feature: Feature, value: Float
) -> int:
    """Write all ``pre + bias`` strictly above the cut of their feature; return how many.

    ``count`` gets the entries of each row; ``feature`` and ``value`` have room for the whole tile.
    """
    n_rows, n_block = pre.shape
    end = 0
    for row in range(n_rows):
        begin_row = end
        for begin in range(0, n_block, _CHUNK):
            chunk = pre[row, begin : begin + _CHUNK]
            chunk_bias = bias[begin : begin + _CHUNK]
            chunk_cut = cut[begin : begin + _CHUNK]
            candidates = np.int32(0)
            for j in range(len(chunk)):
                candidates += np.int32(chunk[j] + chunk_bias[j] > chunk_cut[j])
            j = 0
            while candidates > 0:
                v = chunk[j] + chunk_bias[j]
                if v > chunk_cut[j]:
                    feature[end] = first + begin + j
                    value[end] = v
                    end += 1
                    candidates -= np.int32(1)
                j += 1
        count[row] = end - begin_row
    return end


@numba.njit(cache=True, nogil=True)
def select_gated(
    pre: Float,
    bias: Float,
    gate: Float,
    scale: Float,
    first: int,
    count: Index,
    feature: Feature,
    value: Float,
) -> int:
    """Write ``pre * scale + bias`` where that and ``pre + gate`` are positive; return how many."""
    n_rows, n_block = pre.shape
    end = 0
    for row in range(n_rows):
        begin_row = end
        for begin in range(0, n_block, _CHUNK):
            chunk = pre[row, begin : begin + _CHUNK]
            chunk_gate = gate[begin : begin + _CHUNK]
            candidates = np.int32(0)
            for j in range(len(chunk)):
                candidates += np.int32(chunk[j] + chunk_gate[j] > np.float32(0.0))
            j = 0
            while candidates > 0:
                if chunk[j] + chunk_gate[j] > np.float32(0.0):
                    candidates -= np.int32(1)
                    v = chunk[j] * scale[begin + j] + bias[begin + j]
                    if v > np.float32(0.0):
                        feature[end] = first + begin + j
                        value[end] = v
                        end += 1
                j += 1
        count[row] = end - begin_row
    return end


@numba.njit(cache=True, nogil=True)
def _floor(values: Float, bias: Float, k: int, maxima: Float) -> float:
    """Return a value >= 0 that the k largest positive ``values + bias`` exceed.

    The values are dealt into ``len(maxima)`` groups. Where k maxima exceed a value, so do the k
    largest; such a value is found by halving, as counting vectorises and sorting does not.
    """
    width = len(maxima)
    if width < 2 * k:
        return 0.0
    for j in range(width):
        maxima[j] = values[j] + bias[j]
    for strip in range(1, len(values) // width):
        row, row_bias = values[strip * width :][:width], bias[strip * width :][:width]
        for j in range(width):
            v = row[j] + row_bias[j]
            maxima[j] = v if v > maxima[j] else maxima[j]
    low, high = np.float32(0.0), np.float32(0.0)
    for j in range(width):
        high = maxima[j] if maxima[j] > high else high
    for _ in range(_HALVINGS):
        middle = np.float32(0.5) * (low + high)
        above = np.int32(0)
        for j in range(width):
            above += np.int32(maxima[j] > middle)
        if above >= k:
            low = middle
        else:
            high = middle
    above = np.int32(0)
    for j in range(width):
        above += np.int32(maxima[j] > low)
    return float(low) if above >= k else 0.0


@numba.njit(cache=True, nogil=True)
def _keep_best(values: Float, features: Feature, n_held: int, k: int) -> float:
    """Move the k largest of n_held > k entries to the front, in their order; return the smallest.

    Of equal values the earlier stay.
    """
    smallest = np.partition(values[:n_held], n_held - k)[n_held - k]
    n_equal = k
    for i in range(n_held):
        n_equal -= values[i] > smallest
    end = 0
    for i in range(n_held):
        if values[i] > smallest or (values[i] == smallest and n_equal > 0):
            n_equal -= values[i] == smallest
            values[end], features[end] = values[i], features[i]
            end += 1
    return smallest  # type: ignore[no-any-return]


@numba.njit(cache=True, nogil=True)
def update_top_k(
    pre: Float,
    bias: Float,
    first: int,
    k: int,
    held: Index,
    floor: Float,
    best_feature: Feature,
    best_value: Float,
) -> None:
    """Take a block's positive ``pre + bias`` into the candidates for the k largest of each row.

    ``held`` (n_rows,) counts the candidates of each row, ``floor`` (n_rows,) is what others must
    exceed, ``best_*`` (n_rows, more than k) hold them by feature. Whenever a row is full, the k
    largest stay. Of equal values the lower feature wins.
    """
    n_rows, n_block = pre.shape
    room = best_value.shape[1]
    maxima = np.empty(n_block // _RUN, np.float32)
    for row in range(n_rows):
        values, features, n_held = best_value[row], best_feature[row], held[row]
        smallest = floor[row]
        if first == 0:
            smallest = np.float32(_floor(pre[row], bias, k, maxima))
        for begin in range(0, n_block, _CHUNK):
            chunk = pre[row, begin : begin + _CHUNK]
            chunk_bias = bias[begin : begin + _CHUNK]
            candidates = np.int32(0)
            for j in range(len(chunk)):
                candidates += np.int32(chunk[j] + chunk_bias[j] > smallest)
            j, at_start = 0, smallest
            while candidates > 0:
                v = chunk[j] + chunk_bias[j]
                if v > at_start:
                    candidates -= np.int32(1)
                    if v > smallest:
                        values[n_held], features[n_held] = v, first + begin + j
                        n_held += 1
                        if n_held == room:
                            smallest = np.float32(_keep_best(values, features, n_held, k))
                            n_held = k
                j += 1
        held[row], floor[row] = n_held, smallest


@numba.njit(cache=True, nogil=True)
def update_group_max(
    pre: Float, bias: Float, first: int, size: int, best_feature: Feature, best_value: Float
) -> None:
    """Take a block into the largest positive ``pre + bias`` of each group of ``size`` features.

    ``best_*`` (n_rows, n_groups) begin as 0.
    """
    n_rows, n_block = pre.shape
    for row in range(n_rows):
        begin = 0
        while begin < n_block:
            group = (first + begin) // size
            end = min((group + 1) * size - first, n_block)
            run, run_bias = pre[row, begin:end], bias[begin:end]
            largest = best_value[row, group]
            candidates = np.int32(0)
            for j in range(len(run)):
                candidates += np.int32(run[j] + run_bias[j] > largest)
            if candidates > 0:
                for j in range(len(run)):
                    v = run[j] + run_bias[j]
                    if v > largest:
                        largest = v
                        best_feature[row, group] = first + begin + j
                best_value[row, group] = largest
            begin = end


@numba.njit(cache=True, nogil=True)
def write_best(
    k: int,
    held: Index,
    best_feature: Feature,
    best_value: Float,
    count: Index,
    feature: Feature,
    value: Float,
) -> int:
    """Write the k largest positive ones of the candidates of each row; return how many.

    The candidates of a row are by feature, and so is what is written.
    """
    end = 0
    for row in range(len(held)):
        begin_row, n_held = end, held[row]
        if n_held > k:
            _keep_best(best_value[row], best_feature[row], n_held, k)
            n_held = k
        for i in range(n_held):
            if best_value[row, i] > np.float32(0.0):
                feature[end] = best_feature[row, i]
                value[end] = best_value[row, i]
                end += 1
        count[row] = end - begin_row
    return end


@numba.njit(cache=True, nogil=True)
def place_rows(
    count: Index,
    feature: Feature,
    value: Float,
    cursor: Index,
    out_feature: Feature,
    out_value: Float,
) -> None:
    """Copy the entries of each row to where its cursor stands, and move the cursor on."""
    entry = 0
    for row in range(len(count)):
        at = cursor[row]
        for _ in range(count[row]):
            out_feature[at] = feature[entry]
            out_value[at] = value[entry]
            at += 1
            entry += 1
        cursor[row] = at
