"""Documents cut into pieces that fit the model, and pieces put together into batches."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens [begin, end) of a document, run at once."""

    document: int
    begin: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin


def cut_pieces(lengths: Sequence[int], *, room: int) -> list[Piece]:
    """Return the pieces of documents, longest first.

    A document of more than ``room`` tokens is cut into as few pieces as it takes, of equal length
    up to one token, so that none is a stump without context. Pieces of one document keep their
    order. The order of all depends on the lengths alone.

    [3, 10], room 4 -> document 1: [0, 4), [4, 7), [7, 10); document 0: [0, 3)

    Args:
        lengths: Tokens of each document, at least 1.
        room: The most tokens of a piece, at least 1.
    """
    pieces = []
    for document, length in enumerate(lengths):
        n_pieces = -(-length // room)
        short, n_longer = divmod(length, n_pieces)
        ends = np.cumsum([short + (i < n_longer) for i in range(n_pieces)]).tolist()
        begins = [0, *ends[:-1]]
        pieces += [Piece(document, b, e) for b, e in zip(begins, ends, strict=True)]
    return sorted(pieces, key=lambda piece: (-len(piece), piece.document))


def batch_end(pieces: Sequence[Piece], start: int, *, budget: int, extra: int) -> int:
    """Return where the batch that begins at ``start`` ends: it holds at least one piece.

    Padded to its longest, a batch has at most ``budget`` tokens. Once a quarter of them is used,
    it ends before a piece of less than three quarters of the longest: such rows are mostly padding.

    Args:
        pieces: Longest first.
        start: Index of the batch's first piece.
        budget: Tokens of a batch, padding included.
        extra: Tokens put around each piece.
    """
    longest = len(pieces[start]) + extra
    last = min(len(pieces), start + max(1, budget // longest))
    for end in range(start + 1, last):
        is_short = 4 * (len(pieces[end]) + extra) < 3 * longest
        if is_short and 4 * (end - start) * longest >= budget:
            return end
    return last
