"""Compiled loops over pairs of features: how often both fire, and which pairs are worth keeping.

Features are numbered by how often they fire, rarest first, so that the counts of those that meet
most often lie side by side.

Callers check shapes, ranges and values before they come here; nothing is checked inside.
"""

from typing import Any, NamedTuple

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


class Walk(NamedTuple):
    """The documents of the left side's features, and the features of the right side in each."""

    start: Count
    """Where each left feature's documents begin, shape (n_left + 1,)."""
    rows: Row
    """These documents."""
    begin: Count
    """Where each document's right features begin, shape (n_documents,)."""
    stop: Count
    """Where they end."""
    features: Place
    """These features, ascending within a document."""
    step: int
    """1 within one set: ``begin`` moves past each feature as it is counted, so that a pair is
    counted once, with its later feature, and features must come in order. Else 0."""


class Tables(NamedTuple):
    """Numbers that are looked up."""

    left: Count
    """Documents in which each left feature fires, ascending."""
    right: Count
    """The same of the right side."""
    logs: Float
    """Natural logarithms of 0 (of no use) to the number of documents."""
    terms: Float
    """x log x of the same."""


class Limits(NamedTuple):
    """What a pair needs to be kept."""

    min_pairs: int
    """Documents in which a positive pair is, and a negative one is expected to be, >= 1."""
    least: float
    """Smallest likelihood-ratio statistic, >= 0."""
    negative: bool
    """Whether negative pairs are kept, too."""


class Heap(NamedTuple):
    """The best pairs of each feature, the weakest in front."""

    key: Float
    """What they are ranked by, shape (n_features, k)."""
    partner: Row
    both: Tally
    size: Row
    """How many there are, shape (n_features,)."""
    floor: Float
    """What a pair has to be above to be among them: -inf where there is room, (n_features,)."""


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
def _add(feature: int, walk: Walk, tally: Tally) -> None:
    """Add one feature's documents to the tally of the features they hold."""
    for entry in range(walk.start[feature], walk.start[feature + 1]):
        row = walk.rows[entry]
        walk.begin[row] += walk.step
        for at in range(walk.begin[row], walk.stop[row]):
            tally[walk.features[at]] += np.uint32(1)


@numba.njit(cache=True, nogil=True)
def count_block(first: int, walk: Walk, together: Tally) -> None:
    """Write in how many documents features from ``first`` on fire with each of the right side.

    ``together`` is zero, shape (n_block, n_right).
    """
    for i in range(len(together)):
        _add(first + i, walk, together[i])


@numba.njit(cache=True, nogil=True)
def _push(heap: Heap, of: int, value: float, partner: int, both: int) -> None:
    """Put a pair among the best of a feature, if it is."""
    key, k = heap.key[of], heap.key.shape[1]
    if heap.size[of] < k:
        at = heap.size[of]
        heap.size[of] += 1
        while at > 0:
            above = (at - 1) // 2
            if key[above] <= value:
                break
            _move(heap, of, above, at)
            at = above
    else:
        if value <= key[0]:
            return
        at = 0
        while True:
            below = 2 * at + 1
            if below >= k:
                break
            if below + 1 < k and key[below + 1] < key[below]:
                below += 1
            if key[below] >= value:
                break
            _move(heap, of, below, at)
            at = below
    key[at] = value
    heap.partner[of, at] = partner
    heap.both[of, at] = both
    if heap.size[of] == k:
        heap.floor[of] = key[0]


@numba.njit(cache=True, nogil=True)
def _move(heap: Heap, of: int, source: int, target: int) -> None:
    heap.key[of, target] = heap.key[of, source]
    heap.partner[of, target] = heap.partner[of, source]
    heap.both[of, target] = heap.both[of, source]


@numba.njit(cache=True, nogil=True)
def _evidence(both: int, a: int, b: int, terms: Float) -> float:
    """Return the likelihood-ratio statistic of a 2 x 2 table; ``terms`` holds x log x to n."""
    n = len(terms) - 1
    inside = terms[both] + terms[a - both] + terms[b - both] + terms[n - a - b + both]
    outside = terms[a] + terms[n - a] + terms[b] + terms[n - b] - terms[n]
    return float(2.0 * (inside - outside))


@numba.njit(cache=True, nogil=True)
def keep_best(
    first: int,
    last: int,
    walk: Walk,
    tables: Tables,
    limits: Limits,
    tally: Tally,
    high: tuple[Heap, Heap],
    low: tuple[Heap, Heap],
) -> None:
    """Keep the best pairs of left features ``first`` to ``last``, for both features of each.

    Positive pairs by NPMI; negative ones by the likelihood-ratio statistic.

    Args:
        first: First feature.
        last: One past the last.
        walk: Where features fire.
        tables: Their counts, and logarithms.
        limits: What a pair needs.
        tally: Zeros, shape (n_right,).
        high: Where positive pairs are kept, of the left and of the right side's features; the
            same twice within one set.
        low: The same of negative pairs.
    """
    left, right, logs, terms = tables
    n, n_right = len(terms) - 1, len(right)
    total, log_n = float(n), logs[n]
    enough, least = np.uint32(limits.min_pairs), limits.least
    floor_left, floor_right = high[0].floor, high[1].floor
    for i in range(first, last):
        _add(i, walk, tally)
        a = left[i]
        share, log_a = float(a) / total, logs[a] - log_n
        at = i + 1 if walk.step else 0
        # Counts ascend: from ``far`` on, enough documents are expected for too few to show.
        far = n_right
        if limits.negative:
            far = max(at, np.searchsorted(right, (limits.min_pairs * n + a - 1) // a))
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
                both, b = tally[j], right[j]
                tally[j] = 0
                expected = share * b
                gap = both - expected
                if gap > 0.0:
                    if both < enough:
                        continue
                    value = (log_a + logs[b] - log_n) / (logs[both] - log_n) - 1.0
                    if value <= floor_left[i] and value <= floor_right[j]:
                        continue
                    if _evidence(int(both), a, b, terms) >= least:
                        _push(high[0], i, value, j, both)
                        _push(high[1], j, value, i, both)
                elif j >= far and gap < 0.0:
                    # Twice Pearson's statistic is at least the evidence: most stop here.
                    if 2.0 * gap * gap < least * expected * (1.0 - share) * (1.0 - b / total):
                        continue
                    value = _evidence(int(both), a, b, terms)
                    if value >= least:
                        _push(low[0], i, value, j, both)
                        _push(low[1], j, value, i, both)
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
