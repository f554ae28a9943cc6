"""Where in a text a feature fires, as spans and as marks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def firing_spans(span: NDArray[np.int32], values: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return the characters on which a feature fires; neighbouring tokens make one span.

    Args:
        span: Characters of each token, shape (n_tokens, 2).
        values: Its activation, shape (n_tokens,); it fires where this is above 0.
    """
    spans: list[tuple[int, int]] = []
    last = -2
    for token in np.flatnonzero((values > 0) & (span[:, 1] > span[:, 0])).tolist():
        begin, end = int(span[token, 0]), int(span[token, 1])
        if spans and (token == last + 1 or begin < spans[-1][1]):
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((begin, end))
        last = token
    return spans


def mark(text: str, spans: Sequence[tuple[int, int]], left: str = "<<", right: str = ">>") -> str:
    """Return a text with marks around spans; without the marks it is the text again.

    White space at the ends of a span stays outside the marks.

    >>> mark("Good morning!", [(4, 12)])
    'Good <<morning>>!'
    """
    parts, at = [], 0
    for span_begin, span_end in spans:
        inside = text[span_begin:span_end]
        begin = span_begin + len(inside) - len(inside.lstrip())
        end = max(begin, span_end - (len(inside) - len(inside.rstrip())))
        if begin < at or begin == end:
            continue
        parts += [text[at:begin], left, text[begin:end], right]
        at = end
    return "".join([*parts, text[at:]])
