"""How far an axis of effects reaches when some intervals are much wider than the others."""

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


def effects_extent(
    values: Sequence[float], lows: Sequence[float], highs: Sequence[float], *, zero: float = 0.0
) -> Extent:
    """Return the stretch that holds ``zero``, every value, and the intervals of usual width.

    An end much farther out than the others is left outside, so that it does not squeeze the rest.

    >>> effects_extent([1.0, 2.0, 2.0], [0.5, 1.0, -900.0], [1.5, 3.0, 2.5])
    Extent(low=-7.5, high=3.0)
    """
    known = [value - zero for value in values if is_drawable(value)]
    ends = [end - zero for end in (*lows, *highs) if is_drawable(end)]
    sizes = sorted(
        max(abs(low - zero), abs(high - zero))
        for low, high in zip(lows, highs, strict=True)
        if is_drawable(low) and is_drawable(high)
    )
    usual = sizes[int(0.8 * (len(sizes) - 1))] if sizes else 0.0
    reach = max([_LONGEST_RELATIVE * usual, *map(abs, known)])
    inside = [max(-reach, min(reach, end)) for end in ends]
    return Extent(
        zero + min([0.0, *known, *inside]),
        zero + max([0.0, *known, *inside]),
    )
