"""Mantissas rounded to fewer bits: smaller files, the same float32 for every reader."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from interp_embed.store.records import Precision

MANTISSA_BITS: dict[Precision, int] = {"full": 23, "half": 10, "bf16": 7}
"""Mantissa bits kept, of float32's 23."""

_LARGEST = np.uint32(0x7F7FFFFF)
_ALL = 0xFFFFFFFF


def round_mantissa(values: NDArray[Any], precision: Precision) -> NDArray[np.float32]:
    """Return float32 values with the mantissa rounded to nearest, ties to even.

    A finite value stays finite (the largest becomes the largest that has so few bits), and a
    positive one stays positive.

    1.0004883 ("half") -> 1.0; 1.0009766 stays

    Args:
        values: Finite values >= 0, any shape.
        precision: How many bits to keep.
    """
    exact = np.ascontiguousarray(values, np.float32)
    dropped = 23 - MANTISSA_BITS[precision]
    if dropped == 0:
        return exact
    bits = exact.view(np.uint32)
    keep = np.uint32(_ALL ^ ((1 << dropped) - 1))
    rounded = (bits >> np.uint32(dropped)) & np.uint32(1)
    rounded += np.uint32((1 << (dropped - 1)) - 1)
    rounded += bits
    rounded &= keep
    np.minimum(rounded, _LARGEST & keep, out=rounded)
    vanished = (rounded == 0) & (bits != 0)  # subnormal numbers below half a step
    rounded[vanished] = np.uint32(1 << dropped)
    return rounded.view(np.float32)
