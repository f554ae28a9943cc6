"""How far an axis of effects reaches when some intervals are much wider than the others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_LONGEST_RELATIVE = 2.5
_LARGEST = 1e300


@dataclass(frozen=True, slots=True)
class Extent:
    """What an axis shows: from ``low`` to ``high``."""

    low: float
    high: float


def is_drawable(value: float) -> bool:
    """Whether a number has a place on an axis."""
    return abs(value) < _LARGEST  # False for NaN


def effects_extent(values: Sequence[float], ends: Sequence[float], *, zero: float = 0.0) -> Extent:
    """Return the stretch that holds ``zero``, every value, and the usual ends of intervals.

    An end much farther out than the others is left outside, so that it does not squeeze the rest.

    >>> effects_extent([1.0, 2.0], [0.5, 1.5, 1.0, 3.0, -900.0, 2.0])
    Extent(low=-7.5, high=3.0)
    """
    known = [value - zero for value in values if is_drawable(value)]
    sizes = sorted(abs(end - zero) for end in ends if is_drawable(end))
    usual = sizes[int(0.8 * (len(sizes) - 1))] if sizes else 0.0
    reach = max([_LONGEST_RELATIVE * usual, *map(abs, known)])
    inside = [max(-reach, min(reach, end - zero)) for end in ends if is_drawable(end)]
    low, high = min([0.0, *known, *inside]), max([0.0, *known, *inside])
    return Extent(zero + low, zero + high) if math.isfinite(high - low) else Extent(zero, zero)
