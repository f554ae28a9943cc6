"""Compiled loops over pairs of features: how often both fire, and which pairs are worth keeping.

Features are numbered by how often they fire, rarest first, so that the counts of those that meet
most often lie side by side. ``start`` and ``rows`` are the documents of each feature of one side
(compressed columns); ``stop`` and ``features`` the features of each document of the other
(compressed rows, ascending), from ``begin`` on. Within one set ``step`` is 1: ``begin`` moves
past each feature as it is counted, so that a pair is counted once, with its later feature. With
another set ``step`` is 0.

Callers check shapes, ranges and values before they come here; nothing is checked inside.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Count = NDArray[np.int64]
Row = NDArray[np.int32]
Tally = NDArray[np.uint32]
Float = NDArray[np.float64]
Place = NDArray[np.unsignedinteger[Any]]
"""Numbers of features: 16 bits where they suffice, which halves what is read."""

_CHUNK = 64


@numba.njit(cache=True, nogil=True)
def count_fires(
    row_start: Count, column: Row, fires: NDArray[np.bool_], place: Row, count: Count
) -> None:
    """Add to ``count`` in how many documents each feature with a place fires."""
    for entry in range(row_start[-1]):
        at = place[column[entry]]
        if at >= 0 and fires[entry]:
            count[at] += 1


@numba.njit(cache=True, nogil=True)
def list_rows(
    row_start: Count,
    column: Row,
    fires: NDArray[np.bool_],
    place: Row,
    filled: Count,
    rows: Row,
) -> None:
    """Write the documents of each feature; ``filled`` is where each begins, moved to its end."""
    for row in range(len(row_start) - 1):
        for entry in range(row_start[row], row_start[row + 1]):
            at = place[column[entry]]
            if at >= 0 and fires[entry]:
                rows[filled[at]] = row
                filled[at] += 1


@numba.njit(cache=True, nogil=True)
def list_features(start: Count, rows: Row, filled: Count, features: Place) -> None:
    """Write the features of each document, ascending; ``filled`` as in ``list_rows``."""
    for feature in range(len(start) - 1):
        for entry in range(start[feature], start[feature + 1]):
            row = rows[entry]
            features[filled[row]] = feature
            filled[row] += 1


@numba.njit(cache=True, nogil=True)
def _add(
    feature: int,
    start: Count,
    rows: Row,
    begin: Count,
    stop: Count,
    features: Place,
    step: int,
    tally: Tally,
) -> None:
    """Add one feature's documents to the tally of the features they hold."""
    for entry in range(start[feature], start[feature + 1]):
        row = rows[entry]
        begin[row] += step
        for at in range(begin[row], stop[row]):
            tally[features[at]] += np.uint32(1)


@numba.njit(cache=True, nogil=True)
def count_block(
    first: int,
    start: Count,
    rows: Row,
    begin: Count,
    stop: Count,
    features: Place,
    step: int,
    together: Tally,
) -> None:
    """Write in how many documents features from ``first`` on fire with each other one.

    ``together`` is zero, shape (n_block, n_right); within one set only pairs with a later feature
    are counted, and blocks must come in order.
    """
    for i in range(len(together)):
        _add(first + i, start, rows, begin, stop, features, step, together[i])


@numba.njit(cache=True, nogil=True)
def _push(
    key: Float, partner: Row, both: Tally, size: Row, of: int, value: float, other: int, count: int
) -> None:
    """Put a pair among the best of a feature, a heap with the weakest on top."""
    k = key.shape[1]
    if size[of] < k:
        at = size[of]
        size[of] += 1
        while at > 0:
            above = (at - 1) // 2
            if key[of, above] <= value:
                break
            key[of, at] = key[of, above]
            partner[of, at] = partner[of, above]
            both[of, at] = both[of, above]
            at = above
    else:
        if value <= key[of, 0]:
            return
        at = 0
        while True:
            below = 2 * at + 1
            if below >= k:
                break
            if below + 1 < k and key[of, below + 1] < key[of, below]:
                below += 1
            if key[of, below] >= value:
                break
            key[of, at] = key[of, below]
            partner[of, at] = partner[of, below]
            both[of, at] = both[of, below]
            at = below
    key[of, at] = value
    partner[of, at] = other
    both[of, at] = count


@numba.njit(cache=True, nogil=True)
def _evidence(both: int, a: int, b: int, n: int, terms: Float) -> float:
    """Return the likelihood-ratio statistic of a 2 x 2 table; ``terms`` holds x log x."""
    inside = terms[both] + terms[a - both] + terms[b - both] + terms[n - a - b + both]
    return 2.0 * (inside - terms[a] - terms[n - a] - terms[b] - terms[n - b] + terms[n])


@numba.njit(cache=True, nogil=True)
def keep_best(
    first: int,
    last: int,
    n: int,
    min_pairs: int,
    least: float,
    negative: bool,  # noqa: FBT001 - a compiled loop takes no keywords
    counts: tuple[Count, Count],
    start: Count,
    rows: Row,
    begin: Count,
    stop: Count,
    features: Place,
    step: int,
    tally: Tally,
    logs: Float,
    terms: Float,
    high: tuple[Float, Row, Tally, Row, Float, Row, Tally, Row],
    low: tuple[Float, Row, Tally, Row, Float, Row, Tally, Row],
) -> None:
    """Keep the best pairs of features ``first`` to ``last``, those of both their features.

    Positive pairs, together in ``min_pairs`` documents, by NPMI; negative ones, expected in as
    many, by the likelihood-ratio statistic. Pairs below ``least`` by it are not kept.

    Args:
        first: First feature; blocks must come in order.
        last: One past the last.
        n: Documents in all.
        min_pairs: Documents, >= 1.
        least: Smallest statistic, >= 0.
        negative: Keep negative pairs, too.
        counts: Documents in which each feature of the left and of the right side fires.
        start: See the module.
        rows: See the module.
        begin: See the module.
        stop: See the module.
        features: See the module.
        step: See the module.
        tally: Zeros, shape (n_right,).
        logs: Natural logarithms of 0 (of no use) to n.
        terms: x log x of 0 (0) to n.
        high: Heaps of the left and the right side, each with keys, partners, counts and sizes.
        low: The same of the negative pairs.
    """
    left, right = counts
    n_right = len(right)
    total = float(n)
    log_n = logs[n]
    for i in range(first, last):
        _add(i, start, rows, begin, stop, features, step, tally)
        a = left[i]
        share = float(a) / total
        log_a = logs[a] - log_n
        from_ = i + 1 if step else 0
        # Counts ascend: from here on enough documents are expected for a negative pair to show.
        far = np.searchsorted(right, (min_pairs * n + a - 1) // a) if negative else n_right
        far = max(far, from_)
        at = from_
        enough = np.uint32(min_pairs)
        while at < n_right:
            end = min(at + _CHUNK, far if at < far else n_right)
            if at < far:
                chunk = tally[at:end]  # counted from 0, or it does not vectorise
                some = np.int32(0)  # counting vectorises, branching does not; most have none
                for j in range(len(chunk)):
                    some += np.int32(chunk[j] >= enough)
                if some == 0:
                    chunk[:] = 0
                    at = end
                    continue
            for j in range(at, end):
                both = tally[j]
                tally[j] = 0
                b = right[j]
                expected = share * b
                gap = both - expected
                if gap > 0.0:
                    if both < enough:
                        continue
                    value = (log_a + logs[b] - log_n) / (logs[both] - log_n) - 1.0
                    full = high[3][i] == high[0].shape[1] and high[7][j] == high[4].shape[1]
                    if full and value <= high[0][i, 0] and value <= high[4][j, 0]:
                        continue
                    if _evidence(int(both), a, b, n, terms) < least:
                        continue
                    _push(high[0], high[1], high[2], high[3], i, value, j, both)
                    _push(high[4], high[5], high[6], high[7], j, value, i, both)
                elif j >= far and gap < 0.0:
                    # Twice Pearson's statistic is at least the evidence: most stop here.
                    if 2.0 * gap * gap < least * expected * (1.0 - share) * (1.0 - b / total):
                        continue
                    value = _evidence(int(both), a, b, n, terms)
                    if value < least:
                        continue
                    _push(low[0], low[1], low[2], low[3], i, value, j, both)
                    _push(low[4], low[5], low[6], low[7], j, value, i, both)
            at = end


@numba.njit(cache=True, nogil=True)
def compare_columns(
    start: Count,
    rows: Row,
    values: NDArray[np.float32],
    peaks: Row,
    first: Row,
    second: Row,
    reach: int,
    held_value: NDArray[np.float32],
    held_peak: Row,
    held_by: Row,
    product: Float,
    near: Row,
) -> None:
    """Write the dot product of pairs of columns, and in how many rows their peaks are near.

    ``first`` ascends. ``held_value``, ``held_peak`` and ``held_by`` (-1) are room for a column,
    shape (n_documents,). Without peaks (none, or -1) nothing is near.
    """
    with_peaks = len(peaks) > 0
    held = -1
    for pair in range(len(first)):
        if first[pair] != held:
            held = first[pair]
            for entry in range(start[held], start[held + 1]):
                held_by[rows[entry]] = held
                held_value[rows[entry]] = values[entry]
                if with_peaks:
                    held_peak[rows[entry]] = peaks[entry]
        total = 0.0
        n_near = 0
        for entry in range(start[second[pair]], start[second[pair] + 1]):
            row = rows[entry]
            if held_by[row] == held:
                total += float(held_value[row]) * float(values[entry])
                if with_peaks and peaks[entry] >= 0 and held_peak[row] >= 0:
                    n_near += abs(peaks[entry] - held_peak[row]) <= reach
        product[pair] = total
        near[pair] = n_near
