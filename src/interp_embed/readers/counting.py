"""Attention sinks left out: tokens whose hidden state is far longer than the usual."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from interp_embed.errors import InputError


def leave_out_sinks(
    norms: NDArray[np.float32],
    counted: NDArray[np.bool_],
    lengths: Sequence[int],
    *,
    max_ratio: float | None,
) -> NDArray[np.bool_]:
    """Return which tokens count: those not longer than ``max_ratio`` times the median.

    The median is that of the piece's own counted tokens: what is read beside a document must not
    change it. It is the lower median, so that of two tokens, one a sink, the other is kept. At
    least one token stays where one was.

    norms [1, 2, 90, 2], ratio 10 -> [True, True, False, True]

    Args:
        norms: Lengths of hidden states, shape (n_tokens,).
        counted: Tokens that count so far, shape (n_tokens,).
        lengths: Tokens of each piece, in order; they add up to n_tokens.
        max_ratio: Above 1; None keeps all.

    Raises:
        InputError: A counted token's norm is not finite.
    """
    if not np.isfinite(norms[counted]).all():
        raise InputError(
            "the model gives hidden states that are not finite numbers; float16 overflows in many "
            "models: use dtype='bfloat16' or 'float32'"
        )
    if max_ratio is None:
        return counted
    kept = counted.copy()
    start = 0
    for length in lengths:
        own = slice(start, start + length)
        start += length
        usual = norms[own][counted[own]]
        if len(usual):
            middle = (len(usual) - 1) // 2
            kept[own] &= norms[own] <= max_ratio * np.partition(usual, middle)[middle]
    return kept
